"""Denoising queries: noisy ground truth that a decoder has to repair."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmdet.models.layers.transformer import inverse_sigmoid
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh, get_box_tensor
from mmengine.model import BaseModule
from torch import Tensor, nn

# As the authors' release, and as mmdet's DAB-DETR and DINO: boxes at the border
# stay away from infinite logits.
ANCHOR_EPS = 1e-3


class DenoisingTargets(NamedTuple):
    """Targets of the denoising queries, which need no matching.

    K is the number of boxes in the batch times the number of groups.
    """

    num_queries: int  # denoising queries of an image, D; the first ones
    image: Tensor  # (K, ), index in the batch
    slot: Tensor  # (K, ), index among the D queries
    labels: Tensor  # (K, ), the clean label
    boxes: Tensor  # (K, 4), the clean box, cx cy w h in 0..1
    sizes: Tensor  # (K, 4), width, height, width, height of the image in pixels


class DenoisingQueries(NamedTuple):
    """Denoising queries of a batch, D an image."""

    content: Tensor  # (N, D, C)
    anchors: Tensor  # (N, D, 4), cx cy w h before the sigmoid
    mask: Tensor  # (N * heads, D + M, D + M), True where a row may not see a column
    targets: DenoisingTargets


class DenoisingQueryGenerator(BaseModule):
    """Query denoising of DN-DETR, section 4 of its paper.

    Each ground-truth box becomes one query in each group: its label flipped
    with probability ``label_noise`` to one drawn from all classes (which may be
    the same), its box noisy by up to ``box_noise`` times half a side in the
    center and ``box_noise`` times a side in size. The content of a query is the
    embedding of its label, one channel short, and an indicator channel: 1 for
    denoising queries; matching queries, made by the detector, have 0 there.

    Matching queries do not see denoising ones, and a group does not see
    another. Images with fewer boxes are padded; nobody but themselves sees the
    padding, so that an image's result does not depend on the batch it is in
    (the authors' release leaves padding visible inside its group).

    Args:
        num_classes (int): Classes of the data.
        embed_dims (int): Channels of a query, C.
        num_matching_queries (int): Matching queries, patterns included, M.
        num_heads (int): Heads of the decoder's self-attention.
        num_groups (int): Noisy copies of each box; 0 for none, which makes the DN models
            DAB-DETR and DAB-Deformable-DETR. Defaults to 5.
        label_noise (float): Probability of drawing a new label, 0 to 1.
            Defaults to 0.2.
        box_noise (float): Scale of the box noise, 0 to 1. Defaults to 0.4.

    Raises:
        ValueError: A setting is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        embed_dims: int,
        num_matching_queries: int,
        num_heads: int,
        num_groups: int = 5,
        label_noise: float = 0.2,
        box_noise: float = 0.4,
    ) -> None:
        super().__init__()
        if num_groups < 0 or not 0 <= label_noise <= 1 or not 0 <= box_noise <= 1:
            raise ValueError(
                f'model.dn_cfg: num_groups = {num_groups} must not be negative, label_noise = '
                f'{label_noise} and box_noise = {box_noise} within 0 and 1'
            )
        self.num_classes = num_classes
        self.num_matching_queries = num_matching_queries
        self.num_heads = num_heads
        self.num_groups = num_groups
        self.label_noise = label_noise
        self.box_noise = box_noise
        self.label_embedding = nn.Embedding(num_classes, embed_dims - 1)

    def forward(self, batch_data_samples: SampleList) -> DenoisingQueries:
        """Make the denoising queries of a batch.

        Args:
            batch_data_samples (list): N samples with ``gt_instances`` (boxes in
                pixels of the image as it enters the model) and ``img_shape``.

        Returns:
            DenoisingQueries: D is the most boxes of an image times the groups,
            0 if no image has any.
        """
        weight = self.label_embedding.weight
        instances = [sample.gt_instances for sample in batch_data_samples]
        shapes = [sample.img_shape[:2] for sample in batch_data_samples]
        labels = torch.cat([instance.labels for instance in instances])
        corners = torch.cat([get_box_tensor(instance.bboxes) for instance in instances])
        # What the CPU knows goes to the device without a wait.
        counts = torch.tensor([len(instance) for instance in instances])
        groups, most = self.num_groups, int(counts.max())
        images = torch.arange(len(counts)).repeat_interleave(counts)
        places = torch.cat([torch.arange(int(n)) for n in counts])
        offsets = torch.arange(groups)[:, None] * most
        count, image, slot = (
            values.to(weight.device, non_blocking=True)
            for values in (counts, images, (places + offsets).flatten())
        )
        size = torch.tensor([[w, h, w, h] for h, w in shapes], dtype=torch.float32)
        size = size.to(weight.device, non_blocking=True)[image]
        boxes = bbox_xyxy_to_cxcywh(corners.to(size) / size)
        targets = DenoisingTargets(
            num_queries=most * groups,
            image=image.repeat(groups),
            slot=slot,
            labels=labels.repeat(groups),
            boxes=boxes.repeat(groups, 1),
            sizes=size.repeat(groups, 1),
        )
        embedded = self.label_embedding(self.noisy_labels(targets.labels))
        embedded = torch.cat([embedded, embedded.new_ones(len(embedded), 1)], dim=1)
        index = (targets.image, targets.slot)
        shape = (len(counts), targets.num_queries)
        content = embedded.new_zeros(*shape, embedded.shape[1]).index_put(index, embedded)
        logits = inverse_sigmoid(self.noisy_boxes(targets.boxes), eps=ANCHOR_EPS)
        anchors = logits.new_zeros(*shape, 4).index_put(index, logits)
        return DenoisingQueries(content, anchors, self.attention_mask(count, most), targets)

    def noisy_labels(self, labels: Tensor) -> Tensor:
        """Draw some labels (K, ) anew, uniformly over the classes."""
        drawn = torch.randint_like(labels, self.num_classes)
        flip = torch.rand(labels.shape, device=labels.device) < self.label_noise
        return torch.where(flip, drawn, labels)

    def noisy_boxes(self, boxes: Tensor) -> Tensor:
        """Move and scale boxes (K, 4), cx cy w h in 0..1, and keep them in 0..1."""
        reach = torch.cat([boxes[:, 2:] / 2, boxes[:, 2:]], dim=1)
        noise = (2 * torch.rand_like(boxes) - 1) * reach * self.box_noise
        return (boxes + noise).clamp(0, 1)

    def attention_mask(self, counts: Tensor, most: int) -> Tensor:
        """Tell who may not see whom.

        Args:
            counts (Tensor): (N, ), boxes of each image.
            most (int): largest of these numbers.

        Returns:
            Tensor: (N * heads, D + M, D + M), bool, True is hidden.
        """
        places = torch.arange(most, device=counts.device)
        group = torch.arange(self.num_groups, device=counts.device).repeat_interleave(most)
        group = torch.cat([group, group.new_full((self.num_matching_queries,), -1)])
        # Columns that denoise are seen by their own group only.
        hidden = (group[None, :] >= 0) & (group[:, None] != group[None, :])
        padding = (places[None] >= counts[:, None]).repeat(1, self.num_groups)
        padding = torch.cat(
            [padding, padding.new_zeros(len(counts), self.num_matching_queries)], dim=1
        )
        mask = hidden[None] | padding[:, None, :]
        return mask.repeat_interleave(self.num_heads, dim=0)
