# DN-Deformable-DETR on BDD100K, ResNet-50 dilated: the baseline of the PixCon
# paper's table 2.
_base_ = ['dn-deformable-encoder_r50-dc5_4xb3-50e_coco.py', '../_base_/datasets/bdd100k.py']
dataset_name = _base_.bdd_dataset_name
model = dict(bbox_head=dict(num_classes=_base_.bdd_num_classes))

train_dataloader = _base_.bdd_train_dataloader
val_dataloader = test_dataloader = _base_.bdd_val_dataloader
val_evaluator = test_evaluator = _base_.bdd_evaluator
