# PixCon beside a detection transformer that starts from ImageNet: the small Deformable DETR on an
# EfficientNet-Lite0, in two stages and in one, BCCD with 10 % and all of the labels, photos of 160
# pixels, 312 steps of 8. All rows contrast the coarsest level, but those called fine, stride 16.
from mmpixcon.recipes import epoch_options, pretrain_then, rows_of

seeds = (0, 1, 2)
data = dict(bccd='examples/bccd/')

size = (160, 120)
views = 'train_dataloader.dataset.pipeline.PixelContrastViews'
small_val = {'val_dataloader.dataset.pipeline.Resize.scale': size}
small_stock = {**small_val, 'train_dataloader.dataset.pipeline.Resize.scale': size}
small_pixcon = {
    **small_val,
    f'{views}.detection.Resize.scale': size,
    f'{views}.momentum.scale': size,
}
stock = '../stock/deformable-detr_lite0_1xb8-24e_bccd.py'
pixcon = '../pixcon/pixcon_deformable-detr_lite0_1xb8-24e_bccd.py'
settings = {
    'L_Cos': {},
    'L_Cos, beta 0.1': {'model.beta': 0.1},
    'L_Cos, predictor': {'model.predictor.type': 'mmpixcon.PixelPredictor'},
    'L_Cos, fine': {'model.levels': [0]},
    'L_NCE': {'model.alpha': 1.0, 'model.beta': 0.0},
    'L_NCE, L_Cos': {'model.alpha': 1.0},
    'L_NCE, fine': {'model.levels': [0], 'model.alpha': 1.0, 'model.beta': 0.0},
}
one_stage = dict(as_two_stage=False)
models = {
    'stock': dict(config=stock, options=small_stock),
    'stock, one stage': dict(config=stock, options={**small_stock, 'model': one_stage}),
    'L_Cos, one stage': dict(config=pixcon, options={**small_pixcon, 'model.detector': one_stage}),
    'L_NCE, one stage': dict(
        config=pixcon,
        options={**small_pixcon, **settings['L_NCE'], 'model.detector': one_stage},
    ),
}
for name, setting in settings.items():
    models[name] = dict(config=pixcon, options={**small_pixcon, **setting})

# 3 steps an epoch of 20 photos, 26 of 205.
shares = {
    '10%': dict(data='bccd', percent=10, options=epoch_options(104, decay=88)),
    '100%': dict(data='bccd', options=epoch_options(12, decay=10)),
}
stages = pretrain_then(models, shares)
tables = [
    dict(
        title='Deformable DETR, EfficientNet-Lite0, BCCD, share of the labels',
        rows=rows_of(models, shares),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
