# DetCo-AA: RandAugment in the global views.
_base_ = 'detco_r50_8xb32-200e_imagenet.py'
train_dataloader = dict(dataset=dict(pipeline=_base_.detco_aa_pipeline))
