"""The machine and the versions that a report is about."""

from __future__ import annotations

import os
import platform

from quant.cpu import cpu_flags
from quant.runtime import core, ov
from runner.report.report import Environment
from runner.version import runner_version

FLAGS = (
    *("amx_int8", "amx_bf16", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "sse4_2"),
    *("sve", "i8mm", "asimddp", "asimd"),
)
"""CPU flags that decide how fast integers are computed, fastest first."""


def describe(device: str) -> Environment:
    """The environment of a run on `device`."""
    return Environment(
        device=device,
        device_name=str(core().get_property(device, "FULL_DEVICE_NAME")),
        isa=isa(),
        openvino=ov.__version__,
        runner=runner_version(),
        python=platform.python_version(),
        os=f"{platform.system()} {platform.machine()}",
        threads=thread_count(),
    )


def thread_count() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def isa() -> tuple[str, ...]:
    """The telling flags of this machine's CPU; none where the system does not list them."""
    flags = cpu_flags()
    return tuple(flag for flag in FLAGS if flag in flags)
