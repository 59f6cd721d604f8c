r"""Writes docs/rows.md: every row of the papers' tables, and each stated setting beside ours.

    python tools/misc/paper_rows.py            # writes
    python tools/misc/paper_rows.py --check    # says what is wrong, and exits with 1

Rows and stated settings are those of ``configs/papers`` (see paper_files.py), numbers those of the
metafiles, our settings those of the configs with the options of the recipes' stages. It is wrong
where

- ours differs from what is stated, and no reason is given;
- a reason is given, for a missing row as well, and ours does not differ;
- a row has no run, no number or no setting, or a metafile has numbers of a row that is not listed;
- a key does not resolve, or a pattern is that of no run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paper_checks import check_paper
from paper_files import read_paper
from paper_page import written
from paper_runs import ROOT, Values

# In the order of the page.
ORDER = ('pixcon', 'detco', 'plrc', 'ssl_for_detection', 'siamese_detr')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--check', action='store_true', help='write nothing, exit with 1')
    parser.add_argument('--papers', type=Path, default=ROOT / 'configs' / 'papers')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs' / 'rows.md')
    return parser.parse_args()


def main() -> None:
    """Write or check the page."""
    args = parse_args()
    values = Values()
    problems: list[str] = []
    papers = []
    try:
        paths = sorted(args.papers.glob('*.yml'), key=lambda path: ORDER.index(path.stem))
        for path in paths:
            rows, checked, wrong = check_paper(read_paper(path), values)
            papers.append((rows, checked))
            problems += wrong
    except ValueError as error:
        raise SystemExit(f'paper_rows: {error}') from None
    text = written(papers, args.page.parent)
    if problems:
        print('\n'.join(problems))
    if not args.check:
        args.page.write_text(text)
    elif not args.page.is_file() or args.page.read_text() != text:
        print(f'{args.page} is not what the configs say')
        problems.append('page')
    if problems:
        raise SystemExit(
            'paper_rows: see above; what is stated is in configs/papers. Then run '
            'python tools/misc/paper_rows.py'
        )


if __name__ == '__main__':
    main()
