"""What a run measured, as quantities that checks look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quant.control.control import ControlResult
from quant.diagnosis.diagnose import Diagnosis
from quant.entry import Result
from quant.plan import Status
from runner.evaluate import Evaluation
from runner.expect.quantity import Quantities, Quantity
from runner.expect.subjects import MEASURED
from runner.metric_value import quantity
from runner.metrics.metric import Metric
from runner.report.report import Performance, Repeat, Size, Speed


def both_quantities(
    metrics: Mapping[str, Metric],
    evaluation: Evaluation | None,
    performance: Performance | None,
    size: Size,
) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    """What is measured of both models: of FP32, and of the quantized model."""
    outcomes = {} if evaluation is None else evaluation.outcomes
    fp32 = {name: quantity(metrics[name], each.fp32) for name, each in outcomes.items()}
    quantized = {name: quantity(metrics[name], each.quantized) for name, each in outcomes.items()}
    if performance is not None:
        fp32 |= _speeds(performance.fp32, (before for before, _ in performance.rounds))
        quantized |= _speeds(performance.quantized, (after for _, after in performance.rounds))
    return (
        {**fp32, **size_quantities(size.fp32_bytes)},
        {**quantized, **size_quantities(size.quantized_bytes)},
    )


def size_quantities(size_bytes: int) -> Quantities:
    """The size of a model."""
    return {"model_bytes": plain("model_bytes", size_bytes)}


def memory_quantities(peak: int | None) -> Quantities:
    """The most memory that was held; none where the system does not tell."""
    return {} if peak is None else {"peak_memory_bytes": plain("peak_memory_bytes", peak)}


def result_quantities(
    result: Result, control: ControlResult | None, diagnosis: Diagnosis | None
) -> Quantities:
    """What became of the operations, and the signal to noise of the outputs."""
    quantized = count(result, Status.QUANTIZED)
    reverted = 0 if control is None else len(control.reverted)
    return {
        "quantized_operations": plain("quantized_operations", quantized),
        "reverted_operations": plain("reverted_operations", reverted),
        "output_sqnr_db": _output_sqnr(diagnosis),
    }


def count(result: Result, status: Status) -> int:
    """How many operations met with this fate."""
    return sum(each.plan.status is status for each in result.operations)


def plain(subject: str, value: float | None, note: str = "") -> Quantity:
    """A quantity that was counted, or measured once."""
    is_better = MEASURED[subject].higher_is_better
    return Quantity(value=value, higher_is_better=bool(is_better), note=note)


def _output_sqnr(diagnosis: Diagnosis | None) -> Quantity:
    """The least signal to noise of the model's outputs."""
    if diagnosis is None:
        return plain("output_sqnr_db", None, "nothing was quantized, or there was no data")
    known = [each.sqnr_db for each in diagnosis.outputs if each.sqnr_db is not None]
    notes = "; ".join(each.reason for each in diagnosis.outputs if each.reason)
    return plain("output_sqnr_db", min(known, default=None), notes)


def _speeds(speed: Speed, repeats: Iterable[Repeat]) -> Quantities:
    found = tuple(repeats)
    return {
        "throughput": Quantity(
            value=speed.throughput_fps,
            higher_is_better=True,
            parts=tuple(each.throughput_fps for each in found),
        ),
        "latency_ms": Quantity(
            value=speed.latency_ms.median,
            higher_is_better=False,
            parts=tuple(each.latency_ms for each in found),
        ),
    }
