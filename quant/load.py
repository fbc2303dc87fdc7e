"""A file or an `ov.Model` -> a normalized `ov.Model`, so that placement sees one form of every
graph.

Normalized: OpenVINO's common (MOC) transformations are applied, which fuse spelled-out Swish, Gelu,
HSwish, normalizations and scale-shifts; constants are f32; recurrent cells have one direction and
weights of their own; products of matrices are MatMuls; convolutions read pictures themselves, not
their pixels as channels; every operation has a name that is unique and the same on every load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from quant.einsums import matmuls_instead
from quant.errors import LoadError, telling_line
from quant.masks import guard_masks
from quant.names import give_names
from quant.recurrent import own_weights, split_directions
from quant.runtime import (
    CONVERSION_ERRORS,
    FrontEndManager,
    apply_moc_transformations,
    core,
    opset,
    ov,
)
from quant.space_to_depth import stride_instead


def load_model(
    source: str | Path | ov.Model, *, inputs: Mapping[str, Sequence[int]] | None = None
) -> ov.Model:
    """The normalized model of a file (IR, ONNX, TFLite, SavedModel, .pb, Paddle) or a clone of
    one in memory.

    Args:
        source: a path, or a model, which is not changed.
        inputs: static shapes for inputs by name.

    Raises:
        LoadError: the model can't be read, has no such input, can't take the shape or OpenVINO's
        transformations, or is quantized already.
    """
    if not isinstance(source, str | Path | ov.Model):
        message = f"found {source!r}, expected a model in memory (ov.Model) or the path of one"
        raise LoadError(message)
    is_converted = not isinstance(source, ov.Model) and Path(source).suffix != ".xml"
    born = _counter(_MOST_OWN if is_converted else 0)
    model = source.clone() if isinstance(source, ov.Model) else _read(Path(source))
    given, made_up = (None, frozenset()) if is_converted else _names(source, model)
    if given is not None:
        born = _counter(_past(given))
    if inputs:
        _reshape(model, inputs)
    is_compressed = _decompress_constants(model)
    _transform(model)
    if any([matmuls_instead(model), stride_instead(model)]):
        _transform(model)
    split_directions(model)
    own_weights(model)
    guard_masks(model)
    _refuse_quantized(model)
    _name_operations(model, given, made_up, range(born, _counter()))
    if is_compressed:
        model.set_rt_info("FP16", _COMPRESSED)
    return model


_COMPRESSED = ["quantization", "weights_before"]
"""Where a normalized model says that its weights were compressed."""


def has_compressed_weights(model: ov.Model) -> bool:
    """Whether `load_model` found the model's weights in f16 or bf16."""
    return bool(model.has_rt_info(_COMPRESSED))


def _read(path: Path) -> ov.Model:
    if not path.exists():
        message = f"{path}: no such file"
        raise LoadError(message)
    try:
        return _READERS.get(path.suffix, ov.convert_model)(path)
    except CONVERSION_ERRORS as error:
        reason = telling_line(str(error)).replace(f': "{path}"', ".")  # which is named already
        message = f"{path}: OpenVINO can't read this model: {reason}"
        if path.name == "saved_model.pb":
            message += f"; name the folder of the SavedModel: {path.parent}"
        raise LoadError(message) from error


def _reader(framework: str) -> Callable[[Path], ov.Model]:
    """Reads files of one framework; without a choice every frontend tries, and says so."""

    def read(path: Path) -> ov.Model:
        frontend = FrontEndManager().load_by_framework(framework)
        return frontend.convert(frontend.load(str(path)))

    return read


_READERS: Mapping[str, Callable[[Path], ov.Model]] = {
    ".xml": lambda path: core().read_model(path),
    ".onnx": _reader("onnx"),
    ".tflite": _reader("tflite"),
    ".pdmodel": _reader("paddle"),
}
"""How files are read, by suffix; all others by OpenVINO's converter."""


def _reshape(model: ov.Model, inputs: Mapping[str, Sequence[int]]) -> None:
    known = {name: node for node in model.inputs for name in node.get_names()}
    for name in inputs:
        if name not in known:
            message = f"the model has no input {name!r}; its inputs are {', '.join(sorted(known))}"
            raise LoadError(message)
    try:
        model.reshape({known[name]: ov.PartialShape(list(shape)) for name, shape in inputs.items()})
    except RuntimeError as error:
        message = (
            f"the model can't take the input shapes {dict(inputs)}: {telling_line(str(error))}"
        )
        raise LoadError(message) from error


def _transform(model: ov.Model) -> None:
    """OpenVINO's common transformations, some of which break some models (2026.4.1)."""
    try:
        apply_moc_transformations(model, cf=True)
    except RuntimeError as error:
        reason = telling_line(str(error))
        message = f"OpenVINO's common transformations fail on this model: {reason}"
        raise LoadError(message) from error


def _decompress_constants(model: ov.Model) -> bool:
    """Turns f16 and bf16 constants behind a Convert to f32 into f32 ones; whether it found any."""
    is_found = False
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convert" or node.get_element_type() != ov.Type.f32:
            continue
        source = node.input_value(0).get_node()
        if source.get_type_name() != "Constant" or source.get_element_type() not in (
            ov.Type.f16,
            ov.Type.bf16,
        ):
            continue
        constant = opset.constant(source.get_data(dtype=np.float32))
        constant.set_friendly_name(source.get_friendly_name())
        node.output(0).replace(constant.output(0))
        is_found = True
    return is_found


def _refuse_quantized(model: ov.Model) -> None:
    found = [
        n.get_friendly_name()
        for n in model.get_ordered_ops()
        if n.get_type_name() == "FakeQuantize"
    ]
    if found:
        message = (
            f"the model is quantized already: it holds {len(found)} FakeQuantize operations, "
            f"{found[0]!r} the first; start from the floating-point model"
        )
        raise LoadError(message)


_MOST_OWN = 10_000
"""Numbers at the end of names that are taken for the file's own, where it can't be asked."""


def _counter(least: int = 0) -> int:
    """Where OpenVINO's process-wide counter of operations stands; reading it takes one.

    The counter is first moved on to `least`, past the numbers that the names of a file end in, so
    that the two can be told apart.
    """
    for _ in range(_number(_operation().get_name()) + 1, least):
        _operation()
    return _number(_operation().get_name())


def _operation() -> ov.Node:
    return ov.op.Parameter(ov.Type.f32, ov.Shape([]))


def _past(given: Iterable[str]) -> int:
    """A number above those that names end in, of all but the few that are very large."""
    return max((n for n in map(_number, given) if n < _MOST_OWN), default=-1) + 1


def _names(source: str | Path | ov.Model, model: ov.Model) -> tuple[frozenset[str], frozenset[str]]:
    """The names that an IR or a model in memory gives itself, and those that OpenVINO made up.

    A clone has all names as if they were given.
    """
    given: set[str] = set()
    made_up: set[str] = set()
    for node in (source if isinstance(source, ov.Model) else model).get_ordered_ops():
        name = node.get_friendly_name()
        (made_up if name == node.get_name() else given).add(name)
    return frozenset(given), frozenset(made_up - given)


def _name_operations(
    model: ov.Model, given: frozenset[str] | None, made_up: frozenset[str], counters: range
) -> None:
    """Gives names to operations that have none of their own, and makes repeated ones unique.

    OpenVINO makes up a missing name from its counter, so it would differ between loads. Such names
    also pass from operation to operation when they are fused; then only the number tells them.
    """
    taken: set[str] = set()
    unnamed = []
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        is_new = _number(name) in counters and (given is None or name not in given)
        is_new = is_new and name.rpartition("_")[0].isalnum()
        if name == node.get_name() or name in made_up or is_new:
            unnamed.append((node, node.get_type_name()))
        elif name in taken:
            unnamed.append((node, name))
        taken.add(name)
    give_names(unnamed, taken)


def _number(name: str) -> int:
    """The number that a name ends with, or -1."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() and digits.isascii() else -1
