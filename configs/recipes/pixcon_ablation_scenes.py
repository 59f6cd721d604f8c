# PixCon's losses, levels and weights on small detectors, built-in scenes, from random weights.
# Deformable DETR in two stages, and stock and L_Cos in one: "fine" is stride 16, and the others
# have the coarsest level, stride 64, as the paper. Faster R-CNN at stride 8, and "coarse" at 32.
seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')

small = 'deformable-detr_r18_1xb8-12e_scenes.py'
stock = dict(config=f'../stock/{small}', data='scenes')
l_cos = dict(config=f'../pixcon/pixcon_{small}', data='scenes')
fine = dict(config=f'../pixcon/ablations/pixcon-finest-level_{small}', data='scenes')
l_nce = {'model.alpha': 1.0, 'model.beta': 0.0}
stages = {
    'stock': stock,
    'L_Cos': l_cos,
    'L_Cos, predictor': dict(l_cos, options={'model.predictor.type': 'mmpixcon.PixelPredictor'}),
    'L_NCE': dict(l_cos, options=l_nce),
    'L_NCE, L_Cos': dict(l_cos, options={'model.alpha': 1.0}),
    'stock, one stage': dict(stock, options={'model.as_two_stage': False}),
    'L_Cos, one stage': dict(l_cos, options={'model.detector.as_two_stage': False}),
    'L_Cos, fine': fine,
    'L_Cos, fine, beta 0.1': dict(fine, options={'model.beta': 0.1}),
    'L_NCE, L_Cos, fine': dict(fine, options={'model.alpha': 1.0}),
}
variants = {
    'L_Cos, projection': 'projection',
    'L_Cos, two levels': 'two-level',
    'L_Cos, all levels': 'all-level',
    'L_Cos, fine, predictor': 'predictor',
    'L_Cos, fine, warm-up of beta': 'warmup',
    'L_NCE, fine': 'nce',
}
for name, variant in variants.items():
    stages[name] = dict(config=f'../pixcon/ablations/pixcon-{variant}_{small}', data='scenes')
faster_rcnn = dict(config='../pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py', data='scenes')
coarse = {'model.levels': [3]}
weak_l_nce = {**l_nce, 'model.alpha': 0.1}
faster_rcnns = {
    'Faster R-CNN': dict(config='../stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py', data='scenes'),
    'Faster R-CNN, L_Cos': faster_rcnn,
    'Faster R-CNN, L_Cos, coarse': dict(faster_rcnn, options=coarse),
    'Faster R-CNN, L_NCE': dict(faster_rcnn, options=l_nce),
    'Faster R-CNN, L_NCE, coarse': dict(faster_rcnn, options={**l_nce, **coarse}),
    'Faster R-CNN, L_NCE, alpha 0.1': dict(faster_rcnn, options=weak_l_nce),
    'Faster R-CNN, L_NCE, coarse, alpha 0.1': dict(faster_rcnn, options={**weak_l_nce, **coarse}),
    'Faster R-CNN, L_NCE, L_Cos': dict(faster_rcnn, options={'model.alpha': 1.0}),
}
metrics = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50')
tables = [
    dict(
        title='Deformable DETR R18, built-in scenes',
        rows={name: {'': name} for name in stages},
        metrics=metrics,
    ),
    dict(
        title='Faster R-CNN R18, built-in scenes',
        rows={name: {'': name} for name in faster_rcnns},
        metrics=metrics,
    ),
]
stages.update(faster_rcnns)
