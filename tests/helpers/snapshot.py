"""Prints what importing mmpixcon changes in other packages: python -m tests.helpers.snapshot."""

from __future__ import annotations

import importlib
import json
import sys
import types
from typing import Any

PACKAGES = ('cv2', 'mmcv', 'mmdet', 'mmengine', 'numpy', 'torch', 'torchvision')
MODULES = (
    *('mmcv.image.photometric', 'mmcv.ops.multi_scale_deform_attn', 'mmcv.transforms'),
    *('mmdet.apis', 'mmdet.models', 'mmengine.hub', 'mmengine.runner', 'mmengine.visualization'),
)
CODE = (types.FunctionType, types.BuiltinFunctionType, type, staticmethod, classmethod, property)


def snapshot() -> dict[str, Any]:
    """Code, registries and tables of the packages that are imported by now."""
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.registry import Registry
    from mmengine.runner.checkpoint import CheckpointLoader

    content: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.split('.')[0] not in PACKAGES or not isinstance(module, types.ModuleType):
            continue
        for key, value in list(vars(module).items()):
            if isinstance(value, CODE) or key == '__version__':
                content[f'{name}.{key}'] = value
            if isinstance(value, type) and value.__module__ == name:
                methods = {k: v for k, v in vars(value).items() if isinstance(v, CODE)}
                content |= {f'{name}.{key}.{k}': v for k, v in methods.items()}
            if isinstance(value, Registry):
                place = f'{value.scope}::{value.name}'
                content |= {f'{place}: {k}': v for k, v in value.module_dict.items()}
    content |= {f'CheckpointLoader: {k}': v for k, v in CheckpointLoader._schemes.items()}
    content |= {f'MODULE2PACKAGE: {k}': v for k, v in MODULE2PACKAGE.items()}
    return content | {f'sys.meta_path: {i}': finder for i, finder in enumerate(sys.meta_path)}


def main() -> None:
    """Compare before and after."""
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module('mmdet.utils').register_all_modules(init_default_scope=False)
    before = snapshot()
    importlib.import_module('mmpixcon')
    after = snapshot()
    changed = [key for key, value in before.items() if after.get(key) is not value]
    # New modules and their content are no change; new entries of registries and tables are.
    added = [key for key in after.keys() - before.keys() if ': ' in key]
    print(json.dumps(sorted([*changed, *added])))


if __name__ == '__main__':
    main()
