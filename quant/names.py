"""Names of operations that are the same on every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quant.runtime import ov


def name_new_operations(model: ov.Model) -> None:
    """Gives names to operations that have only what OpenVINO made up from its counter."""
    ops = model.get_ordered_ops()
    taken = {node.get_friendly_name() for node in ops}
    unnamed = [node for node in ops if node.get_friendly_name() == node.get_name()]
    give_names(((node, node.get_type_name()) for node in unnamed), taken)


def give_names(unnamed: Iterable[tuple[ov.Node, str]], taken: set[str]) -> None:
    """Names each operation by its stem and the next number that is free: `Add_1`, `Add_2`.

    Args:
        taken: names that are not free; those that are given are added.
    """
    numbers: Counter[str] = Counter()
    for node, stem in unnamed:
        numbers[stem] += 1
        while f"{stem}_{numbers[stem]}" in taken:
            numbers[stem] += 1
        name = f"{stem}_{numbers[stem]}"
        node.set_friendly_name(name)
        taken.add(name)
