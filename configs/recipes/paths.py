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
# Weights that nothing here trains: files, or what is downloaded. SwAV's of 800 epochs are
# https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar, converted:
#   python tools/model_converters/convert.py swav_800ep_pretrain.pth.tar --to mmdet \
#       --out checkpoints/swav_800ep.pth
# Supervised ones for a whole detector are torchvision's, converted likewise:
#   https://download.pytorch.org/models/resnet50-0676ba61.pth --out checkpoints/supervised.pth
supervised = 'torchvision://resnet50'
supervised_converted = 'checkpoints/supervised.pth'
swav = 'checkpoints/swav_800ep.pth'
# What COCO's measure gives, by its names in the papers' tables.
box_metrics = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
box_metrics_by_size = dict(
    **box_metrics, AP_S='coco/bbox_mAP_s', AP_M='coco/bbox_mAP_m', AP_L='coco/bbox_mAP_l'
)
