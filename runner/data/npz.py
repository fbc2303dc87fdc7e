"""Loader `npz`: arrays whose axis 0 is the samples."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np

from runner.data.record import Origin, Record
from runner.data.sample import Array, InputInfo
from runner.document.names import listed, suggest
from runner.errors import DataError

BROKEN = (OSError, ValueError, EOFError, BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class NpzRecords:
    """Arrays by model input name, and labels; held in memory as the file has them."""

    path: Path
    arrays: Mapping[str, Array]
    labels: Array | None
    has_pictures: bool = False

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    def __len__(self) -> int:
        return min(len(x) for x in self.arrays.values())

    def read(self, index: int) -> Record:
        label = None
        if self.labels is not None:
            y = self.labels[index]
            label = y.item() if y.size == 1 else y
        arrays = {name: x[index] for name, x in self.arrays.items()}
        return Record(id=str(index), arrays=arrays, label=label)

    def origin(self, index: int) -> tuple[Origin, ...]:
        return (self.path, index)


def open_npz(
    model_inputs: tuple[InputInfo, ...],
    *,
    path: Path,
    inputs: str | Mapping[str, str] | None = None,
    labels: str | None = None,
) -> NpzRecords:
    """Records of an .npz file.

    `inputs`: an array's name for the only input (default `x`), or array name by input name;
    `labels`: an array's name (default `y`, where there is one).
    """
    names = _array_names(model_inputs, inputs, path)
    try:
        with path.open("rb") as stream, _load(stream) as file:
            labels = "y" if labels is None and "y" in file.files else labels
            arrays = {key: _read(file, name, path) for key, name in names.items()}
            y = None if labels is None else _read(file, labels, path)
    except BROKEN as error:
        message = f"the file can't be read as .npz ({error}); write it with numpy.savez"
        raise DataError(message, path) from error
    lengths = {name: len(arrays[key]) for key, name in names.items()}
    if labels is not None and y is not None:
        lengths[labels] = len(y)
    _check_lengths(lengths, path)
    return NpzRecords(path=path, arrays=arrays, labels=y)


def _array_names(
    model_inputs: tuple[InputInfo, ...], inputs: str | Mapping[str, str] | None, path: Path
) -> dict[str, str]:
    """Array name by model input name, in the model's order."""
    known = [item.name for item in model_inputs]
    if inputs is None or isinstance(inputs, str):
        if len(known) != 1:
            message = (
                f"one array can't feed the model's {len(known)} inputs {listed(known, 'and')}; "
                "name an array for each with 'inputs: {input: array}'"
            )
            raise DataError(message, path)
        return {known[0]: inputs or "x"}
    _check_names(inputs, known, path)
    return {name: inputs[name] for name in known}


def _check_names(inputs: Mapping[str, str], known: Collection[str], path: Path) -> None:
    for name in inputs:
        if name not in known:
            message = f"the model has no input {name!r}; it has {listed(known, 'and')}"
            raise DataError(message + suggest(name, known), path)
    absent = [name for name in known if name not in inputs]
    if absent:
        message = (
            f"no array is named for the model's input(s) {listed(absent, 'and')}; add to 'inputs'"
        )
        raise DataError(message, path)


def _load(stream: BinaryIO) -> np.lib.npyio.NpzFile:
    # Of a broken file numpy leaves its own handle open, so it is handed ours.
    file = np.load(stream, allow_pickle=False)
    if not isinstance(file, np.lib.npyio.NpzFile):
        message = "it holds one bare array"
        raise ValueError(message)
    return file


def _read(file: np.lib.npyio.NpzFile, name: str, path: Path) -> Array:
    if name not in file.files:
        held = listed(file.files, "and") or "no arrays"
        message = f"no array {name!r} in the file; it holds {held}"
        raise DataError(message + suggest(name, file.files), path)
    try:
        x: Array = file[name]
    except ValueError as error:
        message = f"array {name!r} can't be read as numbers ({error}); save it with a number type"
        raise DataError(message, path) from error
    if x.dtype.kind not in "biuf" or x.ndim == 0:
        message = (
            f"array {name!r} has type {x.dtype} and shape {list(x.shape)}; "
            "expected numbers with the samples along axis 0"
        )
        raise DataError(message, path)
    return x


def _check_lengths(lengths: Mapping[str, int], path: Path) -> None:
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name!r}: {length}" for name, length in lengths.items())
        message = (
            f"arrays differ in the number of samples ({found}); expected the same along axis 0"
        )
        raise DataError(message, path)
