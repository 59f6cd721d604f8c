"""Registries of mmpixcon.

Each registry is a child of mmdet's registry of the same name. With
``default_scope = 'mmpixcon'`` a type without a prefix is therefore looked up
here first, then in mmdet, then in mmengine, so that stock mmdet configs work
unchanged as ``_base_`` of ours.

Each registry is also listed below mmengine's root: that is how a config of
another scope (``mmselfsup``, ``mmengine``) finds ``mmpixcon.Something``.
"""

from contextlib import AbstractContextManager
from typing import Any

from mmdet import registry as _mmdet
from mmengine.registry import DefaultScope, Registry


class _Registry(Registry):
    """Looks names up in mmselfsup, too, where neither mmpixcon nor mmdet nor mmengine has them.

    The parts of a pretraining config that another package takes as ``_base_ = 'mmpixcon::...'``
    all stand in the scope mmpixcon, those of mmselfsup as well.
    """

    def get(self, key: str) -> Any:
        """Find what is registered under a name; None if nothing is."""
        found = super().get(key)
        if found is None and '.' not in key and self.parent is not None:
            root = self.parent.parent
            other = root.children.get('mmselfsup') if root is not None else None
            found = other.get(key) if other is not None else None
        return found


def _child(parent: Registry, *locations: str) -> Registry:
    """Make the mmpixcon child of one of mmdet's registries."""
    registry = _Registry(
        parent.name,
        build_func=parent.build_func,
        parent=parent,
        scope='mmpixcon',
        locations=list(locations),
    )
    parent.parent._add_child(registry)
    return registry


MODELS = _child(_mmdet.MODELS, 'mmpixcon.models')
TASK_UTILS = _child(_mmdet.TASK_UTILS, 'mmpixcon.models')
WEIGHT_INITIALIZERS = _child(_mmdet.WEIGHT_INITIALIZERS, 'mmpixcon.engine')
DATASETS = _child(_mmdet.DATASETS, 'mmpixcon.datasets')
DATA_SAMPLERS = _child(_mmdet.DATA_SAMPLERS, 'mmpixcon.datasets')
TRANSFORMS = _child(_mmdet.TRANSFORMS, 'mmpixcon.datasets')
HOOKS = _child(_mmdet.HOOKS, 'mmpixcon.engine')
LOOPS = _child(_mmdet.LOOPS, 'mmpixcon.engine')
RUNNERS = _child(_mmdet.RUNNERS, 'mmpixcon.engine')
OPTIMIZERS = _child(_mmdet.OPTIMIZERS, 'mmpixcon.engine')
OPTIM_WRAPPERS = _child(_mmdet.OPTIM_WRAPPERS, 'mmpixcon.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(_mmdet.OPTIM_WRAPPER_CONSTRUCTORS, 'mmpixcon.engine')
PARAM_SCHEDULERS = _child(_mmdet.PARAM_SCHEDULERS, 'mmpixcon.engine')
METRICS = _child(_mmdet.METRICS, 'mmpixcon.evaluation')
VISUALIZERS = _child(_mmdet.VISUALIZERS, 'mmpixcon.visualization')
VISBACKENDS = _child(_mmdet.VISBACKENDS, 'mmpixcon.visualization')


def in_scope() -> AbstractContextManager[None]:
    """Look names up in mmpixcon first, whatever scope a config stands in.

    A stock config's pipeline stands in the scope of mmdet or mmselfsup, where mmpixcon's names
    would need their prefix. mmpixcon's registries know those of mmdet too.
    """
    return DefaultScope.overwrite_default_scope('mmpixcon')
