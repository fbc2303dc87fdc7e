"""The one calibration pass: asynchronous, in f32, over the samples in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import SamplesError
from quant.plan import Subset
from quant.runtime import F32, core, ov
from quant.statistics.accumulate import Accumulator
from quant.statistics.need import Need, Statistics
from quant.statistics.taps import Layout, calibration_model

Samples = Iterable[Any]
Progress = Callable[[int], None]


def collect_needs(
    model: ov.Model, needs: Sequence[Need], samples: Samples, progress: Progress | None = None
) -> Statistics:
    """The answers of all needs from one pass over the samples.

    Args:
        samples: arrays, lists in input order, or mappings by input name; batch axis included.
        progress: called with the number of samples that are done.

    Raises:
        SamplesError: there are none, one does not fit, or a shuffle was asked of an iterator.
    """
    if not needs:
        return Statistics(values={}, sample_count=0)
    if isinstance(samples, Mapping):
        message = "samples is one mapping; hand in a list of samples, each of them a mapping"
        raise SamplesError(message)
    subsets = dict.fromkeys(need.subset for need in needs)
    calibration, layout = calibration_model(model, needs)
    accumulators = [
        Accumulator(tuple(n for n in dict.fromkeys(needs) if n.subset == subset), layout)
        for subset in subsets
    ]
    chosen, count = _choose(list(subsets), samples)

    def add(index: int, vector: NDArray[Any]) -> None:
        for accumulator, members in zip(accumulators, chosen, strict=True):
            if members is None or index in members:
                accumulator.add(vector)

    total, broken = _run(calibration, _numbered(samples, chosen, count), add, progress)
    if broken is not None and layout.length:
        raise _not_finite(layout, *broken)
    if total == 0:
        message = "there are no calibration samples"
        raise SamplesError(message)
    values: dict[Need, NDArray[np.float64]] = {}
    for accumulator in accumulators:
        values |= accumulator.answers()
    return Statistics(values=values, sample_count=total)


def _not_finite(layout: Layout, index: int, place: int) -> SamplesError:
    found = next(tap for tap, slot in layout.slots.items() if slot.start <= place < slot.stop)
    message = (
        f"the result of {found.op!r} holds NaN or infinity, so it has no range; check the sample, "
        "or put the operations that read it into ignored"
    )
    return SamplesError(message, index)


def _choose(
    subsets: list[Subset], samples: Samples
) -> tuple[list[set[int] | range | None], int | None]:
    """The indices of each subset (None: all), and how many samples there are, if that is known."""
    count = len(samples) if isinstance(samples, Sized) else None
    return [_indices(subset, count) for subset in subsets], count


def _indices(subset: Subset, count: int | None) -> set[int] | range | None:
    if not subset.shuffle or subset.size is None:
        return None if subset.size is None else range(subset.size)
    if count is None:
        message = "shuffle_data needs samples that know their number, such as a list, no iterator"
        raise SamplesError(message)
    drawn = np.random.default_rng(subset.seed).permutation(count)[: subset.size]
    return {int(i) for i in drawn}


def _numbered(
    samples: Samples, chosen: list[set[int] | range | None], count: int | None
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
    calibration: ov.Model,
    samples: Iterator[tuple[int, Any]],
    add: Callable[[int, NDArray[Any]], None],
    progress: Progress | None,
) -> tuple[int, tuple[int, int] | None]:
    """Infers all samples and hands on their vectors in sample order.

    Returns:
        How many there were, and the first one that is not finite with the value's place.
    """
    compiled = core().compile_model(calibration, "CPU", {**F32, "PERFORMANCE_HINT": "THROUGHPUT"})
    queue = ov.AsyncInferQueue(compiled)
    is_stateful = bool(calibration.get_sinks())
    order = _Order(add, progress)
    queue.set_callback(
        lambda request, position: order.put(position, request.get_output_tensor(0).data)
    )
    total = 0
    try:
        for position, (index, sample) in enumerate(samples):
            inputs = _fit(compiled, sample, index)
            if is_stateful:
                queue[queue.get_idle_request_id()].reset_state()
            order.expect(position, index)
            try:
                queue.start_async(inputs, position)
            except RuntimeError as error:
                message = f"the model can't be run on it: {str(error).strip().splitlines()[-1]}"
                raise SamplesError(message, index) from error
            total += 1
    finally:  # a request that calls back while the interpreter shuts down aborts the process
        queue.wait_all()
    return total, order.broken


class _Order:
    """Results come back in any order; they are handed on in the order of their positions."""

    def __init__(self, add: Callable[[int, NDArray[Any]], None], progress: Progress | None) -> None:
        self._add, self._progress = add, progress
        self._waiting: dict[int, NDArray[Any]] = {}
        self._indices: dict[int, int] = {}
        self._next = 0
        self._lock = threading.Lock()
        self.broken: tuple[int, int] | None = None
        """The first sample with a value that is not finite, and its place in the vector."""

    def expect(self, position: int, index: int) -> None:
        """Says which sample stands at a position."""
        self._indices[position] = index

    def put(self, position: int, values: NDArray[Any]) -> None:
        """Takes a copy of the values at a position, with a zero behind them, and hands on what is
        due."""
        with self._lock:
            if not np.isfinite(values).all() and self.broken is None:
                self.broken = self._indices[position], int(np.flatnonzero(~np.isfinite(values))[0])
            self._waiting[position] = np.append(values, np.float32(0))
            while self._next in self._waiting:
                self._add(self._indices.pop(self._next), self._waiting.pop(self._next))
                self._next += 1
                if self._progress is not None:
                    self._progress(self._next)


def _fit(compiled: ov.CompiledModel, sample: Any, index: int) -> dict[int, NDArray[Any]]:
    """The sample's arrays by input position, in the inputs' number types."""
    arrays = _by_position(compiled, sample, index)
    return {
        position: _cast(compiled.inputs[position], _array(array, index), index)
        for position, array in arrays.items()
    }


def _array(values: Any, index: int) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        message = f"no array can be made of it: {error}"
        raise SamplesError(message, index) from error


def _by_position(compiled: ov.CompiledModel, sample: Any, index: int) -> dict[int, Any]:
    inputs = compiled.inputs
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
    return np.ascontiguousarray(array, dtype=kind.to_dtype())


def _name(node: ov.Output) -> str:
    return str(node.any_name) if node.get_names() else "0"
