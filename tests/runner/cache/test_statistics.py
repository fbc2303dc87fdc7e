"""Statistics come back from the cache as they were collected, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quant.entry import apply, needs_of, resolve
from quant.load import load_model
from quant.statistics.collect import collect_needs
from quant.statistics.store import collect_stored
from quant.steps.table import Step
from runner.cache.cache import Cache
from runner.cache.statistics import open_statistics
from runner.targets import load_target
from tests import models


def test_a_model_from_kept_statistics_is_the_same(tmp_path: Path) -> None:
    model, cache = models.conv_relu_conv(), Cache(path=tmp_path / "cache")
    samples = models.samples(model, 5)
    plan = resolve(load_model(model), [Step(use="DefaultQuantization")], load_target("cpu"))
    needs = needs_of(plan)
    collect_stored(plan.model, needs, samples, open_statistics(cache, "0" * 32))
    kept = open_statistics(cache, "0" * 32)
    found = collect_stored(plan.model, needs, samples, kept)
    fresh = collect_needs(plan.model, needs, samples)
    for need in needs:
        assert found.values[need].dtype == fresh.values[need].dtype
        np.testing.assert_array_equal(found.values[need], fresh.values[need])
    for one, other in zip(
        apply(plan, found).model.get_ordered_ops(),
        apply(plan, fresh).model.get_ordered_ops(),
        strict=True,
    ):
        if one.get_type_name() == "Constant":
            np.testing.assert_array_equal(one.data, other.data)
