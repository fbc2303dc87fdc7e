"""The inputs and outputs of a model, under the names that data and metrics use."""

from __future__ import annotations

import re

import numpy as np

from quant.runtime import ov
from runner.data.sample import InputInfo
from runner.errors import ModelError

MADE_UP = re.compile(r"Result_\d+")
"""What OpenVINO calls an output without a name: it counts per process."""


def model_inputs(model: ov.Model) -> tuple[InputInfo, ...]:
    """The inputs of a model in order, each named after its operation if one of its tensors is.

    Raises:
        ModelError: an input has no fixed number of dimensions.
    """
    return tuple(_input(port) for port in model.inputs)


def output_names(model: ov.Model) -> tuple[str, ...]:
    """The names of a model's outputs in order; `output_0` and so on where they have none."""
    return tuple(_output_name(port, i) for i, port in enumerate(model.outputs))


def _output_name(port: ov.Output, position: int) -> str:
    names = sorted(name for name in port.get_names() if not MADE_UP.fullmatch(name))
    return names[0] if names else f"output_{position}"


def _input(port: ov.Output) -> InputInfo:
    shape, name = port.get_partial_shape(), _input_name(port)
    if shape.rank.is_dynamic:
        message = (
            f"the model's input {name!r} has no fixed number of dimensions; "
            "give it a shape under model.inputs"
        )
        raise ModelError(message)
    sizes = tuple(None if size.is_dynamic else size.get_length() for size in shape)
    dtype = np.dtype(port.get_element_type().to_dtype())
    return InputInfo(name=name, shape=sizes, dtype=dtype)


def _input_name(port: ov.Output) -> str:
    names, friendly = port.get_names(), str(port.get_node().get_friendly_name())
    return friendly if friendly in names or not names else str(port.any_name)
