"""git as we call it: nothing of a repository is ever executed, and nobody is asked for a password.

Hooks, submodules and the file system monitor are off; of a git that has started us (as for
pre-commit), the variables that name its repository are not passed on.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from runner.errors import MissingTool

GIT = "git"
PROTOCOLS = "https:ssh:file"
OFF = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "submodule.recurse=false")
KEPT = ("GIT_SSH", "GIT_SSL_", "GIT_ASKPASS", "GIT_CONFIG", "GIT_EXEC_PATH", "GIT_PROXY")
"""Variables about how to reach repositories; the others say which one."""


def git(
    folder: Path,
    *arguments: str,
    needed_by: str,
    settings: tuple[str, ...] = (),
    is_bare: bool = False,
) -> subprocess.CompletedProcess[str]:
    """What git says in the folder; `settings` are more of its configuration, as `a.b=c`.

    `is_bare`: the user's and the machine's configuration don't count, so that no filter of theirs
    (git-lfs, say) runs because the files of a repository ask for it.

    Raises:
        MissingTool: there is no git.
    """
    configuration = [word for each in (*OFF, *settings) for word in ("-c", each)]
    command = [GIT, *configuration, "-C", str(folder), *arguments]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=_environment() | (BARE if is_bare else {}),
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        message = f"{needed_by} needs git, which is not installed"
        raise MissingTool(message) from error


BARE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_ATTR_NOSYSTEM": "1",
}
"""Variables of a git that reads no configuration but the repository's own."""


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(KEPT)
    }
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": PROTOCOLS, "LC_ALL": "C"}
