"""Classes of a checkpoint beside those of the data that it is tested on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmpixcon.engine.checkpoint.class_names import check_class_names

TRAINED = {'classes': ('red', 'white', 'platelet')}


def warnings_of(caplog: pytest.LogCaptureFixture, tested: dict | None) -> list[str]:
    """Compare, and return the warnings."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.WARNING):
            check_class_names(TRAINED, tested, 'x.pth')
    finally:
        logger.removeHandler(caplog.handler)
    return [record.message for record in caplog.records]


@pytest.mark.parametrize('tested', [TRAINED, {'classes': list(TRAINED['classes'])}, {}, None])
def test_the_same_or_unknown_classes_say_nothing(
    tested: dict | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings_of(caplog, tested) == []


def test_another_order_is_refused_and_other_names_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ValueError, match=r'red, white, platelet, .* white, red, platelet'):
        check_class_names(TRAINED, {'classes': ('white', 'red', 'platelet')}, 'x.pth')
    (warning,) = warnings_of(caplog, {'classes': ('erythrocyte', 'white', 'platelet')})
    assert 'is tested on erythrocyte, white, platelet' in warning


def test_a_run_compares_them(tiny_runner: Callable[..., Runner], tmp_path: Path) -> None:
    tiny_runner('a', iters=1).train()
    path = str(tmp_path / 'a' / 'iter_1.pth')
    runner = tiny_runner('b', iters=1)
    dataset = runner.val_dataloader.dataset
    runner.load_checkpoint(path)
    dataset.metainfo = {'classes': ('b', 'a')}
    with pytest.raises(ValueError, match='order of the checkpoint'):
        runner.load_checkpoint(path)
