"""k-nearest-neighbor classification, and its hook on objects of scenes."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.engine.hooks import ObjectKNNHook
from mmpixcon.evaluation import knn, knn_scores
from tests.helpers.annotated_scenes import loader, runner


def reference(queries, memory, labels, num_classes, k, temperature):
    """Neighbor by neighbor."""
    rows = []
    for query in queries:
        order = sorted(range(len(memory)), key=lambda j: -float(query @ memory[j]))[:k]
        votes = [0.0] * num_classes
        for j in order:
            votes[int(labels[j])] += math.exp(float(query @ memory[j]) / temperature)
        rows.append([vote / sum(votes) for vote in votes])
    return torch.tensor(rows, dtype=queries.dtype)


@pytest.mark.parametrize(('k', 'temperature'), [(1, 0.07), (5, 0.07), (30, 0.5)])
def test_scores_are_the_votes_of_the_nearest(k, temperature, monkeypatch):
    monkeypatch.setattr(knn, 'BLOCK_ELEMENTS', 40)
    queries = F.normalize(torch.randn(7, 4, dtype=torch.float64), dim=1)
    memory = F.normalize(torch.randn(12, 4, dtype=torch.float64), dim=1)
    labels = torch.randint(3, (12,))
    scores = knn_scores(queries, memory, labels, 3, k, temperature)
    expected = reference(queries, memory, labels, 3, k, temperature)
    torch.testing.assert_close(scores, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(scores.sum(1), torch.ones(7, dtype=torch.float64))


def test_no_labelled_features_is_an_error():
    with pytest.raises(ValueError, match='needs labeled features'):
        knn_scores(torch.ones(1, 2), torch.ones(0, 2), torch.ones(0, dtype=torch.long), 2)


def test_objects_recognize_themselves(scenes_root):
    both = loader(scenes_root, 'train', 6)
    run = runner()
    actual = ObjectKNNHook(memory=both, query=both, k=1).measure(run)
    assert actual['top1'] == 1.0
    assert 0.2 < actual['majority'] < 0.8
    assert run.model.training
    other = ObjectKNNHook(memory=both, query=loader(scenes_root, 'val', 4)).measure(run)
    assert 0 <= other['top1'] < 1


def test_majority_guesses_the_class_that_is_frequent_in_the_memory(scenes_root):
    """Which is another than that of the queries."""
    labels = {}
    for split, count in (('val', 8), ('train', 6)):
        coco = json.loads((scenes_root / 'annotations' / f'{split}.json').read_text())
        kept = {image['id'] for image in coco['images'][:count]}
        labels[split] = [a['category_id'] for a in coco['annotations'] if a['image_id'] in kept]
    (frequent, _), *_ = Counter(labels['val']).most_common()
    assert frequent != Counter(labels['train']).most_common()[0][0]
    hook = ObjectKNNHook(
        memory=loader(scenes_root, 'val', 8), query=loader(scenes_root, 'train', 6)
    )
    expected = labels['train'].count(frequent) / len(labels['train'])
    assert hook.measure(runner())['majority'] == pytest.approx(expected)


def test_bad_settings(scenes_root):
    train = loader(scenes_root, 'train', 2)
    with pytest.raises(ValueError, match='interval = 0 and k = 20 must be at least 1'):
        ObjectKNNHook(train, train, interval=0)
    other = loader(scenes_root, 'val', 2, classes=('disc', 'ring'))
    with pytest.raises(ValueError, match=r'memory has classes .* query .*; set the same metainfo'):
        ObjectKNNHook(train, other).measure(runner())
