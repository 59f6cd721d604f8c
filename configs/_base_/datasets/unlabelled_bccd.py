# BCCD's 205 training photos (examples/bccd) without their labels, for pretraining.
_base_ = 'unlabelled.py'
small_train_dataloader = dict(
    dataset=dict(
        data_root='examples/bccd/', ann_file='train.json', data_prefix=dict(img_path='images/')
    )
)
