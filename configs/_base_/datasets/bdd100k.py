# BDD100K, boxes of ten classes in COCO format. The images lie as downloaded, the
# labels of the detection task anywhere:
#
#   data/bdd100k/
#     images/100k/train/*.jpg   70,000, 1280 x 720
#     images/100k/val/*.jpg     10,000
#     labels/bdd100k_det_train_coco.json   written by
#     labels/bdd100k_det_val_coco.json
#
#   python tools/dataset_converters/bdd100k_to_coco.py LABELS_OF_TRAIN \
#       --out data/bdd100k/labels/bdd100k_det_train_coco.json
#   python tools/dataset_converters/bdd100k_to_coco.py LABELS_OF_VAL \
#       --out data/bdd100k/labels/bdd100k_det_val_coco.json
#
# LABELS_OF_... are the lists of 2018 (bdd100k_labels_images_train.json) or of
# 2020 (det_train.json), or folders of one .json an image.
#
# Pieces, named bdd_*: a config assigns them and keeps the pipelines of its
# detector. --data-root DIR on the command line names another place.
bdd_data = dict(
    data_root='data/bdd100k/',
    metainfo=dict(
        classes=(
            'pedestrian',
            'rider',
            'car',
            'truck',
            'bus',
            'train',
            'motorcycle',
            'bicycle',
            'traffic light',
            'traffic sign',
        )
    ),
)
bdd_num_classes = 10
bdd_dataset_name = 'BDD100K'
bdd_train_dataloader = dict(
    dataset=dict(
        **bdd_data,
        ann_file='labels/bdd100k_det_train_coco.json',
        data_prefix=dict(img='images/100k/train/'),
    ),
)
bdd_val_dataloader = dict(
    dataset=dict(
        **bdd_data,
        ann_file='labels/bdd100k_det_val_coco.json',
        data_prefix=dict(img='images/100k/val/'),
    ),
)
bdd_evaluator = dict(ann_file=bdd_data['data_root'] + 'labels/bdd100k_det_val_coco.json')
