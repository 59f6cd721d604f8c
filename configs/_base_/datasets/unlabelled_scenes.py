# The built-in scenes without their labels, for pretraining. Pieces, named small_*.
small_train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type='mmpixcon.UnlabelledDataset',
        data_root='data/scenes/',
        ann_file='annotations/train.json',
        data_prefix=dict(img_path='train/'),
    ),
)
small_epochs = 100
