"""Rules about the targets of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from runner.document.check import Checked
from runner.document.document import locate, value_at
from runner.document.names import listed, suggest
from runner.errors import Problem
from runner.recipe.paths import is_path
from runner.targets import target_names


def target_name(target: str) -> str:
    """The name of a target: the descriptor's, or its file's without the suffix."""
    return PurePosixPath(target).stem if is_path(target) else target


def known(checked: Checked) -> Iterator[Problem]:
    """A target is the name of a descriptor that ships, or a path."""
    names = target_names()
    targets = checked.value.get("targets", ())
    for i, target in enumerate(targets):
        if not is_path(target) and target not in (*names, *targets[:i]):
            message = f"unknown target {target!r}; expected {listed(names)}{suggest(target, names)}"
            hint = "write the path of a descriptor of your own as ./my_device.yaml"
            yield Problem(locate(checked.document, ("targets", i)), message, hint)


def distinct(checked: Checked) -> Iterator[Problem]:
    """No two targets have one name."""
    seen: set[str] = set()
    for i, target in enumerate(checked.value.get("targets", ())):
        name = target_name(target)
        if name in seen:
            message = f"the target {name!r} is repeated; each needs a name of its own"
            yield Problem(locate(checked.document, ("targets", i)), message)
        seen.add(name)


def own_folders(checked: Checked) -> Iterator[Problem]:
    """Several targets do not write to one folder."""
    written = value_at(checked.written, ("outputs", "dir"))
    is_shared = isinstance(written, str) and "${target}" not in written
    if is_shared and len(checked.value.get("targets", ())) > 1:
        message = "all targets would write to the same folder; add '${target}' to it"
        yield Problem(locate(checked.document, ("outputs", "dir")), message)
