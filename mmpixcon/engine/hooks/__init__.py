"""Hooks of mmpixcon."""

from .affinity_precision_hook import AffinityPrecisionHook
from .channels_last_hook import ChannelsLastHook
from .contrast_monitor_hook import ContrastMonitorHook
from .detection_monitor_hook import DetectionMonitorHook
from .embedding_monitor_hook import EmbeddingMonitorHook
from .finite_loss_hook import FiniteLossHook
from .interruption_hook import InterruptionHook
from .object_knn_hook import ObjectKNNHook
from .pixel_contrast_hook import PixelContrastHook
from .plain_checkpoint_hook import PlainCheckpointHook
from .plateau_stopping_hook import PlateauStoppingHook
from .region_condition_hook import RegionConditionHook
from .require_checkpoint_hook import RequireCheckpointHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .schedule_hook import ScheduleHook

__all__ = [
    'AffinityPrecisionHook',
    'ChannelsLastHook',
    'ContrastMonitorHook',
    'DetectionMonitorHook',
    'EmbeddingMonitorHook',
    'FiniteLossHook',
    'InterruptionHook',
    'ObjectKNNHook',
    'PixelContrastHook',
    'PlainCheckpointHook',
    'PlateauStoppingHook',
    'RegionConditionHook',
    'RequireCheckpointHook',
    'SafeCheckpointHook',
    'ScheduleHook',
]
