"""Recipes for post-training quantization: read, planned, run, measured and reported.

    import quant, runner
    result = quant.quantize(model, samples, target=runner.load_target("cpu"))

Importing this package imports nothing else; `load_target` is found when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.targets import load_target

__all__ = ["load_target"]


def __getattr__(name: str) -> Any:
    if name != "load_target":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from runner.targets import load_target

    return load_target
