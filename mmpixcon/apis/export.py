"""Detectors as ONNX files, compared with what they were before they are kept."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from mmdet.models.detectors.base import BaseDetector
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.structures import DetDataSample
from torch import Tensor, nn

# What torch's exporter and the comparison need.
PACKAGES = ('onnx', 'onnxruntime', 'onnxscript')
INSTALL = "pip install 'mmpixcon[export]'"
OPSET = 16
WORKING = 'What is tested to work: Faster R-CNN, DETR and Deformable DETR'
NAMES = ('boxes', 'scores', 'labels')
# Detections of lower scores are not compared: ties among them may be broken otherwise.
LEAST_SCORE = 0.05
# Of boxes in pixels, and of scores.
BOX_TOLERANCE, SCORE_TOLERANCE = 0.1, 1e-3


class ExportError(RuntimeError):
    """A detector that cannot be exported, or whose export detects something else."""


class RawDetector(nn.Module):
    """A detector as a function of one preprocessed image of a fixed size.

    Args:
        detector (BaseDetector): detector.
        size (tuple[int, int]): height and width of the image.
    """

    def __init__(self, detector: BaseDetector, size: tuple[int, int]) -> None:
        super().__init__()
        self.detector = detector
        self.size = size

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Detect objects.

        Args:
            image (Tensor): normalized image of shape (1, 3, H, W).

        Returns:
            tuple[Tensor, Tensor, Tensor]: boxes (n, 4), x1, y1, x2, y2 in pixels of the image,
            scores and labels, (n,) each.
        """
        metainfo = dict(
            img_shape=self.size,
            ori_shape=self.size,
            pad_shape=self.size,
            batch_input_shape=self.size,
            scale_factor=(1.0, 1.0),
        )
        samples = [DetDataSample(metainfo=metainfo)]
        objects = self.detector.predict(image, samples, rescale=False)[0].pred_instances
        return objects.bboxes, objects.scores, objects.labels


def export_onnx(
    detector: BaseDetector, images: Sequence[Tensor], path: Path
) -> list[tuple[int, float, float]]:
    """Write a detector as an ONNX file, and compare both on images.

    Args:
        detector (BaseDetector): detector on the CPU, in evaluation mode.
        images (Sequence[Tensor]): normalized images, (1, 3, H, W) each, all of one size: the first
            is traced, all are compared.
        path (Path): file to write.

    Returns:
        list[tuple[int, float, float]]: of each image, the number of detections that were compared
        and the largest difference of a coordinate in pixels and of a score.

    Raises:
        ExportError: Torch cannot export the detector, or the file detects something else.
        ImportError: A package is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f'exporting needs {", ".join(missing)}: {INSTALL}')
    import onnxruntime

    height, width = images[0].shape[2:]
    raw = RawDetector(detector, (int(height), int(width))).eval()
    part = path.with_name(f'{path.name}.part')
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # mmdet's own branches for an exporter call modules of mmdet 2.
        with (
            warnings.catch_warnings(),
            mock.patch('torch.onnx.is_in_onnx_export', return_value=False),
            mock.patch.object(SingleRoIExtractor, 'forward', pool_every_level),
            torch.no_grad(),
        ):
            warnings.simplefilter('ignore')
            torch.onnx.export(
                raw,
                (images[0],),
                str(part),
                dynamo=False,
                opset_version=OPSET,
                input_names=['image'],
                output_names=list(NAMES),
            )
        _finish_nodes(part)
        session = onnxruntime.InferenceSession(str(part), providers=['CPUExecutionProvider'])
        differences = []
        for image in images:
            with torch.no_grad():
                expected = [output.numpy() for output in raw(image)]
            differences.append(compare(expected, session.run(NAMES, {'image': image.numpy()})))
    except ExportError:
        part.unlink(missing_ok=True)
        raise
    except Exception as error:
        part.unlink(missing_ok=True)
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ''
        raise ExportError(
            f'torch cannot export {type(detector).__name__} to ONNX ({type(error).__name__}: '
            f'{reason}). {WORKING}'
        ) from error
    part.replace(path)
    return differences


def compare(
    expected: Sequence[np.ndarray], actual: Sequence[np.ndarray]
) -> tuple[int, float, float]:
    """Compare the detections of a detector with those of its file.

    Args:
        expected (Sequence[np.ndarray]): boxes, scores and labels of the detector.
        actual (Sequence[np.ndarray]): those of the file.

    Returns:
        tuple[int, float, float]: detections above the least score, and the largest difference of a
        coordinate and of a score.

    Raises:
        ExportError: A detection is missing in the file, or is another one.
    """
    (boxes, scores, labels), (other_boxes, other_scores, other_labels) = expected, actual
    kept = scores >= LEAST_SCORE
    of_boxes = of_scores = 0.0
    for box, score, label in zip(boxes[kept], scores[kept], labels[kept], strict=True):
        same = other_labels == label
        distances = np.abs(other_boxes[same] - box).max(1, initial=0)
        gaps = np.abs(other_scores[same] - score)
        fits = (distances <= BOX_TOLERANCE) & (gaps <= SCORE_TOLERANCE)
        if not fits.any():
            raise ExportError(
                f'the ONNX file does not have the detection of class {label} with score '
                f'{score:.3f} at {np.round(box, 1).tolist()}, so it was not kept. {WORKING}'
            )
        best = int(np.argmin(np.where(fits, distances, np.inf)))
        of_boxes = max(of_boxes, float(distances[best]))
        of_scores = max(of_scores, float(gaps[best]))
    number = int(kept.sum())
    more = int((other_scores >= LEAST_SCORE + SCORE_TOLERANCE).sum())
    if more > number:
        raise ExportError(f'the ONNX file has {more} detections in place of {number}. {WORKING}')
    return number, of_boxes, of_scores


def pool_every_level(
    self: SingleRoIExtractor,
    feats: Sequence[Tensor],
    rois: Tensor,
    roi_scale_factor: float | None = None,
) -> Tensor:
    """Take the place of ``SingleRoIExtractor.forward`` while a detector is traced.

    That one leaves out levels without regions, so a file would never have those that the traced
    image does not need.

    Args:
        self (SingleRoIExtractor): extractor.
        feats (Sequence[Tensor]): maps of the levels, (1, C, H, W) each.
        rois (Tensor): regions, (n, 5): index of the image, then corners in its pixels.
        roi_scale_factor (float, optional): factor of the regions' sides. Defaults to None, 1.

    Returns:
        Tensor: features of the regions, (n, C, height, width).
    """
    levels = self.map_roi_levels(rois, len(feats))
    if roi_scale_factor is not None:
        rois = self.roi_rescale(rois, roi_scale_factor)
    pooled = feats[0].new_zeros(len(rois), self.out_channels, *self.roi_layers[0].output_size)
    for level, (layer, features) in enumerate(zip(self.roi_layers, feats, strict=True)):
        inside = (levels == level).nonzero().squeeze(1)
        pooled[inside] = layer(features, rois[inside])
    return pooled


def _finish_nodes(path: Path) -> None:
    """Write nodes of older opsets as the opset of the file has them.

    mmcv's and torchvision's symbolic functions of RoIAlign are those of opset 11. Axes of Squeeze
    became inputs with opset 13. With 16, RoiAlign got a shift by half a pixel as its default, which
    mmcv's function has subtracted from the regions already.
    """
    import onnx

    model: Any = onnx.load(str(path))
    for number, node in enumerate(model.graph.node):
        if node.op_type == 'RoiAlign' and not any(
            attribute.name == 'coordinate_transformation_mode' for attribute in node.attribute
        ):
            mode = onnx.helper.make_attribute('coordinate_transformation_mode', 'output_half_pixel')
            node.attribute.append(mode)
        if node.op_type in ('Squeeze', 'Unsqueeze') and node.attribute:
            axes = np.array(node.attribute[0].ints, np.int64)
            name = f'axes_{number}'
            model.graph.initializer.append(onnx.numpy_helper.from_array(axes, name))
            node.input.append(name)
            del node.attribute[:]
    onnx.save(model, str(path))
