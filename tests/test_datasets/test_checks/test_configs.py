"""A training does not begin with data that it would go wrong with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpixcon.apis.runner import build_runner
from mmpixcon.datasets.checks.configs import check_annotations
from mmpixcon.datasets.checks.problems import BadDataError
from tests.helpers.configs import CONFIGS
from tests.helpers.processes import run_tool
from tests.helpers.runs import scalars

CLASSES = ('cat', 'dog')
STOCK = CONFIGS / 'stock' / 'deformable-detr_r18_1xb8-24e_bccd.py'
TRAIN_TOOL = CONFIGS.parent / 'tools' / 'train.py'


@pytest.fixture
def cfg(folder) -> Config:
    """The shipped stock config on the photos of the fixture, for a step."""
    cfg = Config.fromfile(STOCK)
    for stage in ('train', 'val', 'test'):
        name = 'train' if stage == 'train' else 'val'
        cfg[f'{stage}_dataloader'].update(num_workers=0, persistent_workers=False, batch_size=3)
        cfg[f'{stage}_dataloader'].dataset.update(
            data_root=str(folder), ann_file=f'{name}.json', metainfo=dict(classes=CLASSES)
        )
        if stage != 'train':
            cfg[f'{stage}_evaluator'].ann_file = str(folder / 'val.json')
    cfg.model.bbox_head.num_classes = 2
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.work_dir = str(folder / 'run')
    cfg.visualizer.name = str(folder)
    return cfg


def change(folder, name, function):
    content = json.loads((folder / name).read_text())
    function(content)
    (folder / name).write_text(json.dumps(content))


def test_good_data_are_read_from_their_own_file(cfg, folder):
    before = cfg.pretty_text
    reports = check_annotations(cfg, ('train', 'val'))
    assert [report.name for report in reports] == [f'{folder}/train.json', f'{folder}/val.json']
    assert not any(report.problems for report in reports)
    assert cfg.pretty_text == before and not (folder / 'run').exists()


def test_bad_data_stop_a_training(cfg, folder):
    def make_crowds(content):
        for entry in content['annotations']:
            entry['iscrowd'] = 1

    change(folder, 'train.json', make_crowds)
    with pytest.raises(BadDataError, match=r'train\.json: all 12 objects are crowds'):
        check_annotations(cfg, ('train', 'val'))
    config = folder / 'config.py'
    config.write_text(cfg.pretty_text)
    status, _, error = run_tool(TRAIN_TOOL, config)
    assert status == 1 and 'all 12 objects are crowds' in error
    # What the message says works.
    assert 'check_data=False' in error
    cfg.check_data = False
    assert check_annotations(cfg, ('train', 'val')) == []


@pytest.mark.slow
def test_mended_data_train_and_evaluate(cfg, folder):
    """Without area, width and height; val.json with the classes the other way round."""

    def strip(content):
        for entry in (*content['images'], *content['annotations']):
            for key in ('area', 'width', 'height'):
                entry.pop(key, None)

    change(folder, 'train.json', strip)
    change(folder, 'val.json', lambda content: content['categories'].reverse())
    kinds = {p.kind for r in check_annotations(cfg, ('train', 'val')) for p in r.problems}
    assert kinds == {
        'missing area',
        'missing size',
        'another order of the classes',
        'mended copy',
    }
    mended = folder / 'run' / 'annotations' / '1_train.json'
    assert cfg.train_dataloader.dataset.ann_file == str(mended)
    assert cfg.val_evaluator.ann_file == cfg.val_dataloader.dataset.ann_file
    runner = build_runner(cfg)
    dataset = runner.val_loop.dataloader.dataset
    categories = json.loads(Path(cfg.val_evaluator.ann_file).read_text())['categories']
    names = [category['name'] for category in categories]
    assert names == list(dataset.metainfo['classes']) == list(CLASSES)
    instances = dataset.get_data_info(0)['instances']
    assert [entry['bbox_label'] for entry in instances] == [0, 1]
    runner.train()
    assert len(scalars(runner, 'train/loss')) == 2


def perfect_scores(cfg: Config) -> dict[str, float]:
    """Evaluate detections that are the annotations, by the classes of the config."""
    init_default_scope('mmdet')
    dataset = DATASETS.build(dict(cfg.val_dataloader.dataset, pipeline=[]))
    metric = METRICS.build(cfg.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    content = json.loads((Path(cfg.val_dataloader.dataset.data_root) / 'val.json').read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    for image in content['images']:
        objects = [a for a in content['annotations'] if a['image_id'] == image['id']]
        corners = torch.tensor([a['bbox'] for a in objects]).float()
        corners[:, 2:] += corners[:, :2]
        labels = torch.tensor([CLASSES.index(names[a['category_id']]) for a in objects])
        found = dict(bboxes=corners, labels=labels, scores=torch.ones(len(objects)))
        sample = dict(pred_instances=found, img_id=image['id'], ori_shape=(60, 80))
        metric.process({}, [sample])
    return metric.evaluate(len(content['images']))


def reverse(content):
    content['categories'].reverse()


def drop_cats(content):
    """Leave out the first class and its objects, so that labels would move."""
    content['categories'] = content['categories'][1:]
    content['annotations'] = [a for a in content['annotations'] if a['category_id'] == 2]


def swap_ids(content):
    for entry in (*content['categories'], *content['annotations']):
        key = 'category_id' if 'category_id' in entry else 'id'
        entry[key] = 3 - entry[key]


def name_ids(content):
    """Ids as text, of one class, so that a number is made up beside them."""
    drop_cats(content)
    for entry in (*content['categories'], *content['annotations']):
        key = 'category_id' if 'category_id' in entry else 'id'
        entry[key] = str(entry[key])


@pytest.mark.parametrize('damage', [reverse, drop_cats, swap_ids, name_ids])
def test_perfect_detections_score_one(cfg, folder, damage):
    """Whatever the order and number of the categories to validate with."""
    change(folder, 'val.json', damage)
    cfg.val_evaluator.classwise = True
    check_annotations(cfg, ('train', 'val'))
    scores = perfect_scores(cfg)
    assert scores['coco/bbox_mAP'] == 1
    assert scores['coco/dog_precision'] == 1
    # COCO's value for a class without objects is -1, which mmdet writes as nan.
    assert scores['coco/cat_precision'] == 1 or damage in (drop_cats, name_ids)


def test_the_ap_of_each_class_is_its_own(cfg, folder):
    """COCO's evaluation sorts classes by their ids, and mmdet names them by their order."""
    change(folder, 'val.json', swap_ids)
    cfg.val_evaluator.classwise = True
    check_annotations(cfg, ('train', 'val'))
    # Annotations of dogs move after the check, so that no detection of a dog is right.
    mended = Path(cfg.val_evaluator.ann_file)
    content = json.loads(mended.read_text())
    dog = next(c['id'] for c in content['categories'] if c['name'] == 'dog')
    for entry in content['annotations']:
        if entry['category_id'] == dog:
            entry['bbox'] = [0, 0, 5, 5]
    mended.write_text(json.dumps(content))
    scores = perfect_scores(cfg)
    assert (scores['coco/cat_precision'], scores['coco/dog_precision']) == (1, 0)


def test_objects_keep_their_names_where_a_class_is_missing(cfg, folder):
    change(folder, 'train.json', drop_cats)
    (report,) = check_annotations(cfg, ('train',))
    kinds = {problem.kind: problem for problem in report.problems}
    assert 'cat' in str(kinds['class that is not in the file'])
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[]))
    labels = {e['bbox_label'] for i in range(6) for e in dataset.get_data_info(i)['instances']}
    assert labels == {CLASSES.index('dog')}


def test_a_metric_of_other_photos(cfg, folder):
    """Its ids are found in another file too, so that only the AP would tell."""
    content = json.loads((folder / 'val.json').read_text())
    other = folder / 'other.json'
    for image in content['images']:
        image['file_name'] = f'other/{image["file_name"]}'
    other.write_text(json.dumps(content))
    cfg.val_evaluator.ann_file = str(other)
    match = r'val_evaluator\.ann_file=.*val\.json'
    with pytest.raises(ValueError, match=match) as error:
        check_annotations(cfg, ('train', 'val'))
    assert '2 of 2 photos have another id there' in str(error.value)
    other.write_text((folder / 'val.json').read_text())
    check_annotations(cfg, ('train', 'val'))
    change(folder, 'other.json', reverse)
    with pytest.raises(ValueError, match='its categories are not the classes'):
        check_annotations(cfg, ('train', 'val'))


def test_a_head_of_another_number_of_classes(cfg):
    cfg.model.bbox_head.num_classes = 80
    with pytest.raises(
        ValueError, match=r'model\.bbox_head\.num_classes is 80, and the data have 2'
    ):
        check_annotations(cfg, ('train', 'val'))


def test_heads_within_wrappers_and_cascades():
    cfg = Config.fromfile(CONFIGS / 'pixcon' / 'pixcon_mask-rcnn_r18_fpn_1xb8-12e_scenes.py')
    head = cfg.model.detector.roi_head.bbox_head
    cfg.model.detector.roi_head.bbox_head = [head, dict(head, num_classes=5)]
    with pytest.raises(
        ValueError, match=r'model\.detector\.roi_head\.bbox_head\.1\.num_classes is 5'
    ):
        check_annotations(cfg, ('train',))
    cfg.model.detector.roi_head.bbox_head = head
    cfg.model.detector.roi_head.mask_head.num_classes = 7
    with pytest.raises(ValueError, match=r'model\.detector\.roi_head\.mask_head\.num_classes is 7'):
        check_annotations(cfg, ('train',))


def test_classes_of_the_config(cfg):
    cfg.train_dataloader.dataset.metainfo = dict(classes=('dog', 'bird'))
    reports = check_annotations(cfg, ('train',))
    texts = {problem.kind: str(problem) for problem in reports[0].problems}
    assert '(bird)' in texts['class that is not in the file']
    assert '6 objects have a class' in texts['class that is not in the config']
    cfg.train_dataloader.dataset.update(type='mmpixcon.RobustCocoDataset', ann_file='train.json')
    with pytest.raises(BadDataError, match='class that the config does not name'):
        check_annotations(cfg, ('train',))
    cfg.train_dataloader.dataset.metainfo = dict(classes=('bird', 'fish'))
    with pytest.raises(BadDataError, match=r"metainfo=dict\(classes=\('cat', 'dog'\)\)"):
        check_annotations(cfg, ('train',))


def test_images_without_objects_are_counted(cfg, folder):
    def empty(content):
        content['annotations'] = content['annotations'][:2]

    change(folder, 'train.json', empty)
    (problem,) = check_annotations(cfg, ('train',))[0].problems
    assert problem.count == 5 and 'used as background' in problem.message
    cfg.train_dataloader.dataset.filter_cfg = dict(filter_empty_gt=True, min_size=32)
    (problem,) = check_annotations(cfg, ('train',))[0].problems
    assert problem.count == 5 and 'left out (filter_cfg.filter_empty_gt)' in problem.message
    cfg.train_dataloader.dataset.filter_cfg.min_size = 61
    with pytest.raises(BadDataError, match='no image is left of 6 after filter_cfg'):
        check_annotations(cfg, ('train',))


@pytest.mark.slow
def test_problems_are_in_the_log_of_the_run(cfg, folder):
    def damage(content):
        content['annotations'][0]['bbox'][2] = 0

    change(folder, 'train.json', damage)
    config = folder / 'config.py'
    config.write_text(cfg.pretty_text)
    status, _, error = run_tool(TRAIN_TOOL, config)
    assert status == 0, error
    log = next((folder / 'run').glob('*/*.log')).read_text()
    assert f'{folder}/train.json:\n' in log
    assert '1 box has no area (id 1 of image 10: [5, 6, 0, 10])' in log


def test_files_of_one_name_are_not_mixed_up(cfg, folder):
    """Two sets that both have to be mended, joined."""
    shutil.copytree(folder / 'images', folder / 'more' / 'images')
    content = json.loads((folder / 'train.json').read_text())
    for entry in content['annotations']:
        del entry['area']
    (folder / 'train.json').write_text(json.dumps(content))
    content['images'] = content['images'][:2]
    (folder / 'more' / 'train.json').write_text(json.dumps(content))
    one = cfg.train_dataloader.dataset
    other = dict(one, data_root=str(folder / 'more'))
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[one, other])
    check_annotations(cfg, ('train',))
    files = [part.ann_file for part in cfg.train_dataloader.dataset.datasets]
    assert [len(json.loads(Path(file).read_text())['images']) for file in files] == [6, 2]


def test_photos_to_test_on_need_no_labels(cfg, folder):
    """As COCO's test-dev, which has a list of images alone."""

    def strip(content):
        del content['annotations']

    change(folder, 'val.json', strip)
    (report,) = check_annotations(cfg, ('test',))
    assert [p.kind for p in report.problems if p.kind != 'class without objects'] == [
        'nothing to learn'
    ]
    with pytest.raises(ValueError, match='no list of annotations'):
        check_annotations(cfg, ('val',))


def test_a_subset_of_the_classes_to_evaluate_on(cfg, folder):
    """Objects of classes that neither the training nor the config names are left out."""

    def add(content):
        content['categories'].append(dict(id=3, name='bird'))
        content['annotations'].append(dict(content['annotations'][0], id=99, category_id=3))

    change(folder, 'val.json', add)
    _, val = check_annotations(cfg, ('train', 'val'))
    assert [p.kind for p in val.problems] == ['class that is not in the config']
