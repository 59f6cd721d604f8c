# Mask R-CNN for a laptop: the small Faster R-CNN and a small mask head.
_base_ = 'faster-rcnn_r18.py'
small_detector = dict(
    roi_head=dict(
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(in_channels=64, conv_out_channels=64, num_convs=2),
    )
)
