from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import RunError
from runner.output_folder import STALE_S, OutputFolder, staged

FILES = ("net.xml", "report.html", "report.json")


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    return OutputFolder(path=tmp_path / "out" / "cpu", files=FILES)


def fill(folder: OutputFolder, text: str, *names: str) -> None:
    with staged(folder) as staging:
        for name in names or FILES:
            (staging / name).write_text(text)


def crash(folder: OutputFolder, error: BaseException) -> None:
    """A run that fails after its first file."""
    with staged(folder) as staging:
        (staging / "net.xml").write_text("new")
        raise error


def contents(path: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in sorted(path.iterdir()) if each.is_file()}


def beside(folder: OutputFolder) -> list[str]:
    return sorted(each.name for each in folder.path.parent.iterdir())


def test_results_replace_earlier_ones(folder: OutputFolder) -> None:
    fill(folder, "old")
    fill(folder, "new", "net.xml", "report.json")
    assert contents(folder.path) == {"net.xml": "new", "report.json": "new"}
    assert beside(folder) == ["cpu"]


def test_foreign_files_stay(folder: OutputFolder) -> None:
    fill(folder, "old")
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / "more").mkdir()
    fill(folder, "new", "net.xml", "report.json")
    assert contents(folder.path) == {"net.xml": "new", "notes.txt": "mine", "report.json": "new"}
    assert (folder.path / "more").is_dir()
    assert beside(folder) == ["cpu"]


def test_link_stays_a_link(folder: OutputFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.path.parent.mkdir()
    folder.path.symlink_to(tmp_path / "elsewhere")
    fill(folder, "new")
    assert folder.path.is_symlink()
    assert contents(tmp_path / "elsewhere") == dict.fromkeys(FILES, "new")


@pytest.mark.parametrize("error", [RunError("no"), KeyboardInterrupt()], ids=["crash", "interrupt"])
def test_crash_keeps_both_results(folder: OutputFolder, error: BaseException) -> None:
    fill(folder, "old")
    with pytest.raises(type(error)) as caught:
        crash(folder, error)
    assert contents(folder.path) == dict.fromkeys(FILES, "old")
    partial = folder.path.with_name("cpu.partial")
    assert contents(partial) == {"net.xml": "new"}
    assert caught.value.__notes__ == [f"partial results are in {partial}"]
    fill(folder, "newest")
    assert beside(folder) == ["cpu"]


def test_crash_before_anything_was_written_leaves_nothing(folder: OutputFolder) -> None:
    with pytest.raises(RunError), staged(folder):
        raise RunError("no")
    assert beside(folder) == []


def test_killed_run_leaves_the_last_result(folder: OutputFolder) -> None:
    fill(folder, "old")
    code = (
        "import os, signal; from pathlib import Path\n"
        "from runner.output_folder import OutputFolder, staged\n"
        f"with staged(OutputFolder(path=Path({str(folder.path)!r}), files={FILES})) as staging:\n"
        "    (staging / 'report.json').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert contents(folder.path) == dict.fromkeys(FILES, "old")
    fill(folder, "new")
    assert contents(folder.path) == dict.fromkeys(FILES, "new")


def test_killed_between_the_two_moves(folder: OutputFolder) -> None:
    fill(folder, "old")
    folder.path.rename(folder.path.with_name(".cpu.previous"))
    with pytest.raises(RunError), staged(folder):
        raise RunError("no")
    assert contents(folder.path) == dict.fromkeys(FILES, "old")


def test_abandoned_leftovers_are_removed(folder: OutputFolder) -> None:
    fill(folder, "old")
    for name, age in (("1-a", 2 * STALE_S), ("2-b", 0)):
        leftover = folder.path.with_name(f".cpu.run-{name}")
        leftover.mkdir()
        then = leftover.stat().st_mtime - age
        os.utime(leftover, (then, then))
    fill(folder, "new")
    assert beside(folder) == [".cpu.run-2-b", "cpu"]


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunError, match="the results can't be written"),
        staged(OutputFolder(path=tmp_path / "file" / "cpu", files=FILES)),
    ):
        pass
