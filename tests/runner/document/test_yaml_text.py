"""Values become YAML that our own reader turns into the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.document.read import read_document
from runner.document.yaml_text import yaml_text

TEXTS = st.sampled_from(
    [
        "010",
        "0o17",
        "1_000",
        "1e3",
        ".5",
        "5.",
        "no",
        "on",
        "Null",
        "~",
        "=",
        "a b c:d",
        "w " * 70 + "w",
        "a: b",
        "- x",
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
SCALARS = (
    st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yaml") / "a.yaml"


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3))
def test_what_is_written_reads_back(path: Path, value: dict[str, Any]) -> None:
    path.write_text(yaml_text(value), encoding="utf-8")
    assert read_document(path).value == value
