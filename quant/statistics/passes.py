"""One asynchronous pass of samples over a model, in f32; results are handed on in sample order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.plan import Subset
from quant.runtime import core, drained, looking_inside, ov

Array = NDArray[Any]
Samples = Iterable[Any]
Progress = Callable[[int], None]
Chosen = set[int] | range | None
"""The indices of a subset's samples; None: all."""


def is_one_shot(samples: Samples) -> bool:
    """Whether samples are an iterator, which can be read only once."""
    return isinstance(samples, Iterable) and iter(samples) is samples


def sample_count(samples: Samples, subsets: Iterable[Subset]) -> int:
    """How many of the samples any of the subsets holds.

    Raises:
        SamplesError: the samples do not know their number.
    """
    chosen, count = _choose(tuple(subsets), samples)
    if count is None:
        message = "kept statistics need samples that know their number, such as a list, no iterator"
        raise SamplesError(message)
    every = range(count)
    return len(set[int]().union(*(every if c is None else c for c in chosen)).intersection(every))


def infer(
    model: ov.Model,
    samples: Samples,
    subsets: Sequence[Subset],
    add: Callable[[int, tuple[bool, ...], list[Array]], None],
    progress: Progress | None = None,
) -> int:
    """Runs a model over the samples that any of the subsets holds; returns how many there were.

    Args:
        samples: arrays, lists in input order, or mappings by input name; batch axis included.
        add: takes, in sample order, a sample's index, for each subset whether it holds the sample,
            and the values of the model's outputs, which change when it returns.
        progress: called with the number of samples that are done.

    Raises:
        SamplesError: there are none, one does not fit, or a shuffle was asked of an iterator.
    """
    _expect_samples(samples)
    chosen, count = _choose(subsets, samples)

    def taken(index: int, values: list[Array]) -> None:
        add(index, tuple(each is None or index in each for each in chosen), values)

    ready = core().compile_model(model, "CPU", looking_inside(model))
    total = _run(ready, _numbered(samples, chosen, count), taken, progress)
    if total == 0:
        message = "there are no calibration samples"
        raise SamplesError(message)
    return total


def _expect_samples(samples: object) -> None:
    if isinstance(samples, Mapping):
        message = "samples is one mapping; hand in a list of samples, each of them a mapping"
        raise SamplesError(message)
    if not isinstance(samples, Iterable) and not hasattr(samples, "__getitem__"):
        message = (
            f"samples is {samples!r}; expected an iterable of what the model takes: arrays, lists "
            "in input order, or mappings by input name"
        )
        raise SamplesError(message)


def _choose(subsets: Sequence[Subset], samples: Samples) -> tuple[list[Chosen], int | None]:
    """The indices of each subset (None: all), and how many samples there are, if that is known."""
    count = len(samples) if isinstance(samples, Sized) else None
    return [_indices(subset, count) for subset in subsets], count


def _indices(subset: Subset, count: int | None) -> Chosen:
    whole = _whole(subset, count)
    if subset.few is None:
        return whole
    if count is None:
        return range(min(subset.few, subset.few if subset.size is None else subset.size))
    known = sorted(range(count) if whole is None else {i for i in whole if i < count})
    number = min(subset.few, len(known))
    return {known[i * len(known) // number] for i in range(number)}


def _whole(subset: Subset, count: int | None) -> Chosen:
    if not subset.shuffle or subset.size is None:
        return None if subset.size is None else range(subset.size)
    if count is None:
        message = "shuffle_data needs samples that know their number, such as a list, no iterator"
        raise SamplesError(message)
    drawn = np.random.default_rng(subset.seed).permutation(count)[: subset.size]
    return {int(i) for i in drawn}


def _numbered(
    samples: Samples, chosen: list[Chosen], count: int | None
) -> Iterator[tuple[int, Any]]:
    """The samples that any subset holds, in order; those in between are not even read where
    possible."""
    last = (
        None
        if any(c is None for c in chosen)
        else max(max(c, default=-1) for c in chosen if c is not None)
    )
    if count is not None and hasattr(samples, "__getitem__"):
        stop = count if last is None else min(count, last + 1)
        for index in range(stop):
            if any(c is None or index in c for c in chosen):
                yield index, samples[index]
        return
    for index, sample in enumerate(samples):
        if last is not None and index > last:
            return
        yield index, sample
        if index == last:
            return


def _run(
    model: ov.CompiledModel,
    samples: Iterator[tuple[int, Any]],
    add: Callable[[int, list[Array]], None],
    progress: Progress | None,
) -> int:
    """Infers all samples and hands on their outputs in sample order; returns their number."""
    queue = ov.AsyncInferQueue(model)
    is_stateful = bool(queue[0].query_state())
    order = _Order(add, progress)
    queue.set_callback(
        lambda request, position: order.put(position, [t.data for t in request.output_tensors])
    )
    total = 0
    with drained(queue):
        for position, (index, sample) in enumerate(samples):
            inputs = _fit(model, sample, index)
            if is_stateful:
                queue[queue.get_idle_request_id()].reset_state()
            order.expect(position, index)
            try:
                queue.start_async(inputs, position)
            except RuntimeError as error:
                raise _unrunnable(error, "it, or on one before", index) from error
            total += 1
        try:
            queue.wait_all()
        except RuntimeError as error:
            raise _unrunnable(error, "one of the last samples") from error
    return total


def _unrunnable(error: RuntimeError, which: str, index: int | None = None) -> SamplesError:
    """Requests fail later than they start, so that it is not sure which sample it was."""
    reason = str(error).strip().splitlines()[-1]
    return SamplesError(f"the model can't be run on {which}: {reason}", index)


class _Order:
    """Results come back in any order; they are handed on in the order of their positions."""

    def __init__(self, add: Callable[[int, list[Array]], None], progress: Progress | None) -> None:
        self._add, self._progress = add, progress
        self._waiting: dict[int, list[Array]] = {}
        self._indices: dict[int, int] = {}
        self._next = 0
        self._lock = threading.Lock()

    def expect(self, position: int, index: int) -> None:
        """Says which sample stands at a position."""
        self._indices[position] = index

    def put(self, position: int, values: list[Array]) -> None:
        """Hands on the values at a position, and others that are due then; copies wait for those in
        front of them."""
        with self._lock:
            if position != self._next:
                self._waiting[position] = [np.array(value) for value in values]
                return
            self._hand_on(values)
            while self._next in self._waiting:
                self._hand_on(self._waiting.pop(self._next))

    def _hand_on(self, values: list[Array]) -> None:
        self._add(self._indices.pop(self._next), values)
        self._next += 1
        if self._progress is not None:
            self._progress(self._next)


def _fit(model: ov.CompiledModel, sample: Any, index: int) -> dict[int, NDArray[Any]]:
    """The sample's arrays by input position, in the inputs' number types."""
    arrays = _by_position(model, sample, index)
    return {
        position: _cast(model.inputs[position], _array(array, index), index)
        for position, array in arrays.items()
    }


def _array(values: Any, index: int) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        message = f"no array can be made of it: {error}"
        raise SamplesError(message, index) from error


def _by_position(model: ov.CompiledModel, sample: Any, index: int) -> dict[int, Any]:
    inputs = model.inputs
    if isinstance(sample, Mapping):
        names = {
            name: position for position, node in enumerate(inputs) for name in node.get_names()
        }
        unknown = [key for key in sample if key not in names]
        missing = [
            node.any_name for i, node in enumerate(inputs) if not node.get_names() & set(sample)
        ]
        if unknown or missing:
            known = [_name(node) for node in inputs]
            message = f"inputs {sorted(map(str, sample))} given, expected {known}"
            raise SamplesError(message, index)
        return {names[key]: value for key, value in sample.items()}
    arrays = list(sample) if isinstance(sample, list | tuple) else [sample]
    if len(arrays) != len(inputs):
        message = f"{len(arrays)} arrays given, but the model has {len(inputs)} inputs"
        raise SamplesError(message, index)
    return dict(enumerate(arrays))


def _cast(node: ov.Output, array: NDArray[Any], index: int) -> NDArray[Any]:
    shape = node.get_partial_shape()
    if not shape.compatible(ov.PartialShape(list(array.shape))):
        message = f"shape {list(array.shape)} given for input {_name(node)!r}, expected {shape}"
        raise SamplesError(message, index)
    kind = node.get_element_type()
    is_number = np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_
    if is_number == (kind == ov.Type.string):
        message = f"{array.dtype} given for input {_name(node)!r}, expected {kind.to_string()}"
        raise SamplesError(message, index)
    if not is_number:
        return array
    return np.asarray(array, dtype=kind.to_dtype(), order="C")


def _name(node: ov.Output) -> str:
    return str(node.any_name) if node.get_names() else "0"
