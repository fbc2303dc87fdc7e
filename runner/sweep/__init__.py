"""Sweeps: a recipe measured with other values in places that the user names."""
