"""Commits of git repositories as folders in the cache: fetched once, then read offline."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from runner.cache.folder import cache_folder
from runner.catalog.bounds import FETCHED
from runner.errors import CatalogError, UsageError
from runner.git import git
from runner.project import COMMIT

NEEDED_BY = "a catalog in git"
AS_IT_IS = (
    "core.autocrlf=false",
    "core.eol=lf",
    "core.symlinks=true",
    f"core.attributesFile={os.devnull}",
)
"""Files have the same bytes on every machine."""


def checkout_folder(url: str, commit: str) -> Path:
    """Where the files of a commit are, once they are fetched."""
    repository = hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
    return cache_folder() / FETCHED / repository / commit


def resolve_rev(url: str, rev: str) -> str:
    """The commit that a branch or tag of the repository means now, or the commit itself.

    Raises:
        CatalogError: the repository can't be reached.
        UsageError: it has no such branch or tag.
    """
    if COMMIT.fullmatch(rev):
        return rev
    names = (f"refs/tags/{rev}^{{}}", f"refs/tags/{rev}", f"refs/heads/{rev}", rev)
    lines = _run(Path.cwd(), url, "ls-remote", "--", url, *names).splitlines()
    found = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
    for name in names:
        if name in found:
            return found[name]
    message = f"{url} has no branch or tag {rev!r}; a commit is written with all its digits"
    raise UsageError(message)


def fetch_anew(url: str, commit: str) -> Path:
    """The folder with the files of the commit as they are fetched now; what is there already is
    left to its readers where it is the same.

    Raises:
        CatalogError: the repository can't be reached, or has no such commit.
    """
    folder = checkout_folder(url, commit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as aside:
        files = Path(aside, "files")
        _check_out(files, url, commit)
        if folder.is_dir() and tree_digest(folder) != tree_digest(files):
            folder.replace(Path(aside, "damaged"))
        with suppress(OSError):  # it is there, or another process was faster
            files.replace(folder)
    return folder


def _check_out(folder: Path, url: str, commit: str) -> None:
    folder.mkdir()
    _run(folder, url, "init", "--quiet", "--template=", ".")
    shallow = _git(folder, "fetch", "--quiet", "--no-tags", "--depth=1", "--", url, commit)
    if shallow.returncode:  # not every server hands out single commits
        heads = "+refs/heads/*:refs/heads/*"
        _run(folder, url, "fetch", "--quiet", "--tags", "--update-head-ok", "--", url, heads)
    _run(folder, url, "checkout", "--quiet", "--detach", commit, is_bare=True)
    shutil.rmtree(folder / ".git")


def _run(folder: Path, url: str, *arguments: str, is_bare: bool = False) -> str:
    done = _git(folder, *arguments, is_bare=is_bare)
    if done.returncode:
        said = re.sub(r"\s+", " ", done.stderr).strip() or f"git ends with {done.returncode}"
        message = f"{url} can't be fetched: {said}"
        raise CatalogError(message)
    return done.stdout


def _git(folder: Path, *arguments: str, is_bare: bool = False) -> subprocess.CompletedProcess[str]:
    return git(folder, *arguments, needed_by=NEEDED_BY, settings=AS_IT_IS, is_bare=is_bare)


def tree_digest(folder: Path, *, follow: bool = False) -> str:
    """The SHA-256 of all files below a folder, or of a file: names, contents, targets of links.

    Git's own folders and Python's byte code don't count. `follow`: what links to files lead to
    counts in their place.
    """
    found = hashlib.sha256()
    if folder.is_file():
        found.update(_content(folder, follow=follow))
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix().encode()
        found.update(len(name).to_bytes(8, "big") + name + _content(path, follow=follow))
    return found.hexdigest()


def _files(folder: Path) -> list[Path]:
    files: list[Path] = []
    for here, names, own in os.walk(folder):
        links = [name for name in names if Path(here, name).is_symlink()]
        names[:] = [name for name in names if name not in {".git", "__pycache__", *links}]
        files += (Path(here, name) for name in (*own, *links))
    return files


def _content(path: Path, *, follow: bool) -> bytes:
    """The digest of a file's content, or of where a link leads."""
    if path.is_symlink() and not (follow and path.is_file()):
        return b"l" + hashlib.sha256(os.fsencode(path.readlink())).digest()
    with path.open("rb") as stream:
        return b"f" + hashlib.file_digest(stream, "sha256").digest()
