"""Problems of data, with counts, examples and remedies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from mmpixcon.utils.tables import format_table

# Examples that a problem keeps.
EXAMPLES = 3
# Words of messages that are others after a 1.
SINGULAR = {
    **{f'{noun}s': noun for noun in ('image', 'object', 'id', 'photo', 'file')},
    **{'boxes': 'box', 'classes': 'class', 'categories': 'category'},
    **{'have': 'has', 'are': 'is', 'lie': 'lies', 'reach': 'reaches', 'belong': 'belongs'},
    **{'stand': 'stands', 'do': 'does', 'differ': 'differs'},
}


class Level(str, Enum):
    """Severity of a problem.

    ``FATAL``: training would be wrong, learn nothing, or end in an error. ``MENDED``: the data
    are corrected as they are read. ``LEFT_OUT``: images or objects are not used. ``NOTE``: worth
    knowing, nothing is changed.
    """

    FATAL = 'fatal'
    MENDED = 'mended'
    LEFT_OUT = 'left out'
    NOTE = 'note'


@dataclass(frozen=True)
class Problem:
    """Something about the data that a user has to know.

    Attributes:
        kind (str): short name, the same in every report.
        level (Level): how bad it is.
        count (int): number of images, objects or classes that have it.
        message (str): one sentence with the count, without a full stop.
        examples (tuple[str, ...]): the first few of them.
        remedy (str): what to do; empty where nothing needs to be done.
    """

    kind: str
    level: Level
    count: int
    message: str
    examples: tuple[str, ...] = ()
    remedy: str = ''

    def __str__(self) -> str:
        """Write the problem as a line of a log."""
        more = ', ...' if self.count > len(self.examples) else ''
        examples = f' ({", ".join(self.examples)}{more})' if self.examples else ''
        remedy = f' {self.remedy}' if self.remedy else ''
        return f'{self.message}{examples}.{remedy}'


@dataclass
class Report:
    """Problems of one set of annotations.

    Attributes:
        name (str): what was checked: path of the annotation file.
        problems (list[Problem]): problems in the order in which they were met.
        numbers (dict[str, int]): counts of images and objects, by name.
        classes (dict[str, int]): objects of each class, in the order of the file.
    """

    name: str
    problems: list[Problem] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        level: Level,
        message: str,
        cases: Sequence[object] = (),
        remedy: str = '',
        count: int | None = None,
    ) -> None:
        """Add a problem, unless nothing has it.

        Args:
            kind (str): short name.
            level (Level): how bad it is.
            message (str): sentence in which ``{count}`` stands for the count.
            cases (Sequence): everything that has the problem; the first few become examples.
            remedy (str): what to do. Defaults to ''.
            count (int, optional): count where ``cases`` are not all of them. Defaults to None,
                their number.
        """
        count = len(cases) if count is None else count
        if count:
            examples = tuple(str(case) for case in cases[:EXAMPLES])
            text = message.replace('{count}', str(count))
            if count == 1:
                # Noun and verb follow the count.
                words = text.split(' ')
                start = words.index('1') if '1' in words else len(words)
                words[start : start + 4] = [SINGULAR.get(w, w) for w in words[start : start + 4]]
                text = ' '.join(words)
            self.problems.append(Problem(kind, level, count, text, examples, remedy))

    @property
    def fatal(self) -> list[Problem]:
        """Problems that a training must not begin with."""
        return [problem for problem in self.problems if problem.level is Level.FATAL]

    def as_dict(self) -> dict[str, Any]:
        """Content as JSON takes it."""
        problems = [dict(asdict(problem), level=problem.level.value) for problem in self.problems]
        return dict(asdict(self), problems=problems)


def problem_table(problems: Iterable[Problem]) -> str:
    """Write problems as a table: level, kind and count, with a line of explanation below each.

    Args:
        problems (Iterable[Problem]): the worst come first in the table.

    Returns:
        str: lines; empty without problems.
    """
    order = list(Level)
    ordered = sorted(problems, key=lambda problem: order.index(problem.level))
    if not ordered:
        return ''
    table = format_table(
        ('problem', 'level', 'count'), [(p.kind, p.level.value, p.count) for p in ordered]
    )
    lines = table.splitlines()
    texts = (f'    {problem}' for problem in ordered)
    return '\n'.join([lines[0], *(line for pair in zip(lines[1:], texts) for line in pair)])


def describe(report: Report) -> str:
    """Write a report as a warning of a log.

    Args:
        report (Report): report with problems.

    Returns:
        str: name of the annotations and a table of their problems.
    """
    return f'{report.name}:\n{problem_table(report.problems)}'


class BadDataError(ValueError):
    """Data that a training must not begin with.

    Args:
        reports (Sequence[Report]): reports, of which at least one has a fatal problem.
        advice (str): last line of the message. Defaults to '', none.
    """

    def __init__(self, reports: Sequence[Report], advice: str = '') -> None:
        self.reports = list(reports)
        lines = [f'{report.name}: {problem}' for report in reports for problem in report.fatal]
        lines = ['Training would go wrong with these data:', *(f'  {line}' for line in lines)]
        super().__init__('\n'.join([*lines, advice] if advice else lines))
