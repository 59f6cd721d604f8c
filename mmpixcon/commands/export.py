"""``mmpixcon export``: a detector for other programs."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import mmcv
import torch
import typer
from torch import Tensor

from mmpixcon.apis.detection import Detector, load_detector
from mmpixcon.apis.export import ExportError, export_onnx

from .detect import find_photos
from .fit import WRONG, as_size

#: Exit status where a detector cannot be exported.
REFUSED = 3
# Photos that a file is compared on.
COMPARED = 3


def export(
    checkpoint: Annotated[Path, typer.Argument(help='checkpoint of a detector')],
    photos: Annotated[
        list[str] | None,
        typer.Argument(help='photos that detector and file are compared on [default: noise]'),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help='config of the detector [default: in the checkpoint]')
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help='ONNX file [default: beside the checkpoint]')
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="WIDTHxHEIGHT of the image that the file takes [default: the config's]"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option('--json', help='print the comparison as JSON, and nothing else')
    ] = False,
) -> None:
    """Write a detector as an ONNX file, after comparing it with the detector.

    The file takes one normalized image, (1, 3, H, W), and gives boxes, scores and labels. A
    detector whose file would detect something else is refused. Backbones for torchvision, timm and
    detectron2: tools/model_converters/convert.py. Ends with status 0, 2 if a file or an option is
    wrong, and 3 if the detector cannot be exported.

    Example: mmpixcon export work_dirs/fit/best.pth examples/bccd/images
    """
    with contextlib.redirect_stdout(sys.stderr):
        try:
            detector = load_detector(checkpoint, config, 'cpu')
            images = prepared_images(detector, photos or [], as_size(size))
            path = out or checkpoint.with_suffix('.onnx')
            differences = export_onnx(detector.inferencer.model, images, path)
        except ExportError as error:
            typer.echo(f'mmpixcon export: {error}', err=True)
            raise typer.Exit(REFUSED) from None
        except (OSError, ImportError, ValueError) as error:
            typer.echo(f'mmpixcon export: {error}', err=True)
            raise typer.Exit(WRONG) from None
    number = sum(difference[0] for difference in differences)
    of_boxes, of_scores = (max(d[place] for d in differences) for place in (1, 2))
    height, width = images[0].shape[2:]
    preprocessor = detector.inferencer.model.data_preprocessor
    content = dict(
        file=str(path),
        size=[width, height],
        # Those of a detector that takes pixels as they are, such as YOLOX, change nothing.
        mean=preprocessor.mean.flatten().tolist() if preprocessor._enable_normalize else [0.0] * 3,
        std=preprocessor.std.flatten().tolist() if preprocessor._enable_normalize else [1.0] * 3,
        order='RGB' if preprocessor._channel_conversion else 'BGR',
        classes=list(detector.classes),
        detections=number,
        difference_of_boxes=of_boxes,
        difference_of_scores=of_scores,
    )
    # What a program has to know of the image stands beside the file.
    path.with_suffix('.json').write_text(json.dumps(content, indent=2))
    if as_json:
        typer.echo(json.dumps(content))
        return
    if not number:
        typer.echo(
            'mmpixcon export: nothing was detected, so nothing was compared. Give photos of what '
            'the detector knows',
            err=True,
        )
    typer.echo(
        f'{path}: an image of {width} x {height}, {content["order"]}\n'
        f'{number} detections in {len(images)} images differ by {of_boxes:.2g} pixels and '
        f'{of_scores:.2g} of the score at most\n'
        f'{path.with_suffix(".json")}: mean, deviation, classes'
    )


def prepared_images(
    detector: Detector, photos: list[str], size: tuple[int, int] | None
) -> list[Tensor]:
    """Resize and normalize photos as the detector's test pipeline does, all to one size.

    Args:
        detector (Detector): detector.
        photos (list[str]): files, folders and patterns; noise is taken where there are none.
        size (tuple[int, int], optional): width and height. None takes those of the test pipeline.

    Returns:
        list[Tensor]: images, (1, 3, H, W) each.

    Raises:
        ValueError: The test pipeline has no size, and none is given.
    """
    if size is None:
        steps = detector.inferencer.cfg.test_dataloader.dataset.pipeline
        scales = [step['scale'] for step in steps if step['type'] == 'Resize' and 'scale' in step]
        if not scales:
            raise ValueError('the test pipeline has no Resize with a scale: give --size')
        size = tuple(scales[0])  # type: ignore[assignment]
    assert size is not None
    # Strides of 32 divide it, as the padding of mmdet's preprocessors has it.
    width, height = (max(round(side / 32), 1) * 32 for side in size)
    preprocessor = detector.inferencer.model.data_preprocessor
    if not photos:
        return [torch.randn(1, 3, height, width, generator=torch.manual_seed(0))]
    images = []
    for path in find_photos(photos)[:COMPARED]:
        image = mmcv.imresize(mmcv.imread(path), (width, height))
        inputs = torch.from_numpy(image.transpose(2, 0, 1).copy())
        images.append(preprocessor(dict(inputs=[inputs]), False)['inputs'])
    return images
