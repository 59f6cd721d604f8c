"""What the tools share: arguments, data of a config, processes without a GPU."""
