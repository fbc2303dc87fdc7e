"""A measurement with round numbers."""

from __future__ import annotations

from benchmarks.measurement import Call, Measurement, Round

MIB = 2**20


def rounds(*floors_s: float) -> tuple[Round, ...]:
    """Rounds in which ours takes two floors and NNCF eight."""
    return tuple(
        Round(
            floor_s=floor,
            ours=Call(quantize_s=2 * floor, process_s=3 * floor, growth_bytes=100 * MIB),
            nncf=Call(quantize_s=8 * floor, process_s=10 * floor, growth_bytes=200 * MIB),
        )
        for floor in floors_s
    )


MEASURED = Measurement(
    case="tiny",
    preset="performance",
    sample_count=8,
    rounds=rounds(1.0, 2.0, 1.0),
    throughput_fps=((98.0, 100.0), *[(100.0, 100.0)] * 3, (102.0, 100.0)),
)
"""The floor's rounds differ by far."""
