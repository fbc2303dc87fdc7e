"""Any text gives recipes, or a target, or an error of ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.document.read import read_document
from runner.errors import DescriptorError, MissingRoot, RecipeError
from runner.recipe.read import read
from runner.targets import FOLDER, load_target
from tests.runner.recipe.written import FULL, SMALL, write

WORDS = st.sampled_from(
    [
        "${samples}",
        "${",
        "$${",
        "zoo://a",
        "files",
        "cpu",
        "use",
        "type",
        "schema",
        "x" * 300,
        "\0",
        "*",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["type", "use", "id"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(scope="module")
def full(folder: Path) -> dict[str, Any]:
    return read_document(write(folder, FULL)).value


def read_or_refuse(folder: Path, text: str) -> None:
    """Errors of ours print; whatever else is raised fails the test."""
    try:
        recipes = read(write(folder, text))
    except (RecipeError, MissingRoot) as error:
        printed = str(error)
    else:
        printed = json.dumps([recipe.document for recipe in recipes])
    assert printed


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text(folder: Path, text: str) -> None:
    read_or_refuse(folder, text)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_recipe_with_some_characters_changed(folder: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FULL)))
    end = data.draw(st.integers(start, min(len(FULL), start + 20)))
    noise = data.draw(st.text(alphabet="{}[]:,-#&*!|>'\"%@`$~<\\ \n\tax0.é", max_size=8))
    read_or_refuse(folder, FULL[:start] + noise + FULL[end:])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), value=VALUES, escaped=st.booleans())
def test_a_recipe_with_one_value_replaced(
    folder: Path, full: dict[str, Any], data: st.DataObject, value: Any, *, escaped: bool
) -> None:
    changed = copy.deepcopy(full)
    container, key = data.draw(st.sampled_from(list(nodes(changed))))
    container[key] = value
    read_or_refuse(folder, json.dumps(changed, ensure_ascii=escaped))


@settings(max_examples=20, deadline=None)
@given(data=st.data(), value=VALUES)
def test_a_descriptor_with_one_value_replaced(
    folder: Path, data: st.DataObject, value: Any
) -> None:
    changed = read_document(FOLDER / "gna3.yaml").value
    container, key = data.draw(st.sampled_from(list(nodes(changed))))
    container[key] = value
    path = folder / "device.yaml"
    path.write_text(json.dumps(changed), encoding="utf-8")
    try:
        printed = load_target(path).name
    except DescriptorError as error:
        printed = str(error)
    assert printed


@settings(max_examples=20, deadline=None)
@given(value=VALUES)
def test_a_recipe_with_one_key_added(folder: Path, value: Any) -> None:
    read_or_refuse(folder, f"{SMALL}evaluate: {json.dumps(value)}\n")


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a nested value that can be assigned to."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from nodes(value[key])
