"""The files that an ONNX model names are found however protobuf may write them."""

from __future__ import annotations

import tracemalloc

import pytest

from runner.external_data import external_locations
from tests.runner.test_model_digest import external, field, tensor

KEY, VALUE = field(1, b"location"), field(2, b"w.data")
ENTRY = KEY + VALUE
IN_A_TENSOR = field(13, ENTRY)
IN_A_GRAPH = field(5, IN_A_TENSOR)
WRITTEN = {
    "key first": tensor(KEY + VALUE),
    "value first": tensor(VALUE + KEY),
    "among other fields": tensor(VALUE + field(9, b"x") + b"\x18\x01\x21" + bytes(8) + KEY),
    "a group between": tensor(KEY + b"\x1b\x1c" + VALUE),
    "a length in more bytes": tensor(b"\x0a\x88\x00location" + VALUE),
    "a number in more bytes": tensor(b"\x8a\x80\x80\x80\x10\x08location" + VALUE),
    "several keys": tensor(field(1, b"offset") + KEY + VALUE),
    "a tensor of an attribute": field(7, field(1, field(5, field(5, IN_A_TENSOR)))),
    "tensors of an attribute": field(7, field(1, field(5, field(10, IN_A_TENSOR)))),
    "a body": field(7, field(1, field(5, field(6, IN_A_GRAPH)))),
    "bodies": field(7, field(1, field(5, field(11, IN_A_GRAPH)))),
    "sparse": field(7, field(15, field(1, IN_A_TENSOR))),
    "indices": field(7, field(15, field(2, IN_A_TENSOR))),
    "a function": field(25, field(7, field(5, field(5, IN_A_TENSOR)))),
    "training": field(20, field(1, IN_A_GRAPH)),
    "what follows is cut off": tensor(ENTRY) + b"\x3a\x7f\x2a",
}


@pytest.mark.parametrize("data", WRITTEN.values(), ids=WRITTEN.keys())
def test_however_it_is_written(data: bytes) -> None:
    assert external_locations(data) == {b"w.data"}


def test_bytes_of_weights_name_nothing() -> None:
    assert external_locations(field(7, field(5, field(9, external("w.data"))))) == set()


@pytest.mark.parametrize("data", [b"", b"net", b"\x80" * 11, b"\x3a\x05\x2a\x7f", tensor(KEY)])
def test_what_names_nothing(data: bytes) -> None:
    assert external_locations(data) == set()


BODIES = b""
for _ in range(1_000):
    BODIES = field(1, field(5, field(6, BODIES)))
HOSTILE = {
    "lengths beyond the file": (KEY + b"\x12\xff\xff\xff\x0f") * 10_000,
    "long paths, one in the other": tensor((KEY + b"\x12\xff\x7f") * 5_000),
    "numbers without end": b"\n\x08location\x12" + b"\x80" * 100_000,
    "numbers without end in a tensor": tensor(KEY + b"\x12" + b"\x80" * 100_000),
    "bodies within bodies": field(7, BODIES),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_memory_is_no_more_than_that_of_the_file(data: bytes) -> None:
    tracemalloc.start()
    assert external_locations(data) <= {b""}
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2 * len(data) + 1_000_000


def test_a_path_has_no_more_bytes_than_linux_takes() -> None:
    assert external_locations(external("x" * 4_096)) == {b"x" * 4_096}
    assert external_locations(external("x" * 4_097)) == set()


class Counted(bytes):
    """Bytes that count how often they are looked at."""

    reads = 0

    def __getitem__(self, key: object) -> object:  # type: ignore[override]
        Counted.reads += 1
        return super().__getitem__(key)  # type: ignore[index]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    monkeypatch.setattr(Counted, "reads", 0)
    return Counted


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_byte_is_looked_at_once_at_most(data: bytes, counted: type[Counted]) -> None:
    external_locations(counted(data))
    assert counted.reads <= len(data)


def test_weights_are_skipped(counted: type[Counted]) -> None:
    weights = field(9, bytes(1_000_000))
    assert external_locations(counted(field(7, field(5, weights + IN_A_TENSOR)))) == {b"w.data"}
    assert counted.reads < 100
