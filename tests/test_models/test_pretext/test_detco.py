"""MoCo against mmselfsup's, step after step; DetCo's heads, banks and errors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.models.contrast import MemoryBank
from tests.helpers.pretext_models import BACKBONE, NECK, build, detco, our_moco, sgd, views


def stock_moco(queue_len=24):
    return build(
        dict(
            type='mmselfsup.MoCo',
            backbone=BACKBONE,
            neck=NECK,
            head=dict(
                type='mmselfsup.ContrastiveHead',
                loss=dict(type='mmcls.CrossEntropyLoss'),
                temperature=0.2,
            ),
            queue_len=queue_len,
            feat_dim=8,
            momentum=0.9,
        )
    )


@pytest.mark.parametrize('kind', ['MoCo', 'DetCo'])
def test_twenty_steps_of_mmselfsups_moco(kind, monkeypatch):
    stock = stock_moco()
    # One process: dealing the batch anew only changes the order of sums.
    monkeypatch.setattr('mmselfsup.models.algorithms.moco.batch_shuffle_ddp', lambda x: (x, None))
    monkeypatch.setattr('mmselfsup.models.algorithms.moco.batch_unshuffle_ddp', lambda x, i: x)
    if kind == 'MoCo':
        ours = our_moco()
        bank = ours.banks['image']
        mlp = ours.neck.mlp
    else:
        ours = detco(weights=(0, 0, 0, 1), temperatures=dict(gg=0.2))
        assert list(ours.banks) == ['gg/3']
        bank = ours.banks['gg/3']
        mlp = ours.head.projectors['gg/3'].mlp
    ours.backbone.load_state_dict(stock.backbone.state_dict())
    mlp.load_state_dict(stock.neck.mlp.state_dict())
    ours.momentum_encoder.synchronize(**ours.online_encoder)
    bank.keys.copy_(stock.queue.T)
    optimizers = sgd(stock), sgd(ours)
    for _ in range(20):
        inputs = views()
        gradients = []
        values = []
        for model, optimizer in zip((stock, ours), optimizers):
            losses = model.loss([x.clone() for x in inputs], [])
            total = sum(v for k, v in losses.items() if 'loss' in k)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            values.append(total.detach())
            neck = stock.neck.mlp if model is stock else mlp
            learning = [*model.backbone.parameters(), *neck.parameters()]
            gradients.append([p.grad for p in learning])
        torch.testing.assert_close(values[0], values[1], rtol=1e-9, atol=1e-9)
        for a, b in zip(*gradients):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(stock.queue.T, bank.keys, rtol=1e-8, atol=1e-9)
        assert stock.queue_ptr.item() == bank.pointer.item()
    # Ours has moved after the last step; the stock one would before the next keys.
    stock.encoder_k.update_parameters(torch.nn.Sequential(stock.backbone, stock.neck))
    stock_keys = dict(stock.encoder_k.module[0].named_parameters())
    for name, value in ours.momentum_encoder.backbone.named_parameters():
        torch.testing.assert_close(value, stock_keys[name], rtol=1e-7, atol=1e-9)


def test_terms_are_the_papers():
    model = detco()
    head, inputs = model.head, views(4)
    with torch.no_grad():
        maps = model.backbone(inputs[0]), model.backbone(inputs[2].flatten(0, 1))
        keys_of = model.momentum_encoder
        key_maps = keys_of.backbone(inputs[1]), keys_of.backbone(inputs[3].flatten(0, 1))
    banks = {name: bank.keys.clone() for name, bank in model.banks.items()}

    def embed(mlp, pooled):
        return F.normalize(mlp([pooled])[0], dim=1)

    def pool_patches(x):
        # Image by image, patch by patch.
        rows = [torch.cat([x[4 * n + p].mean((1, 2)) for p in range(4)]) for n in range(4)]
        return torch.stack(rows)

    expected = {}
    for i, weight in enumerate((0.1, 0.4, 0.7, 1.0)):
        global_q, global_k = maps[0][i].mean((2, 3)), key_maps[0][i].mean((2, 3))
        local_q, local_k = pool_patches(maps[1][i]), pool_patches(key_maps[1][i])
        key = {
            'gg': embed(keys_of.projectors[f'gg/{i}'], global_k),
            'll': embed(keys_of.projectors[f'll/{i}'], local_k),
        }
        key['gl'] = key['gg']
        for kind, source, tau in (
            ('gg', global_q, 0.2),
            ('gl', local_q, 0.5),
            ('ll', local_q, 0.2),
        ):
            q = embed(head.projectors[f'{kind}/{i}'], source)
            bank = banks[f'll/{i}' if kind == 'll' else f'gg/{i}']
            logits = torch.cat([(q * key[kind]).sum(1, keepdim=True), q @ bank.T], 1) / tau
            zero = torch.zeros(4, dtype=torch.long)
            expected[f'loss_{kind}_{i}'] = weight * F.cross_entropy(logits, zero)
    losses = model.loss([x.clone() for x in inputs], [])
    assert set(losses) == set(expected) | {'feature_std'} and len(expected) == 12
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-9, atol=1e-9)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_a_bank_of_its_own_for_gl_would_hold_the_same_keys():
    model = detco()
    own = MemoryBank(24, 8).double()
    keys = []
    enqueue = model.banks['gg/3'].enqueue

    def enqueue_in_both(rows):
        keys.append(rows)
        own.enqueue(rows)
        enqueue(rows)

    model.banks['gg/3'].enqueue = enqueue_in_both
    for _ in range(6):
        model.loss(views(4), [])
    assert torch.equal(own.keys, model.banks['gg/3'].keys)
    assert torch.equal(own.keys, torch.cat(keys))
    assert not any(name.startswith('gl') for name in model.banks)


@pytest.mark.parametrize(
    ('options', 'names'),
    [
        (dict(temperatures=dict(gg=0.2)), {'gg'}),
        (dict(temperatures=dict(gg=0.2, gl=0.5)), {'gg', 'gl'}),
        (dict(weights=(1, 1, 1, 1), normalize_weights=True), {'gg', 'gl', 'll'}),
    ],
)
def test_ablations(options, names):
    model = detco(**options)
    losses = model.loss(views(4 if len(names) > 1 else 2), [])
    assert {name.split('_')[1] for name in losses if 'loss' in name} == names
    if 'normalize_weights' in options:
        assert model.head.weights == dict.fromkeys(range(4), 0.25)


@pytest.mark.parametrize('shared', [False, True])
def test_checkpoints_of_earlier_versions_load(shared):
    model = detco(share_bank=shared)
    earlier = {}
    for name, value in model.state_dict().items():
        _, _, rest = name.partition('banks.')
        if rest:
            bank, _, entry = rest.partition('.')
            name = f'head.banks.{bank}.all.{entry}' if shared else f'head.banks.{rest}'
        earlier[name.replace('/', '.')] = torch.full_like(value, 3)
    model.load_state_dict(earlier)
    assert all((value == 3).all() for value in model.state_dict().values())
    moco = our_moco()
    state = {name.replace('banks.image', 'bank'): v for name, v in moco.state_dict().items()}
    assert 'bank.keys' in state
    moco.load_state_dict(state)


def test_one_bank_for_all_stages():
    model = detco(share_bank=True)
    assert list(model.banks) == ['gg', 'll']
    model.loss(views(4), [])
    # Four stages of four keys.
    assert model.banks['gg'].pointer.item() == 16


def test_errors_name_the_key():
    with pytest.raises(ValueError, match=r'head.in_channels = .* one of each for every stage'):
        detco(weights=(1, 1))
    with pytest.raises(ValueError, match='gl needs the keys of gg'):
        detco(temperatures=dict(gl=0.5))
    with pytest.raises(ValueError, match='none may be negative, and one must be positive'):
        detco(weights=(0, 0, 0, 0))
    with pytest.raises(ValueError, match='backbone gives 2 stages, the head has weights for 4'):
        detco(backbone=dict(BACKBONE, out_indices=(2, 3))).loss(views(4), [])
    with pytest.raises(ValueError, match=r'gives 2 views; .* and two local ones \(JigsawView\)'):
        detco().loss(views(2), [])
    model = detco()
    with pytest.raises(ValueError, match=r'memory bank banks.gg/0 of'):
        detco(queue_len=12).load_state_dict(model.state_dict())
