"""`recipe diff`: what two recipes do differently."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runner.cli.emit import emit_json
from runner.cli.exits import DONE, FAILED
from runner.cli.options import Output, output_options, read_output, root_option
from runner.recipe.leaves import Leaf, content_of, leaves, origin_text, value_text
from runner.recipe.read import read
from runner.recipe.recipe import Recipe

Leaves = Mapping[str, Leaf]
ABSENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A value that is not the same in two recipes for one target; None where one has none."""

    target: str
    key: str
    old: Leaf | None
    new: Leaf | None


@click.command()
@click.argument("old", metavar="A", type=Path)
@click.argument("new", metavar="B", type=Path)
@click.option("--origin", is_flag=True, help="Add the places where the values were written.")
@click.option("--profile", metavar="NAME", help="Put this profile over both recipes.")
@root_option
@output_options
def command(*, old: Path, new: Path, origin: bool, profile: str | None, **options: Any) -> int:
    """Show what recipe B does differently from recipe A.

    Compared is what they amount to, defaults included: bases, order and spelling make no
    difference. Exit code 0: they do the same; 1: they differ.
    """
    output = read_output(options)
    both = [read(path, roots=options["roots"], profile=profile) for path in (old, new)]
    found = list(_differences(both[0], both[1]))
    code = FAILED if found else DONE
    if output.json:
        emit_json(code, (), {"differences": [_entry(each) for each in found]})
    elif found:
        _print(found, output, origin=origin)
    return code


def _differences(old: Sequence[Recipe], new: Sequence[Recipe]) -> Iterator[Difference]:
    """Differences target by target; two recipes with one target each are compared in any case."""
    if len(old) == len(new) == 1:
        yield from _of_two(new[0].target.name, old[0], new[0])
        return
    by_name = [{each.target.name: each for each in recipes} for recipes in (old, new)]
    for target in dict.fromkeys([*by_name[0], *by_name[1]]):
        yield from _of_two(target, by_name[0].get(target), by_name[1].get(target))


def _of_two(target: str, old: Recipe | None, new: Recipe | None) -> Iterator[Difference]:
    before, after = _leaves(old), _leaves(new)
    folders = [each.path.absolute().parent for each in (old, new) if each is not None]
    for key in dict.fromkeys([*before, *after]):
        if not _are_alike(before.get(key), after.get(key), folders):
            yield Difference(target=target, key=key, old=before.get(key), new=after.get(key))


def _leaves(recipe: Recipe | None) -> Leaves:
    return {} if recipe is None else leaves(recipe, content_of(recipe, defaults=True))


def _are_alike(old: Leaf | None, new: Leaf | None, folders: Sequence[Path]) -> bool:
    """Whether two leaves say the same; so do two paths to one file from folders of their own."""
    if old is None or new is None:
        return False
    if isinstance(old.value, str) and isinstance(new.value, str) and old.value != new.value:
        paths = [os.path.normpath(f / v.value) for f, v in zip(folders, (old, new), strict=True)]
        return str(paths[0]) == str(paths[1])
    is_truth = isinstance(old.value, bool) is isinstance(new.value, bool)
    return is_truth and bool(old.value == new.value)


def _entry(found: Difference) -> dict[str, Any]:
    return {
        "target": found.target,
        "key": found.key,
        "old": _side(found.old),
        "new": _side(found.new),
    }


def _side(leaf: Leaf | None) -> dict[str, Any] | None:
    return None if leaf is None else {"value": leaf.value, "from": origin_text(leaf)}


def _print(found: Sequence[Difference], output: Output, *, origin: bool) -> None:
    from runner.cli.console import make_console
    from runner.report.tables import print_table

    is_one = len({each.target for each in found}) == 1
    head = ["key", "A", "B", *(["from A", "from B"] if origin else ())]
    rows = [
        [each.key if is_one else f"[{each.target}] {each.key}", *_cells(each)][: len(head)]
        for each in found
    ]
    print_table(make_console(sys.stdout, color=output.color), head, rows)


def _cells(found: Difference) -> list[str]:
    sides = (found.old, found.new)
    values = [ABSENT if each is None else value_text(each) for each in sides]
    return [*values, *(ABSENT if each is None else origin_text(each) for each in sides)]
