"""Two models on the same inputs as one graph, so that tensors of both can be compared inside it."""

from __future__ import annotations

from dataclasses import dataclass

from quant.runtime import NO_DYNAMIC_QUANTIZATION, opset, ov


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Operations by name, and the output tensors, of two models that read the same Parameters.

    `is_wide`: whether the quantized one forbids devices to quantize on their own.
    """

    fp32: dict[str, ov.Node]
    quantized: dict[str, ov.Node]
    fp32_outputs: tuple[ov.Output, ...]
    quantized_outputs: tuple[ov.Output, ...]
    parameters: tuple[ov.Node, ...]
    sinks: tuple[ov.Node, ...]
    is_wide: bool


def pair(fp32: ov.Model, quantized: ov.Model) -> Pair:
    """Clones of both models joined at their Parameters, each with state of its own."""
    first, second = fp32.clone(), quantized.clone()
    for ours, theirs in zip(first.get_parameters(), second.get_parameters(), strict=True):
        theirs.output(0).replace(ours.output(0))
    return Pair(
        fp32=_by_name(first),
        quantized=_by_name(second),
        fp32_outputs=_outputs(first),
        quantized_outputs=_outputs(second),
        parameters=tuple(first.get_parameters()),
        sinks=(*first.get_sinks(), *_renamed_state(second)),
        is_wide=quantized.has_rt_info(NO_DYNAMIC_QUANTIZATION),
    )


def _renamed_state(model: ov.Model) -> list[ov.Node]:
    """New sinks of a model whose variables take new names, so that no other model shares them."""
    variables: dict[str, ov.op.util.Variable] = {}
    sinks: list[ov.Node] = []
    for node in model.get_ordered_ops():
        if node.get_type_name() not in ("ReadValue", "Assign"):
            continue
        name = node.get_attributes()["variable_id"]
        if node.get_type_name() == "Assign":
            value = node.input_value(0)  # of any output, but Assign is made of a node's only one
            same = opset.convert(value, value.get_element_type().to_dtype())
            sinks.append(ov.op.assign(same, variables[name]))
            continue
        output = node.output(0)
        variables[name] = _variable(f"{name}/quantized", output)
        renamed = ov.op.read_value(*node.input_values(), variables[name])
        renamed.set_friendly_name(node.get_friendly_name())
        output.replace(renamed.output(0))
    return sinks


def _variable(name: str, output: ov.Output) -> ov.op.util.Variable:
    about = ov.op.util.VariableInfo()
    about.variable_id = name
    about.data_shape = output.get_partial_shape()
    about.data_type = output.get_element_type()
    return ov.op.util.Variable(about)


def _by_name(model: ov.Model) -> dict[str, ov.Node]:
    return {node.get_friendly_name(): node for node in model.get_ordered_ops()}


def _outputs(model: ov.Model) -> tuple[ov.Output, ...]:
    return tuple(result.input_value(0) for result in model.get_results())
