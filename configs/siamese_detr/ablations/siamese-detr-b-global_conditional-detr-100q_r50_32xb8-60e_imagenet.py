# Siamese DETR, table 3 (b): multi-view detection and L_g.
_base_ = '../siamese-detr_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
model = dict(head=dict(region_weight=0.0))
# No crops to reconstruct.
steps = [step for name, step in _base_.siamese_steps.items() if name != 'crops']
train_dataloader = dict(dataset=dict(pipeline=steps))
