"""Recipes as tests: collected, selected, run each in a process of its own, and told about."""
