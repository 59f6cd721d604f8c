"""Reports of what of a checkpoint reaches a model: counts by outcome and by module.

mmengine loads weights by name, skips what does not fit and goes on; with the
wrong checkpoint it trains from random weights after a long warning. Here the
outcome is counted first, so that it can be shown briefly and refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmengine.logging import print_log
from torch import Tensor, nn

from mmpixcon.utils.tables import format_table

# Batch norm's counter is no weight; old checkpoints do not have it and mmengine
# does not count it as missing either.
_IGNORED_SUFFIX = 'num_batches_tracked'
_EXAMPLES = 3


@dataclass(frozen=True)
class LoadReport:
    """Names of tensors by what becomes of them.

    Attributes:
        loaded (tuple[str]): In both, of the same shape.
        missing (tuple[str]): In the model only.
        unexpected (tuple[str]): In the checkpoint only.
        mismatched (tuple[str]): In both, of different shapes; not loaded.
        initialized (tuple[str]): In the model only, as the model announced in
            ``expected_missing_prefixes``: it fills them by itself.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    initialized: tuple[str, ...]

    @property
    def share(self) -> float:
        """float: Share of the model's tensors that are loaded, 0 to 1.

        Tensors that the model fills by itself don't count. A model without
        tensors has everything loaded.
        """
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        return len(self.loaded) / total if total else 1.0

    def table(self) -> str:
        """Format the counts as a short table, a row for each top module."""
        columns = {
            'loaded': self.loaded,
            'missing': self.missing,
            'unexpected': self.unexpected,
            'shape mismatch': self.mismatched,
            'initialized by the model': self.initialized,
        }
        columns = {
            name: keys
            for name, keys in columns.items()
            if keys or name != 'initialized by the model'
        }
        lines = [count_table(columns)]
        for name in ('missing', 'unexpected', 'shape mismatch'):
            if columns[name]:
                more = ', ...' if len(columns[name]) > _EXAMPLES else ''
                lines.append(f'{name}: {", ".join(columns[name][:_EXAMPLES])}{more}')
        return '\n'.join(lines)

    def as_dict(self) -> dict[str, list[str]]:
        """The names by outcome, for JSON."""
        return {name: list(keys) for name, keys in vars(self).items()}


def count_table(columns: Mapping[str, Sequence[str]]) -> str:
    """Format how many names there are of each top module, a row each, and of all.

    Args:
        columns (Mapping[str, Sequence[str]]): Names, by the title of their column.
    """
    counts = {name: Counter(_top(key) for key in keys) for name, keys in columns.items()}
    modules = sorted(set().union(*counts.values()))
    rows = [(module, *(counts[name][module] for name in columns)) for module in modules]
    rows.append(('all', *map(len, columns.values())))
    return format_table(['module', *columns], rows)


def compare_state_dicts(
    model: Mapping[str, Tensor],
    checkpoint: Mapping[str, Tensor],
    expected_missing_prefixes: Sequence[str] = (),
) -> LoadReport:
    """Compare the tensors of a model with those of a checkpoint.

    Args:
        model (Mapping[str, Tensor]): ``state_dict()`` of the model.
        checkpoint (Mapping[str, Tensor]): State dict to be loaded. A leading
            ``module.``, left by a data-parallel wrapper, is dropped.
        expected_missing_prefixes (Sequence[str]): Prefixes of names that the
            model fills by itself where the checkpoint has none.

    Returns:
        LoadReport: Names in the order of the model, unexpected ones in the
        order of the checkpoint.
    """
    source = {key[7:] if key.startswith('module.') else key: v for key, v in checkpoint.items()}
    loaded: list[str] = []
    missing: list[str] = []
    mismatched: list[str] = []
    initialized: list[str] = []
    for key, value in _weights(model):
        if key in source:
            fits = getattr(source[key], 'shape', None) == value.shape
            (loaded if fits else mismatched).append(key)
        elif key.startswith(tuple(expected_missing_prefixes)):
            initialized.append(key)
        else:
            missing.append(key)
    unexpected = [key for key, _ in _weights(source) if key not in model]
    return LoadReport(
        tuple(loaded), tuple(missing), tuple(unexpected), tuple(mismatched), tuple(initialized)
    )


def report_loading(
    model: nn.Module,
    checkpoint: Mapping[str, Tensor],
    path: str,
    min_loaded: float,
    key: str,
    prefix: str = '',
) -> LoadReport:
    """Print what of a checkpoint a model takes; refuse one that hardly fits.

    Args:
        model (nn.Module): May define ``expected_missing_prefixes``.
        checkpoint (Mapping[str, Tensor]): State dict to be loaded.
        path (str): path of the checkpoint, for the messages.
        min_loaded (float): Least share of the model's tensors, 0 to 1.
        key (str): Config key that sets ``min_loaded``, for the message.
        prefix (str): Part of the checkpoint that was taken, for the messages.

    Returns:
        LoadReport: The comparison.

    Raises:
        RuntimeError: Less than ``min_loaded`` of the model's tensors are in
            the checkpoint with their shape.
    """
    report = _compare(model, checkpoint)
    summary = _summarize(report, model, path, prefix)
    if report.share < min_loaded:
        raise RuntimeError(
            f'{summary}, less than {key} = {min_loaded:g}. It looks like a checkpoint of another '
            f'architecture.\n{report.table()}\n'
            f'Use a checkpoint of this model, or lower {key} if so little is meant to be loaded.'
        )
    print_log(f'{summary}\n{report.table()}', logger='current')
    return report


def check_all_loaded(model: nn.Module, checkpoint: Mapping[str, Tensor], path: str) -> LoadReport:
    """Refuse a checkpoint that leaves a part of a model as it was initialized.

    For models that are used as they are: tested, or run on photos. What such a part gives looks
    like a result, and is chance.

    Args:
        model (nn.Module): May define ``expected_missing_prefixes``.
        checkpoint (Mapping[str, Tensor]): State dict to be loaded.
        path (str): path of the checkpoint, for the message.

    Returns:
        LoadReport: The comparison.

    Raises:
        ValueError: A tensor of the model is not in the checkpoint, or has another shape there.
    """
    report = _compare(model, checkpoint)
    if report.missing or report.mismatched:
        raise ValueError(
            f'only {_summarize(report, model, path)}: the others would keep random values. Give '
            f'the config that the checkpoint was trained with.\n{report.table()}'
        )
    return report


def _compare(model: nn.Module, checkpoint: Mapping[str, Tensor]) -> LoadReport:
    """Compare a model with a checkpoint."""
    prefixes = getattr(model, 'expected_missing_prefixes', ())
    return compare_state_dicts(model.state_dict(), checkpoint, prefixes)


def _summarize(report: LoadReport, model: nn.Module, path: str, prefix: str = '') -> str:
    """Say in a phrase how much of a model a checkpoint has."""
    total = len(report.loaded) + len(report.missing) + len(report.mismatched)
    part = f' (its part "{prefix}")' if prefix else ''
    return (
        f'{len(report.loaded)} of {total} tensors of {type(model).__name__} '
        f'({report.share:.0%}) found in {path}{part}'
    )


def _weights(tensors: Mapping[str, Tensor]) -> Iterable[tuple[str, Tensor]]:
    """Iterate over what counts as a weight."""
    return ((k, v) for k, v in tensors.items() if not k.endswith(_IGNORED_SUFFIX))


def _top(key: str) -> str:
    """Name the top module of a tensor."""
    return key.partition('.')[0]
