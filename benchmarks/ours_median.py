"""Our quantize call with medians over samples, which need the values of every sample.

`python -m benchmarks.ours_median CASE_FOLDER OUTPUT --preset PRESET`.
"""

from __future__ import annotations

from benchmarks.call import main
from benchmarks.folder import Samples
from quant.default import quantize
from quant.runtime import ov
from runner.targets import load_target

MEDIAN = {"min": {"aggregator": "median"}, "max": {"aggregator": "median"}}


def ours(model: ov.Model, samples: Samples, preset: str, model_type: str | None) -> ov.Model:
    activations = {"range_estimator": MEDIAN}
    target = load_target("cpu")
    return quantize(
        model, samples, target=target, preset=preset, model_type=model_type, activations=activations
    ).model


if __name__ == "__main__":
    main(ours)
