"""Values of a recipe's `vars` that come from outside."""

from __future__ import annotations

from collections.abc import Mapping

from runner.document.composition import Composed
from runner.document.edits import COMMAND_LINE, Action, Edit, Name
from runner.document.names import suggest
from runner.document.scalars import Scalar
from runner.document.source import source_of, span
from runner.document.tree import Tree
from runner.errors import UsageError

OPTION = "--var "


def variable_edits(composed: Composed, variables: Mapping[str, Scalar]) -> tuple[Edit, ...]:
    """Edits that set variables; those have to be there.

    Raises:
        UsageError: the recipe has no such variable.
    """
    written = composed.tree.value.get("vars") if isinstance(composed.tree.value, dict) else None
    known = list(written.value) if written and isinstance(written.value, dict) else []
    for name in variables:
        if name not in known:
            message = f"the recipe has no variable {name!r}{suggest(name, known)}"
            raise UsageError(message)
    return tuple(_edit(name, value) for name, value in variables.items())


def _edit(name: str, value: Scalar) -> Edit:
    source = source_of(COMMAND_LINE, f"{OPTION}{name}={value}")
    start = len(OPTION) + len(name)
    key = span(source, len(OPTION), start)
    path = (Name(text="vars", location=key), Name(text=name, location=key))
    tree = Tree(value=value, location=span(source, start + 1, len(source.text)))
    return Edit(action=Action.SET, path=path, value=tree)
