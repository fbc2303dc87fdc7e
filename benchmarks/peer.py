"""NNCF's quantize call: `python -m benchmarks.peer CASE_FOLDER OUTPUT --preset PRESET`."""

from __future__ import annotations

import logging

import nncf

from benchmarks.call import main
from benchmarks.folder import Samples
from quant.runtime import ov


def theirs(model: ov.Model, samples: Samples, preset: str, model_type: str | None) -> ov.Model:
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        preset=nncf.QuantizationPreset(preset),
        subset_size=len(samples),
        model_type=None if model_type is None else nncf.ModelType(model_type),
    )


if __name__ == "__main__":
    nncf.set_log_level(logging.ERROR)
    main(theirs)
