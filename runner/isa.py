"""This machine's instruction sets, as far as they tell how integers are computed."""

from __future__ import annotations

from quant.cpu import cpu_flags

FLAGS = {
    "amx_int8": "amx",
    "amx_bf16": "",
    "avx512_vnni": "vnni",
    "avx_vnni": "vnni",
    "avx512f": "avx512",
    "avx2": "avx2",
    "sse4_2": "sse4",
    "sve": "",
    "i8mm": "i8mm",
    "asimddp": "dotprod",
    "asimd": "asimd",
}
"""CPU flags that decide how fast integers are computed, fastest first, and the class of machines
that compute integers alike."""


def isa_class(flags: tuple[str, ...]) -> str:
    """The class of a machine with these flags.

    >>> isa_class(("avx512_vnni", "avx512f", "avx2")), isa_class(())
    ('vnni', 'generic')
    """
    return next((FLAGS[flag] for flag in flags if FLAGS.get(flag)), "generic")


def isa() -> tuple[str, ...]:
    """The telling flags of this machine's CPU; none where the system does not list them."""
    flags = cpu_flags()
    return tuple(flag for flag in FLAGS if flag in flags)
