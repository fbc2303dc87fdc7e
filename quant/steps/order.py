"""The names of the steps, and the one order in which they can stand.

Recipes are checked by it too, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

DEFAULT = "DefaultQuantization"
ACCURACY_AWARE = "AccuracyAwareQuantization"
ALIGN = "ActivationChannelAlignment"
SMOOTH = "SmoothQuant"
MIN_MAX = "MinMaxQuantization"
ROUNDING = "WeightRounding"
FAST_BIAS = "FastBiasCorrection"
BIAS = "BiasCorrection"
OVERFLOW = "OverflowCorrection"
TUNING = "LayerwiseTuning"

ORDER = (ALIGN, SMOOTH, MIN_MAX, ROUNDING, FAST_BIAS, BIAS, OVERFLOW, TUNING)
"""Every step that is no composite, in the order in which they work on each other's results."""

COMPOSITES = (DEFAULT, ACCURACY_AWARE)
"""Those that are made of others; the second one as often as the limit takes."""

QUANTIZING = (MIN_MAX, *COMPOSITES)
"""Those that put quantizers into the model."""

_RANKS = {
    **{name: rank for rank, name in enumerate(ORDER)},
    **dict.fromkeys(COMPOSITES, ORDER.index(MIN_MAX)),
}


_PARTS = {
    ALIGN: "{use} works before quantization, as a part of {whole}; remove this step",
    SMOOTH: "{use} works before quantization, as a part of {whole}; remove this step",
    ROUNDING: "{whole} rounds weights already; remove this step",
    FAST_BIAS: "{whole} corrects biases already; remove this step",
    BIAS: "{whole} corrects biases already; remove this step, and give that one "
    "`use_fast_bias: false`, which makes it BiasCorrection",
    OVERFLOW: "{whole} corrects overflows already; remove this step",
}
"""What to do with parts of composite steps behind them, whatever their parameters."""


def order_fault(
    use: str,
    *,
    before: Sequence[str],
    after: Sequence[str],
    preparing: Collection[str] = (),
) -> str:
    """What is wrong with a step's place among the steps before and after it; empty if nothing.

    A step that is none of ours stands anywhere behind quantization; or, as one of those
    `preparing` for it, before all of ours.
    """
    whole = next((each for each in before if each in COMPOSITES), None)
    if use in _PARTS and whole is not None:
        return _PARTS[use].format(use=use, whole=whole)
    ranks = {**_RANKS, **dict.fromkeys(preparing, -1)}
    behind, quantization = max(ranks.values()) + 1, ranks[MIN_MAX]
    rank = ranks.get(use, behind)
    if rank > quantization and not set(before) & set(QUANTIZING):
        return f"{use} needs a quantized model; put {_quantizing()} before it"
    if rank < quantization and not set(after) & set(QUANTIZING):
        return f"{use} prepares for quantization; put {_quantizing()} after it"
    if rank == quantization:
        repeated = f"{use} quantizes a model that an earlier step has quantized; remove one of them"
        return repeated if set(before) & set(QUANTIZING) else ""
    ranked = [each for each in before if each in ranks]
    same_side = [each for each in ranked if (ranks[each] < quantization) == (rank < quantization)]
    late = next((each for each in same_side if ranks[each] > rank), None)
    return f"{use} has to come before {late}" if late is not None else ""


def _quantizing() -> str:
    return " or ".join(repr(name) for name in (DEFAULT, MIN_MAX))
