"""The digest of a model: of all that its results follow from, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from quant.placement.tables import BODIES
from quant.runtime import ov


def digest(model: ov.Model) -> str:
    """The BLAKE2b over those of operations in their order, with names, attributes, types and
    shapes, of the wires between them, and of constants' bytes; bodies of If, Loop and
    TensorIterator included.

    Args:
        model: from `load_model`, which names operations the same on every load.
    """
    found = hashlib.blake2b(digest_size=32)
    with ThreadPoolExecutor() as pool:
        for piece in pool.map(_digest, _pieces(model, has_names=True)):
            found.update(piece)
    return found.hexdigest()


def _digest(piece: bytes | memoryview) -> bytes:
    return hashlib.blake2b(piece).digest()


def _pieces(model: ov.Model, *, has_names: bool) -> Iterator[bytes | memoryview]:
    """`has_names`: of a body the names are not stable, and no result follows from them."""
    nodes = model.get_ordered_ops()
    index = {node.get_name(): i for i, node in enumerate(nodes)}
    for group in (model.get_parameters(), model.get_results(), model.get_sinks()):
        yield _json([index[node.get_name()] for node in group])
    for node in nodes:
        yield _json([_names(node) if has_names else [], *_content(node, index)])
        if node.get_type_name() == "Constant":
            yield _bytes(node)
        elif node.get_type_name() in BODIES:
            yield from _bodies(node)


def _names(node: ov.Node) -> list[Any]:
    return [node.get_friendly_name(), *(sorted(each.get_names()) for each in node.outputs())]


def _content(node: ov.Node, index: dict[str, int]) -> list[Any]:
    kind = node.get_type_info()
    return [
        f"{kind.version_id}:{kind.name}",
        node.get_attributes(),
        [(index[v.get_node().get_name()], v.get_index()) for v in node.input_values()],
        [(v.get_element_type().to_string(), str(v.get_partial_shape())) for v in node.outputs()],
    ]


def _bytes(constant: ov.Node) -> bytes | memoryview:
    if constant.get_element_type() == ov.Type.string:
        return _json(constant.get_tensor_view().str_data.tolist())
    return np.ascontiguousarray(constant.data).reshape(-1).view(np.uint8).data


def _bodies(node: ov.Node) -> Iterator[bytes | memoryview]:
    """The graphs inside of an operation, and how they are connected to the outside."""
    numbers = ((0,), (1,)) if node.get_type_name() == "If" else ((),)
    for number in numbers:
        ports = (*node.get_input_descriptions(*number), *node.get_output_descriptions(*number))
        yield _json([_port(each) for each in ports])
        yield from _pieces(node.get_function(*number), has_names=False)
    if node.get_type_name() == "Loop":
        yield _json(node.get_special_body_ports())


def _port(description: Any) -> dict[str, Any]:
    named = ((name, getattr(description, name)) for name in dir(description) if name[0] != "_")
    values = {name: value for name, value in named if isinstance(value, int)}
    return {"kind": type(description).__name__, **values}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
