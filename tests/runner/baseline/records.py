"""Records of runs for tests."""

from __future__ import annotations

from typing import Any

from runner.baseline.record import Machine, Record, SpeedRecord, metric_record
from runner.expect.quantity import Quantity

MACHINE = Machine(device="CPU", device_name="X", isa="vnni", openvino="2026.4.1", threads=2)


def record(answers: tuple[float, ...] = (1.0, 0.0), **others: Any) -> Record:
    """A run whose metric `accuracy` is the mean of the answers."""
    mean = sum(answers) / len(answers)
    found = Quantity(value=mean, higher_is_better=True, parts=answers, n=len(answers))
    values: dict[str, Any] = {
        "recipe": "r",
        "file": "r.yaml",
        "profile": None,
        "target": "cpu",
        "emulated": False,
        "machine": MACHINE,
        "recipe_digest": "a",
        "plan_digest": "b",
        "model_sha256": "c",
        "metrics": {"accuracy": metric_record("accuracy", {"top_k": 1}, found, found, "samples")},
        "speeds": {"throughput": SpeedRecord(value=100.0, repeats=(100.0,) * 8)},
        "measures": {"model_bytes": 1000.0, "peak_memory_bytes": 5.0},
    }
    return Record(**{**values, **others})
