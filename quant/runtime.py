"""OpenVINO, imported once for the whole project, with its telemetry stopped before the import.

OpenVINO's converter reports each import and conversion through the package `openvino_telemetry`
where it can be imported, and falls back to a stub where it can't. The entry below makes it take
the stub. And CPU kernels are held below AMX where it is there but hidden.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov
import openvino.opset13 as opset
from openvino._offline_transformations import apply_moc_transformations
from openvino.frontend import (
    FrontEndManager,
    GeneralFailure,
    InitializationFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)
from openvino.tools.ovc.error import Error as ConversionError

from quant.cpu import avoid_hidden_tiles

avoid_hidden_tiles()

F32: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
"""Compile options that hold a device to f32; a CPU's own default may be bf16."""

CONVERSION_ERRORS = (
    ConversionError,
    RuntimeError,
    ValueError,
    TypeError,
    OSError,
    AttributeError,
    SystemExit,
    GeneralFailure,
    InitializationFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)
"""What OpenVINO's readers and converters raise on files that they can't read."""

NO_DYNAMIC_QUANTIZATION = ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"]
"""Where a model with quantizers of other widths than 8 bits forbids devices to add their own."""

_core: ov.Core | None = None


def core() -> ov.Core:
    """The process's one `ov.Core`: plugins load once, not once per compilation."""
    global _core
    if _core is None:
        _core = ov.Core()
    return _core


def many_samples(model: ov.Model) -> dict[str, Any]:
    """Compile options for passes over many samples: f32, and several of them at once.

    One at once where the model has quantizers of other widths than 8 bits: its layers don't run in
    integers, and OpenVINO's CPU plugin (2026.4.1) turns their integer weights into f32 in memory
    that streams share. With two streams, every other compilation computes garbage.
    """
    is_wide = model.has_rt_info(NO_DYNAMIC_QUANTIZATION)
    return {**F32, "PERFORMANCE_HINT": "LATENCY" if is_wide else "THROUGHPUT"}


def looking_inside(model: ov.Model) -> dict[str, Any]:
    """The same for a model whose inner tensors are outputs too, on a CPU.

    Without fused kernels where there is attention of rank 3: OpenVINO's CPU plugin (2026.4.1)
    crashes on some such models while it compiles them.
    """
    is_flat = any(map(_is_flat_attention, model.get_ops()))
    return many_samples(model) | ({"SNIPPETS_MODE": "DISABLE"} if is_flat else {})


def _is_flat_attention(node: ov.Node) -> bool:
    if node.get_type_name() not in ("Softmax", "ScaledDotProductAttention"):
        return False
    rank = node.get_output_partial_shape(0).rank
    return bool(rank.is_static and rank.get_length() == 3)


@contextmanager
def drained(queue: ov.AsyncInferQueue) -> Iterator[None]:
    """Waits for all requests at the end, also after an error.

    A request that still runs when its queue is gone, or when the interpreter ends, crashes the
    process; `wait_all` stops at the first one that failed.
    """
    try:
        yield
        queue.wait_all()
    except BaseException:
        for request in queue:
            with suppress(RuntimeError):  # which is told already
                request.wait()
        raise


__all__ = [
    "CONVERSION_ERRORS",
    "F32",
    "NO_DYNAMIC_QUANTIZATION",
    "FrontEndManager",
    "apply_moc_transformations",
    "core",
    "drained",
    "looking_inside",
    "many_samples",
    "opset",
    "ov",
]
