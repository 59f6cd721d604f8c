# DN-Deformable-DETR on BDD100K with L_Cos on two levels, ResNet-50 dilated: "ours+" in
# table 2 of the paper. Strides 16 and 32; half the divisor for half the cells a side.
_base_ = [
    '../pixcon_dn-deformable-encoder_r50_4xb3-50e_coco.py',
    '../../_base_/datasets/bdd100k.py',
]
dataset_name = _base_.bdd_dataset_name
model = dict(
    levels=(-2, -1),
    S=(18.0, 9.0),
    detector=dict(
        backbone=dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
        bbox_head=dict(num_classes=_base_.bdd_num_classes),
    ),
)

train_dataloader = _base_.bdd_train_dataloader
val_dataloader = test_dataloader = _base_.bdd_val_dataloader
val_evaluator = test_evaluator = _base_.bdd_evaluator
