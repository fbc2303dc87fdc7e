"""One quantize call in a process of its own: nothing is loaded, cached or allocated before it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.folder import Samples, read_model, read_samples
from quant.runtime import ov

Quantize = Callable[[ov.Model, Samples, str, str | None], ov.Model]
"""Takes a model, samples, preset and model type."""

PROCESS = Path("/proc/self")


def main(quantize: Quantize) -> None:
    """Reads a case, quantizes and saves it; prints seconds and bytes as the last line, in JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--model-type")
    given = parser.parse_args()
    model, samples = read_model(given.folder), read_samples(given.folder)
    before = _restart_peak_bytes()
    started = time.perf_counter()
    quantized = quantize(model, samples, given.preset, given.model_type)
    seconds = time.perf_counter() - started
    growth = _peak_bytes() - before
    ov.save_model(quantized, given.output, compress_to_fp16=False)
    print(json.dumps({"quantize_s": seconds, "growth_bytes": growth}))


def _restart_peak_bytes() -> int:
    """Makes what is in memory now the peak, and returns it.

    Source: proc(5), clear_refs: 5 sets VmHWM to the current resident set size.
    """
    (PROCESS / "clear_refs").write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    lines = (PROCESS / "status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return 1024 * int(peak)
