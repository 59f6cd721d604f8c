"""Detection transformers under the names of their releases, and under mmdet's.

Names are those of facebookresearch/detr, Atten4Vis/ConditionalDETR and
fundamentalvision/Deformable-DETR; UP-DETR (dddzg/up-detr) and DETReg (amirbar/DETReg) keep
them, Siamese DETR (Zx55/SiameseDETR) has its own for all but the transformer.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import torch

from .weights import Renaming, Weights

VARIANTS = ('detr', 'conditional-detr', 'deformable-detr')

PRETEXT = 'of the pretext task'
PRETEXT_CLASSES = 'classes of the pretext task'
ALIAS = 'the same tensor as the one without transformer.decoder'
PROFILER = "a profiler's count"
ZERO_BIAS = 'zero: mmdet has no bias before a group norm'

# The categories of COCO: ids of 1 to 90 that exist. Releases count classes by id.
COCO_IDS = tuple(sorted({*range(1, 91)} - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}))

# Beside the detector, of UP-DETR and DETReg; of Siamese DETR's release.
_PRETEXT_PARTS = ('patch2query.', 'feature_align.', 'feature_embed.')
_SIAMESE_PARTS = ('patch2query.', 'enc_head.', 'dec_head.', 'pred_head.', 'head.')


def official_variant(names: Collection[str]) -> str:
    """Tell which detection transformer the names of a release belong to."""
    if 'transformer.level_embed' in names:
        return 'deformable-detr'
    if 'transformer.decoder.ref_point_head.layers.0.weight' in names:
        return 'conditional-detr'
    return 'detr'


def mmdet_variant(names: Collection[str]) -> str | None:
    """Tell which detection transformer names of mmdet belong to; None for no convertible one."""
    if 'level_embed' in names:
        return 'deformable-detr'
    if 'decoder.ref_point_head.layers.0.weight' in names:
        return 'conditional-detr'
    return 'detr' if 'decoder.post_norm.weight' in names else None


def read_official(weights: Weights, pretext: bool) -> None:
    """Rename a detector of a release as mmdet has it.

    Args:
        weights (Weights): Changed in place.
        pretext (bool): Whether it was pretrained without classes, so that its class layer is
            of no use.

    Raises:
        ValueError: It normalizes before attention, or has parts that the variant has not.
    """
    names = weights.tensors
    variant = official_variant(names)
    if 'transformer.encoder.norm.weight' in names:
        raise ValueError(
            'it is trained with --pre_norm (it has transformer.encoder.norm), and mmdet normalizes '
            'after attention only: the same weights would compute something else. Its backbone '
            'can be had, with --to mmdet-backbone'
        )
    weights.leave_out(lambda name: name.endswith(('total_ops', 'total_params')), PROFILER)
    weights.leave_out(
        lambda name: name.startswith(
            ('transformer.decoder.bbox_embed.', 'transformer.decoder.class_embed.')
        ),
        ALIAS,
    )
    if pretext:
        weights.leave_out(lambda name: name.startswith(_PRETEXT_PARTS), PRETEXT)
        weights.leave_out(lambda name: name.startswith('class_embed.'), PRETEXT_CLASSES)
    # 3 x 3 convolutions make further levels of the last map.
    kernels = [
        tensor.shape[-1]
        for name, tensor in names.items()
        if re.fullmatch(r'input_proj\.\d+\.0\.weight', name)
    ]
    table = _renaming(variant, kernels.count(1), len(kernels))
    weights.rename_as(f'a {variant}', table.translate_back)
    if variant == 'deformable-detr':
        _settle_neck_bias(weights)


def write_official(weights: Weights, variant: str) -> None:
    """Rename a detector of mmdet as its release has it.

    Args:
        weights (Weights): Changed in place.
        variant (str): One of ``VARIANTS``.

    Raises:
        ValueError: The detector is another one.
    """
    names = weights.tensors
    actual = mmdet_variant(names)
    if actual != variant:
        raise ValueError(f'it is {f"a {actual}" if actual else "none of these"}, not a {variant}')
    convs = _count(names, r'neck\.convs\.(\d+)\.conv\.weight')
    levels = convs + _count(names, r'neck\.extra_convs\.(\d+)\.conv\.weight')
    if variant == 'deformable-detr':
        for name in [n for n in names if re.fullmatch(r'neck\..*\.conv\.weight', n)]:
            bias = name.replace('weight', 'bias')
            if bias not in names:
                weights.add(bias, names[name].new_zeros(len(names[name])))
    table = _renaming(variant, convs, levels)
    weights.rename_as(f'a {variant}', table.translate)
    if variant == 'deformable-detr':
        _add_aliases(weights)


def siamese_to_official(weights: Weights) -> None:
    """Rename a checkpoint of Siamese DETR's release as those of the other releases.

    The Deformable DETR of that release has one box layer for all decoder layers, a query's
    two halves apart, and if single-scale no norm after ``input_proj``.

    Args:
        weights (Weights): Changed in place.
    """
    deformable = 'transformer.level_embed' in weights.tensors

    def new_name(name: str) -> str:
        name = re.sub(r'^(pred_)?head\.(class|bbox)_embed\.', r'\2_embed.', name)
        if deformable:
            name = re.sub(r'^input_proj\.(weight|bias)$', r'input_proj.0.0.\1', name)
        return re.sub(r'^backbone\.', 'backbone.0.body.', name)

    weights.rename(new_name)
    weights.leave_out(lambda name: name.startswith(_SIAMESE_PARTS), PRETEXT)
    if not deformable:
        return
    names = weights.tensors
    layers = _count(names, r'transformer\.decoder\.layers\.(\d+)\.')
    for name in [n for n in names if n.startswith('bbox_embed.')]:
        tensor, origin = names.pop(name), weights.origins.pop(name)
        for i in range(layers):
            weights.add(name.replace('bbox_embed.', f'bbox_embed.{i}.'), tensor, origin)
    halves = 'query_embed.weight', 'transformer.tgt_embed.weight'
    if halves[1] in names:
        origin = ' + '.join(weights.origins.pop(half) for half in halves)
        joined = torch.cat([names.pop(half) for half in halves], dim=1)
        weights.add(halves[0], joined, origin)


def keep_coco_rows(weights: Weights) -> None:
    """Keep the 80 categories of class layers that count 91 ids of COCO.

    Args:
        weights (Weights): Under mmdet's names; changed in place.

    Raises:
        ValueError: There is no class layer, or it has another number of rows.
    """
    pattern = re.compile(r'bbox_head\.(fc_cls|cls_branches\.\d+)\.(weight|bias)')
    chosen = [name for name in weights.tensors if pattern.fullmatch(name)]
    if not chosen:
        raise ValueError('--coco-classes: it has no class layer')
    for name in chosen:
        tensor = weights.tensors[name]
        if len(tensor) not in (91, 92):
            raise ValueError(
                f'--coco-classes: {weights.origins[name]} has {len(tensor)} rows; COCO has 91 '
                'ids, and 92 with "no object"'
            )
        # A softmax's last row is "no object".
        weights.tensors[name] = tensor[[*COCO_IDS, *range(91, len(tensor))]]
    weights.notes.append('class layers have the 80 categories of COCO, by ascending id')


def _renaming(variant: str, convs: int, levels: int) -> Renaming:
    """Names of a detector: mmdet's, and its release's.

    Args:
        variant (str): One of ``VARIANTS``.
        convs (int): Maps of the backbone that are projected, of Deformable DETR.
        levels (int): number of levels, further ones included.
    """
    pairs = [('backbone.*', 'backbone.0.body.*')]
    pairs += [
        (f'{part}.layers.#.ffn.layers.{mmdet}.*', f'transformer.{part}.layers.#.{official}.*')
        for part in ('encoder', 'decoder')
        for mmdet, official in (('0.0', 'linear1'), ('1', 'linear2'))
    ]
    # mmdet numbers norms as they are computed. Deformable DETR's decoder computes norm2 first.
    order = (2, 1, 3) if variant == 'deformable-detr' else (1, 2, 3)
    for part, norms in (('encoder', (1, 2)), ('decoder', order)):
        pairs += [
            (f'{part}.layers.#.norms.{i}.*', f'transformer.{part}.layers.#.norm{norm}.*')
            for i, norm in enumerate(norms)
        ]
    pairs.append(('query_embedding.*', 'query_embed.*'))
    if variant == 'deformable-detr':
        return Renaming(pairs + _deformable_pairs(convs, levels))
    pairs += [
        ('encoder.layers.#.self_attn.attn.*', 'transformer.encoder.layers.#.self_attn.*'),
        ('decoder.post_norm.*', 'transformer.decoder.norm.*'),
        ('neck.convs.0.conv.*', 'input_proj.*'),
        ('bbox_head.fc_cls.*', 'class_embed.*'),
        ('bbox_head.reg_ffn.layers.0.0.*', 'bbox_embed.layers.0.*'),
        ('bbox_head.reg_ffn.layers.1.*', 'bbox_embed.layers.1.*'),
        ('bbox_head.fc_reg.*', 'bbox_embed.layers.2.*'),
    ]
    layer = 'decoder.layers.#', 'transformer.decoder.layers.#'
    if variant == 'detr':
        attentions = [('self_attn.attn', 'self_attn'), ('cross_attn.attn', 'multihead_attn')]
    else:
        parts = ('qcontent', 'qpos', 'kcontent', 'kpos', 'v', 'qpos_sine')
        attentions = [
            (f'{mmdet}_attn.{part}_proj', f'{official}_{part}_proj')
            for mmdet, official in (('self', 'sa'), ('cross', 'ca'))
            for part in parts
        ]
        attentions += [(f'{a}_attn.out_proj', f'{a}_attn.out_proj') for a in ('self', 'cross')]
        pairs += [
            (f'decoder.{mlp}.*', f'transformer.decoder.{mlp}.*')
            for mlp in ('query_scale', 'ref_point_head')
        ]
    pairs += [
        (f'{layer[0]}.{mmdet}.*', f'{layer[1]}.{official}.*') for mmdet, official in attentions
    ]
    return Renaming(pairs)


def _deformable_pairs(convs: int, levels: int) -> list[tuple[str, str]]:
    """Names of Deformable DETR alone."""
    pairs = [
        ('level_embed', 'transformer.level_embed'),
        ('reference_points_fc.*', 'transformer.reference_points.*'),
        ('memory_trans_fc.*', 'transformer.enc_output.*'),
        ('memory_trans_norm.*', 'transformer.enc_output_norm.*'),
        ('pos_trans_fc.*', 'transformer.pos_trans.*'),
        ('pos_trans_norm.*', 'transformer.pos_trans_norm.*'),
        ('encoder.layers.#.self_attn.*', 'transformer.encoder.layers.#.self_attn.*'),
        ('decoder.layers.#.self_attn.attn.*', 'transformer.decoder.layers.#.self_attn.*'),
        ('decoder.layers.#.cross_attn.*', 'transformer.decoder.layers.#.cross_attn.*'),
        ('bbox_head.cls_branches.#.*', 'class_embed.#.*'),
    ]
    pairs += [
        (f'bbox_head.reg_branches.#.{2 * i}.*', f'bbox_embed.#.layers.{i}.*') for i in (0, 1, 2)
    ]
    for level in range(levels):
        neck = f'convs.{level}' if level < convs else f'extra_convs.{level - convs}'
        pairs += [
            (f'neck.{neck}.{mmdet}.*', f'input_proj.{level}.{official}.*')
            for mmdet, official in (('conv', 0), ('gn', 1))
        ]
    return pairs


def _count(names: Collection[str], pattern: str) -> int:
    """Count the indices that names have at a place."""
    return len({match[1] for name in names if (match := re.match(pattern, name))})


def _settle_neck_bias(weights: Weights) -> None:
    """Say what mmdet's neck needs to have the biases of the releases."""
    names = weights.tensors
    biases = [name for name in names if re.fullmatch(r'neck\..*\.conv\.bias', name)]
    if 'neck.convs.0.gn.weight' not in names:
        weights.notes.append('no norm after input_proj: set model.neck.norm_cfg=None')
    elif any(names[name].any() for name in biases):
        weights.notes.append(
            'input_proj has biases before its norms, and stock configs have none: set '
            'model.neck.bias=True'
        )
    else:
        weights.leave_out(lambda name: name in biases, ZERO_BIAS)


def _add_aliases(weights: Weights) -> None:
    """Add the layers that the release keeps a second time, in its decoder.

    Boxes where they are refined, layer by layer, by layers of their own; classes too where
    there are two stages.
    """
    names = weights.tensors
    first = [name for name in names if name.startswith('bbox_embed.0.')]
    others = [name for name in names if name.startswith('bbox_embed.1.')]
    aliased = []
    if any(not torch.equal(names[a], names[b]) for a, b in zip(first, others)):
        aliased.append('bbox_embed.')
    if 'transformer.enc_output.weight' in names:
        aliased.append('class_embed.')
    for name in [name for name in names if name.startswith(tuple(aliased))]:
        weights.add(f'transformer.decoder.{name}', names[name], weights.origins[name])
