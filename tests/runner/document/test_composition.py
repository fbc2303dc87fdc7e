"""Documents out of several files: what wins, where it comes from, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.document.composition import Kind, compose_document, edited_document
from runner.document.document import Document, value_at
from runner.document.edits import COMMAND_LINE, parse_edit
from runner.errors import DocumentError, Location, UsageError


def find_base(reference: str, place: Location) -> Path:
    return place.path.parent / reference


KIND = Kind(find_base=find_base, expect=lambda _: None, own=frozenset({"name"}))


def composed(folder: Path, files: Mapping[str, str], *edits: str, profile: str = "") -> Document:
    """What the first file amounts to."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    found = compose_document(folder / next(iter(files)), KIND, profile=profile or None)
    return edited_document(found, [parse_edit(each) for each in edits])


def refused(folder: Path, files: Mapping[str, str], *edits: str) -> str:
    with pytest.raises(DocumentError) as caught:
        composed(folder, files, *edits)
    return str(caught.value).replace(f"{folder}/", "")


LEAVES = {"a": ("a",), "b.c": ("b", "c"), "b.d": ("b", "d"), "e.f.g": ("e", "f", "g")}
WEAKEST_FIRST = ("base.yaml", "first.yaml", "second.yaml", "own", "set", "profile", "edits")
LAYERS = st.fixed_dictionaries(
    {name: st.sets(st.sampled_from([*LEAVES])) for name in WEAKEST_FIRST}
)


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in leaves.items():
        inner = result
        for key in LEAVES[name][:-1]:
            inner = inner.setdefault(key, {})
        inner[LEAVES[name][-1]] = value
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@settings(max_examples=40, deadline=None)
@given(layers=LAYERS, values=st.randoms())
def test_the_strongest_layer_wins_and_is_named(
    folder: Path, layers: dict[str, set[str]], values: Any
) -> None:
    """Each leaf is what the strongest layer says that says anything, and its place is there."""
    written = {
        name: {leaf: [values.randrange(100), name] for leaf in sorted(leaves)}
        for name, leaves in layers.items()
    }
    files = {
        "own.yaml": {
            "extends": ["first.yaml", "second.yaml"],
            **nested(written["own"]),
            "set": written["set"],
            "profiles": {"p": written["profile"]},
        },
        "first.yaml": {"extends": "base.yaml", **nested(written["first.yaml"])},
        "second.yaml": nested(written["second.yaml"]),
        "base.yaml": nested(written["base.yaml"]),
    }
    edits = [f"{leaf}={json.dumps(value)}" for leaf, value in written["edits"].items()]
    texts = {name: json.dumps(value) for name, value in files.items()}
    document = composed(folder, texts, *edits, profile="p")
    for leaf, path in LEAVES.items():
        saying = [name for name in WEAKEST_FIRST if leaf in layers[name]]
        assert value_at(document.value, path) == (written[saying[-1]][leaf] if saying else None)
        if saying:
            place = document.locations[path].path
            in_file = {"edits": str(COMMAND_LINE)}.get(saying[-1], "own.yaml")
            assert place.name == (saying[-1] if saying[-1] in files else in_file)
    assert not {"extends", "set", "profiles"} & set(document.value)


def test_mappings_merge_and_lists_replace(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: b.yaml\nm: {x: 1, l: [3]}\n",
        "b.yaml": "m: {l: [1, 2], y: {z: 1}}\nk: 1\n",
    }
    assert composed(tmp_path, files).value == {"m": {"l": [3], "y": {"z": 1}, "x": 1}, "k": 1}


def test_a_base_has_its_own_edits_behind_it(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: b.yaml\nm: {x: 3}\n",
        "b.yaml": "m: {x: 1, y: 1}\nset: {m.x: 2, m.y: 2, +m.z: 2}\n",
    }
    assert composed(tmp_path, files).value == {"m": {"x": 3, "y": 2, "z": 2}}


def test_some_keys_are_not_inherited(tmp_path: Path) -> None:
    files = {"a.yaml": "extends: b.yaml\n", "b.yaml": "{name: b, other: 1}\n"}
    assert composed(tmp_path, files).value == {"other": 1}


def test_profiles_are_inherited_entry_by_entry(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: b.yaml\nn: 1\nprofiles: {smoke: {m: 20}}\n",
        "b.yaml": "profiles: {smoke: {n: 10, m: 10}}\n",
    }
    assert composed(tmp_path, files, profile="smoke").value == {"n": 10, "m": 20}
    assert composed(tmp_path, files).value == {"n": 1}


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    files = {"a.yaml": "profiles: {smoke: {n: 10}}\n"}
    with pytest.raises(UsageError, match="no profile 'smok'; it has 'smoke' - did you mean"):
        composed(tmp_path, files, profile="smok")


def test_places_survive_merge_keys_and_aliases(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: b.yaml\nset: {+l.z: {n: 1}}\n",
        "b.yaml": "x: &x {p: 1, q: 2}\ny:\n  <<: *x\n  q: 3\nl:\n- id: k\n",
    }
    document = composed(tmp_path, files, "y.q=4")
    lines = {path: document.locations[path].line for path in (("y", "p"), ("l", 0), ("l", 1, "n"))}
    assert lines == {("y", "p"): 1, ("l", 0): 6, ("l", 1, "n"): 2}
    assert document.locations["y", "p"].path.name == "b.yaml"
    assert document.locations["y", "q"].path == COMMAND_LINE


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"a.yaml": "extends: a.yaml\n"},
            "a.yaml:1:10: the document extends itself: a.yaml -> a.yaml",
        ),
        (
            {"a.yaml": "extends: b.yaml\n", "b.yaml": "k: 1\nextends: [a.yaml]\n"},
            "b.yaml:2:11: the document extends itself: a.yaml -> b.yaml -> a.yaml",
        ),
        (
            {f"{i}.yaml": f"extends: {i + 1}.yaml\n" for i in range(10)},
            "8.yaml:1:10: more than 8 levels of bases",
        ),
        (
            {"a.yaml": f"extends: [{'b.yaml, ' * 65}]\n", "b.yaml": "k: 1\n"},
            "a.yaml:1:523: more than 64 bases",
        ),
        (
            {
                "a.yaml": "extends: [b.yaml, c.yaml]\n",
                "b.yaml": f"k: [{'1,' * 6000}]\n",
                "c.yaml": f"k: [{'1,' * 6000}]\n",
            },
            "a.yaml:1:19: more than 10000 values",
        ),
        ({"a.yaml": "extends: 3\n"}, "a.yaml:1:10: 'extends' is 3; expected the name of a base"),
        ({"a.yaml": "extends: []\n"}, "a.yaml:1:10: 'extends' is an empty list"),
        ({"a.yaml": "extends: [x, {y: 1}]\n"}, "a.yaml:1:14: item 2 of 'extends' is a mapping"),
        ({"a.yaml": "set: [a]\n"}, "a.yaml:1:6: 'set' is ['a']; expected a mapping"),
        ({"a.yaml": "profiles: {p: 1}\n"}, "a.yaml:1:15: 'p' is 1; expected a mapping"),
        ({"a.yaml": "set: {extends: x}\n"}, "a.yaml:1:7: 'extends' can't be edited"),
        ({"a.yaml": "set: {~x: }\n"}, "a.yaml:1:8: there is no 'x' to remove"),
        (
            {"a.yaml": "extends: b.yaml\n", "b.yaml": "k: 1\nk: 2\n"},
            "b.yaml:2:1: the key 'k' is repeated; it stands in line 1 already\n"
            " 2 | k: 2\n   | ^\n   = it is a base of a.yaml:1:10",
        ),
    ],
)
def test_what_can_not_be_composed(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert refused(tmp_path, files).startswith(expected)


def test_edits_of_the_command_line_can_not_change_the_composition(tmp_path: Path) -> None:
    found = refused(tmp_path, {"a.yaml": "k: 1\n"}, "+extends=b.yaml")
    assert found.startswith("command line:1:8: 'extends' can't be edited")


def test_a_base_that_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: [b.yaml, c.yaml]\n",
        "b.yaml": "extends: d.yaml\nb: 1\n",
        "c.yaml": "extends: d.yaml\nc: 1\n",
        "d.yaml": "d: 1\n",
    }
    assert composed(tmp_path, files).value == {"d": 1, "b": 1, "c": 1}
    found = compose_document(tmp_path / "a.yaml", KIND)
    assert [path.name for path in found.files] == ["a.yaml", "b.yaml", "d.yaml", "c.yaml"]
