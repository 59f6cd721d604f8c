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
