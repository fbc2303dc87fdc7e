"""Our quantize call: `python -m benchmarks.ours CASE_FOLDER OUTPUT --preset PRESET`."""

from __future__ import annotations

from benchmarks.call import main
from benchmarks.folder import Samples
from quant.default import quantize
from quant.runtime import ov
from runner.targets import load_target


def ours(model: ov.Model, samples: Samples, preset: str, model_type: str | None) -> ov.Model:
    target = load_target("cpu")
    return quantize(model, samples, target=target, preset=preset, model_type=model_type).model


if __name__ == "__main__":
    main(ours)
