# 2,746 photos of curtains, pots and toasters from the web to train on and 625 to evaluate on, as
# tools/dataset_converters/household_to_coco.py writes them: pieces, which a config assigns. A
# folder as that of BCCD, with other classes. The publisher's license is MIT; the photos are other
# people's.
household_name = 'household photos'
household_root = 'data/household/'
household = dict(data_root=household_root, metainfo=dict(classes=('curtain', 'pot', 'toaster')))
household_metric = dict(ann_file=household_root + 'val.json')
