# What none of the papers has: pretrain with PLRC (the backbone) or Siamese DETR (the
# transformer on that backbone), then fine-tune with PixCon beside the stock detector. The small
# two-stage Deformable DETR on the built-in scenes; proposals as in
# compare_detr_pretraining_scenes.py.
from mmpixcon.recipes import rows_of

seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')

# The backbone of pretrain_r18.py, in configs that have a wider one.
narrow = {'backbone.base_channels': 32, 'neck.in_channels': [128, 256]}
stock = dict(config='../stock/deformable-detr_r18_1xb8-12e_scenes.py', data='scenes')
# The same, and refused without a checkpoint.
pretrained = '../finetune/deformable-detr-pretrained_r18_1xb8-12e_scenes.py'
pixcon = dict(config='../pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py', data='scenes')
in_stock = {f'model.{key}': value for key, value in narrow.items()}
in_pixcon = {f'model.detector.{key}': value for key, value in narrow.items()}

# A checkpoint of a backbone is less than half of a detector: least share of what is loaded.
starts = {'PLRC': 0.3, 'Siamese DETR': 0.5}
stages = {
    'PLRC': dict(config='../plrc/plrc_r18_1xb32-100e_scenes.py', data='scenes'),
    'Siamese DETR': dict(
        config='../siamese_detr/siamese-detr_deformable-detr_r18_1xb8-50e_scenes.py',
        data='scenes',
        init={'model.detector.backbone.init_cfg.checkpoint': 'PLRC'},
    ),
    'random weights, stock': dict(stock, options=in_stock),
    'random weights, PixCon': dict(pixcon, options=in_pixcon),
}
for name, least in starts.items():
    stages[f'{name}, stock'] = dict(
        config=pretrained,
        data='scenes',
        options={
            'custom_hooks.PlainCheckpointHook.min_loaded': least,
            'custom_hooks.RequireCheckpointHook.whole': False,
        },
        init=dict(load_from=name),
    )
for name, least in starts.items():
    stages[f'{name}, PixCon'] = dict(
        pixcon,
        options={**in_pixcon, 'custom_hooks.PlainCheckpointHook.min_loaded': least},
        init=dict(load_from=name),
    )
tables = [
    dict(
        title='Two-stage Deformable DETR R18, built-in scenes',
        rows=rows_of(['random weights', *starts], ['stock', 'PixCon']),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
