"""Text on a terminal, and the same text anywhere else: never wrapped, never coloured."""

from __future__ import annotations

import os
from typing import TextIO

from rich.console import Console

UNBOUNDED = 100_000
"""Width of what is no terminal."""


def make_console(stream: TextIO, *, color: bool) -> Console:
    """A console without ANSI codes unless the stream is a terminal and colour is wanted."""
    is_terminal = stream.isatty()
    colored = is_terminal and color and not os.environ.get("NO_COLOR")
    return Console(
        file=stream,
        force_terminal=colored,
        color_system="auto" if colored else None,
        width=None if is_terminal else UNBOUNDED,
        markup=False,
        highlight=False,
        emoji=False,
    )
