# PixCon on the small Deformable DETR on one level, stride 32.
_base_ = [
    '../_base_/models/deformable-detr_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
# Few cells lie far apart: a wider threshold, so that anchors have positives.
model = dict(_base_.pixcon_model, _delete_=True, detector=_base_.model, S=4.0)
model['detector'].update(num_feature_levels=1, as_two_stage=False, with_box_refine=False)
model['detector'].backbone.out_indices = (3,)
model['detector'].neck.update(in_channels=[384], num_outs=1)
model['detector'].encoder.layer_cfg.self_attn_cfg.num_levels = 1
model['detector'].decoder.layer_cfg.cross_attn_cfg.num_levels = 1
model['detector'].bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.load_annotations, _base_.views]
train_dataloader = dict(
    dataset=dict(
        type='mmpixcon.RobustCocoDataset', pipeline=pipeline, filter_cfg=dict(filter_empty_gt=False)
    )
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
