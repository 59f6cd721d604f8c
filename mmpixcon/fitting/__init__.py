"""Path from photos and labels to a chosen detector: data, choices, lengths, recipes and results."""
