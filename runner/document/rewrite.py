"""A file's text replaced in one move."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from runner.catalog.bounds import refuse_fetched

CRLF, BOM = b"\r\n", b"\xef\xbb\xbf"


def rewrite(path: Path, text: str) -> None:
    """Puts a text in the place of the file's; its line ends, mark of bytes and mode stay.

    Raises:
        UsageError: the file is of a catalog that was fetched.
    """
    refuse_fetched(path)
    path = path.resolve()
    before = path.read_bytes()
    data = text.encode()
    if CRLF in before:
        data = data.replace(b"\n", CRLF)
    if before.startswith(BOM):
        data = BOM + data
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.write_bytes(data)
        shutil.copymode(path, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
