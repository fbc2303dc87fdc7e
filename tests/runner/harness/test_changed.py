from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner import git as module
from runner.errors import MissingTool, UsageError
from runner.harness.changed import Changes

WHO = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *WHO, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: files one and data/two, then another one."""
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    (folder / "one").write_text("1")
    (folder / "data" / "two").write_text("2")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "one").write_text("one")
    git(folder, "commit", "-q", "-a", "-m", "second")
    return folder


def test_nothing_has_changed(repository: Path) -> None:
    assert not Changes(revision="HEAD").touch([repository / "one", repository / "data"])


def test_an_earlier_revision(repository: Path) -> None:
    changes = Changes(revision="HEAD~1")
    assert changes.touch([repository / "one"])
    assert not changes.touch([repository / "data"])


def test_what_is_below_a_folder(repository: Path) -> None:
    (repository / "data" / "two").write_text("other")
    assert Changes(revision="HEAD").touch([repository / "data"])
    assert not Changes(revision="HEAD").touch([repository / "one"])


def test_new_files_count_and_ignored_ones_do_not(repository: Path) -> None:
    (repository / ".gitignore").write_text("ignored\n")
    for name in ("three", "ignored"):
        (repository / name).touch()
    changes = Changes(revision="HEAD")
    assert changes.touch([repository / "three"])
    assert not changes.touch([repository / "ignored"])


def test_a_link_is_followed(repository: Path) -> None:
    (repository.parent / "link").symlink_to(repository / "one")
    assert Changes(revision="HEAD~1").touch([repository.parent / "link"])


@pytest.mark.parametrize("revision", ["nope", "--output=x", "HEAD:one"])
def test_no_such_revision(repository: Path, revision: str) -> None:
    with pytest.raises(UsageError, match="git knows no revision"):
        Changes(revision=revision).touch([repository / "one"])
    with pytest.raises(UsageError, match="git knows no revision"):
        Changes(revision=revision).expect_revision(repository / "data")
    assert not (repository / "x").exists()


def test_no_repository(tmp_path: Path) -> None:
    changes = Changes(revision="HEAD")
    with pytest.raises(UsageError, match="is in no repository"):
        changes.expect_repository(tmp_path / "one")
    assert not changes.touch([tmp_path / "one"])
    changes.expect_revision(tmp_path)


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GIT", "no-such-git")
    with pytest.raises(MissingTool, match="git, which is not installed"):
        Changes(revision="HEAD").touch([tmp_path])


def test_a_git_that_fails_is_no_answer(repository: Path) -> None:
    (repository / ".git" / "index").write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"git diff failed in '.*repository': .*index"):
        Changes(revision="HEAD").touch([repository / "one"])
