"""Operations are added to what a recipe ignores, wherever its steps come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.recipe.ignore import ignored_names, write_ignored
from runner.recipe.read import read
from tests.runner.recipe.written import SMALL, write

OWN = "    with: {ignored: {scope: [a]}}\n"
CHILD = "recipe: 1\nname: child\nextends: ./recipe.yaml\n"


@pytest.mark.parametrize(
    ("extra", "added"),
    [
        ("", "set: {steps.DefaultQuantization.with.ignored.scope: [a, b, c]}\n"),
        (
            "set:\n  steps.DefaultQuantization.with.ignored.scope: [d]\n",
            "set:\n  steps.DefaultQuantization.with.ignored.scope: [d, b, c]\n",
        ),
        (
            "steps:\n- use: DefaultQuantization\n",
            "steps:\n- use: DefaultQuantization\n  with: {ignored: {scope: [b, c]}}\n",
        ),
        (
            "steps: [{use: DefaultQuantization}]\nset: {+steps.tune: {use: LayerwiseTuning}}\n",
            "steps: [{use: DefaultQuantization}]\nset: {+steps.tune: {use: LayerwiseTuning}, "
            "steps.DefaultQuantization.with.ignored.scope: [b, c]}\n",
        ),
        (
            "set: {steps.DefaultQuantization.id: v1.2}\n",
            "set: {steps.DefaultQuantization.id: v1.2, "
            'steps."v1.2".with.ignored.scope: [a, b, c]}\n',
        ),
    ],
)
def test_a_recipe_with_a_base(tmp_path: Path, extra: str, added: str) -> None:
    write(tmp_path, SMALL + OWN)
    path = tmp_path / "child.yaml"
    path.write_text(CHILD + extra, encoding="utf-8")
    write_ignored(read(path)[0], ["b", "c"])
    text = path.read_text(encoding="utf-8")
    assert text == CHILD + added
    assert ignored_names(read(path)[0])[-2:] == ("b", "c")
