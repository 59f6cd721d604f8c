"""``mmpixcon detect``: pictures and files of what a detector finds."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from typer.testing import CliRunner

from mmpixcon.apis.detection import Detector, load_detector, tile_corners
from mmpixcon.commands.app import app
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.detectors import save_detector

PHOTOS = sorted((ROOT / 'examples' / 'bccd' / 'images').glob('*.jpg'))[:2]
STOCK = CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-24e_bccd.py'
PIXCON = CONFIGS / 'pixcon' / 'pixcon_faster-rcnn_r18_fpn_1xb8-24e_bccd.py'


def run(*arguments):
    return CliRunner().invoke(app, ['detect', *map(str, arguments)])


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_detector(STOCK, tmp_path_factory.mktemp('detector') / 'epoch_1.pth')


def test_files_have_what_mmdet_finds(checkpoint, tmp_path):
    theirs = DetInferencer(str(STOCK), str(checkpoint), device='cpu', show_progress=False)
    expected = theirs([str(path) for path in PHOTOS])['predictions']
    # Random weights: the best scores are low.
    threshold = sorted(score for e in expected for score in e['scores'])[-5]
    result = run(checkpoint, *PHOTOS, '--out', tmp_path, '--threshold', threshold - 1e-6)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / 'detections.json').read_text())
    assert [image['file_name'] for image in content['images']] == [str(path) for path in PHOTOS]
    assert [category['name'] for category in content['categories']] == ['RBC', 'WBC', 'Platelets']
    assert len(content['annotations']) == 5
    for entry in content['annotations']:
        photo = expected[entry['image_id'] - 1]
        index = int(np.abs(np.array(photo['scores']) - entry['score']).argmin())
        assert photo['labels'][index] + 1 == entry['category_id']
        x1, y1, x2, y2 = photo['bboxes'][index]
        np.testing.assert_allclose(entry['bbox'], [x1, y1, x2 - x1, y2 - y1], atol=0.02)
    lines = [
        line
        for path in PHOTOS
        for line in (tmp_path / 'labels' / f'{path.stem}.txt').read_text().splitlines()
    ]
    first = [float(value) for value in lines[0].split()]
    x, y, width, height = content['annotations'][0]['bbox']
    center = [(x + width / 2) / 640, (y + height / 2) / 480, width / 640, height / 480]
    np.testing.assert_allclose(first[1:5], center, atol=1e-4)
    assert len(lines) == 5 and first[0] == content['annotations'][0]['category_id'] - 1
    assert '5 detections of at least' in result.output
    pictures = sorted((tmp_path / 'pictures').iterdir())
    assert [path.stem for path in pictures] == [path.stem for path in PHOTOS]
    assert not np.array_equal(cv2.imread(str(pictures[0])), cv2.imread(str(PHOTOS[0])))


def test_a_method_holds_the_same_detector(checkpoint, tmp_path):
    path = tmp_path / 'pixcon.pth'
    save_detector(PIXCON, path)
    state = torch.load(path, weights_only=True)
    # The stock detector's weights, under their names.
    stock = torch.load(checkpoint, weights_only=True)['state_dict']
    state['state_dict'].update(stock)
    torch.save(state, path)
    photo = cv2.imread(str(PHOTOS[0]))
    samples = [load_detector(p, device='cpu').detect(photo) for p in (checkpoint, path)]
    assert samples[0].pred_instances.scores.equal(samples[1].pred_instances.scores)
    assert samples[0].pred_instances.bboxes.equal(samples[1].pred_instances.bboxes)


def test_tile_corners():
    assert tile_corners((480, 640), 640) == []
    assert tile_corners((480, 640), 400) == [(0, 0), (240, 0), (0, 80), (240, 80)]
    assert tile_corners((100, 500), 200) == [(0, 0), (160, 0), (300, 0)]


def test_what_tiles_find_is_moved_and_found_once(monkeypatch):
    """The whole image shows nothing; an object of color c is found in tiles that have all of it."""
    image = np.zeros((480, 640, 3), np.uint8)
    # In the lower right tile alone; in all four.
    objects = {1: (500, 420, 540, 460), 2: (300, 200, 340, 240)}
    for color, (x1, y1, x2, y2) in objects.items():
        image[y1:y2, x1:x2] = color

    def detect(self, part):
        found = []
        for color in objects if part.shape[0] < 480 else ():
            rows, columns = np.nonzero(part[..., 0] == color)
            if len(rows) == 1600:
                found.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, color])
        found = torch.tensor(found).reshape(-1, 5).float()
        instances = InstanceData(
            bboxes=found[:, :4], labels=found[:, 4].long(), scores=found[:, 4] / 10
        )
        return DetDataSample(pred_instances=instances)

    monkeypatch.setattr(Detector, '_detect', detect)
    found = Detector(None, ('a', 'b', 'c')).detect(image, 400).pred_instances
    assert found.labels.tolist() == [2, 1]
    assert found.bboxes.tolist() == [list(map(float, objects[key])) for key in (2, 1)]
    assert len(Detector(None, ('a',)).detect(image).pred_instances) == 0


def test_folders_videos_and_files_that_cannot_be_read(checkpoint, tmp_path):
    folder = tmp_path / 'photos'
    for name in ('a/same.png', 'b/same.png'):
        (folder / name).parent.mkdir(parents=True)
        cv2.imwrite(str(folder / name), cv2.imread(str(PHOTOS[0])))
    (folder / 'broken.jpg').write_bytes(b'no photo')
    video = cv2.VideoWriter(
        str(folder / 'film.avi'), cv2.VideoWriter.fourcc(*'MJPG'), 5, (160, 120)
    )
    for path in PHOTOS:
        video.write(cv2.resize(cv2.imread(str(path)), (160, 120)))
    video.release()
    result = run(checkpoint, folder, '--out', tmp_path / 'out', '--json', '--device', 'cpu')
    assert result.exit_code == 0, result.output
    assert '1 of 4 files could not be read' in result.stderr and 'broken.jpg' in result.stderr
    names = [image['file_name'] for image in json.loads(result.stdout)['images']]
    assert names == [
        *(f'{folder}/{name}' for name in ('a/same.png', 'b/same.png')),
        *(f'{folder}/film.avi#{number}' for number in (0, 1)),
    ]
    out = tmp_path / 'out'
    assert sorted(path.name for path in (out / 'pictures').iterdir()) == [
        'same.jpg',
        'same_2.jpg',
    ]
    assert cv2.VideoCapture(str(out / 'videos' / 'film.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 2


def test_what_cannot_be_used(checkpoint, tmp_path):
    result = run(checkpoint, tmp_path)
    assert result.exit_code == 2 and f'{tmp_path} has no photos' in result.stderr
    result = run(tmp_path / 'no.pth', PHOTOS[0])
    assert result.exit_code == 2 and 'no.pth does not exist' in result.stderr
    bare = tmp_path / 'bare.pth'
    torch.save(torch.load(checkpoint, weights_only=True)['state_dict'], bare)
    result = run(bare, PHOTOS[0])
    assert (
        result.exit_code == 2
        and 'contains no config: give one with --config CONFIG' in result.stderr
    )
    # The names are those of the config, where mmdet takes COCO's.
    assert load_detector(bare, STOCK, 'cpu').classes == ('RBC', 'WBC', 'Platelets')
    pretraining = tmp_path / 'moco.pth'
    cfg = Config.fromfile(CONFIGS / 'moco' / 'mocov2_r18_1xb32-100e_bccd.py')
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict={}), pretraining)
    result = run(pretraining, PHOTOS[0])
    assert result.exit_code == 2 and 'detects nothing yet' in result.stderr
    # The rest of another detector would detect at random.
    other = CONFIGS / 'stock' / 'detr_r18_1xb8-24e_bccd.py'
    result = run(checkpoint, PHOTOS[0], '--config', other)
    assert result.exit_code == 2 and 'the others would keep random values' in result.stderr


def test_features_are_those_of_the_photo_without_its_padding(checkpoint, tmp_path):
    detector = load_detector(checkpoint, device='cpu')
    image = cv2.imread(str(PHOTOS[0]))
    features = detector.feature_map(image)
    # 320 x 240 at stride 32, without the row that pads 240 to 256.
    assert features.shape == (256, 8, 10)
    result = run(checkpoint, PHOTOS[0], '--out', tmp_path, '--threshold', 0, '--show-features')
    assert result.exit_code == 0, result.output
    assert f'{tmp_path}/features' in result.output
    drawn = cv2.imread(str(tmp_path / 'features' / f'{PHOTOS[0].stem}.jpg'))
    assert drawn.shape == (480, 3 * 640, 3)
    # The first part is the photo, but for the mark.
    assert np.median(np.abs(drawn[:, :640].astype(int) - image)) <= 4
