# PixCon beside a detector that starts from ImageNet: Faster R-CNN on an EfficientNet-Lite0, BCCD
# with 10 % and all of the labels, 200 steps of 4 photos.
seeds = (0, 1, 2, 3, 4)
data = dict(bccd='examples/bccd/')

stock = dict(
    config='../finetune/faster-rcnn_lite0_fpn_1xb4-200i_bccd.py',
    data='bccd',
    options={
        'model.backbone.init_cfg.checkpoint': 'efficientnet-lite://lite0',
        'model.backbone.init_cfg.prefix': None,
    },
)
pixcon = dict(config='../pixcon/pixcon_faster-rcnn_lite0_fpn_1xb4-200i_bccd.py', data='bccd')
settings = {
    'L_Cos': {},
    'L_Cos, beta 0.1': {'model.beta': 0.1},
    'L_Cos, stride 16': {'model.levels': [2]},
    'L_Cos, coarsest': {'model.levels': [-1]},
    'L_NCE': {'model.alpha': 1.0, 'model.beta': 0.0},
    'L_NCE, alpha 0.1': {'model.alpha': 0.1, 'model.beta': 0.0},
    'L_NCE, L_Cos': {'model.alpha': 1.0},
}
models = {'stock': stock}
for name, setting in settings.items():
    models[name] = dict(pixcon, options=setting)

stages = {}
for name, stage in models.items():
    stages[f'{name}, 10%'] = dict(stage, percent=10)
    stages[f'{name}, 100%'] = dict(stage, percent=100)
tables = [
    dict(
        title='Faster R-CNN, EfficientNet-Lite0, BCCD, share of the labels',
        rows={name: {'10%': f'{name}, 10%', '100%': f'{name}, 100%'} for name in models},
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
