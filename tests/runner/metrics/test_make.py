from __future__ import annotations

import pytest

from runner.data import extras
from runner.errors import MissingExtra, RunError
from runner.metrics.make import METRICS, make_metric, missing_extra
from runner.metrics.metric import Metric
from runner.recipe.recipe import MetricSource
from tests.runner.metrics.builders import metric


@pytest.mark.parametrize(
    ("name", "needs_labels"),
    [("accuracy", True), ("mean_average_precision", True), ("agreement", False)],
)
def test_every_metric_has_a_direction_and_says_whether_it_needs_labels(
    name: str, needs_labels: bool
) -> None:
    made: Metric = metric(name)
    assert (made.higher_is_better, made.needs_labels) == (True, needs_labels)


def test_a_missing_package_is_known_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    wanted = {
        name: missing_extra(MetricSource(name="m", metric=name)) is not None for name in METRICS
    }
    assert wanted == {"accuracy": False, "mean_average_precision": True, "agreement": False}
    with pytest.raises(MissingExtra, match=r"recipe-runner\[detection\]"):
        make_metric(MetricSource(name="m", metric="mean_average_precision"))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(RunError, match=r"unknown metric 'accurracy'; .*mean 'accuracy'"):
        metric("accurracy")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented(name: str) -> None:
    assert METRICS[name].make.__doc__
