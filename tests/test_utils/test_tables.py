"""Tables as text: for a terminal and for Markdown."""

from __future__ import annotations

import pytest

from mmpixcon.utils.tables import format_table, markdown_table


def test_the_first_column_is_on_the_left_and_the_others_on_the_right() -> None:
    table = format_table(['module', 'loaded'], [['backbone', 318], ['all', '1']])
    assert table.split('\n') == [
        'module    loaded',
        'backbone     318',
        'all            1',
    ]
    assert format_table(['module', 'loaded'], []) == 'module  loaded'


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match='shorter'):
        format_table(['module', 'loaded'], [['backbone']])


def test_a_table_in_markdown() -> None:
    assert markdown_table(['run', 'AP'], [['stock', 40.5], ['pixcon', '']]).split('\n') == [
        '| run | AP |',
        '| --- | --- |',
        '| stock | 40.5 |',
        '| pixcon |  |',
    ]
