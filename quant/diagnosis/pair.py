"""Two models on the same inputs as one graph, so that tensors of both can be compared inside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from quant.clones import Nodes, by_name, join
from quant.graph import view
from quant.placement.tables import LINEAR
from quant.placement.walks import uneven
from quant.runtime import NO_DYNAMIC_QUANTIZATION, opset, ov
from quant.steps import bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Operations by name, and the output tensors, of two models that read the same Parameters.

    `is_wide`: whether the quantized one forbids devices to quantize on their own. `biases`: the
    Add of a linear operation's bias, by that one's name. `uneven`: the operations whose results'
    lengths depend on values, so that the two models' may differ.
    """

    fp32: Nodes
    quantized: Nodes
    fp32_outputs: tuple[ov.Output, ...]
    quantized_outputs: tuple[ov.Output, ...]
    parameters: tuple[ov.Node, ...]
    sinks: tuple[ov.Node, ...]
    is_wide: bool
    biases: dict[str, str] = field(default_factory=dict)
    uneven: frozenset[str] = frozenset()

    def biased(self, name: str, nodes: Nodes) -> tuple[ov.Output, ov.Output]:
        """An operation's output in FP32 and in the nodes of a quantized model; behind the bias,
        since that is what bias correction changes."""
        end = self.biases.get(name, name)
        made = f"{name}/{bias.MADE}"
        return self.fp32[end].output(0), nodes[made if made in nodes else end].output(0)


def pair(fp32: ov.Model, quantized: ov.Model) -> Pair:
    """Clones of both models joined at their Parameters, each with state of its own."""
    first, second = fp32.clone(), quantized.clone()
    join(second, tuple(first.get_parameters()))
    nodes, sinks = by_name(first), _renamed_state(second)
    return Pair(
        fp32=nodes,
        quantized=by_name(second),
        fp32_outputs=_outputs(first),
        quantized_outputs=_outputs(second),
        parameters=tuple(first.get_parameters()),
        sinks=(*first.get_sinks(), *sinks),
        is_wide=quantized.has_rt_info(NO_DYNAMIC_QUANTIZATION),
        biases={name: add for name, node in nodes.items() if (add := _bias(node))},
        uneven=uneven(view(fp32)),
    )


def _bias(node: ov.Node) -> str:
    """The name of the Add that holds a linear operation's bias; empty where there is none."""
    shape = node.output(0).get_partial_shape() if node.get_type_name() in LINEAR else None
    if shape is None or shape.rank.is_dynamic or shape.rank.get_length() == 0:
        return ""
    axis = bias.output_axis(node)
    channels = shape[axis]
    found = None if channels.is_dynamic else bias.bias_of(node, axis, channels.get_length())
    return "" if found is None else str(found[0].get_friendly_name())


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


def _outputs(model: ov.Model) -> tuple[ov.Output, ...]:
    return tuple(result.input_value(0) for result in model.get_results())
