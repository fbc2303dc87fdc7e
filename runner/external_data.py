"""Which files the tensors of an ONNX model name, found without reading what the tensors hold.

Protobuf is walked as its readers do it: fields in any order, numbers in more bytes than they need.
Every byte is looked at once at most, so a hostile file costs no more than one of its size.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

Data = bytes | mmap.mmap

MESSAGES = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}
"""By message and number of the field, the messages on the way to external data.

Source: onnx.proto3 of ONNX 1.19.
"""
ENTRY = "StringStringEntryProto"
KEY, VALUE = 1, 2
LOCATION = b"location"
MOST_BYTES = 4096
"""Of a path. Source: Linux, PATH_MAX."""
DEEPEST = 200
"""Twice the depth at which protobuf gives up. Source: protobuf, coded_stream.cc."""

VARINT, LENGTH, GROUPS, FIXED = 0, 2, (3, 4), {1: 8, 5: 4}
"""Wire types; of the fixed ones the bytes. Source: protobuf.dev, Encoding."""
MOST_DIGITS = 10
TAG = 0xFFFFFFFF


def external_locations(data: Data) -> set[bytes]:
    """The paths that an ONNX file has as locations of external data, as they are written there.

    What is no protobuf ends the search in the message that it is in; the reader of the model
    refuses it.

    >>> tensor = b"\\x6a\\x0f\\x0a\\x08location\\x12\\x03w.b"
    >>> external_locations(b"\\x3a\\x13\\x2a\\x11" + tensor)
    {b'w.b'}
    """
    return set(_locations(data, "ModelProto", 0, len(data), 0))


def _locations(data: Data, message: str, start: int, end: int, depth: int) -> Iterator[bytes]:
    if depth > DEEPEST:
        return
    if message == ENTRY:
        yield from _entry(data, start, end)
        return
    for number, first, last in _fields(data, start, end):
        if inner := MESSAGES[message].get(number):
            yield from _locations(data, inner, first, last, depth + 1)


def _entry(data: Data, start: int, end: int) -> set[bytes]:
    """The values of an entry whose key is `location`; of several the last counts for readers."""
    is_location, values = False, set()
    for number, first, last in _fields(data, start, end):
        if number == KEY:
            is_location |= data[first:last] == LOCATION
        elif number == VALUE and last - first <= MOST_BYTES:
            values.add(data[first:last])
    return values if is_location else set()


def _fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number, the first byte and that behind the last of every field that has a length."""
    while start < end:
        tag, start = _varint(data, start, end)
        kind = tag & 7
        if kind == LENGTH:
            length, start = _varint(data, start, end)
            if length > end - start:
                return
            yield (tag & TAG) >> 3, start, start + length
            start += length
        elif kind == VARINT:
            _, start = _varint(data, start, end)
        elif kind in FIXED:
            start += FIXED[kind]
        elif kind not in GROUPS:
            return


def _varint(data: Data, start: int, end: int) -> tuple[int, int]:
    """A number of 7 bits to the byte, the lowest first, and where it ends; 0 at the end where it
    is none."""
    value = 0
    for i in range(min(MOST_DIGITS, end - start)):
        byte = data[start + i]
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, start + i + 1
    return 0, end
