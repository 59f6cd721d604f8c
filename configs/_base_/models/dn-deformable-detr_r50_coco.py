# DN-Deformable-DETR on COCO, deformable attention in encoder and decoder: four levels and query
# denoising. Widths, weights and rates of DN-DETR's release, which has no patterns in this model and
# slows the backbone only.
_base_ = 'mmdet::deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco.py'
dataset_name = 'COCO'

ffn = dict(feedforward_channels=2048, ffn_drop=0.0)
model = dict(
    type='mmpixcon.DNDeformableDETR',
    dn_cfg=dict(num_groups=5, label_noise=0.2, box_noise=0.4),
    bbox_head=dict(type='mmpixcon.DNDeformableDETRHead', loss_cls=dict(loss_weight=1.0)),
    decoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(dropout=0.0),
            cross_attn_cfg=dict(dropout=0.0),
            ffn_cfg=ffn,
        )
    ),
    encoder=dict(layer_cfg=dict(self_attn_cfg=dict(dropout=0.0), ffn_cfg=ffn)),
    test_cfg=dict(max_per_img=300),
)

train_dataloader = dict(batch_size=3, dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))

optim_wrapper = dict(
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(custom_keys=dict(_delete_=True, backbone=dict(lr_mult=0.1))),
)

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
