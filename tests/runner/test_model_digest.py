"""The digest of a model covers every file that the model consists of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.errors import ModelError
from runner.model_digest import model_digest


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The first of the files, all of them written."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / next(iter(files))


def field(number: int, content: bytes) -> bytes:
    """A field with a length in protobuf."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def external(name: str) -> bytes:
    """An ONNX model with a tensor whose data are in a file; models one after the other are one."""
    return tensor(field(1, b"location") + field(2, name.encode()))


def tensor(entry: bytes) -> bytes:
    """An ONNX model with a tensor that has an entry of external data."""
    return field(7, field(5, field(13, entry)))


LONG = f"weights/{'w' * 200}.data"
CASES = {
    "ir": {"a.xml": b"<net/>", "a.bin": b"weights"},
    "paddle": {"a.pdmodel": b"net", "a.pdiparams": b"weights"},
    "onnx": {"a.onnx": b"net"},
    "onnx_external": {
        "a.onnx": external("b.data") + external("a.data") + external("b.data"),
        "a.data": b"first",
        "b.data": b"second",
    },
    "onnx_long_name": {"a.onnx": external(LONG), LONG: b"weights"},
}


@pytest.mark.parametrize("files", CASES.values(), ids=CASES.keys())
def test_all_files_one_after_the_other(files: dict[str, bytes], tmp_path: Path) -> None:
    path = written(tmp_path, files)
    written(tmp_path, {"unrelated": b"x"})
    assert model_digest(path) == hashlib.sha256(b"".join(files.values())).hexdigest()


@pytest.mark.parametrize("name", ["./a.data", "none/../a.data", "x:/../a.data", "a.data\0x"])
def test_files_are_found_as_openvino_finds_them(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"a.onnx": external(name), "a.data": b"weights"})
    expected = hashlib.sha256(external(name) + b"weights").hexdigest()
    assert model_digest(path) == expected


def test_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    written(tmp_path, {"b/x": b"2", "a": b"1", "c": b"3"})
    assert model_digest(tmp_path) == hashlib.sha256(b"123").hexdigest()


@pytest.mark.parametrize(
    "content", [b"", external("missing.data"), external("."), external("x" * 300)]
)
def test_what_is_no_file_is_left_to_the_reader(content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, {"a.onnx": content})
    assert model_digest(path) == hashlib.sha256(content).hexdigest()


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: the model can't be read"):
        model_digest(tmp_path / "none.onnx")
