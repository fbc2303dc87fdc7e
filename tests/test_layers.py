"""Imports point one way: runner -> quant; data folders hold no logic; none of
them imports tests or benchmarks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = frozenset({"quant", "runner", "recipes", "hw_targets", "tests", "benchmarks"})
ALLOWED = {
    "quant": {"quant"},
    "runner": {"quant", "runner"},
    "recipes": set[str](),
    "hw_targets": set[str](),
}
LIBRARY = frozenset({"numpy", "openvino", "quant"})


def imported(path: Path) -> set[str]:
    """The first words of everything that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").split(".")[0])
    return found


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(extra)
        for path in files(package)
        if (extra := (imported(path) & OURS) - ALLOWED[package])
    }
    assert wrong == {}


def test_the_library_imports_numpy_and_openvino_only(stdlib: frozenset[str]) -> None:
    found = set.union(*(imported(path) for path in files("quant"))) - stdlib
    assert found == LIBRARY


@pytest.mark.parametrize("package", ["recipes", "hw_targets"])
def test_data_folders_hold_no_logic(package: str) -> None:
    for path in files(package):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) for node in body), f"{path} holds code"


@pytest.fixture
def stdlib() -> frozenset[str]:
    import sys

    return frozenset(sys.stdlib_module_names)
