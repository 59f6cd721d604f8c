"""Recipes: several trainings and tests that build on each other, and their tables."""

from .helpers import epoch_options, pretrain_then, rows_of
from .recipe import Recipe, Stage, Table, read_recipe

__all__ = ['Recipe', 'Stage', 'Table', 'epoch_options', 'pretrain_then', 'read_recipe', 'rows_of']
