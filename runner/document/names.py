"""Words about names: the nearest valid one, and lists of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST = 60
"""Characters of a found value that a message repeats, and of a name that is compared."""

SHORTEST_BEGINNING = 3
"""Letters that a name must have at least to be completed."""


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one of `names` that `name` was probably meant to be, whatever the case.

    `cutoff`: the share of letters, from 0 to 1, that must agree.

    >>> nearest("presett", ["preset", "seed"])
    'preset'
    >>> nearest("perf", ["performance", "mixed"])
    'performance'
    """
    by_folded = {n.casefold(): n for n in names}
    folded = name[:LONGEST].casefold()
    found = difflib.get_close_matches(folded, by_folded, n=1, cutoff=cutoff)
    if not found and len(folded) >= SHORTEST_BEGINNING:
        found = [n for n in by_folded if n.startswith(folded)]
    return by_folded[found[0]] if len(found) == 1 else None


def suggest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The end of a message that names the nearest valid name, or nothing.

    >>> suggest("perfomance", ["performance", "mixed"])
    " - did you mean 'performance'?"
    >>> suggest("fast", ["performance", "mixed"])
    ''
    """
    found = nearest(name, names, cutoff=cutoff)
    return f" - did you mean {found!r}?" if found else ""


def listed(names: Iterable[Any], conjunction: str = "or") -> str:
    """The names quoted, in their order.

    >>> listed(["a", "b", "c"])
    "'a', 'b' or 'c'"
    """
    quoted = [repr(name) for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {conjunction} {quoted[-1]}"


def shown(value: Any) -> str:
    """A found value in a few words: scalars and short lists as Python prints them."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list) and not value:
        return "an empty list"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
