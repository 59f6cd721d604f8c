"""Recipes: several trainings and tests that build on each other, and their tables."""

from .recipe import Recipe, Stage, Table, read_recipe

__all__ = ['Recipe', 'Stage', 'Table', 'read_recipe']
