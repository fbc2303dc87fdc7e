"""What to try where a check failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SPEED = ("throughput", "latency_ms")
SIZE = ("model_bytes", "quantized_operations", "reverted_operations")


def advice(check: Mapping[str, Any], recipe: str, target: str) -> Iterator[str]:
    """Commands and parameters that may help, by what the check is about."""
    if check["metric"] in SPEED:
        yield "a machine that does nothing else, or larger benchmark.seconds and benchmark.repeats"
        yield f"recipe plan {recipe} --target {target}, for what stays in floating point"
    elif check["metric"] in SIZE:
        yield f"recipe plan {recipe} --target {target}, for what stays in floating point and why"
    else:
        yield f"recipe sensitivity {recipe} --target {target}, for the operations that lose most"
        yield "preset: mixed, or use: AccuracyAwareQuantization with maximal_drop"
