"""`quantize`: DefaultQuantization in one call."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quant.control.candidate import Candidate, Workshop
from quant.control.noise import output_noise
from quant.control.parameters import ControlParameters
from quant.control.tuning import prepare, subset_size, tune
from quant.entry import Result, apply, collect, expect_rereadable, resolve
from quant.errors import SamplesError
from quant.load import load_model
from quant.parameter_reader import read_parameters
from quant.parameters import DefaultParameters
from quant.runtime import ov
from quant.statistics.passes import Progress, Samples, is_one_shot
from quant.statistics.store import MemoryStore
from quant.steps.order import DEFAULT
from quant.steps.table import Step
from quant.target import Target


def quantize(
    model: ov.Model | str | Path,
    samples: Samples,
    *,
    target: Target,
    progress: Progress | None = None,
    **parameters: Any,
) -> Result:
    """The model quantized by DefaultQuantization; the model that is handed in is not changed.

    With `tune_hyperparams`, parameters that are not given are chosen by the output error on up to
    300 of the samples; `outcomes["tuning"]` says which.

    Args:
        model: a model in memory, or a file of one.
        samples: what the model takes, batch axis included: arrays, lists in input order, or
            mappings by input name. An iterator will do where nothing infers again.
        target: from `runner.load_target`, or made by hand.
        progress: called with the number of samples that are done, in every pass.
        parameters: those of DefaultQuantization (`quant.DefaultParameters`); nested ones as
            mappings or dataclasses.

    Raises:
        LoadError: the model can't be read or is quantized already.
        ParameterError: a parameter is wrong, or the target can't run what it asks for.
        SamplesError: there are no samples, or one does not fit.
    """
    started = time.perf_counter()
    loaded = load_model(model)
    load_s = time.perf_counter() - started
    if parameters.get("tune_hyperparams") is True:
        read_parameters(DefaultParameters, parameters)
        result = _tuned(loaded, samples, target, parameters, progress)
        return dataclasses.replace(result, timings={"load_s": load_s, **result.timings})
    plan = resolve(loaded, [Step(use=DEFAULT, parameters=parameters)], target)
    resolve_s = time.perf_counter() - started - load_s
    expect_rereadable(plan, samples)
    statistics = collect(plan, samples, progress=progress)
    collect_s = time.perf_counter() - started - load_s - resolve_s
    result = apply(plan, statistics, samples, progress=progress)
    timings = {"load_s": load_s, "resolve_s": resolve_s, "collect_s": collect_s, **result.timings}
    return dataclasses.replace(result, timings=timings)


def _tuned(
    model: ov.Model,
    samples: Samples,
    target: Target,
    given: Mapping[str, Any],
    progress: Progress | None,
) -> Result:
    """The model with the settings that tuning chooses."""
    if is_one_shot(samples):
        message = "tuning reads the samples again; hand in a list, not an iterator"
        raise SamplesError(message)
    started = time.perf_counter()
    asked = read_parameters(ControlParameters, given)
    workshop = Workshop(
        model=model,
        target=target,
        steps=(Step(use=DEFAULT),),
        position=0,
        parameters=asked,
        samples=samples,
        store=MemoryStore(),
        progress=progress,
        given=given,
    )
    prepare(workshop)
    collect_s = time.perf_counter() - started
    count = subset_size(asked, samples)
    with output_noise(model, samples, count, asked.seed) as noise:
        found = tune(workshop, Candidate(preset=asked.preset), noise, samples=count)
    result = workshop.make(found.candidate)
    tune_s = time.perf_counter() - started - collect_s
    return dataclasses.replace(
        result,
        outcomes={**result.outcomes, "tuning": found.summary},
        timings={"collect_s": collect_s, "tune_s": tune_s, **result.timings},
    )
