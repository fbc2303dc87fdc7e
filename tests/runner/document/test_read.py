"""Reading YAML: values, the places of values and keys, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.document.document import Document
from runner.document.read import read_document
from runner.errors import DocumentError


def read(folder: Path, text: str | bytes) -> Document:
    path = folder / "document.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(path)


def problems(folder: Path, text: str | bytes) -> list[str]:
    """Every problem as `line:column: message`."""
    with pytest.raises(DocumentError) as caught:
        read(folder, text)
    return [f"{p.location.line}:{p.location.column}: {p.message}" for p in caught.value.problems]


def spans(document: Document, *, of_keys: bool = False) -> dict[str, str]:
    """The text at every place, by dotted path."""
    places = document.key_locations if of_keys else document.locations
    cut = {}
    for path, at in places.items():
        cut[".".join(map(str, path))] = at.source[at.column - 1 : at.column - 1 + at.length]
    return cut


def test_values_and_their_places(tmp_path: Path) -> None:
    document = read(tmp_path, "a: 'x y'\nb:\n  c: [1, {d: no}]\n  e: |\n    text\n")
    assert document.value == {"a": "x y", "b": {"c": [1, {"d": "no"}], "e": "text\n"}}
    assert spans(document) == {
        "": "a",
        "a": "'x y'",
        "b": "c",
        "b.c": "[1, {d: no}]",
        "b.c.0": "1",
        "b.c.1": "{d: no}",
        "b.c.1.d": "no",
        "b.e": "|",
    }


def test_places_of_keys(tmp_path: Path) -> None:
    document = read(tmp_path, "'a': {b: 1}\n")
    assert spans(document, of_keys=True) == {"a": "'a'", "a.b": "b"}


def test_columns_count_characters_after_byte_order_mark_and_wide_ones(tmp_path: Path) -> None:
    document = read(tmp_path, "\ufeff# ünï\r\nкёй: 'é𝄞' # c\r\nb: 2\r\n".encode())
    assert document.value == {"кёй": "é𝄞", "b": 2}
    at = document.locations[("кёй",)]
    assert (at.line, at.column, at.length, at.source) == (2, 6, 4, "кёй: 'é𝄞' # c")
    assert document.locations[("b",)].line == 3


def test_json_is_yaml(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a":[1,true,null]}').value == {"a": [1, True, None]}


def test_merge_keys_own_keys_win_then_earlier_sources(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert read(tmp_path, text).value["c"] == {"x": 3, "y": 1, "z": 2}


def test_merged_values_keep_the_place_where_they_are_written(tmp_path: Path) -> None:
    document = read(tmp_path, "a: &a {x: 1}\nb:\n  <<: *a\n")
    assert document.locations[("b", "x")].line == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("- 1\n", "1:1: the file holds [1]; expected a mapping of `key: value` lines"),
        ("a: 1\nb: {a: 1, a: 2}", "2:11: the key 'a' is repeated; it stands in line 2 already"),
        ("a: !x 1", "1:4: the tag '!x' is not allowed; recipes hold plain values only"),
        ("a: !!str 1", "1:4: the tag '!!str' is not allowed; recipes hold plain values only"),
        ("a: ! 1", "1:4: the tag '!' is not allowed; recipes hold plain values only"),
        ("a: !!python/object:os.system {}", "1:4: the tag '!!python/object:os.system' is not al"),
        ("%YAML 1.1\n---\na: no", "1:1: YAML directives are not used here"),
        ("true: 1", "1:1: a key is text, but this is true; quote it"),
        ("? [1]\n: 2", "1:3: a key is text, but this is a mapping or a list"),
        ("a: &x 1\nb: &x 2", "2:7: the anchor &x is repeated; give each its own name"),
        ("a: *x", "1:4: no anchor &x stands before this alias"),
        ("a: &a [*a]", "1:7: an alias stands inside what it refers to"),
        ("a: &a {<<: *a}", "1:7: an alias stands inside what it refers to"),
        ("a: {<<: 1}", "1:9: the merge key '<<' takes a mapping or a list of mappings"),
        ("a: {x: ${y}}", "1:9: expected ',' or '}' here"),
        ("a: b: c", "1:5: a ':' is not expected here"),
        ("a: @b", "1:4: a plain value can't start with '@'"),
        ("a:\n\tb: 1", "2:1: a tab can't indent YAML"),
        ("a: 1\nb", "2:2: this line has no ':'"),
        ("a: [1", "1:6: the file ends before the closing ']'"),
        ('a: "b', "1:6: the file ends inside a quoted text"),
        ('a: "\\q"', "1:6: '\\q' is not an escape sequence"),
        ('a: "\\Uffffffff"', "1:5: this escape sequence names no character"),
        ('a: "\\ud800"', "1:4: an escape sequence in this text names half a character"),
        ("a: 1\n---\nb: 1", "2:1: a second document starts here"),
        ("a: \x00", "1:4: the character U+0000 is not allowed in YAML"),
        (b"a: 1\nb: \xe4\n", "2:4: byte 0xe4 is not UTF-8; save the file as UTF-8"),
        ("a: .nan", "1:4: .nan is not a number that can be used; write a finite one"),
        ("[" * 100, "1:33: more than 32 levels of nesting"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str | bytes, expected: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_all_problems_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "a: !x 1\na: 2\n3: 4\nb: .inf\n")) == 4


def test_aliases_can_not_grow_a_small_file_into_a_large_value(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "more than 200 aliases" in "\n".join(problems(tmp_path, "\n".join(lines)))


def test_merges_can_not_grow_a_small_file_into_a_large_value(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    assert "more than 200 aliases" in "\n".join(problems(tmp_path, "\n".join(lines)))


def test_documents_are_small(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: 1\n" * 20_000) == [
        "1:1: the file is larger than 65536 bytes; a document is small"
    ]


@pytest.mark.parametrize(
    ("name", "expected"), [("none.yaml", "no such file"), (".", "can't be read")]
)
def test_files_that_can_not_be_read(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(DocumentError, match=expected):
        read_document(tmp_path / name)


def test_errors_print_the_line_and_a_caret(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, "a: 1\nb: !x 2\n")
    path = tmp_path / "document.yaml"
    assert str(caught.value) == (
        f"{path}:2:4: the tag '!x' is not allowed; recipes hold plain values only\n"
        " 2 | b: !x 2\n"
        "   |    ^^^^"
    )


def test_quoted_values_are_text(tmp_path: Path) -> None:
    value: dict[str, Any] = read(tmp_path, "a: '1'\nb: \"true\"\nc: ''\n").value
    assert value == {"a": "1", "b": "true", "c": ""}
