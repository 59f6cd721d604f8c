# BCCD, 364 photos of blood cells, three classes (MIT licence), in COCO format: examples/bccd of
# the repository, found from a checkout as working directory.
# --data-root DIR on the command line names another place.
_base_ = 'small.py'

small_data = dict(data_root='examples/bccd/', metainfo=dict(classes=('RBC', 'WBC', 'Platelets')))
small_num_classes = 3
small_dataset_name = 'BCCD'
small_train_data = dict(small_data, ann_file='train.json', data_prefix=dict(img='images/'))
small_val_data = dict(small_data, ann_file='val.json', data_prefix=dict(img='images/'))
small_train_dataloader = dict(dataset=small_train_data)
small_views_dataloader = dict(dataset=small_train_data)
small_val_dataloader = dict(dataset=small_val_data)
small_evaluator = dict(ann_file='examples/bccd/val.json')

# The momentum view is as large as the detection view.
small_size = (320, 240)
_base_.small_train_dataloader.dataset.pipeline[3].scale = small_size
_base_.small_views_dataloader.dataset.pipeline[2].detection[1].scale = small_size
_base_.small_views_dataloader.dataset.pipeline[2].momentum.scale = small_size
_base_.small_val_dataloader.dataset.pipeline[1].scale = small_size

small_train_cfg = dict(max_epochs=24, val_interval=4)
small_param_scheduler = [
    _base_.small_warm_up,
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=24, milestones=[20], gamma=0.1),
]
