"""Files, images, progress and tables: what every other folder may use."""
