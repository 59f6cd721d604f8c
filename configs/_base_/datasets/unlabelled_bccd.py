# BCCD's 364 photos without their labels, for pretraining. Pieces, named small_*.
small_train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type='mmpixcon.UnlabelledDataset',
        data_root='data/bccd/',
        ann_file='train.json',
        data_prefix=dict(img_path='images/'),
    ),
)
small_epochs = 100
