"""Choosing the model output that a metric looks at."""

from __future__ import annotations

from runner.data.sample import Array
from runner.document.names import listed, suggest
from runner.errors import ModelError
from runner.metrics.metric import Outputs


def choose_output(outputs: Outputs, name: str | None, metric: str) -> Array:
    """The output called `name`, or the only one.

    Raises:
        ModelError: there is no such output, or several and no name.
    """
    if name is None and len(outputs) == 1:
        return next(iter(outputs.values()))
    if name is None:
        message = (
            f"{metric} needs one output, and the model has {listed(outputs, 'and')}; "
            "name one with 'output'"
        )
        raise ModelError(message)
    if name not in outputs:
        message = f"{metric} looks at output {name!r}, and the model has {listed(outputs, 'and')}"
        raise ModelError(message + suggest(name, outputs))
    return outputs[name]


def is_class_scores(x: Array) -> bool:
    """Whether `x` is `[1, C]` with at least two classes."""
    return x.ndim == 2 and x.shape[0] == 1 and x.shape[1] >= 2
