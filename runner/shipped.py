"""The recipes and descriptors that ship, which are beside this package.

They are found by its place, not by an import: the folder `recipes` of a user's project would be
found instead wherever the working directory comes first.
"""

from __future__ import annotations

from pathlib import Path

RECIPES = Path(__file__).parent.with_name("recipes")
TARGETS = Path(__file__).parent.with_name("hw_targets")
