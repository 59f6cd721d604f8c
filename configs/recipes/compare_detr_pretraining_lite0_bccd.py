# Pretraining of a detection transformer whose backbone knows ImageNet, compared: a small one-stage
# Deformable DETR on BCCD, 10 % and all of the labels, photos of 160 pixels. The backbone, an
# EfficientNet-Lite0, is frozen in the pretraining and keeps its batch norm afterwards. Each method
# is pretrained once, for 1300 steps of 8 photos, and fine-tuned with three seeds, for 312. L_g's
# weight is the release's for COCO, 0.3; rows of its own have 0 and 10. In the rows "own region", a
# query is only matched to the region whose feature it got; with "drop 0.5", half of the queries of
# UP-DETR get none in a step, in place of a tenth. Proposals first: see
# configs/_base_/datasets/regions_bccd.py.
from mmpixcon.recipes import epoch_options, pretrain_then, rows_of

seeds = (0, 1, 2)
data = dict(bccd='examples/bccd/')

model = 'deformable-detr-one-stage_lite0_1xb8-50e_bccd.py'
updetr = f'../updetr/updetr_{model}'
siamese_detr = f'../siamese_detr/siamese-detr_{model}'
# Queries learn to use the features that they get.
own_region = {'model.match_own_region': True}
methods = {
    'UP-DETR': dict(config=updetr),
    'DETReg': dict(config=f'../detreg/detreg_{model}'),
    'Siamese DETR': dict(config=siamese_detr),
    'Siamese DETR, L_g 0': dict(config=siamese_detr, options={'model.head.global_weight': 0.0}),
    'Siamese DETR, L_g 10': dict(config=siamese_detr, options={'model.head.global_weight': 10.0}),
    'UP-DETR, own region': dict(config=updetr, options=own_region),
    'UP-DETR, own region, drop 0.5': dict(
        config=updetr, options={**own_region, 'model.drop_prob': 0.5}
    ),
    'Siamese DETR, own region': dict(config=siamese_detr, options=own_region),
}
size = (160, 120)
smaller_photos = {
    f'{part}_dataloader.dataset.pipeline.Resize.scale': size for part in ('train', 'val')
}
fine_tune = dict(
    config='../finetune/deformable-detr-one-stage-pretrained_lite0_1xb8-24e_bccd.py', data='bccd'
)
# 3 steps an epoch of 20 photos, 26 of 205.
shares = {
    '10%': dict(fine_tune, percent=10, options={**smaller_photos, **epoch_options(104, decay=88)}),
    '100%': dict(fine_tune, options={**smaller_photos, **epoch_options(12, decay=10)}),
}
# Only the backbone knows something, and keeps its batch norm like the others.
none = dict(
    config='../stock/deformable-detr-one-stage_lite0_1xb8-24e_bccd.py',
    options={'model.backbone.norm_cfg': dict(type='BN', requires_grad=False, eps=1e-3)},
)
starts = {'none': none}
stages = {}
for name, method in methods.items():
    stages[name] = dict(
        config=method['config'],
        data='bccd',
        seeds=(0,),
        options={
            'train_dataloader.dataset.pipeline.RandomChoiceResize.scales': [size],
            'train_dataloader.dataset.pipeline.RegionCrops.size': 32,
            **method.get('options', {}),
        },
    )
    starts[name] = dict(init=dict(load_from=name))
stages.update(pretrain_then(starts, shares))
tables = [
    dict(
        title='One-stage Deformable DETR, EfficientNet-Lite0, BCCD, share of the labels',
        rows=rows_of(starts, shares),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
