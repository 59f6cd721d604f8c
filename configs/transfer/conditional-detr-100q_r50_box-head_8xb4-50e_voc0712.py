# Only the box and class head learns, on VOC 07+12: --cfg-options
# load_from=CHECKPOINT of a detector that Siamese DETR, UP-DETR or DETReg pretrained.
_base_ = [
    '../finetune/conditional-detr-100q_r50_8xb4-50e_voc0712.py',
    '../_base_/transfer/box_head.py',
]
model = dict(_delete_=True, **_base_.transfer_model, detector=_base_.model)
val_evaluator = test_evaluator = _base_.transfer_evaluator
custom_imports = _base_.transfer_imports
custom_hooks = _base_.transfer_hooks
