"""Small models of timm, one of each family."""

from __future__ import annotations

from mmpixcon.models.backbones import TIMMBackbone

# A name and settings, and the maps that detectors take; a plain transformer has one stride.
FAMILIES = {
    'resnet': ('test_resnet', {}, (1, 2, 3, 4)),
    'convnext': ('test_convnext', {}, (0, 1, 2, 3)),
    'vit': ('test_vit', {}, (2, 3, 4, 5)),
    'swin': (
        'swin_tiny_patch4_window7_224',
        dict(embed_dim=24, depths=(1, 1, 2, 1), num_heads=(1, 2, 3, 3)),
        (0, 1, 2, 3),
    ),
    'efficientnet': ('test_efficientnet', {}, (1, 2, 3, 4)),
}


def timm_config(family: str, maps: int, **options: object) -> dict:
    """The config of a family's backbone that gives its last maps."""
    name, settings, indices = FAMILIES[family]
    kind = 'mmpixcon.TIMMBackbone'
    return dict(type=kind, model_name=name, out_indices=indices[-maps:], **settings, **options)


def timm_backbone(family: str, maps: int = 4, **options: object) -> TIMMBackbone:
    """The backbone itself."""
    config = timm_config(family, maps, **options)
    del config['type']
    return TIMMBackbone(**config)
