"""``mmpixcon detect``: find objects in photos and videos."""

from __future__ import annotations

import contextlib
import glob
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import mmcv
import numpy as np
import typer
from mmdet.structures import DetDataSample

from mmpixcon.apis.detection import Detector, load_detector
from mmpixcon.datasets.unlabelled import SUFFIXES
from mmpixcon.utils.files import replace_file
from mmpixcon.utils.images import read_image
from mmpixcon.utils.progress import track_progress
from mmpixcon.utils.tables import format_table
from mmpixcon.visualization.feature_maps import (
    affinity_map,
    attention_map,
    color_affinity,
    mark_point,
    overlay,
)

VIDEOS = ('.mp4', '.avi', '.mov', '.mkv', '.webm')
#: Exit status where no photo could be read.
UNREADABLE = 2


def detect(
    checkpoint: Annotated[Path, typer.Argument(help='checkpoint of a detector')],
    photos: Annotated[list[str], typer.Argument(help='files, folders, patterns, videos')],
    config: Annotated[
        Path | None, typer.Option(help='config of the detector [default: in the checkpoint]')
    ] = None,
    out: Annotated[Path, typer.Option(help='folder for pictures and files')] = Path(
        'work_dirs/detect'
    ),
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help='lowest score that is shown and written')
    ] = 0.3,
    tiles: Annotated[
        int | None,
        typer.Option(min=32, help='cut large photos into squares with sides of N pixels'),
    ] = None,
    device: Annotated[str | None, typer.Option(help='such as cpu or cuda:1')] = None,
    show_features: Annotated[
        bool,
        typer.Option(
            '--show-features',
            help='draw the activity of the backbone, and what resembles the best',
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option('--json', help='print the detections as JSON, and nothing else')
    ] = False,
) -> None:
    """Find objects in photos and videos with a detector of mmpixcon or of stock mmdet.

    Writes pictures, detections.json in COCO's format and labels/*.txt in YOLO's. Ends with status
    0, or 2 if there is nothing that can be read.

    Example: mmpixcon detect work_dirs/fit/best.pth examples/bccd/images
    """
    # mmengine and mmcv write to stdout, which is for the results.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            paths = find_photos(photos)
            detector = load_detector(checkpoint, config, device)
        except (OSError, ValueError) as error:
            typer.echo(f'mmpixcon detect: {error}', err=True)
            raise typer.Exit(UNREADABLE) from None
        writer = Writer(detector, out, threshold, show_features)
        bad = writer.add_all(paths, tiles)
        content = writer.write()
    if as_json:
        typer.echo(json.dumps(content))
    else:
        typer.echo(writer.summary())
    if bad:
        shown = ', '.join(bad[:3]) + (', ...' if len(bad) > 3 else '')
        typer.echo(f'{len(bad)} of {len(paths)} files could not be read: {shown}', err=True)
    if len(bad) == len(paths):
        raise typer.Exit(UNREADABLE)


def find_photos(names: list[str]) -> list[Path]:
    """Find photos and videos, those of folders in the order of their names.

    Args:
        names (list[str]): files, folders and patterns such as ``photos/*.jpg``.

    Returns:
        list[Path]: files.

    Raises:
        FileNotFoundError: A name stands for nothing.
    """
    paths: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            endings = (*SUFFIXES, *VIDEOS)
            found = sorted(p for p in path.rglob('*') if p.suffix.lower() in endings)
        else:
            found = [path] if path.is_file() else sorted(map(Path, glob.glob(name)))
        if not found:
            raise FileNotFoundError(f'{name} has no photos')
        paths += found
    return paths


class Writer:
    """Pictures and files of detections.

    Args:
        detector (Detector): detector.
        out (Path): folder, made if it is missing.
        threshold (float): lowest score of a detection that is drawn and written.
        show_features (bool): whether feature maps of photos are drawn, too. Defaults to False.
    """

    def __init__(
        self, detector: Detector, out: Path, threshold: float, show_features: bool = False
    ) -> None:
        self.detector = detector
        self.out = out
        self.threshold = threshold
        self.show_features = show_features
        self.stems: Counter[str] = Counter()
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        (out / 'labels').mkdir(parents=True, exist_ok=True)

    def add_all(self, paths: list[Path], tiles: int | None) -> list[str]:
        """Draw and note the detections of photos and videos, showing how many are done.

        Args:
            paths (list[Path]): files. A video counts once, however many frames it has.
            tiles (int, optional): pixels a side of tiles.

        Returns:
            list[str]: files that could not be read, and why.
        """
        bad = []
        for path in track_progress(paths, 'photos', len(paths)):
            if path.suffix.lower() in VIDEOS:
                self.add_video(path, tiles)
                continue
            image, reason = read_image(path)
            if image is None:
                bad.append(f'{path} ({reason})')
            else:
                self.add_photo(path, image, self.detector.detect(image, tiles))
        return bad

    def add_photo(self, path: Path, image: np.ndarray, sample: DetDataSample) -> None:
        """Draw and note the detections of a photo.

        Args:
            path (Path): file.
            image (np.ndarray): BGR, uint8, (H, W, 3).
            sample (DetDataSample): detections.
        """
        name = self._free(path)
        picture = self.draw(image, sample)
        mmcv.imwrite(picture, str(self.out / 'pictures' / f'{name}.jpg'))
        if self.show_features:
            features = self.draw_features(image, sample)
            mmcv.imwrite(features, str(self.out / 'features' / f'{name}.jpg'))
        self._note(path.as_posix(), name, image.shape[:2], sample)

    def add_video(self, path: Path, tiles: int | None) -> None:
        """Write a video with the detections of each frame.

        Args:
            path (Path): video.
            tiles (int, optional): pixels a side of tiles.
        """
        name = self._free(path)
        folder = self.out / 'frames' / name
        video = mmcv.VideoReader(str(path))
        for number, frame in enumerate(video):
            sample = self.detector.detect(frame, tiles)
            mmcv.imwrite(self.draw(frame, sample), str(folder / f'{number:06d}.jpg'))
            self._note(
                f'{path.as_posix()}#{number}', f'{name}_{number:06d}', frame.shape[:2], sample
            )
        if len(video):
            (self.out / 'videos').mkdir(exist_ok=True)
            target = self.out / 'videos' / f'{name}.mp4'
            mmcv.frames2video(str(folder), str(target), fps=video.fps or 25, fourcc='mp4v')

    def draw(self, image: np.ndarray, sample: DetDataSample) -> np.ndarray:
        """Draw detections.

        Args:
            image (np.ndarray): BGR, uint8, (H, W, 3).
            sample (DetDataSample): detections.

        Returns:
            np.ndarray: BGR, uint8, (H, W, 3).
        """
        visualizer = self.detector.inferencer.visualizer
        with warnings.catch_warnings():
            # matplotlib and mmdet speak about fonts and palettes.
            warnings.simplefilter('ignore')
            visualizer.add_datasample(
                'detections',
                image[..., ::-1],
                sample,
                draw_gt=False,
                pred_score_thr=self.threshold,
            )
        return visualizer.get_image()[..., ::-1]

    def draw_features(self, image: np.ndarray, sample: DetDataSample) -> np.ndarray:
        """Draw the last map of the backbone: activity, and affinity to the best detection.

        Args:
            image (np.ndarray): BGR, uint8, (H, W, 3).
            sample (DetDataSample): detections.

        Returns:
            np.ndarray: BGR, uint8, (H, 2 W, 3), or (H, 3 W, 3) where there is a detection: the
            photo with the middle of the best one marked, activity, affinity.
        """
        height, width = image.shape[:2]
        features = self.detector.feature_map(image)
        activity = overlay(image, attention_map(features, (height, width)))
        boxes = sample.pred_instances.bboxes
        if not len(boxes):
            return np.hstack([image, activity])
        x1, y1, x2, y2 = boxes[0].tolist()
        point = (
            min(max((x1 + x2) / 2 / width, 0.0), 1.0),
            min(max((y1 + y2) / 2 / height, 0.0), 1.0),
        )
        affinity = color_affinity(affinity_map(features, point), (height, width))
        return np.hstack([mark_point(image, point), activity, affinity])

    def _free(self, path: Path) -> str:
        """Name outputs after the photo; photos of one name in two folders get a number."""
        self.stems[path.stem] += 1
        number = self.stems[path.stem]
        return path.stem if number == 1 else f'{path.stem}_{number}'

    def _note(
        self, file_name: str, output: str, shape: tuple[int, ...], sample: DetDataSample
    ) -> None:
        """Keep the detections of an image in both formats."""
        height, width = shape[:2]
        key = len(self.images) + 1
        self.images.append(dict(id=key, file_name=file_name, width=width, height=height))
        found = sample.pred_instances
        lines = []
        for box, score, label in zip(
            found.bboxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        ):
            if score < self.threshold:
                continue
            x1, y1, x2, y2 = box
            self.annotations.append(
                dict(
                    id=len(self.annotations) + 1,
                    image_id=key,
                    category_id=label + 1,
                    bbox=[round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
                    area=round((x2 - x1) * (y2 - y1), 2),
                    iscrowd=0,
                    score=round(score, 4),
                )
            )
            center = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
            shares = *center, (x2 - x1) / width, (y2 - y1) / height
            lines.append(' '.join([str(label), *(f'{v:.6f}' for v in shares), f'{score:.4f}']))
        (self.out / 'labels' / f'{output}.txt').write_text('\n'.join(lines))

    def write(self) -> dict[str, Any]:
        """Write ``detections.json`` and YOLO's class names.

        Returns:
            dict: COCO content with a ``score`` for each object.
        """
        content = dict(
            images=self.images,
            annotations=self.annotations,
            categories=[
                dict(id=number, name=name) for number, name in enumerate(self.detector.classes, 1)
            ],
        )
        replace_file(self.out / 'detections.json', json.dumps(content).encode())
        names = '\n'.join(self.detector.classes)
        (self.out / 'labels' / 'classes.txt').write_text(names)
        return content

    def summary(self) -> str:
        """Count what was found.

        Returns:
            str: table of the classes, and where everything is.
        """
        rows = list(self._rows())
        table = format_table(('class', 'detections', 'images'), rows)
        features = f', {self.out}/features' if self.show_features else ''
        return (
            f'{table}\n\n{len(self.annotations)} detections of at least {self.threshold:g} in '
            f'{len(self.images)} images: {self.out}/pictures, {self.out}/detections.json (COCO), '
            f'{self.out}/labels (YOLO){features}'
        )

    def _rows(self) -> Iterator[tuple[str, int, int]]:
        for number, name in enumerate(self.detector.classes, 1):
            images = [o['image_id'] for o in self.annotations if o['category_id'] == number]
            yield name, len(images), len(set(images))
