"""Photos with their labels, and how many there are of what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmpixcon.utils.images import read_image

from .plain_text import plain_text

COLUMNS = 4
# Names are left out where they would cover the photo.
NAMED = 12


@plain_text
def draw_labels(content: Mapping[str, Any], folder: Path, number: int = 12) -> Figure:
    """Draw photos with their boxes and class names, those with many classes first.

    Args:
        content (Mapping): COCO content.
        folder (Path): image folder.
        number (int): photos to draw. Defaults to 12.

    Returns:
        Figure: grid of photos; those that cannot be read are left out.
    """
    names = {category['id']: category['name'] for category in content['categories']}
    colors = dict(zip(names, _colors(len(names)), strict=True))
    objects = defaultdict(list)
    for entry in content['annotations']:
        objects[entry['image_id']].append(entry)
    drawn = []
    for image in _varied(content['images'], objects, number):
        pixels, _ = read_image(folder / image['file_name'])
        if pixels is not None:
            drawn.append((image, pixels[..., ::-1]))
    rows = max(-(-len(drawn) // COLUMNS), 1)
    figure = Figure(figsize=(4 * COLUMNS, 3.3 * rows), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).reshape(-1)
    for axes in panels:
        axes.axis('off')
    for axes, (image, pixels) in zip(panels, drawn, strict=False):
        axes.imshow(pixels)
        axes.set_title(image['file_name'][-40:], fontsize=8)
        labels = objects[image['id']]
        for entry in labels:
            x, y, width, height = entry['bbox']
            color = colors[entry['category_id']]
            style = ':' if entry.get('iscrowd') else '-'
            axes.add_patch(
                Rectangle((x, y), width, height, fill=False, color=color, lw=1.5, ls=style)
            )
            if len(labels) <= NAMED:
                axes.text(
                    x,
                    y,
                    names[entry['category_id']],
                    fontsize=7,
                    color='white',
                    va='bottom',
                    bbox=dict(facecolor=color, edgecolor='none', pad=1),
                )
    handles = [Rectangle((0, 0), 1, 1, color=colors[key]) for key in list(names)[:20]]
    if handles:
        figure.legend(handles, list(names.values())[:20], loc='outside lower center', ncols=10)
    return figure


@plain_text
def draw_class_counts(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw how many objects of each class each split has.

    Args:
        counts (Mapping): objects by class, by split.

    Returns:
        Figure: a bar for each class and split, on a logarithmic scale.
    """
    classes = list(dict.fromkeys(name for split in counts.values() for name in split))
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(classes) * max(len(counts), 1)))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    height = 0.8 / max(len(counts), 1)
    for index, (split, by_class) in enumerate(counts.items()):
        places = np.arange(len(classes)) + index * height
        values = [by_class.get(name, 0) for name in classes]
        bars = axes.barh(places, values, height, label=split)
        axes.bar_label(bars, padding=2, fontsize=8)
    axes.set_yticks(np.arange(len(classes)) + 0.4 - height / 2, classes)
    axes.invert_yaxis()
    axes.set_xscale('symlog')
    axes.margins(x=0.15)
    axes.set_xlabel('objects')
    axes.legend()
    figure.tight_layout()
    return figure


def draw_sizes(areas: Mapping[str, Sequence[float]], input_size: tuple[int, int]) -> Figure:
    """Draw how large objects are in the images that a detector sees.

    Args:
        areas (Mapping): areas in pixels of the resized images, by split.
        input_size (tuple[int, int]): width and height that images are resized to fit into.

    Returns:
        Figure: a histogram with COCO's borders between small, medium and large.
    """
    figure = Figure(figsize=(7, 3.2))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    sides = {split: np.sqrt(np.maximum(values, 1e-6)) for split, values in areas.items()}
    largest = max((values.max(initial=1) for values in sides.values()), default=1)
    bins = np.geomspace(2, max(largest, 128), 40).tolist()
    for split, values in sides.items():
        axes.hist(values, bins, histtype='step', label=split, lw=1.5)
    for side in (32, 96):
        axes.axvline(side, color='gray', ls=':')
    for place, name in ((8, 'small'), (55, 'medium'), (150, 'large')):
        axes.text(place, 0.96, name, transform=axes.get_xaxis_transform(), va='top', color='gray')
    axes.set_xscale('log')
    axes.set_xlabel(
        f'side of an object (root of its area) in pixels, images fit into '
        f'{input_size[0]} x {input_size[1]}'
    )
    axes.set_ylabel('objects')
    axes.legend()
    figure.tight_layout()
    return figure


def _colors(number: int) -> list[Any]:
    return [
        matplotlib.colormaps['tab10' if number <= 10 else 'tab20'](index % 20)
        for index in range(number)
    ]


def _varied(
    images: Sequence[Mapping[str, Any]],
    objects: Mapping[Any, Sequence[Mapping[str, Any]]],
    number: int,
) -> list[Mapping[str, Any]]:
    """Pick images that show all classes: each time the one with most that were shown least."""
    shown: dict[Any, int] = defaultdict(int)
    # A thousand, evenly: enough to choose from.
    step = max(len(images) // 1000, 1)
    left = list(images[::step])
    picked: list[Mapping[str, Any]] = []
    while left and len(picked) < number:
        scores = [
            sum(1 / (1 + shown[key]) for key in {o['category_id'] for o in objects[i['id']]})
            for i in left
        ]
        image = left.pop(int(np.argmax(scores)))
        for key in {o['category_id'] for o in objects[image['id']]}:
            shown[key] += 1
        picked.append(image)
    return picked
