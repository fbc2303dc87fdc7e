"""The machine and the versions that a report is about."""

from __future__ import annotations

import os
import platform

from quant.runtime import core, ov
from runner.isa import isa
from runner.report.report import Environment
from runner.version import runner_version


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
