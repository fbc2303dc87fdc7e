"""Catalogs: recipes that a team shares, pinned, and confined to their own folder."""
