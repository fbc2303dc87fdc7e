"""Models that change layer by layer, inferred piece by piece.

What one piece computed, the next ones begin with, so that every operation runs once however many
layers there are. In between, the tensors of all samples wait in files, in memory while they are
small.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from quant.clones import Nodes, by_name, join
from quant.inference import Inference
from quant.plan import Subset
from quant.runtime import opset, ov

Array = NDArray[Any]
Key = tuple[int, str, int]
"""A tensor: its model's number, its operation's name, and which of the outputs."""

MOST_BYTES = 1 << 23
"""What waits in memory of one tensor; on disk beyond that."""

_RANDOM = frozenset({"RandomUniform", "Multinomial"})


@dataclass(slots=True)
class Relay:
    """Hands on what a piece computed, as long as it is open: first `cut`, then `run`, again and
    again."""

    infer: Inference
    subset: Subset
    _kept: dict[Key, _Kept] = field(default_factory=dict)
    _inputs: dict[Key, ov.Node] = field(default_factory=dict)
    _keys: dict[str, Key] = field(default_factory=dict)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget(self._kept)

    def cut(self, *models: ov.Model) -> list[Nodes]:
        """The operations of each model by name; they no longer compute what earlier pieces did.

        Args:
            models: clones of equal inputs, which become one model.
        """
        for model in models:
            _reset(model)
        named = [by_name(model) for model in models]
        self._keys = {
            node.get_name(): (number, name, 0)
            for number, nodes in enumerate(named)
            for name, node in nodes.items()
        }
        inputs = models[0].get_parameters()
        for model in models[1:]:
            join(model, inputs)
        self._inputs = {self._keys[node.get_name()]: node for node in inputs}
        if self._kept:
            self._inputs = {key: _input(named, key) for key in self._kept}
        return named

    def run(
        self,
        upto: Iterable[ov.Output],
        later: Iterable[ov.Output],
        results: Sequence[ov.Node],
        add: Callable[[int, list[Array]], None],
    ) -> None:
        """Infers the samples down to some tensors, and keeps what others take to be computed.

        Args:
            upto: what is computed for good: nothing above may change any more.
            later: what pieces to come will be asked for.
            results: the outputs wanted now, computed from `upto`; they should be reduced.
            add: takes a sample's number and those outputs, in sample order.
        """
        done = _above(upto) | {each.get_name(): each for each in self._inputs.values()}
        done |= _shapes_of(done)  # else a whole tensor would wait for its sizes' sake
        open_ends = _above(later, done)
        live = self._live(done, open_ends)
        kept = {key: _Kept() for key in live}
        before, self._kept = self._kept, self._kept | kept

        def take(index: int, values: list[Array]) -> None:
            add(index, values[: len(results)])
            for each, value in zip(kept.values(), values[len(results) :], strict=True):
                each.add(value)

        outputs = [opset.result(each) for each in (*results, *live.values())]
        if not before:
            model = ov.Model(outputs, list(self._inputs.values()), "piece")
            self.infer.each(model, self.subset, take)
        else:
            reached = _above(each.output(0) for each in outputs)
            used = [key for key, node in self._inputs.items() if node.get_name() in reached]
            used = used or list(before)[:1]  # one tells how many samples there are
            model = ov.Model(outputs, [self._inputs[key] for key in used], "piece")
            rows = map(list, zip(*(before[key] for key in used), strict=True))
            dataclasses.replace(self.infer, samples=rows).each(model, Subset(), take)
            self._forget(key for key in before if not _is_read(self._inputs[key], open_ends))

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            self._kept.pop(key).file.close()

    def _live(
        self, done: Mapping[str, ov.Node], open_ends: Mapping[str, ov.Node]
    ) -> dict[Key, ov.Output]:
        """The tensors that differ from sample to sample, wait nowhere yet, and are read by what is
        still to be computed."""
        found: dict[Key, ov.Output] = {}
        seen: set[str] = set()
        waiting = list(self._inputs.values())
        waiting += [node for node in done.values() if node.get_type_name() in _RANDOM]
        while waiting:
            node = waiting.pop()
            name = node.get_name()
            if name in seen or name not in done:
                continue
            seen.add(name)
            for output in node.outputs():
                waiting += [each.get_node() for each in output.get_target_inputs()]
                if name in self._keys and _is_read(output, open_ends):
                    number, friendly, _ = self._keys[name]
                    found[number, friendly, output.get_index()] = output
        return found


class _Kept:
    """A tensor of every sample, in order."""

    def __init__(self) -> None:
        self.file: IO[bytes] = SpooledTemporaryFile(max_size=MOST_BYTES)  # noqa: SIM115 - see Relay
        self._kinds: list[tuple[np.dtype[Any], tuple[int, ...]]] = []

    def add(self, value: Array) -> None:
        self.file.write(value.tobytes())
        self._kinds.append((value.dtype, value.shape))

    def __iter__(self) -> Iterator[Array]:
        self.file.seek(0)
        for kind, shape in self._kinds:
            size = kind.itemsize * int(np.prod(shape))
            yield np.frombuffer(self.file.read(size), kind).reshape(shape)


def _input(named: Sequence[Nodes], key: Key) -> ov.Node:
    """The input that stands for a tensor from then on."""
    number, name, port = key
    output = named[number][name].output(port)
    made = opset.parameter(output.get_partial_shape(), output.get_element_type())
    output.replace(made.output(0))
    return made


def _reset(model: ov.Model) -> None:
    """Has states be what they are at the start of each sample: what a piece reads of a state,
    another one may assign."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "ReadValue":
            start = node.input_value(0) if node.inputs() else _zeros(node.output(0))
            node.output(0).replace(start)


def _zeros(tensor: ov.Output) -> ov.Output:
    """What a state without an initial value starts with; nothing where its sizes are unknown."""
    sizes = [0 if size.is_dynamic else size.get_length() for size in tensor.get_partial_shape()]
    return opset.constant(np.zeros(sizes, tensor.get_element_type().to_dtype())).output(0)


def _shapes_of(done: Mapping[str, ov.Node]) -> dict[str, ov.Node]:
    """The operations that read nothing but the shape of what is done."""
    readers = (
        port.get_node()
        for node in done.values()
        for output in node.outputs()
        for port in output.get_target_inputs()
    )
    return {each.get_name(): each for each in readers if each.get_type_name() == "ShapeOf"}


def _is_read(tensor: ov.Output | ov.Node, by: Mapping[str, ov.Node]) -> bool:
    output = tensor if isinstance(tensor, ov.Output) else tensor.output(0)
    return any(each.get_node().get_name() in by for each in output.get_target_inputs())


def _above(
    outputs: Iterable[ov.Output], done: Mapping[str, ov.Node] | None = None
) -> dict[str, ov.Node]:
    """The operations that tensors are computed by, but for those done, under their own names."""
    found: dict[str, ov.Node] = {}
    waiting = [each.get_node() for each in outputs]
    while waiting:
        node = waiting.pop()
        name = node.get_name()
        if name not in found and (done is None or name not in done):
            found[name] = node
            waiting += [each.get_node() for each in node.input_values()]
    return found
