"""The algorithm steps: one file each, listed in `table`."""
