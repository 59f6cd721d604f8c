# The small Faster R-CNN on 10 % of BCCD's training photos.
#   python tools/dataset_converters/coco_subset.py examples/bccd/train.json
_base_ = 'faster-rcnn_r18_fpn_1xb4-200i_bccd.py'
train_dataloader = dict(dataset=dict(ann_file='subsets/train_10percent_seed0.json'))
