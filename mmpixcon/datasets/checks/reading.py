"""COCO files as they are on disk, in whatever encoding, and why one cannot be read."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from mmpixcon.limits import check_annotation_size

MARKS = {
    codecs.BOM_UTF8: 'utf-8-sig',
    codecs.BOM_UTF16_LE: 'utf-16',
    codecs.BOM_UTF16_BE: 'utf-16',
}
PARTS = ('images', 'annotations', 'categories')


def read_json(path: str | Path) -> Any:
    """Read a JSON file that may begin with a byte order mark.

    Args:
        path (str | Path): file.

    Returns:
        Any: content.

    Raises:
        OSError: The file cannot be read.
        ValueError: The content is not JSON, or too large or nested to be read; the message says
            where and what to do.
    """
    check_annotation_size(path)
    data = Path(path).read_bytes()
    if not data.strip():
        raise ValueError(f'{path} is empty. Export or copy it again.')
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), 'utf-8')
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is not UTF-8 (byte {error.start}). If it was written on Windows: '
            f'iconv -f cp1252 -t utf-8 {path} > utf8.json'
        ) from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1
        reason = 'it ends too early: export or copy it again' if cut else error.msg
        raise ValueError(
            f'{path} is not JSON (line {error.lineno}, column {error.colno}): {reason}.'
        ) from error
    except RecursionError as error:
        raise ValueError(f'{path} is nested too deeply to hold annotations.') from error
    except ValueError as error:
        # Numbers of thousands of digits.
        raise ValueError(f'{path} cannot be read: {error}.') from error


def read_coco(path: str | Path, needs_objects: bool = True) -> dict[str, Any]:
    """Read a COCO annotation file.

    Args:
        path (str | Path): file.
        needs_objects (bool): whether a list of annotations has to be there. Files of photos to
            test on, such as COCO's test-dev, have none. Defaults to True.

    Returns:
        dict: content, with lists of dictionaries ``images``, ``annotations`` and ``categories``.

    Raises:
        OSError: The file cannot be read.
        ValueError: The content is not COCO's; the message says what it is instead.
    """
    content = read_json(path)
    if isinstance(content, list):
        raise ValueError(
            f'{path} is a list, as COCO has it for results. Annotations are an object with '
            f'{", ".join(PARTS)}.'
        )
    if not needs_objects and isinstance(content, dict):
        content.setdefault('annotations', [])
    missing = [part for part in PARTS if not isinstance(content.get(part), list)]
    if missing:
        raise ValueError(
            f'{path} has no list of {" and of ".join(missing)}. COCO annotations have '
            f'{", ".join(PARTS)}; its keys are {", ".join(map(repr, content)) or "none"}.'
        )
    for part in PARTS:
        wrong = next((entry for entry in content[part] if not isinstance(entry, dict)), None)
        if wrong is not None:
            raise ValueError(
                f'{path}: {part} has an entry that is not an object: {str(wrong)[:80]}'
            )
    return content
