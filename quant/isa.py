"""Whether a target's integer arithmetic can saturate."""

from __future__ import annotations

import platform

from quant.cpu import cpu_flags as this_machines_flags

DETECT = "detect"
"""The instruction set of the machine that this runs on."""

SATURATES = {"avx2": True, "avx512": True, "vnni": False, "amx": False}
"""Instruction sets that targets can name, and whether they add pairs of 8-bit products in 16 bits.
Source: OpenVINO documentation, saturation (overflow) issue."""

_SAFE_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""CPU flags of instructions that add products of 8-bit numbers in 32 bits."""


def saturates(isa: str | None, cpu_flags: frozenset[str] | None = None) -> bool:
    """Whether pairs of 8-bit products are added in 16 bits; not where there is no `isa`.

    Args:
        isa: a key of `SATURATES`, or `detect`: x86 without VNNI saturates then. Where the flags
            can't be read, an x86 machine is taken to saturate: half a bit is the lesser loss.
        cpu_flags: this machine's, unless given.
    """
    if isa != DETECT:
        return isa is not None and SATURATES[isa]
    if platform.machine().lower() not in ("x86_64", "amd64", "i686", "x86"):
        return False
    flags = this_machines_flags() if cpu_flags is None else cpu_flags
    return not flags & _SAFE_FLAGS
