"""Where the cache is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "RECIPE_CACHE"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that `RECIPE_CACHE` names, else one in the user's own cache folder; absolute, and
    without `..`, so that paths are seen to be below it.

    Source: XDG Base Directory Specification 0.8; on Windows %LOCALAPPDATA%.
    """
    if named := environment.get(VARIABLE):
        return Path(os.path.normpath(Path(named).absolute()))
    is_windows = sys.platform == "win32"
    users = environment.get("LOCALAPPDATA" if is_windows else "XDG_CACHE_HOME", "")
    base = Path(users) if Path(users).is_absolute() else Path.home() / ".cache"
    return base / "recipe-runner"
