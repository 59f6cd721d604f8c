"""The built-in scenes: shapes, textures, rendering, and files in COCO's format."""
