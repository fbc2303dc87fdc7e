"""The digest of the samples that a recipe selects: of everything that they are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.data.open import Selection
from runner.data.record import Origin
from runner.recipe.recipe import DatasetSource


def data_digest(source: DatasetSource, data: Selection) -> str:
    """The BLAKE2b of the bytes of every file that the samples come from, read anew each time, and
    of what makes samples of them: the loader, its options, preprocessing and the model's inputs.

    Where the files are does not count, nor do files that no selected sample comes from.
    """
    options = {k: v for k, v in source.options.items() if not isinstance(v, Path)}
    words = [source.loader, options, source.preprocessing, data.inputs]
    found = hashlib.blake2b(_json(words), digest_size=32)
    files: dict[Path, str] = {}
    for index in data.indices:
        found.update(_json(_contents(data.records.origin(index), files)))
    return found.hexdigest()


def _contents(origin: Iterable[Origin], files: dict[Path, str]) -> list[Any]:
    """What a sample comes from, with digests in the place of files."""
    contents: list[Any] = []
    for part in origin:
        if isinstance(part, Path):
            if part not in files:
                files[part] = _file_digest(part)
            contents.append(files[part])
        else:
            contents.append(part)
    return contents


def _file_digest(path: Path) -> str:
    """The digest of a file's bytes; empty where there is no such file."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()
    except FileNotFoundError:
        return ""


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
