# What pretraining on a small data set without its labels shares. Pieces, named small_*.
small_train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(_delete_=True, type='mmpixcon.UnlabelledDataset'),
)
small_epochs = 100
