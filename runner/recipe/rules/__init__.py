"""What a schema of single values can't say: rules between the parts of a recipe.

A rule is a function from a Checked document to the problems that it finds. It sees only values that
fit the schema, any of which may be absent. `WHOLE` are those that a fragment does not have to meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.document.check import Checked
from runner.errors import Problem
from runner.recipe.rules import (
    catalog,
    control,
    datasets,
    environment,
    evaluate,
    expect,
    parameters,
    steps,
    targets,
)

Rule = Callable[[Checked], Iterator[Problem]]

ALWAYS: tuple[Rule, ...] = (
    environment.secrets,
    catalog.outputs,
    catalog.environment,
    targets.known,
    targets.distinct,
    targets.own_folders,
    steps.distinct_ids,
    parameters.patterns,
    parameters.layers,
    parameters.levels,
    parameters.estimators,
    parameters.parts,
    datasets.columns,
    datasets.preprocessing,
    evaluate.names,
    expect.distinct_ids,
    expect.one_bound,
    expect.drop_types,
    expect.days,
)
WHOLE: tuple[Rule, ...] = (
    steps.order,
    steps.calibration,
    datasets.unused,
    evaluate.validation,
    evaluate.labels,
    control.evaluated,
    control.metrics,
    expect.metrics,
    expect.references,
    expect.confidences,
    expect.conditions,
    expect.benchmark,
)
