"""Runs of the papers' rows, and the values that they are trained with."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

# Makes its functions known to derived_values.
import derived_models  # noqa: F401
import derived_values
from mmpixcon import registry
from mmpixcon.apis.config import merge_options, place_of_key
from mmpixcon.recipes.recipe import Recipe, Stage, read_config
from paper_files import Setting

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
# Where classes of a config are registered, and in which packages they may be.
REGISTRIES = tuple(
    value
    for name in ('MODELS', 'TRANSFORMS', 'DATASETS', 'TASK_UTILS', 'OPTIMIZERS', 'HOOKS')
    if (value := getattr(registry, name))
)
SCOPES = ('mmpixcon', 'mmdet', 'mmselfsup', 'mmengine')


@dataclass(frozen=True)
class Run:
    """A stage of a recipe, or a config alone.

    Attributes:
        name (str): Name of the stage, or of the row that the config is.
        stage (Stage): Config and options.
        config (str): Folder and name of the config, ``detco/detco_r50_8xb32-200e_imagenet``.
    """

    name: str
    stage: Stage
    config: str

    def matches(self, pattern: str) -> bool:
        """Return whether a pattern of ``configs/papers`` is that of this run."""
        names = [self.config] if '/' in pattern else [self.name, self.stage.config.stem]
        return any(fnmatchcase(name, pattern) for name in names)

    def has(self, setting: Setting) -> bool:
        """Return whether a setting holds for this run."""
        chosen = all(any(self.matches(p) for p in patterns) for patterns in setting.of)
        return chosen and not any(self.matches(p) for p in setting.without)


def run_of_stage(stage: Stage) -> Run:
    """The run that a stage of a recipe is."""
    path = stage.config.relative_to(CONFIGS).with_suffix('')
    return Run(stage.name, stage, path.as_posix())


def run_of_config(name: str, config: str, where: str) -> Run:
    """The run of a config without a stage.

    Raises:
        ValueError: There is no such config.
    """
    path = CONFIGS / f'{config}.py'
    if not path.is_file():
        raise ValueError(f'{where}: configs.{name} = {config}: {path} does not exist')
    return Run(name, Stage(name, path, (0,)), config)


def chain(recipe: Recipe, stage: Stage) -> Iterator[Run]:
    """The run of a stage, and those it starts from."""
    yield run_of_stage(stage)
    for source in stage.sources:
        yield from chain(recipe, recipe.stages[source])


@contextmanager
def quick_reading(files: dict[Path, Any]) -> Iterator[None]:
    """Within, mmengine reads each file once, and finds the configs of packages at once.

    It reads a base for every config that inherits from it, and all metafiles of a package for
    every config of the package.

    Args:
        files (dict[Path, Any]): what was read, filled.
    """
    find, read = Config.__dict__['_get_cfg_path'], Config.__dict__['_file2dict']

    def find_at_once(path: str, config: str) -> tuple[str, str | None]:
        package, colons, rest = path.partition('::')
        found = package_folder(package) / '.mim' / 'configs' / rest if colons else None
        if found is None or not found.is_file():
            return find.__func__(path, config)
        return str(found), package

    def read_once(filename: str | Path, *args: Any, **kwargs: Any) -> Any:
        key = Path(filename).resolve()
        if key not in files:
            files[key] = read.__func__(filename, *args, **kwargs)
        # Who reads it changes it.
        return copy.deepcopy(files[key])

    Config._get_cfg_path, Config._file2dict = staticmethod(find_at_once), staticmethod(read_once)
    try:
        yield
    finally:
        Config._get_cfg_path, Config._file2dict = find, read


@functools.cache
def package_folder(package: str) -> Path:
    """Folder of an installed package."""
    spec = find_spec(package)
    return Path() if spec is None or spec.origin is None else Path(spec.origin).parent


@dataclass
class Values:
    """Values of runs; each config is read once.

    Attributes:
        configs (dict[Path, Config]): what was read.
    """

    configs: dict[Path, Config] = field(default_factory=dict)
    _files: dict[Path, Any] = field(default_factory=dict)
    _with_options: dict[Path, list[tuple[Mapping[str, Any], Config]]] = field(default_factory=dict)

    def config(self, run: Run) -> Config:
        """The resolved config of a run, with the options of its stage."""
        path, options = run.stage.config, run.stage.options
        if path not in self.configs:
            with quick_reading(self._files):
                self.configs[path] = read_or_without_base(path)
        if not options:
            return self.configs[path]
        known = self._with_options.setdefault(path, [])
        for others, cfg in known:
            if others == options:
                return cfg
        cfg = copy.deepcopy(self.configs[path])
        merge_options(cfg, options)
        known.append((options, cfg))
        return cfg

    def value(self, setting: Setting, run: Run) -> Any:
        """Our value of a setting.

        Raises:
            ValueError: The key does not resolve, or the function is unknown.
        """
        where = f'{setting.where}: {run.config}'
        try:
            if setting.constant is not None:
                module, _, name = setting.constant.partition(':')
                return getattr(import_module(module), name)
            cfg = self.config(run)
            if setting.derived is not None:
                return derived_values.FUNCTIONS[setting.derived](cfg, run.stage)
            return read_key(cfg, setting.key or '', setting.type)
        except (KeyError, AttributeError, TypeError, ImportError, StopIteration) as error:
            ours = setting.key or setting.derived or setting.constant
            raise ValueError(
                f'{where}: {ours} does not resolve: {type(error).__name__} {error}'
            ) from None


def read_or_without_base(path: Path) -> Config:
    """Read a config; without the base of a package that is not installed.

    What the config says itself comes before its base, and nothing else of it may be asked for.
    """
    text = path.read_text()
    if 'mmseg::' not in text or _is_installed('mmseg'):
        return read_config(path)
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if '_base_' not in ast.unparse(node)]
    return Config.fromstring(ast.unparse(tree), '.py')


def _is_installed(package: str) -> bool:
    """Return whether a package can be imported."""
    try:
        import_module(package)
    except ImportError:
        return False
    return True


def read_key(cfg: Config, key: str, default_type: str | None = None) -> Any:
    """Read a value of a config by a dotted key.

    Args:
        cfg (Config): resolved config.
        key (str): as in ``--cfg-options``: elements of lists by their place or their type. Begins
            with ``detector.`` for what belongs to a detector, inside a method around it or not.
        default_type (str, optional): class whose default holds where the config has neither the
            value nor the part that it belongs to.

    Returns:
        Any: the value, of types without their registry; where the config has the part and not the
        value, the default of its class.

    Raises:
        KeyError: There is no such value.
    """
    if key.startswith('detector.'):
        key = f'model.{key}' if 'detector' in cfg.model else key.replace('detector', 'model', 1)
    node: Any = cfg
    parts = place_of_key(cfg, key).split('.')
    for i, part in enumerate(parts):
        if isinstance(node, (list, tuple)):
            node = node[int(part)]
        elif isinstance(node, (Mapping, Config)) and part in node:
            node = node[part]
        elif default_type is not None:
            return default_of(default_type, parts[-1])
        elif isinstance(node, Mapping) and 'type' in node and i == len(parts) - 1:
            return default_of(node['type'], part)
        else:
            raise KeyError(f'no {".".join(parts[: i + 1])}')
    return node.rsplit('.', 1)[-1] if parts[-1] == 'type' and isinstance(node, str) else node


@functools.cache
def default_of(type_name: str | type, argument: str) -> Any:
    """The default of an argument of a registered class.

    Raises:
        KeyError: The class is not registered, or has no such default.
    """
    found = type_name if isinstance(type_name, type) else class_of(type_name)
    for base in inspect.getmro(found):
        parameter = inspect.signature(base.__init__).parameters.get(argument)
        if parameter is not None and parameter.default is not parameter.empty:
            return parameter.default
    raise KeyError(f'{found.__name__} has no default of {argument}')


def class_of(name: str) -> type:
    """A registered class by its name, with its scope or without.

    Raises:
        KeyError: There is none.
    """
    names = [name] if '.' in name else [f'{scope}.{name}' for scope in SCOPES]
    for full in names:
        for one in REGISTRIES:
            found = one.get(full)
            if found is not None:
                return found
    raise KeyError(f'class {name} is not registered')


def same(stated: Any, ours: Any) -> bool:
    """Return whether two values are the same, numbers but for rounding."""
    if isinstance(stated, bool) or isinstance(ours, bool):
        return stated is ours
    if isinstance(stated, (int, float)) and isinstance(ours, (int, float)):
        return math.isclose(stated, ours, rel_tol=1e-6)
    if isinstance(stated, Mapping) and isinstance(ours, Mapping):
        return stated.keys() == ours.keys() and all(same(stated[key], ours[key]) for key in stated)
    if _is_sequence(stated) and _is_sequence(ours):
        return len(stated) == len(ours) and all(map(same, stated, ours))
    return stated == ours


def show(value: Any) -> str:
    """A value in a cell of a table."""
    if value is None:
        return 'none'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, float):
        return f'{value:.6g}'
    if isinstance(value, Mapping):
        return ', '.join(f'{key} {show(part)}' for key, part in value.items())
    if _is_sequence(value):
        parts = [show(part) for part in value]
        if len(parts) > 6:
            parts = [*parts[:2], '...', parts[-1]]
        return ', '.join(parts)
    return str(value)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
