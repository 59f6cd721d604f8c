# The built-in scenes for pretraining a detection transformer: images, size, proposals, and
# the backbone that `python tools/train.py configs/moco/mocov2_r18_1xb32-100e_scenes.py`
# trains.
_base_ = 'unlabelled_scenes.py'
small_train_dataloader = dict(batch_size=8)
small_scales = [(160, 128)]
small_crop = 64
small_edge_boxes = 'data/scenes/proposals/edge_boxes'
small_selective_search = 'data/scenes/proposals/selective_search'
small_region_backbone = dict(
    type='Pretrained',
    checkpoint='work_dirs/mocov2_r18_1xb32-100e_scenes/epoch_100.pth',
    prefix='backbone.',
)
