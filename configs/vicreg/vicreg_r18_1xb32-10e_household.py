# The small VICReg on household photos, with the paper's colors, as many steps as on BCCD and more.
_base_ = ['vicreg_r18_1xb32-100e_bccd.py', '../_base_/datasets/household.py']
dataset_name = _base_.household_name
view1 = [dict(_base_.byol_crop, scale=_base_.view_size), *_base_.byol_color1]
view2 = [dict(_base_.byol_crop, scale=_base_.view_size), *_base_.byol_color2]
views = [view1, view2]
pipeline = [_base_.read_image, dict(_base_.contrast_views, views=views), _base_.pack_views]
train_dataloader = dict(dataset=dict(data_root=_base_.household_root, pipeline=pipeline))
train_cfg = dict(max_epochs=10)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, by_epoch=True, begin=0, end=10)]
