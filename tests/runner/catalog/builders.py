"""A catalog in a git repository, and a project that uses it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.runner.tiny import write_recipe

MANIFEST = "catalog: 1\nname: team\nowner: ml-team\nmoved: {old: tiny}\n"
BASE = """\
recipe: 1
name: base
abstract: true
metadata: {owner: ml-team, tags: [cnn]}
model: {path: tiny.xml}
datasets:
  calibration: {loader: npz, path: data.npz}
steps:
  - {use: DefaultQuantization}
"""
WHO = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *WHO, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def write_catalog(folder: Path, tiny: Path) -> Path:
    """A folder with a catalog: the recipe `tiny` and what it runs on, and the base `base`."""
    shutil.copytree(tiny, folder)
    write_recipe(folder, out="build/${target}")
    (folder / "catalog.yaml").write_text(MANIFEST)
    (folder / "base.yaml").write_text(BASE)
    return folder


def commit(folder: Path, message: str = "change") -> str:
    """All of the folder as a commit of its repository, which is made where there is none."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()


def write_child(project: Path, base: str = "catalog:team/base") -> Path:
    """A recipe of the project that extends one of a catalog."""
    path = project / "recipes" / "child.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"recipe: 1\nname: child\nextends: {base}\n")
    return path
