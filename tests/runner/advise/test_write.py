"""Changes of a recipe, and the file that holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.advise.change import Change, merged, of_parameters
from runner.advise.write import advised_path, write_advised
from runner.document.insert import with_entry, with_value
from runner.document.source import source_of
from runner.errors import DocumentError, RecipeError, UsageError
from runner.recipe.read import read
from runner.recipe.recipe import Recipe
from tests.runner.tiny import write_recipe

STEP = ("steps", "DefaultQuantization", "with")
CHANGES = (
    Change(path=(*STEP, "preset"), value="performance"),
    Change(path=(*STEP, "ignored", "scope"), value=["conv_0", "a: b"], is_more=True),
)


@pytest.fixture
def recipe(tiny: Path) -> Recipe:
    return read(write_recipe(tiny))[0]


def test_later_changes_go_over_earlier_ones_and_lists_grow() -> None:
    more = (
        Change(path=(*STEP, "preset"), value="mixed"),
        Change(path=(*STEP, "ignored", "scope"), value=["conv_0", "c"], is_more=True),
    )
    assert [each.value for each in merged((*CHANGES, *more))] == ["mixed", ["conv_0", "a: b", "c"]]


def test_nested_parameters() -> None:
    found = of_parameters(("a",), {"b": {"c": 1}, "d": ["x"]})
    assert [each.words for each in found] == ["a.b.c=1", '+a.d=["x"]']


def test_what_is_written_is_what_the_edits_make(recipe: Recipe, tmp_path: Path) -> None:
    path = advised_path(recipe, None, force=False)
    write_advised(recipe, CHANGES, ["why"], path)
    (written,) = read(path)
    (edited,) = read(recipe.path, edits=[each.edit() for each in CHANGES])
    assert written.steps == edited.steps
    assert (path.name, written.name) == ("tiny_advised.yaml", "tiny_advised")
    text, before = path.read_text(), recipe.path.read_text()
    assert text.startswith(before.replace("name: tiny\n", "name: tiny_advised\n"))
    assert "\n# why\nset:\n  steps." in text


@pytest.mark.parametrize(
    "own",
    [
        "set: {outputs.reports: [json]}\n",
        "set:\n  outputs.reports: [json]  # a comment\n",
        "set: {steps.DefaultQuantization.with.preset: mixed}\n",
        "set:\n  steps.DefaultQuantization.with.preset: mixed\n",
    ],
)
def test_entries_go_to_the_set_that_is_there(tiny: Path, own: str) -> None:
    file = write_recipe(tiny)
    file.write_text(file.read_text() + own)
    (recipe,) = read(file)
    path = advised_path(recipe, None, force=False)
    write_advised(recipe, CHANGES, [], path)
    (step,) = read(path)[0].steps
    assert step.parameters["preset"] == "performance"
    assert step.parameters["ignored"] == {"scope": ["conv_0", "a: b"]}
    assert ("# a comment" in own) == ("# a comment" in path.read_text())


IGNORED = "steps.DefaultQuantization.with.ignored"


@pytest.mark.parametrize(
    "own",
    [
        f"set: {{+{IGNORED}.scope: [a]}}\n",
        f"set:\n  +{IGNORED}.scope:\n    - a  # why\n  outputs.reports: [json]\n",
        f"set: {{+{IGNORED}.scope: a}}\n",
        "set:\n  outputs.reports: [json]\n  steps.DefaultQuantization.with:\n"
        "    preset: mixed\n    ignored:\n      scope: [a]  # why\n\n# end\n",
    ],
)
def test_what_set_says_already_stays(tiny: Path, own: str) -> None:
    file = write_recipe(tiny, parameters="ignored: {scope: [z]}" if "{+" in own else "")
    file.write_text(file.read_text() + own)
    (recipe,) = read(file)
    path = advised_path(recipe, None, force=False)
    write_advised(recipe, CHANGES, [], path)
    (edited,) = read(file, edits=[each.edit() for each in CHANGES])
    (written,) = read(path)
    assert written.steps == edited.steps
    assert "a" in written.steps[0].parameters["ignored"]["scope"]


def test_what_would_not_be_what_was_measured_is_not_written(tiny: Path) -> None:
    file = write_recipe(tiny)
    own = "set:\n  steps.DefaultQuantization.with.preset: accuracy\n"
    own += "  steps.DefaultQuantization.with: {preset: mixed}\n"
    file.write_text(file.read_text() + own)
    (recipe,) = read(file)
    path = advised_path(recipe, None, force=False)
    with pytest.raises(RecipeError, match="not the one that was measured") as caught:
        write_advised(recipe, CHANGES[:1], [], path)
    assert "preset=performance" in str(caught.value)
    assert sorted(tiny.glob("*tiny*.yaml*")) == [file]


def test_items_added_to_a_value_that_was_set_leave_it_set() -> None:
    first = Change(path=("a",), value=["x"])
    more = Change(path=("a",), value=["x", "y"], is_more=True)
    assert merged([first, more]) == (Change(path=("a",), value=["x", "y"]),)


def test_a_variable_whose_only_use_is_replaced(tiny: Path) -> None:
    file = write_recipe(tiny, parameters='preset: "${preset}"')
    file.write_text("vars: {preset: mixed}\n" + file.read_text())
    (recipe,) = read(file)
    path = advised_path(recipe, None, force=False)
    write_advised(recipe, CHANGES[:1], [], path)
    assert read(path)[0].steps[0].parameters == {"preset": "performance"}


def test_nothing_is_overwritten_without_being_told(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="is there already"):
        advised_path(recipe, recipe.path, force=False)
    path = advised_path(recipe, recipe.path, force=True)
    write_advised(recipe, CHANGES, [], path)
    assert read(path)[0].name == "tiny"


def test_another_folder_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lies in another folder"):
        advised_path(recipe, tmp_path / "x.yaml", force=False)


def test_a_set_that_spans_lines_is_not_replaced(tiny: Path) -> None:
    file = write_recipe(tiny)
    entry = "set:\n  steps.DefaultQuantization.with.preset:\n    >-\n    mixed\n"
    file.write_text(file.read_text() + entry)
    (recipe,) = read(file)
    with pytest.raises(RecipeError, match="it takes more than one line"):
        write_advised(recipe, CHANGES, [], advised_path(recipe, None, force=False))


def test_values_and_entries_of_a_text() -> None:
    source = source_of(Path("x"), "a: {b: 1}  # c\nd: [x]\n")
    assert with_value(source, ("d",), "y") == "a: {b: 1}  # c\nd: y\n"
    assert with_entry(source, ("a",), "e f", "2") == 'a: {b: 1, "e f": 2}  # c\nd: [x]\n'
    assert with_entry(source, ("a",), "b", "2") == "a: {b: 2}  # c\nd: [x]\n"
    with pytest.raises(DocumentError, match="there is no 'z' here"):
        with_value(source, ("z",), "y")
