"""The digest of our own code, and of what installed packages add to it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import quant
import runner
from runner.plugins import plugin_files


@cache
def code_digest() -> str:
    """Of our own source files: what is kept is of no use to code that would have made another."""
    found = hashlib.blake2b(digest_size=16)
    for package in (quant, runner):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    for path in plugin_files():
        found.update(path.as_posix().encode() + path.read_bytes())
    return found.hexdigest()
