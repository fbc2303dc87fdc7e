"""What must not be imported: start-up time is spent there."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("openvino", "numpy", "ruamel", "cerberus")


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import runner", set()),
        ("import runner.errors, runner.recipe.recipe", set()),
        ("import runner.cli.test, runner.harness.session, runner.harness.narrow", set()),
        (
            "from pathlib import Path; import runner.recipe.read as r; "
            "path = Path('tests/bad_recipes/unknown_key.yaml')\n"
            "try: r.read(path)\nexcept r.RecipeError: pass",
            {"ruamel", "cerberus"},
        ),
        ("import runner; runner.load_target('cpu')", {"ruamel", "cerberus"}),
    ],
    ids=["package", "types", "collection", "read", "target"],
)
def test_light_imports(code: str, allowed: set[str]) -> None:
    program = f"{code}\nimport sys\nprint(*(m for m in {HEAVY} if m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(result.stdout.split()) <= allowed


def test_a_plan_is_printed_without_what_runs_it() -> None:
    program = "import runner.cli.plan, runner.report.plan_text, sys; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"runner.run", "runner.evaluate", "runner.report.report", "jinja2"} & set(found)


def test_unknown_attributes() -> None:
    import runner

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = runner.nothing
