"""From candidate schemes to one."""

from __future__ import annotations

import pytest

from quant.parameters import Overrides
from quant.placement.schemes import choose, only_per_tensor, override, shared
from quant.scheme import Granularity, Mode, Preset, Scheme, grid

Q8, Q4 = Scheme(bits=8), Scheme(bits=4)
Q8_ASYMMETRIC = Scheme(bits=8, mode=Mode.ASYMMETRIC)
Q8_CHANNEL = Scheme(bits=8, granularity=Granularity.PERCHANNEL)
Q8_CHANNEL_ASYMMETRIC = Scheme(bits=8, mode=Mode.ASYMMETRIC, granularity=Granularity.PERCHANNEL)
TENSOR, CHANNEL = (Q8, Q8_ASYMMETRIC), (Q8_CHANNEL, Q8_CHANNEL_ASYMMETRIC)


@pytest.mark.parametrize(
    ("scheme", "is_weights", "expected"),
    [
        (Q8, False, (-128, 127)),
        (Q8, True, (-127, 127)),
        (Q8_ASYMMETRIC, True, (-128, 127)),
        (Q4, True, (-7, 7)),
        (Scheme(bits=2), True, (-1, 1)),
        (Scheme(bits=16), False, (-32768, 32767)),
        (Scheme(level_low=0, level_high=255), False, (0, 255)),
    ],
    ids=str,
)
def test_grid(scheme: Scheme, is_weights: bool, expected: tuple[int, int]) -> None:
    assert grid(scheme, is_weights=is_weights) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Overrides(), TENSOR),
        (Overrides(mode=Mode.ASYMMETRIC), (Q8_ASYMMETRIC,)),
        (Overrides(bits=8), TENSOR),
        (Overrides(bits=4), ()),
        (Overrides(granularity=Granularity.PERCHANNEL), ()),
        (
            Overrides(mode=Mode.SYMMETRIC, level_low=-64, level_high=63),
            (Scheme(level_low=-64, level_high=63),),
        ),
        (Overrides(level_low=-200, level_high=63), ()),
        (Overrides(level_low=63, level_high=-64), ()),
    ],
    ids=str,
)
def test_override_filters(wanted: Overrides, expected: tuple[Scheme, ...]) -> None:
    assert override(TENSOR, wanted, is_weights=False) == expected


def test_narrow_weights_refuse_the_lowest_level() -> None:
    wanted = Overrides(level_low=-128, level_high=127)
    assert override((Q8_CHANNEL,), wanted, is_weights=True) == ()


@pytest.mark.parametrize(
    ("lists", "primary_bitwidth", "expected"),
    [
        ([TENSOR], 8, TENSOR),
        ([TENSOR, TENSOR], 8, TENSOR),
        ([TENSOR, (Q8,)], 8, (Q8,)),
        ([(Q8,), (Q4,)], 8, (Q8,)),
        ([(Q8,), (Q4,)], 4, (Q4,)),
        ([(Q8,), (Q4,)], 16, (Q4,)),
        ([CHANNEL, TENSOR], 8, (Q8, Q8_ASYMMETRIC)),
        ([(Q8_ASYMMETRIC,), (Q8,)], 8, (Q8,)),
    ],
    ids=["one", "equal", "subset", "primary", "primary_4", "narrower", "per_channel", "mode"],
)
def test_shared(
    lists: list[tuple[Scheme, ...]], primary_bitwidth: int, expected: tuple[Scheme, ...]
) -> None:
    assert shared(lists, primary_bitwidth) == expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_repeated_candidates_keep_the_last(count: int) -> None:
    """A list [q8, q4, q8] says that 8 bits are both fastest and most accurate."""
    common = shared([(Q8, Q4, Q8)] * count, 8)
    assert {choose(common, preset, is_weights=True) for preset in Preset} == {Q8}


def test_only_per_tensor_keeps_candidates_that_are() -> None:
    assert only_per_tensor((Q8_CHANNEL, Q8_ASYMMETRIC)) == (Q8_ASYMMETRIC,)


def test_only_per_tensor_turns_candidates_where_none_is() -> None:
    assert only_per_tensor(CHANNEL) == TENSOR


@pytest.mark.parametrize(
    ("preset", "weights", "activations"),
    [
        (Preset.PERFORMANCE, Q8, Q8),
        (Preset.MIXED, Q8, Q8_ASYMMETRIC),
        (Preset.ACCURACY, Q8_ASYMMETRIC, Q8_ASYMMETRIC),
    ],
)
def test_choose(preset: Preset, weights: Scheme, activations: Scheme) -> None:
    assert choose(TENSOR, preset, is_weights=True) == weights
    assert choose(TENSOR, preset, is_weights=False) == activations
