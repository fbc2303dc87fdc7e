from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.baseline.packed import pack, unpack


@given(st.lists(st.floats(allow_nan=False, width=32), max_size=300))
def test_what_was_packed_comes_back(parts: list[float]) -> None:
    """To half a unit in the ninth digit."""
    assert unpack(pack(parts)) == pytest.approx(tuple(parts), rel=5e-9, abs=0)


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=300), st.data())
def test_an_answer_that_changes_changes_one_line(parts: list[float], data: st.DataObject) -> None:
    if not parts:
        return
    index = data.draw(st.integers(0, len(parts) - 1))
    changed = [*parts[:index], 1 - parts[index], *parts[index + 1 :]]
    before, after = pack(parts)["answers"], pack(changed)["answers"]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_an_answer_takes_a_character() -> None:
    assert sum(map(len, pack([1.0] * 1000)["answers"])) == 1000


@pytest.mark.parametrize("packed", [{"answers": ["012"]}, {"numbers": ["1 x"]}])
def test_other_text_is_refused(packed: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"answers are 0 or 1|could not convert"):
        unpack(packed)
