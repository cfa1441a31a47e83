"""One file per step, oldest first by name."""
