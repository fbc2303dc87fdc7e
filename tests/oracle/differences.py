"""Every difference from NNCF that is there on purpose, with its reason.

A row that explains nothing any more fails, and so does a difference that has no row.
"""

from __future__ import annotations

from dataclasses import dataclass

STATES = "constant initial states of a cell in int8 make OpenVINO run the cell in f32"
ANGLES = "a step of 1/255 of the largest angle is a large part of a turn: angles stay in f32"
ONE_SCALE = "W and R share one scale per hidden unit, as OpenVINO's plugin keeps one set per cell"
TRANSPOSED = (
    "NNCF's channels are those in front of the Transpose, not the ones that the depthwise "
    "convolution has: finer by chance, and nothing that it could execute in integers"
)
MOVED = "the levels of what a depthwise layer reads lie where a channel's values are"
CONCATENATED = (
    "NNCF quantizes each input of the Concat per channel; ours takes one range for all, which "
    "serves other readers of the Concat as well"
)
TABLE = (
    "ours has a table and the quantizer of its rows on the same levels; NNCF has none behind the "
    "lookup with symmetric activations, and with asymmetric ones rounds each row, and then all"
)
PER_CHANNEL = (
    "ours keeps a scale per channel for what a gate multiplies and for what is averaged; NNCF has "
    "one for the tensor"
)
ALIGNED = "channel alignment is a part of our default, and changes weights and what is between"
STATE = "ours keeps operations on a state in f32: calibration sees only where the state begins"
FUSED = "a Multiply by a constant is computed with the layer above it: ours leaves it alone"
ONE_SCALE = (
    "OpenVINO's CPU plugin compiles no quantizer behind weights that stand first with a scale per "
    "row; without a bias per row they have one scale"
)
WEIGHTS_FIRST = (
    "behind weights on the left, ours is symmetric: OpenVINO's CPU plugin computes nothing else "
    "there in integers"
)
RESIZED = (
    "nearest-neighbour resizing hands on levels: the quantizer above it, with the range of the "
    "Concat below where there is one, is enough; NNCF quantizes before and behind it"
)
GROUPED = (
    "OpenVINO's CPU plugin computes transposed convolutions in groups in f32, whatever it gets"
)
SELF_GATED = "the inputs are computed from one tensor: a function of it, in f32 behind its producer"
BEHIND = "no product comes behind it that would read integers"
OFF_BY_COS = "the angles are in f32 for us, so that their cosines have another minimum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Inputs, `operation:port`, of one model that differ, under one preset or both (None)."""

    model: str
    inputs: tuple[str, ...] = ()
    reason: str
    preset: str | None = None
    model_type: str | None = None


_LAST = (
    ("comparison", "greater:0 greater:1"),
    ("encoder_attention", "sum2:0 sum2:1"),
    ("encoder_sdpa", "sum2:0 sum2:1"),
    ("encoder_softmax", "sum2:0 sum2:1"),
)
"""Models and the inputs of their last operations."""

THEIRS_ONLY = (
    Difference(model="stateful", inputs=("total:0", "total:1"), reason=STATE),
    Difference(model="scale_shift_relu", inputs=("scaled:0",), reason=FUSED),
    Difference(model="lstm", inputs=("lstm:1", "lstm:2"), reason=STATES),
    Difference(model="gru", inputs=("gru:1",), reason=STATES),
    Difference(
        model="resize",
        inputs=("conv2:0",),
        reason=RESIZED,
    ),
    Difference(model="pyramid", inputs=("head2:0",), reason=RESIZED),
    Difference(
        model="compressed_weights",
        inputs=("linear1:0",),
        reason="weights of integers without a quantizer's scales: the layer stays as it is",
    ),
    Difference(model="square", inputs=("square:0", "square:1"), reason=SELF_GATED),
    Difference(model="scalar_gate", inputs=("gated:0", "gated:1", "mean:0"), reason=SELF_GATED),
    Difference(model="group_transposed_conv", inputs=("up:0", "up:1"), reason=GROUPED),
    *(
        Difference(model=model, inputs=tuple(inputs.split()), reason=BEHIND)
        for model, inputs in _LAST
    ),
    Difference(model="sam_positions", inputs=("angles:0", "angles:1"), reason=ANGLES),
    Difference(model="rotary", inputs=("angles:0", "angles:1"), reason=ANGLES),
    Difference(
        model="rotary",
        inputs=("angles:0", "angles:1"),
        reason=ANGLES,
        model_type="transformer",
    ),
)
"""Inputs that NNCF quantizes and we do not."""

OURS_ONLY: tuple[Difference, ...] = ()
"""Inputs that we quantize and NNCF does not."""

_PER_CHANNEL = (
    ("classifier", "mean:0"),
    ("squeeze_excitation", "mean:0 gated:0 gated:1"),
    ("pot_toy", "mean:0"),
    ("composition1", "squeeze2/mean:0 squeeze2:0 squeeze2:1"),
    ("composition2", "mean:0"),
    ("composition3", "mean:0"),
    ("composition5", "mean:0"),
    ("composition6", "squeeze0/mean:0 squeeze0:0 squeeze0:1"),
    ("composition6", "squeeze1/mean:0 squeeze1:0 squeeze1:1"),
    ("composition7", "squeeze2:1"),
    ("composition9", "squeeze1/mean:0 squeeze1:0 squeeze1:1"),
    ("composition10", "squeeze2:1"),
)
"""Models and their inputs with ranges per channel."""

RANGES = (
    Difference(model="lstm", inputs=("lstm:4", "lstm:5"), reason=ONE_SCALE),
    Difference(model="gru", inputs=("gru:3", "gru:4"), reason=ONE_SCALE),
    Difference(model="depthwise_behind_pool", inputs=("depthwise3:0",), reason=TRANSPOSED),
    Difference(model="embedding_to_linear", inputs=("linear:0",), reason=TABLE),
    Difference(model="two_embeddings", inputs=("linear:0",), reason=TABLE),
    Difference(
        model="matmul_weights_first", inputs=("product:1",), reason=WEIGHTS_FIRST, preset="mixed"
    ),
    Difference(model="matmul_weights_first", inputs=("product:0",), reason=ONE_SCALE),
    Difference(model="pyramid", inputs=("larger:0",), reason=RESIZED),
    Difference(model="rotary", inputs=("turned:1",), reason=OFF_BY_COS, preset="performance"),
    Difference(model="composition0", inputs=("depthwise2:0",), reason=CONCATENATED),
    Difference(
        model="composition1", inputs=("inverted0/depthwise:0",), reason=MOVED, preset="mixed"
    ),
    Difference(
        model="concat_then_convs", inputs=("conv_d:1", "conv_e:0", "conv_e:1"), reason=ALIGNED
    ),
    *(
        Difference(model=model, inputs=tuple(inputs.split()), reason=PER_CHANNEL)
        for model, inputs in _PER_CHANNEL
    ),
)
"""Inputs whose ranges differ."""


def explained(
    rows: tuple[Difference, ...], model: str, preset: str, model_type: str | None
) -> list[Difference]:
    """The rows that speak of one case."""
    return [
        row
        for row in rows
        if row.model == model and row.preset in (None, preset) and row.model_type == model_type
    ]
