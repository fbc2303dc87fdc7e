"""Accepted results: what a run came to, kept beside its recipe, and compared with later runs."""
