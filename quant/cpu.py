"""This machine's CPU: its instruction sets, less those that it names but that can't be used."""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import platform
from collections.abc import MutableMapping
from pathlib import Path

_TILES = frozenset({"amx_tile", "amx_int8", "amx_bf16", "amx_fp16"})

_MOST_KERNELS, _WITHOUT_TILES = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16"
"""The environment variable that bounds OpenVINO's CPU kernels, and the highest bound without AMX.
Source: oneDNN 3, CPU dispatcher control."""

_LAST_PALETTE = bytes.fromhex("53 b8 1d 00 00 00 31 c9 0f a2 5b c3")
"""push rbx; mov eax, 0x1d; xor ecx, ecx; cpuid; pop rbx; ret: the number of tile palettes.
Source: Intel SDM, CPUID leaf 1DH, Tile Information Main Leaf."""


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The usable flags of the CPU; none where the system does not list them."""
    named = _named_flags(cpuinfo)
    return named - _TILES if hides_tiles(named) else named


def avoid_hidden_tiles(environ: MutableMapping[str, str] = os.environ) -> None:
    """Holds OpenVINO's kernels below AMX where a virtual machine has it but does not describe it.

    OpenVINO (2026.4.1) configures tiles from that description, and without it the first integer
    layer ends the process with an illegal instruction. What the user has set stays. To be called
    before OpenVINO's first inference.
    """
    if _MOST_KERNELS not in environ and hides_tiles(_named_flags()):
        environ[_MOST_KERNELS] = _WITHOUT_TILES


def hides_tiles(flags: frozenset[str]) -> bool:
    """Whether the CPU has AMX by its flags, but no description of the tiles."""
    return bool(flags & _TILES) and _palettes() == 0


@functools.cache
def _palettes() -> int:
    """How many tile palettes the CPU describes; 1 where that can't be asked."""
    if platform.machine().lower() not in ("x86_64", "amd64") or os.name != "posix":
        return 1
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return 1
    code.write(_LAST_PALETTE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return int(ctypes.CFUNCTYPE(ctypes.c_uint32)(address)())


def _named_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    named = (line for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(named, "").partition(":")[2].split())
