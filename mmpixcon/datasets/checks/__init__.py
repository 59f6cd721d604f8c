"""One pass over annotations and photos before a training: what is wrong, and what to do."""
