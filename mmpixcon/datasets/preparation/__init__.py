"""Data sets made from data sets: subsets, normalization, boxes."""
