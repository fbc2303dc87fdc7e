from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.baseline.compare import Change, compare, is_metric_worse
from runner.baseline.record import Record, SpeedRecord, record_from_json, record_to_json
from tests.runner.baseline.records import MACHINE, record

ANSWERS = st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=200).map(tuple)
GOOD, BAD = (1.0,) * 100, (0.0,) * 30 + (1.0,) * 70
MIRRORED = {Change.BETTER: Change.WORSE, Change.WORSE: Change.BETTER}


def change(then: Record, now: Record, subject: str = "accuracy") -> Change:
    return compare(then, now)[subject].change


def with_speed(*repeats: float) -> Record:
    value = sorted(repeats)[len(repeats) // 2]
    return record(speeds={"throughput": SpeedRecord(value=value, repeats=repeats)})


@given(ANSWERS)
def test_a_run_is_the_same_as_itself(answers: tuple[float, ...]) -> None:
    assert change(record(answers), record(answers)) is Change.SAME


@given(ANSWERS, st.randoms())
def test_the_other_way_round_is_the_opposite(answers: tuple[float, ...], random: object) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)
    others = tuple(shuffled[: len(answers) // 2]) + (1.0,) * (len(answers) - len(answers) // 2)
    there, back = change(record(answers), record(others)), change(record(others), record(answers))
    assert back is MIRRORED.get(there, there)


@given(st.builds(record, ANSWERS))
def test_a_record_comes_back_from_its_text(found: Record) -> None:
    again = record_from_json(record_to_json(found))
    assert record_to_json(again) == record_to_json(found)
    assert compare(found, again) == compare(found, found)


def test_answers_that_were_lost_make_it_worse() -> None:
    assert change(record(GOOD), record(BAD)) is Change.WORSE
    assert is_metric_worse(record(BAD), compare(record(GOOD), record(BAD)))
    assert change(record(BAD), record(GOOD)) is Change.BETTER


def test_answers_lost_and_gained_alike_leave_it_the_same() -> None:
    assert change(record(BAD), record(BAD[::-1])) is Change.SAME


def test_what_is_counted_is_compared_as_it_is() -> None:
    smaller = record(measures={"model_bytes": 999.0})
    assert change(record(), smaller, "model_bytes") is Change.BETTER
    assert not is_metric_worse(record(), compare(smaller, record()))


def test_what_is_measured_once_is_not_judged() -> None:
    assert change(record(), record(), "peak_memory_bytes") is Change.UNCLEAR


@pytest.mark.parametrize(
    ("repeats", "expected"),
    [((80.0,) * 8, Change.WORSE), ((120.0,) * 8, Change.BETTER), ((80.0,) * 3, Change.UNCLEAR)],
    ids=["slower", "faster", "few repeats"],
)
def test_speeds_take_enough_repeats(repeats: tuple[float, ...], expected: Change) -> None:
    assert change(record(), with_speed(*repeats), "throughput") is expected


@pytest.mark.parametrize("other", [{"device_name": "Y"}, {"threads": 4}, {"openvino": "2026.4.2"}])
def test_speeds_of_other_machines_are_not_compared(other: dict[str, object]) -> None:
    found = compare(record(), record(machine=replace(MACHINE, **other)))
    assert found["throughput"].change is Change.NONE
    assert next(iter(other)) in found["throughput"].note
    assert found["accuracy"].change is Change.SAME


@pytest.mark.parametrize("key", ["samples", "metric", "options"])
def test_other_samples_or_definitions_are_not_compared(key: str) -> None:
    metric = replace(
        record().metrics["accuracy"], **{key: {"top_k": 5} if key == "options" else "x"}
    )
    found = compare(record(metrics={"accuracy": metric}), record())
    assert found["accuracy"].change is Change.NONE
    assert "can't be compared with" in found["accuracy"].note
