# BCCD for pretraining a detection transformer: images, size, proposals, and
# the backbone that `python tools/train.py configs/moco/mocov2_r18_1xb32-100e_bccd.py`
# trains. The proposals are made by
#   python tools/dataset_converters/make_proposals.py examples/bccd/images \
#       --ann-file examples/bccd/train.json --out examples/bccd/proposals/edge_boxes
#   python tools/dataset_converters/make_proposals.py examples/bccd/images \
#       --ann-file examples/bccd/train.json --method selective_search \
#       --out examples/bccd/proposals/selective_search
_base_ = 'unlabelled_bccd.py'
small_train_dataloader = dict(batch_size=8)
small_scales = [(320, 240)]
small_crop = 64
small_edge_boxes = 'examples/bccd/proposals/edge_boxes'
small_selective_search = 'examples/bccd/proposals/selective_search'
small_region_backbone = dict(
    type='Pretrained',
    checkpoint='work_dirs/mocov2_r18_1xb32-100e_bccd/epoch_100.pth',
    prefix='backbone.',
)
