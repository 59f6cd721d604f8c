# VOC 07+12 trainval, and VOC 07 test to evaluate on, with AP as COCO's. Pieces, named voc_*.
# Annotations in COCO's format, by mmdet's converter:
#   mim run mmdet pascal_voc data/VOCdevkit -o data/VOCdevkit/annotations --out-format coco
voc_data = dict(
    data_root='data/VOCdevkit/',
    data_prefix=dict(img=''),
    metainfo=dict(
        classes=(
            'aeroplane',
            'bicycle',
            'bird',
            'boat',
            'bottle',
            'bus',
            'car',
            'cat',
            'chair',
            'cow',
            'diningtable',
            'dog',
            'horse',
            'motorbike',
            'person',
            'pottedplant',
            'sheep',
            'sofa',
            'train',
            'tvmonitor',
        )
    ),
)
voc_num_classes = 20
voc_dataset_name = 'PASCAL VOC 2007 test'
voc_train_data = dict(voc_data, ann_file='annotations/voc0712_trainval.json')
voc_val_data = dict(voc_data, ann_file='annotations/voc07_test.json')
voc_evaluator = dict(ann_file='data/VOCdevkit/annotations/voc07_test.json')
# In place of voc_train_data's: a tenth, ..., the same everywhere, each within the next, by
#   python tools/dataset_converters/coco_subset.py \
#       data/VOCdevkit/annotations/voc0712_trainval.json --percent 10 30 50 70
voc_10percent = 'annotations/subsets/voc0712_trainval_10percent_seed0.json'
voc_30percent = 'annotations/subsets/voc0712_trainval_30percent_seed0.json'
voc_50percent = 'annotations/subsets/voc0712_trainval_50percent_seed0.json'
voc_70percent = 'annotations/subsets/voc0712_trainval_70percent_seed0.json'
