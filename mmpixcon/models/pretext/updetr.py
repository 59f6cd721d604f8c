"""UP-DETR: the transformer finds patches in the image that they were cut from."""

from __future__ import annotations

import torch
from mmdet.structures import SampleList
from torch import Tensor

from mmpixcon.registry import MODELS

from ..heads.region_query_head import RegionQueryHead
from ..layers import conditioned_queries
from .region_pretext import RegionPretext
from .regions import check_num_regions, mean_regions


@MODELS.register_module()
class UPDETR(RegionPretext):
    """UP-DETR (arXiv:2011.09094) over a stock detection transformer.

    Patches of an image, cut out and augmented, give their features to groups of
    object queries, which find them in the image. Queries see those of their group
    only; at random a query gets no feature. The losses are the detector's, of region
    and no object, and the reconstruction of the patches' features.

    The groups are right for any number of patches and queries; the released mask
    leaves queries that see nothing, hence NaN, where a patch has fewer queries than
    there are patches.

    Args:
        detector (dict): config of the stock detector, as in :class:`RegionPretext`.
        head (dict, optional): Config of the head; its channels are filled in. Defaults
            to ``dict(type='mmpixcon.RegionQueryHead')``.
        num_regions (int): Patches of an image; a divisor of the detector's queries.
            Defaults to 10.
        drop_prob (float): Probability that a query gets no feature, in training.
            Defaults to 0.1.
        shuffle (bool): Whether groups are made of random queries, drawn for each
            batch, rather than of neighbors. Defaults to False, as the release.
        match_own_region (bool): Whether a query may only be matched to the region whose
            feature it got. In the paper and its release any query is matched to any
            region; then boxes are learned long before features are used, if they are at
            all. Defaults to False, as the release.
        frozen_backbone (bool): Defaults to True.
        no_object_weight (float, optional): Defaults to 0.1.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: ``num_regions`` does not divide the queries, or ``drop_prob`` is out of
            range; see also :class:`RegionPretext`.
    """

    own_prefix = 'updetr.'
    multi_branch = False

    head: RegionQueryHead

    def __init__(
        self,
        detector: dict,
        head: dict | None = None,
        num_regions: int = 10,
        drop_prob: float = 0.1,
        shuffle: bool = False,
        match_own_region: bool = False,
        frozen_backbone: bool = True,
        no_object_weight: float | None = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, frozen_backbone, no_object_weight, init_cfg)
        check_num_regions(self.detector, num_regions)
        if not 0 <= drop_prob < 1:
            raise ValueError(f'model.drop_prob = {drop_prob} must be in [0, 1)')
        self.num_regions = num_regions
        self.drop_prob = drop_prob
        self.shuffle = shuffle
        self.match_own_region = match_own_region
        self.head = self.build_head(head or dict(type='mmpixcon.RegionQueryHead'))

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Look for the patches.

        Args:
            batch_inputs (Tensor): Images (N, 3, H, W).
            batch_data_samples (list): N samples with n regions as ``gt_instances`` and
                their ``crops``.

        Returns:
            dict: The detector's losses, ``loss_region`` of each decoder layer, and
            ``own_region_share``, see :meth:`detection_losses`.

        Raises:
            ValueError: An image has no crops, or another number of regions.
        """
        self.check_regions(batch_data_samples, self.num_regions)
        features = self.region_features(batch_data_samples)
        maps = self.backbone_maps(batch_inputs)
        head_inputs, regions = self._decode(maps, batch_data_samples, features)
        losses, states, matching = self.detection_losses(head_inputs, batch_data_samples, regions)
        divisor = mean_regions(batch_data_samples)
        targets = features.flatten(0, 1)
        return losses | self.head.reconstruction(states, matching, targets, divisor)

    def region_features(self, samples: SampleList) -> Tensor:
        """p: features of the crops of N samples, (N, n, B)."""
        return self.crop_features(samples).unflatten(0, (len(samples), -1))

    def losses_of_other_features(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Detection losses with the features of the regions, and with those of their neighbors.

        Where queries use the features, the second are higher.

        Args:
            batch_inputs: as :meth:`loss` takes them.
            batch_data_samples: as :meth:`loss` takes them.

        Returns:
            tuple[dict, dict]: losses of both.
        """
        self.check_regions(batch_data_samples, self.num_regions)
        features = self.region_features(batch_data_samples)
        maps = self.backbone_maps(batch_inputs)
        return self._compare_features(
            features, lambda p: self._decode(maps, batch_data_samples, p), batch_data_samples
        )

    def _decode(
        self, maps: tuple[Tensor, ...], samples: SampleList, features: Tensor
    ) -> tuple[dict, Tensor]:
        """Run the transformer with the features of regions, (N, n, B).

        Returns:
            tuple[dict, Tensor]: What the head takes, and the region of each query, (Q, ).
        """
        added = self.head.queries(features, self.detector.num_queries)
        queries, regions = self._group(added)
        with conditioned_queries(self.detector, queries, regions[:, None] != regions):
            return self.decode(maps, samples)[0], regions

    def _group(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Leave some out, shuffle, and say which patch each query looks for.

        Args:
            queries (Tensor): What to add to object queries, (N, Q, C), patch by patch.

        Returns:
            tuple[Tensor, Tensor]: (N, Q, C), and the index of the patch, (Q, ).
        """
        queries, regions = self.share_out(queries)
        if self.drop_prob and self.training:
            kept = torch.rand(queries.shape[:2], device=queries.device) >= self.drop_prob
            queries = queries * kept[..., None]
        return queries, regions
