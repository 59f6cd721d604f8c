# BCCD for pretraining a detection transformer: images, size, proposals, and
# the backbone that `python tools/train.py configs/moco/mocov2_r18_1xb32-100e_bccd.py`
# trains.
_base_ = 'unlabelled_bccd.py'
small_train_dataloader = dict(batch_size=8)
small_scales = [(320, 240)]
small_crop = 64
small_edge_boxes = 'data/bccd/proposals/edge_boxes'
small_selective_search = 'data/bccd/proposals/selective_search'
small_region_backbone = dict(
    type='Pretrained',
    checkpoint='work_dirs/mocov2_r18_1xb32-100e_bccd/epoch_100.pth',
    prefix='backbone.',
)
