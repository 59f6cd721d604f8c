# Where the data sets of the papers' tables are: change them here, or name them on the command
# line (--data coco=/data/coco voc=/data/VOCdevkit).
data = dict(
    imagenet='data/imagenet/',
    coco='data/coco/',
    voc='data/VOCdevkit/',
    lvis='data/lvis_v1/',
    bdd100k='data/bdd100k/',
    cityscapes='data/cityscapes/',
)
# Weights that nothing here trains: files, or what is downloaded. SwAV's are of 200 epochs.
supervised = 'torchvision://resnet50'
swav = (
    'https://download.openmmlab.com/mmselfsup/1.x/swav/'
    'swav_resnet50_8xb32-mcrop-2-6-coslr-200e_in1k-224-96/'
    'swav_resnet50_8xb32-mcrop-2-6-coslr-200e_in1k-224-96_20220825-5b3fc7fc.pth'
)
# What COCO's measure gives, by its names in the papers' tables.
box_metrics = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
box_metrics_by_size = dict(
    **box_metrics, AP_S='coco/bbox_mAP_s', AP_M='coco/bbox_mAP_m', AP_L='coco/bbox_mAP_l'
)
