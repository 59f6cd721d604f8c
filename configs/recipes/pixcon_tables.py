# PixCon's tables 1 (COCO), 2 (BDD100K) and 3 (from COCO to BDD100K), and the masks on frozen
# weights of its text.
from mmpixcon.recipes import pretrain_then, rows_of

_base_ = 'paths.py'
on_coco = {
    'Deformable DETR': '../stock/deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 1, beta 1': '../pixcon/ablations/pixcon-nce-cos_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 1, beta 0': '../pixcon/ablations/pixcon-nce_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 0.2, beta 1': (
        '../pixcon/ablations/pixcon-nce0.2-cos_deformable-detr_r50_4xb3-50e_coco.py'
    ),
    'alpha 0, beta 1': '../pixcon/pixcon_deformable-detr_r50_4xb3-50e_coco.py',
    'DN-DETR': '../dn_detr/dn-detr_r50_4xb3-50e_coco.py',
    'DN-DETR, PixCon': '../pixcon/pixcon_dn-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR': '../dn_detr/dn-deformable-encoder_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR, PixCon': '../pixcon/pixcon_dn-deformable-encoder_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR, 12': '../dn_detr/dn-deformable-encoder_r50_4xb3-12e_coco.py',
    'DN-Deformable-DETR, 12, PixCon, two levels': (
        '../pixcon/ablations/pixcon-two-level_dn-deformable-encoder_r50_4xb3-12e_coco.py'
    ),
}
on_bdd = {
    'DETR': '../stock/detr_r50_4xb3-150e_bdd100k.py',
    'Deformable DETR on BDD100K': '../stock/deformable-detr_r50_4xb3-50e_bdd100k.py',
    'Deformable DETR on BDD100K, PixCon': (
        '../pixcon/pixcon_deformable-detr_r50_4xb3-50e_bdd100k.py'
    ),
    'DN-Deformable-DETR, DC5': '../dn_detr/dn-deformable-encoder_r50-dc5_4xb3-50e_bdd100k.py',
    'DN-Deformable-DETR, DC5, PixCon, two levels': (
        '../pixcon/ablations/pixcon-two-level_dn-deformable-encoder_r50-dc5_4xb3-50e_bdd100k.py'
    ),
}
# On the weights of the runs of these names on COCO.
transferred = {}
for name in ('DN-Deformable-DETR', 'DN-Deformable-DETR, PixCon'):
    transferred[name] = dict(init=dict(load_from=name))
transfers = {
    'linear probe': dict(
        config='../transfer/dn-deformable-encoder_r50_linear-probe_4xb3-12e_bdd100k.py',
        data='bdd100k',
    ),
    'fine-tuned': dict(
        config='../transfer/dn-deformable-encoder_r50_fine-tune_4xb3-12e_bdd100k.py',
        data='bdd100k',
    ),
}
frozen = {}
for name in ('Deformable DETR', 'alpha 0, beta 1'):
    frozen[name] = dict(init=dict(load_from=name))
masks = dict(config='../segmentation/query-mask_deformable-detr_r50_4xb3-15e_coco.py', data='coco')

stages = {}
for name, config in on_coco.items():
    stages[name] = dict(config=config, data='coco')
for name, config in on_bdd.items():
    stages[name] = dict(config=config, data='bdd100k')
stages.update(pretrain_then(transferred, transfers))
stages.update(pretrain_then(frozen, dict(masks=masks)))

tables = [
    dict(
        title='COCO (table 1)',
        rows={name: {'': name} for name in on_coco},
        metrics=_base_.box_metrics_by_size,
        paper=dict(name='PixCon', table=1),
    ),
    dict(
        title='BDD100K (table 2)',
        rows={name: {'': name} for name in on_bdd},
        metrics=_base_.box_metrics_by_size,
        paper=dict(name='PixCon', table=2),
    ),
    dict(
        title='From COCO to BDD100K (table 3)',
        rows=rows_of(transferred, transfers),
        metrics=_base_.box_metrics_by_size,
        paper=dict(name='PixCon', table=3),
    ),
    dict(
        title='Masks on frozen weights, COCO',
        rows=rows_of(frozen, 'masks'),
        metrics=dict(
            AP='coco/segm_mAP',
            AP_S='coco/segm_mAP_s',
            AP_M='coco/segm_mAP_m',
            AP_L='coco/segm_mAP_l',
        ),
        paper=dict(name='PixCon', table='text'),
    ),
]
