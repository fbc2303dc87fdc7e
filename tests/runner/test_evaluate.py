from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.runtime import opset, ov
from runner.data.open import Selection, open_dataset
from runner.data.sample import Sample
from runner.errors import DataError, ModelError
from runner.evaluate import CHUNK, evaluate
from runner.metric_value import metric_value, quantity
from runner.metrics.accuracy import Accuracy
from runner.metrics.agreement import Agreement
from runner.metrics.metric import Outputs, Packed
from runner.model_interface import model_inputs, output_names
from runner.recipe.recipe import DatasetSource
from tests.models import named, parameter

COUNT = 2 * CHUNK + 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """The first output less the label: lower is better."""

    higher_is_better = False
    needs_labels = True
    is_share = False

    def answer(self, outputs: Outputs, sample: Sample) -> float:
        return float(outputs["y"][0, 0] - sample.label)

    def outcome(self, answer: float, reference: float) -> float:
        return answer

    def pack(self, answer: float) -> Packed:
        return {"error": np.array([answer])}

    def unpack(self, packed: Packed) -> float:
        return float(packed["error"][0])

    def value(self, outcomes: Sequence[Any]) -> float | None:
        return float(np.mean(outcomes))

    def contributions(self, outcomes: Sequence[Any]) -> Sequence[float]:
        return outcomes


def shifted(amount: float) -> ov.Model:
    """`y = x + amount`, [1, 2], and a second output without a name."""
    x = parameter("x", -1, 2)
    total = opset.add(x, np.float32(amount))
    total.output(0).set_names({"y"})
    return ov.Model([opset.result(total), opset.result(opset.relu(x))], [x], "shifted")


@pytest.fixture
def dataset(tmp_path: Path) -> Selection:
    x = np.stack([np.arange(COUNT), np.zeros(COUNT)], axis=1).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(COUNT))
    source = DatasetSource(loader="npz", options={"path": tmp_path / "data.npz"})
    return open_dataset(source, model_inputs(shifted(0)))


def test_outcomes_keep_the_order_of_samples(dataset: Selection) -> None:
    told: list[tuple[str, int, int | None]] = []
    found = evaluate(
        shifted(0.25),
        shifted(1),
        dataset,
        {"error": Error()},
        progress=lambda *where: told.append(where),
    )
    outcomes = found.outcomes["error"]
    assert outcomes.fp32 == (0.25,) * COUNT
    assert outcomes.quantized == (1.0,) * COUNT
    assert told[-1] == ("evaluate", COUNT, COUNT)


def test_drop_is_a_change_for_the_worse(dataset: Selection) -> None:
    found = evaluate(shifted(0.25), shifted(1), dataset, {"error": Error()})
    both = found.outcomes["error"]
    value = metric_value("error", quantity(Error(), both.fp32), quantity(Error(), both.quantized))
    assert (value.fp32, value.quantized, value.drop, value.n) == (0.25, 1.0, 0.75, COUNT)


@dataclass
class Kept:
    """A baseline in memory."""

    answers: dict[str, Sequence[Packed]] = field(default_factory=dict)

    def known(self) -> Mapping[str, Sequence[Packed]]:
        return dict(self.answers)

    def keep(self, name: str, answers: Sequence[Packed]) -> None:
        self.answers[name] = answers


def test_known_answers_take_the_place_of_fp32(dataset: Selection) -> None:
    baseline, metrics = Kept(), {"error": Error()}
    first = evaluate(shifted(0.25), shifted(1), dataset, metrics, baseline=baseline)
    second = evaluate(shifted(99), shifted(1), dataset, metrics, baseline=baseline)
    assert first.outcomes == second.outcomes


def test_fp32_is_inferred_where_one_answer_is_unknown(dataset: Selection) -> None:
    baseline = Kept()
    evaluate(shifted(0.25), shifted(1), dataset, {"error": Error()}, baseline=baseline)
    both = {"error": Error(), "sqnr": Agreement(output="y", compare="sqnr")}
    found = evaluate(shifted(0.5), shifted(1), dataset, both, baseline=baseline)
    assert found.outcomes["error"].fp32 == (0.5,) * COUNT
    assert baseline.answers.keys() == {"error"}  # whole outputs are not kept


def test_bad_label_names_sample_and_file(dataset: Selection) -> None:
    model = ov.Model([opset.result(opset.relu(x := parameter("x", -1, 2)))], [x], "scores")
    with pytest.raises(DataError, match="sample '2' has the label 2") as caught:
        evaluate(model, model, dataset, {"accuracy": Accuracy()})
    assert caught.value.path == dataset.records.path


def test_device_that_can_not_compile(dataset: Selection) -> None:
    with pytest.raises(ModelError, match="OpenVINO can't compile the model for NPU"):
        evaluate(shifted(0), shifted(0), dataset, {"error": Error()}, device="NPU")


def test_names_of_outputs() -> None:
    assert output_names(shifted(0)) == ("y", "output_1")


def test_input_named_after_its_operation() -> None:
    """The attention mask of converted BERTs has two names, one of them a number."""
    x = named(parameter("attention_mask", 1, -1), "attention_mask")
    x.output(0).set_names({"64", "attention_mask"})
    (found,) = model_inputs(ov.Model([opset.result(opset.relu(x))], [x], "m"))
    assert (found.name, found.shape) == ("attention_mask", (1, None))


def test_input_of_unknown_rank() -> None:
    x = opset.parameter(ov.PartialShape.dynamic(), np.float32, name="x")
    with pytest.raises(ModelError, match="no fixed number of dimensions"):
        model_inputs(ov.Model([opset.result(opset.relu(x))], [x], "m"))
