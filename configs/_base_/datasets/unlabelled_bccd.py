# BCCD's 364 photos without their labels, for pretraining.
_base_ = 'unlabelled.py'
small_train_dataloader = dict(
    dataset=dict(
        data_root='data/bccd/', ann_file='train.json', data_prefix=dict(img_path='images/')
    )
)
