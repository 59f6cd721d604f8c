# The built-in scenes without their labels, for pretraining.
_base_ = 'unlabelled.py'
small_train_dataloader = dict(
    dataset=dict(
        data_root='data/scenes/',
        ann_file='annotations/train.json',
        data_prefix=dict(img_path='train/'),
    )
)
