"""Object proposals: finding them, storing them, reading them."""
