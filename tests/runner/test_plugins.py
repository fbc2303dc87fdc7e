"""Packages that are installed add loaders, metrics and catalogs; a broken one harms nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cache.code import code_digest
from runner.cli.main import main
from tests.runner.catalog.builders import write_catalog
from tests.runner.packages import forget, installed, write_dist
from tests.runner.tiny import write_recipe

CODE = """\
from runner.data.npz import open_npz
from runner.data.open import Loader
from runner.metrics.accuracy import Accuracy
from runner.metrics.make import Kind


def open_arrays(inputs, *, path):
    return open_npz(inputs, path=path)


FILE = {"type": "string", "required": True, "meta": {"path": "file"}}
arrays = Loader(open=open_arrays, schema={"path": FILE})
hits = Kind(make=Accuracy, schema={"top_k": {"type": "integer", "min": 1}})
nothing = Loader(open=open_arrays)
"""
ENTRY_POINTS = """\
[recipe.loaders]
arrays = added:arrays
broken = added.not_there:loader
bare = added:nothing
npz = added:arrays
[recipe.metrics]
hits = added:hits
[recipe.catalogs]
shipped = added_catalog
gone = no_such_package
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages of which one adds something."""
    with installed(tmp_path / "site", "added", CODE, ENTRY_POINTS, monkeypatch) as folder:
        yield folder


def with_loader(tiny: Path, name: str, metric: str = "accuracy") -> Path:
    path = write_recipe(tiny)
    text = path.read_text().replace("loader: npz", f"loader: {name}")
    path.write_text(text.replace("accuracy: {metric: accuracy}", f"accuracy: {{metric: {metric}}}"))
    return path


def test_a_loader_and_a_metric_of_a_package_run(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["apply", str(with_loader(tiny, "arrays", "hits")), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert report["metrics"]["accuracy"]["n"] == 24


def test_keys_of_a_package_are_checked(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = with_loader(tiny, "arrays")
    path.write_text(path.read_text().replace("path: data.npz}", "pat: data.npz}", 1))
    assert main(["validate", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"{path}:6:33: unknown key 'pat'" in err
    assert "did you mean 'path'?" in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "'broken' (recipe.loaders) of the package added 1.0 is broken: it can't be "),
        ("bare", "added:nothing has no schema"),
    ],
)
def test_a_broken_package_is_told_where_it_is_used(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    assert main(["validate", str(with_loader(tiny, name))]) == 4
    assert words in capsys.readouterr().err


def test_two_packages_with_one_name(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dist(site, "other", "[recipe.loaders]\narrays = other:arrays\n")
    forget()
    assert main(["validate", str(with_loader(tiny, "arrays"))]) == 4
    assert "several packages bring 'arrays'" in capsys.readouterr().err


def test_what_ships_is_not_replaced(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "added.py").write_text("raise SystemError('imported')\n")
    assert main(["validate", str(with_loader(tiny, "npz"))]) == 0
    capsys.readouterr()
    assert main(["list", "loaders", "--json"]) == 0
    rows = {row["name"]: row["keys"] for row in json.loads(capsys.readouterr().out)["loaders"]}
    assert rows["npz"][0] == "path (required)"
    assert "SystemError: imported" in rows["arrays"][0]


def test_help_imports_no_package(site: Path) -> None:
    (site / "added.py").write_text("raise SystemError('imported')\n")
    program = f"import sys; sys.path.insert(0, {str(site)!r}); from runner.cli.main import main; "
    command = [sys.executable, "-c", f"{program}sys.exit(main(['--help']))"]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_code_of_a_package_counts_as_ours(site: Path) -> None:
    before = code_digest()
    (site / "added.py").write_text(CODE + "\n")
    code_digest.cache_clear()
    assert code_digest() != before


def test_a_package_ships_a_catalog(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_catalog(site / "added_catalog", tiny)
    (site / "added_catalog" / "__init__.py").write_text("raise SystemError('imported')\n")
    path = tiny / "child.yaml"
    path.write_text("recipe: 1\nname: child\nextends: catalog:shipped/base\n")
    assert main(["validate", str(path), "catalog:shipped/tiny"]) == 0
    capsys.readouterr()
    path.write_text("recipe: 1\nname: child\nextends: catalog:gone/base\n")
    assert main(["validate", str(path)]) == 4
    assert f"{path}:3:10: the catalog 'gone' of the package" in capsys.readouterr().err
