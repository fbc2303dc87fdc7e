from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner.errors import DataError, ModelError
from runner.metrics.interval import drop_interval
from runner.metrics.metric import Outputs
from tests.runner.metrics.builders import metric, outputs, sample

SCORES = outputs(scores=[[0.1, 0.7, 0.2]])


def outcome(found: Outputs, label: Any, **options: Any) -> Any:
    return metric("accuracy", **options).answer(found, sample(label))


def test_the_best_class_is_right() -> None:
    assert [outcome(SCORES, label) for label in (0, 1, np.int64(2))] == [0.0, 1.0, 0.0]


def test_the_second_best_is_right_among_two() -> None:
    assert [outcome(SCORES, label, top_k=2) for label in (0, 1, 2)] == [0.0, 1.0, 1.0]


def test_of_equal_scores_the_first_is_best() -> None:
    """A model that gives a constant is right as often as its first class occurs, not always."""
    assert [outcome(outputs(s=[[0.5, 0.5, 0.5]]), label) for label in range(3)] == [1, 0, 0]


def test_not_a_number_is_never_right() -> None:
    found = outputs(s=[[np.nan, np.nan]])
    assert [outcome(found, 0), outcome(found, 1, top_k=2)] == [0.0, 0.0]


def test_an_output_is_chosen_by_name() -> None:
    found = outputs(a=[[1, 0]], b=[[0, 1]])
    assert outcome(found, 1, output="b") == 1.0


@pytest.mark.parametrize(
    ("found", "options", "message"),
    [
        (outputs(a=[[1, 0]], b=[[0, 1]]), {}, "the model has 'a' and 'b'; name one with 'output'"),
        (SCORES, {"output": "score"}, "'score', .* - did you mean 'scores'?"),
        (outputs(s=[[[1, 0]]]), {}, r"shape \[1, 1, 2\]; expected \[1, C\]"),
    ],
)
def test_outputs_that_do_not_suit_are_refused(
    found: Outputs, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        outcome(found, 0, **options)


@pytest.mark.parametrize("label", [None, 3, -1, 1.0, True, "cat", np.zeros((0, 5))])
def test_a_label_that_is_no_class_names_the_sample(label: Any) -> None:
    with pytest.raises(DataError, match=r"sample 's' has the label .* from 0 to 2"):
        outcome(SCORES, label)


def test_the_value_is_the_share_of_right_ones() -> None:
    assert metric("accuracy").value([1.0, 0.0, 1.0, 1.0]) == 0.75
    assert metric("accuracy").value([]) is None


def test_no_change_still_has_a_width() -> None:
    low, high = drop_interval(metric("accuracy").contributions([1.0] * 50), [1.0] * 50) or (0, 0)
    assert low < 0 < high


@pytest.mark.parametrize("label", [0, 1])
def test_an_answer_can_be_kept(label: int) -> None:
    accuracy = metric("accuracy")
    answer = accuracy.answer(SCORES, sample(label))
    assert accuracy.unpack(accuracy.pack(answer)) == answer
