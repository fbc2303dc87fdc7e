"""The digest of a recipe."""

from __future__ import annotations

import hashlib
import json

from runner.recipe.recipe import Recipe


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 over the resolved content, for one target."""
    content = json.dumps(recipe.document, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()
