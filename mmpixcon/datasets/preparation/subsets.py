"""Subsets of annotated data, the same everywhere, each within the next larger one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mmpixcon.datasets.checks.reading import read_json
from mmpixcon.utils.files import replace_file


def subset_of(coco: dict, percent: float, seed: int = 0) -> dict:
    """Keep a share of the images, with all their annotations.

    Images are ordered by a hash of their id and the seed, which no library's
    random numbers can change; a subset is a beginning of that order, so the 1 %
    of a seed lie within its 10 %.

    Args:
        coco (dict): COCO annotations.
        percent (float): Share of the images, above 0 and up to 100; rounded to
            whole images, at least one.
        seed (int): Other seeds give other subsets. Defaults to 0.

    Returns:
        dict: As ``coco``, images and annotations in its order.

    Raises:
        ValueError: ``percent`` is out of range, or there are no images.
    """
    if not 0 < percent <= 100:
        raise ValueError(f'percent = {percent} must be above 0 and at most 100')
    images = coco.get('images', [])
    if not images:
        raise ValueError('the annotations list no images')

    def place(image: dict) -> bytes:
        return hashlib.sha256(f'{seed} {image["id"]}'.encode()).digest()

    count = max(round(len(images) * percent / 100), 1)
    kept = {image['id'] for image in sorted(images, key=place)[:count]}
    return coco | dict(
        images=[image for image in images if image['id'] in kept],
        annotations=[a for a in coco.get('annotations', []) if a['image_id'] in kept],
    )


def write_subsets(
    annotations: Path, out: Path, percents: list[float], seeds: list[int]
) -> list[tuple[Path, int, int]]:
    """Write subsets as ``NAME_PERCENT_seedSEED.json``.

    Args:
        annotations (Path): COCO file.
        out (Path): Folder, made if it is missing.
        percents (list[float]): Shares of the images.
        seeds (list[int]): seeds of each share.

    Returns:
        list: File, number of images and of annotations of each subset.

    Raises:
        FileNotFoundError: The annotations are missing.
        ValueError: They are no COCO file, or a share is out of range.
    """
    if not annotations.is_file():
        raise FileNotFoundError(f'{annotations} does not exist: name a COCO annotation file')
    coco = read_json(annotations)
    if not isinstance(coco, dict) or 'images' not in coco:
        raise ValueError(f'{annotations} is not a COCO file: it has no "images"')
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for percent in percents:
        for seed in seeds:
            subset = subset_of(coco, percent, seed)
            path = out / f'{annotations.stem}_{percent:g}percent_seed{seed}.json'
            replace_file(path, json.dumps(subset).encode())
            written.append((path, len(subset['images']), len(subset['annotations'])))
    return written
