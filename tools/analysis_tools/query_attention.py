r"""Draws what queries of detection transformers predict and where they look.

    python tools/analysis_tools/query_attention.py \
        examples/bccd/images/BloodImage_00000.jpg --annotations examples/bccd/val.json \
        --model 'Siamese DETR=CONFIG.py,A.pth' --model UP-DETR=CONFIG.py,B.pth

The picture is that of figure 5 of Siamese DETR, before fine-tuning or after. Each photo has a row
with boxes, and one with the cross-attention of the decoder's last layer, mean of the heads, for
each query: weights of cells, or the sampling points of deformable attention. Queries are those of
--queries; or, with --annotations, those whose boxes overlap objects best, the same objects for
every model; else those with the highest scores, which mean nothing before the class layers have
learned. CONFIG is that of the stock detector.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images
from mmpixcon.apis.inspection import DetectorInput, load_for_inspection
from mmpixcon.datasets.preparation.coco_boxes import boxes_of_photo, read_coco_boxes
from mmpixcon.evaluation.query_attention import (
    QueryAttention,
    best_queries,
    queries_of_objects,
    query_attention,
)
from mmpixcon.visualization.feature_maps import draw_grid
from mmpixcon.visualization.query_attention import (
    COLORS,
    draw_boxes,
    draw_points,
    draw_weights,
)
from model_argument import add_model_argument


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('images', nargs='+', help='photos or folders of them')
    add_model_argument(parser, needs_checkpoint=False)
    selection = parser.add_mutually_exclusive_group()
    selection.add_argument('--queries', type=int, nargs='+', help='numbers of queries')
    selection.add_argument('--annotations', type=Path, help='COCO file with objects of the photos')
    parser.add_argument('--count', type=int, default=3, help='queries to choose')
    parser.add_argument('--layer', type=int, default=-1, help='of the decoder')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/query_attention.png'))
    parser.add_argument('--num', type=int, default=2, help='photos to draw')
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f'--count {args.count} must be at least 1')
    return args


def choose(
    attentions: dict[str, QueryAttention], objects: torch.Tensor | None, args: argparse.Namespace
) -> tuple[list[int], dict[str, list[int]]]:
    """Numbers of the objects, if queries are chosen by them, and of each model's queries."""
    if args.queries:
        for name, attention in attentions.items():
            if not 0 <= min(args.queries) <= max(args.queries) < attention.scores.shape[1]:
                sys.exit(f'query_attention: --queries: {name} has queries 0 to '
                         f'{attention.scores.shape[1] - 1}')  # fmt: skip
        return [], {name: args.queries for name in attentions}
    if objects is None or not len(objects):
        return [], {
            name: best_queries(attention.scores[0], args.count)
            for name, attention in attentions.items()
        }
    boxes = [attention.boxes[0].cpu() for attention in attentions.values()]
    chosen, queries = queries_of_objects(boxes, objects, args.count)
    return chosen, dict(zip(attentions, queries))


def rows_of(
    path: Path,
    photos: dict[str, DetectorInput],
    attentions: dict[str, QueryAttention],
    truth: np.ndarray | None,
    args: argparse.Namespace,
) -> list[list[np.ndarray]]:
    """Pictures of a photo: boxes, then the attention of each query."""
    # All models on the pixels of the file; each is drawn on its own input.
    scales = {name: torch.tensor([*photo.scale] * 2) for name, photo in photos.items()}
    on_file = {
        name: QueryAttention(attention.boxes.cpu() / scales[name], attention.scores, None, None)
        for name, attention in attentions.items()
    }
    objects = None if truth is None else torch.from_numpy(truth)
    chosen, queries = choose(on_file, objects, args)
    first = next(iter(photos))
    drawn_objects = np.zeros((0, 4)) if truth is None else truth * scales[first].numpy()
    white = [(255, 255, 255)]
    columns = [[draw_boxes(photos[first].image, drawn_objects, [''] * len(drawn_objects), white)]]
    for i in range(len(next(iter(queries.values())))):
        drawn_object = drawn_objects[chosen[i]][None] if chosen else drawn_objects[:0]
        columns[0].append(
            draw_boxes(photos[first].image, drawn_object, [''], COLORS[i % len(COLORS) :])
        )
    for name, photo in photos.items():
        attention, indices = attentions[name], queries[name]
        boxes = attention.boxes[0, indices].cpu()
        names = [str(query) for query in indices]
        column = [draw_boxes(photo.image, boxes, names)]
        for i, query in enumerate(indices):
            if attention.weights is None:
                picture = draw_points(photo.image, attention.points[0, query])
            else:
                size = tuple(photo.inputs.shape[2:])
                picture = draw_weights(photo.image, attention.weights[0, query].cpu(), size)
            color = COLORS[i % len(COLORS) :]
            column.append(draw_boxes(picture, boxes[i][None], names[i : i + 1], color))
            text = f'{path.name} {name}: query {query}, score {attention.scores[0, query]:.3f}'
            if chosen:
                iou = bbox_overlaps(on_file[name].boxes[0, [query]], objects[[chosen[i]]])
                text += f', IoU {iou.item():.3f} with object {chosen[i]}'
            print(text)
        columns.append(column)
    return [list(row) for row in zip(*columns)]


def main() -> None:
    """Draw."""
    args = parse_args()
    paths = find_images(args.images, args.num)
    truths = dict.fromkeys(paths)
    if args.annotations:
        listed = read_coco_boxes(args.annotations)
        truths = {path: boxes_of_photo(listed, path) for path in paths}
        unlisted = [path for path, boxes in truths.items() if boxes is None]
        if unlisted:
            sys.exit(f'query_attention: {unlisted[0]} is not listed in {args.annotations}')
    models = {n: load_for_inspection(config, path, args.device) for n, config, path in args.model}
    rows = []
    for path in paths:
        photos = {name: loaded.read(path) for name, loaded in models.items()}
        attentions = {
            name: query_attention(models[name].detector, photo.inputs, photo.samples, args.layer)
            for name, photo in photos.items()
        }
        rows += rows_of(path, photos, attentions, truths[path], args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_grid(rows, ['image', *models]).savefig(args.out, dpi=150)
    print(args.out)


if __name__ == '__main__':
    main()
