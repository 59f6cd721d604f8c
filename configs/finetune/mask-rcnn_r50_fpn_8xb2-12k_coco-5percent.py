# Mask R-CNN R50-FPN on 5 % of COCO, 12k iterations (DetCo's appendix, tables I and II).
#   python tools/dataset_converters/coco_subset.py data/coco/annotations/instances_train2017.json
_base_ = 'mask-rcnn_r50_fpn_8xb2-12k_coco.py'
train_dataloader = dict(
    dataset=dict(ann_file='annotations/subsets/instances_train2017_5percent_seed0.json')
)
