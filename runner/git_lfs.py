"""Files that git-lfs keeps elsewhere: what stands in their place until they are fetched."""

from __future__ import annotations

from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
"""How a pointer begins. Source: git-lfs, docs/spec.md."""


def pointer_fault(path: Path) -> str:
    """What is wrong where the file is a pointer; nothing where it is not, or can't be read."""
    try:
        with path.open("rb") as file:
            is_pointer = file.read(len(POINTER)) == POINTER
    except OSError:
        return ""
    if not is_pointer:
        return ""
    return (
        f"{str(path)!r} is a pointer of git-lfs in place of the file; run: git lfs pull (catalogs "
        "are fetched without git-lfs: their large files belong below a named root)"
    )
