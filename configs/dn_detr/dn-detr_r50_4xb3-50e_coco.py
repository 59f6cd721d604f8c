# DN-DETR on COCO: mmdet's DAB-DETR and query denoising; 5 groups, label noise
# 0.2, box noise 0.4. 12 images on 4 GPUs, as PixCon's paper trains it.
_base_ = ['mmdet::dab_detr/dab-detr_r50_8xb2-50e_coco.py', '../_base_/mmpixcon_runtime.py']
dataset_name = 'COCO'

model = dict(
    type='mmpixcon.DNDETR',
    dn_cfg=dict(num_groups=5, label_noise=0.2, box_noise=0.4),
    bbox_head=dict(type='mmpixcon.DNDETRHead'),
)

train_dataloader = dict(batch_size=3, dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
