"""Whether this machine's integer arithmetic can saturate."""

from __future__ import annotations

import platform
from pathlib import Path

_SAFE_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""CPU flags of instructions that add products of 8-bit numbers in 32 bits."""


def saturates(cpu_flags: frozenset[str] | None = None) -> bool:
    """Whether pairs of 8-bit products are added in 16 bits here: x86 without VNNI.

    Where the flags can't be read, an x86 machine is taken to saturate: half a bit is the lesser
    loss.
    Source: OpenVINO documentation, saturation (overflow) issue.
    """
    if platform.machine().lower() not in ("x86_64", "amd64", "i686", "x86"):
        return False
    flags = _cpu_flags() if cpu_flags is None else cpu_flags
    return not flags & _SAFE_FLAGS


def _cpu_flags() -> frozenset[str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return frozenset()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())
