"""Recipes: what users write, read from a file and checked; see `read.read` and `recipe.Recipe`."""
