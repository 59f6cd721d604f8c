# The built-in scenes, 160 x 128, four classes, written by
#   python tools/dataset_converters/make_scenes.py
# --data-root DIR on the command line names another place.
_base_ = 'small.py'

small_data = dict(
    data_root='data/scenes/', metainfo=dict(classes=('disc', 'triangle', 'ring', 'cross'))
)
small_num_classes = 4
small_dataset_name = 'built-in scenes'
small_train_data = dict(
    small_data, ann_file='annotations/train.json', data_prefix=dict(img='train/')
)
small_val_data = dict(small_data, ann_file='annotations/val.json', data_prefix=dict(img='val/'))
small_train_dataloader = dict(dataset=small_train_data)
small_views_dataloader = dict(dataset=small_train_data)
small_val_dataloader = dict(dataset=small_val_data)
small_evaluator = dict(ann_file='data/scenes/annotations/val.json')

# The momentum view is as large as the detection view.
small_size = (160, 128)
_base_.small_train_dataloader.dataset.pipeline[3].scale = small_size
_base_.small_views_dataloader.dataset.pipeline[2].detection[1].scale = small_size
_base_.small_views_dataloader.dataset.pipeline[2].momentum.scale = small_size
_base_.small_val_dataloader.dataset.pipeline[1].scale = small_size

small_train_cfg = dict(max_epochs=12, val_interval=12)
small_param_scheduler = [
    _base_.small_warm_up,
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[10], gamma=0.1),
]
