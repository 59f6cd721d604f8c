"""Settings on a command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from mmpixcon.apis.options import OptionsAction, as_option
from mmpixcon.commands.fit import read_options


def read(*options: str) -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


@pytest.mark.parametrize(
    'value',
    [
        (160, 120),
        [(160, 120)],
        [[1, 2], [3]],
        (1,),
        [0.5, True],
        [],
        0.1,
        1e-4,
        False,
        None,
        'bbox',
        '10',
        'True',
        'none, 10%',
        "Müller's photos, new",
        '/my data/a, b/last.pth',
    ],
)
def test_an_option_arrives_as_what_it_is(value: object) -> None:
    options = read(f'key={as_option(value)}')
    assert options == {'key': value}
    assert type(options['key']) is type(value)
    assert read_options([f'key={as_option(value)}']) == {'key': value}


def test_a_path_arrives_as_text() -> None:
    path = Path('/my data/a, b/last.pth')
    assert read(f'load_from={as_option(path)}') == {'load_from': str(path)}


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('1,2', [1, 2]),
        ('[a, b]', ['a', 'b']),
        ('"[1,(2,3)]"', [1, (2, 3)]),
        ('/my data/last.pth', '/my data/last.pth'),
        ("'3'", '3'),
        ('a=b', 'a=b'),
        ('', ''),
    ],
)
def test_what_people_write(text: str, value: object) -> None:
    assert read(f'key={text}') == {'key': value}
