"""States of runs in their folders, so that each is done once, resumed, or told apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmpixcon.utils.files import replace_file
from mmpixcon.version import __version__

# Of the file below. Other formats are not read.
FORMAT = 1
FILE = 'stage.json'
# Changed settings to name.
NAMED = 8


class ChangedError(RuntimeError):
    """A folder holds a run of other settings."""


@dataclass(frozen=True)
class RunState:
    """A run and its settings.

    Attributes:
        stage (str): Name of the stage.
        seed (int): seed of the run.
        settings (dict[str, Any]): All that the run depends on: dotted config keys.
        config (str): Path of the config file as it was given; nothing depends on it.
        finished (bool): Whether it came to its end.
        minutes (float): Spent on it so far.
    """

    stage: str
    seed: int
    settings: Mapping[str, Any]
    config: str = ''
    finished: bool = False
    minutes: float = 0.0

    @property
    def digest(self) -> str:
        """str: Of stage, seed and settings."""
        text = json.dumps([self.stage, self.seed, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Put it into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = dict(
            format=FORMAT,
            version=__version__,
            stage=self.stage,
            seed=self.seed,
            config=self.config,
            digest=self.digest,
            finished=self.finished,
            minutes=round(self.minutes, 2),
            settings=self.settings,
        )
        replace_file(folder / FILE, json.dumps(content, indent=1).encode())


def read_state(folder: Path) -> RunState | None:
    """Read what was run in a folder; None if nothing was.

    Raises:
        ChangedError: The folder is of another version, or not of a recipe.
    """
    path = folder / FILE
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise ChangedError(
                f'{folder} holds files, but no {FILE}: it is no work folder of a recipe. Give '
                'another one by --work-dir'
            )
        return None
    try:
        content = json.loads(path.read_text())
        written = content['format']
        if written == FORMAT:
            return RunState(
                content['stage'],
                content['seed'],
                content['settings'],
                content['config'],
                content['finished'],
                content['minutes'],
            )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ChangedError(
            f'{path} cannot be read ({type(error).__name__}): give another --work-dir, or delete '
            'that folder'
        ) from error
    raise ChangedError(
        f'{path} was written by mmpixcon {content.get("version")} in format {written}; this is '
        f'{__version__}, format {FORMAT}: give another --work-dir'
    )


def minutes_spent(work_dir: Path) -> float:
    """Minutes that all runs of a recipe took so far.

    Args:
        work_dir (Path): work folder of the recipe, which need not exist.

    Raises:
        ChangedError: A run is of another version.
    """
    states = (read_state(path.parent) for path in work_dir.glob(f'*/*/{FILE}'))
    return sum(state.minutes for state in states if state)


def slug(name: str) -> str:
    """A name as a folder's."""
    return re.sub(r'[^\w.+-]+', '_', name.replace('%', 'percent').replace(',', '')).strip('_')


def run_folder(work_dir: Path, stage: str, seed: int) -> Path:
    """Work folder of a run of a recipe."""
    return work_dir / slug(stage) / f'seed_{seed}'


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Settings that are not the same, ``key: old -> new``, the first few."""
    changed = [
        f'{key}: {_short(old, key)} -> {_short(new, key)}'
        for key in dict.fromkeys([*old, *new])
        if old.get(key, ...) != new.get(key, ...)
    ]
    more = [f'and {len(changed) - NAMED} more'] if len(changed) > NAMED else []
    return changed[:NAMED] + more


def _short(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return '(none)'
    text = json.dumps(settings[key])
    return text if len(text) <= 60 else f'{text[:57]}...'


def flat(value: Any, prefix: str = '') -> dict[str, Any]:
    """A nest of settings under dotted keys, as JSON keeps it."""
    parts: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping) and value:
        parts = value.items()
    elif isinstance(value, (list, tuple)) and any(
        isinstance(v, (dict, list, tuple)) for v in value
    ):
        parts = enumerate(value)
    else:
        return {prefix: json.loads(json.dumps(value, default=str))}
    values: dict[str, Any] = {}
    for key, part in parts:
        values.update(flat(part, f'{prefix}.{key}' if prefix else str(key)))
    return values
