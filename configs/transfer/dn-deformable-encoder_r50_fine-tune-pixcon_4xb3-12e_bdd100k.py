# As without "-pixcon", weights of a run with PixCon.
_base_ = 'dn-deformable-encoder_r50_fine-tune_4xb3-12e_bdd100k.py'
load_from = 'work_dirs/pixcon_dn-deformable-encoder_r50_4xb3-50e_coco/epoch_50.pth'
