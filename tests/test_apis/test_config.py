"""Options by type, and what a run keeps of its config."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from mmpixcon.apis.config import check_compile, compare_batch, drop_unread, merge_options


def small_config() -> Config:
    return Config(
        dict(
            model=dict(type='Toy'),
            custom_hooks=[
                dict(type='mmpixcon.PixelContrastHook'),
                dict(type='mmpixcon.PlainCheckpointHook', min_loaded=0.5),
            ],
            param_scheduler=[
                dict(type='LinearLR', end=50),
                dict(type='MultiStepLR', end=12),
                dict(type='LinearLR', end=70),
            ],
        )
    )


def batch_config() -> Config:
    """A training of a picture a step at the rate of eight."""
    return Config(
        dict(
            train_dataloader=dict(batch_size=1),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=4e-4)),
            auto_scale_lr=dict(base_batch_size=8, enable=False),
        )
    )


def test_an_element_of_a_list_is_named_by_its_type_or_place():
    cfg = small_config()
    options = {
        'custom_hooks.PlainCheckpointHook.min_loaded': 0.3,
        'param_scheduler.MultiStepLR.end': 6,
        'param_scheduler.2.end': 3,
        'model.depth': 18,
        'custom_hooks.PixelContrastHook.beta.stop': 5,
    }
    merge_options(cfg, options)
    assert cfg.custom_hooks[1] == dict(type='mmpixcon.PlainCheckpointHook', min_loaded=0.3)
    assert cfg.custom_hooks[0].beta.stop == 5
    assert [scheduler.end for scheduler in cfg.param_scheduler] == [50, 6, 3]
    assert cfg.model.depth == 18


def test_a_type_that_is_not_there_once_is_named_with_those_that_are():
    with pytest.raises(KeyError, match='none of type RequireCheckpointHook; it has 0: PixelCont'):
        merge_options(small_config(), {'custom_hooks.RequireCheckpointHook.whole': False})
    with pytest.raises(KeyError, match=r'several of type LinearLR.*param_scheduler\.0'):
        merge_options(small_config(), {'param_scheduler.LinearLR.end': 1})


def test_what_no_run_reads_is_dropped_but_for_what_the_config_keeps():
    cfg = small_config()
    cfg.merge_from_dict(dict(load_image=dict(type='Load'), ours=1, kept_keys=['ours']))
    assert drop_unread(cfg) == ['load_image']
    assert {*cfg} == {'model', 'custom_hooks', 'param_scheduler', 'ours', 'kept_keys'}
    cfg.merge_from_dict(dict(runner_type='Mine', anything=2))
    assert drop_unread(cfg) == [] and cfg.anything == 2


@pytest.mark.parametrize(
    ('changes', 'processes', 'step', 'rate'),
    [
        ({}, 1, 1, '5e-05'),
        ({'train_dataloader.batch_size': 2}, 2, 4, '0.0002'),
        ({'optim_wrapper.accumulative_counts': 3}, 1, 3, '0.00015'),
    ],
)
def test_a_rate_that_is_too_high_for_the_batch_is_named(changes, processes, step, rate):
    cfg = batch_config()
    cfg.merge_from_dict(changes)
    (note,) = compare_batch(cfg, processes)
    assert 'optim_wrapper.optimizer.lr = 0.0004 is the rate of 8 images a step' in note
    assert f'a step has {step} (' in note and f'lowers the rate to {rate};' in note
    # As many images, or nearly: nothing to say.
    for enough in (5, 8, 16):
        cfg.merge_from_dict({'train_dataloader.batch_size': enough})
        assert compare_batch(cfg, processes) == []


@pytest.mark.parametrize(
    'changes',
    [
        dict(auto_scale_lr=dict(base_batch_size=8, enable=True)),
        dict(auto_scale_lr=None),
        dict(train_dataloader=None),
        dict(optim_wrapper=dict(constructor='Mine')),
    ],
)
def test_nothing_is_said_of_a_rate_that_is_scaled_or_unknown(changes):
    assert compare_batch(Config({**batch_config().to_dict(), **changes}), 1) == []


@pytest.mark.parametrize('value', [None, True, False, dict(backend='eager'), dict()])
def test_what_torch_compiles_with_is_taken(value):
    check_compile(Config(dict(compile=value)))


@pytest.mark.parametrize(
    'value', [dict(backend='no_such_backend'), dict(mode='fastest'), dict(speed=3), 'inductor']
)
def test_what_torch_does_not_compile_with_is_named(value):
    with pytest.raises(ValueError, match=r'^compile = .*Give True, False or arguments of torch'):
        check_compile(Config(dict(compile=value)))
