# The same in one stage: queries are learned, not taken from the encoder's cells. Pretraining that
# gives queries the features of regions needs such ones.
_base_ = 'deformable-detr_lite0.py'
model = dict(as_two_stage=False)
