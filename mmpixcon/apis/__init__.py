"""Loading, building and running models, for tools and notebooks."""
