"""Which files are recipes, seen from their first bytes; imports the standard library alone."""

from __future__ import annotations

import re
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
SNIFFED_BYTES = 1 << 16
"""Room for a licence and a long comment at the top."""
RECIPE_KEY = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?recipe[\"']?[ \t]*:", re.MULTILINE)


def is_recipe_file(path: Path) -> bool:
    """Whether the file's beginning has the key `recipe` at the start of a line."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return RECIPE_KEY.search(file.read(SNIFFED_BYTES)) is not None
    except OSError:
        return False
