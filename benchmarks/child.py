"""Processes that measure, one at a time, and the machine that they run on."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from runner.environment import describe

ROOT = Path(__file__).parent.parent


def child(*words: object) -> tuple[dict[str, Any], float]:
    """What a module of this package prints in its last line, and the seconds of its process.

    Args:
        words: the module and its arguments.
    """
    module, *arguments = map(str, words)
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, seconds


def machine() -> str:
    """The day, the machine and OpenVINO's version."""
    here = describe("CPU")
    return (
        f"{datetime.datetime.now(tz=datetime.UTC).date()}, {here.threads} cores of "
        f"{here.device_name} ({here.isa[0] if here.isa else 'no flags known'}), OpenVINO "
        f"{here.openvino.split('-')[0]}"
    )
