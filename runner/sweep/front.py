"""The Pareto front: points that no other one beats in both directions."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[float, float]
"""Two values of which higher is better."""


def pareto_front(pairs: Sequence[Pair]) -> tuple[int, ...]:
    """The indices of pairs that no other one beats: at least as good in both, better in one.

    The best in the first value come first. Equal pairs are all on the front.

    >>> pareto_front([(1, 5), (2, 4), (1, 4), (3, 1)])
    (3, 1, 0)
    """
    order = sorted(range(len(pairs)), key=lambda i: (-pairs[i][0], -pairs[i][1], i))
    found: list[int] = []
    for i in order:
        if not found or pairs[i][1] > pairs[found[-1]][1] or pairs[i] == pairs[found[-1]]:
            found.append(i)
    return tuple(found)
