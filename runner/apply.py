"""A recipe applied: planned, run, reported, and its results put in place."""

from __future__ import annotations

import json
import time
from pathlib import Path

from runner.baseline.accepted import RESULTS
from runner.baseline.record import record_to_json
from runner.cache.cache import Cache
from runner.control import forget_trials
from runner.errors import Problem, RecipeError
from runner.output_folder import OutputFolder, staged
from runner.plan import Plan, make_plan
from runner.plan_json import plan_to_json
from runner.progress import Progress, silent
from runner.recipe.recipe import Recipe
from runner.report.as_json import report_to_json
from runner.report.make import make_report
from runner.report.report import Report
from runner.requirements import ALL, Parts, can_render_html
from runner.run import run

NO_HTML = (
    "report.html was not written; install what renders it: pip install 'recipe-runner[report]'"
)


def apply_recipe(
    recipe: Recipe,
    *,
    parts: Parts = ALL,
    cache: Cache | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> Report:
    """The report of a recipe's run, which stands in `outputs.dir` together with the model.

    Args:
        cache: holds what is not to be inferred again; None: all is inferred.
        strict: warnings of checks count as failures.

    Raises:
        RunnerError: nothing is changed in `outputs.dir` then.
    """
    started = time.perf_counter()
    _refuse_overwriting(recipe)
    progress("load", 0, None)
    plan = make_plan(recipe, parts=parts)
    load_s = time.perf_counter() - started
    with staged(output_folder(recipe)) as folder:
        _write_inputs(plan, recipe, folder)
        done = run(plan, recipe, folder, cache=cache, progress=progress)
        progress("write", 0, None)
        (folder / RESULTS).write_text(record_to_json(done.record), encoding="utf-8")
        report = make_report(
            done,
            recipe,
            seconds={"load_s": load_s, "total_s": time.perf_counter() - started},
            artifacts=_artifacts(recipe),
            strict=strict,
            notes=(
                *((NO_HTML,) if _lacks_html(recipe) else ()),
                *(() if cache is None else cache.notes),
            ),
        )
        _write_reports(report, folder)
    forget_trials(recipe, report.control)
    return report


def output_folder(recipe: Recipe) -> OutputFolder:
    """Where the recipe's results go, and every file that may be among them."""
    model = (f"{recipe.name}.bin", f"{recipe.name}.xml")
    others = (RESULTS, "plan.json", "resolved.json", "report.html", "report.json")
    return OutputFolder(path=recipe.outputs.dir, files=(*model, *others))


def _refuse_overwriting(recipe: Recipe) -> None:
    """Raises RecipeError where the results would replace the model that they are made from."""
    folder = output_folder(recipe)
    results = {(folder.path / name).resolve() for name in folder.files}
    sources = {recipe.model.path.resolve(), recipe.model.path.with_suffix(".bin").resolve()}
    if results & sources:
        message = (
            f"the results in {str(folder.path)!r} would overwrite the model they are made from"
        )
        hint = "write another folder, such as the default build/${name}/${target}"
        raise RecipeError([Problem(recipe.locate("outputs", "dir"), message, hint)])


def _lacks_html(recipe: Recipe) -> bool:
    return "html" in recipe.outputs.reports and not can_render_html()


def _artifacts(recipe: Recipe) -> dict[str, str]:
    names = {
        "model": f"{recipe.name}.xml",
        "weights": f"{recipe.name}.bin",
        "outcomes": RESULTS,
        "plan": "plan.json",
        "report_json": "report.json",
        "resolved": "resolved.json",
    }
    if "html" in recipe.outputs.reports and can_render_html():
        names["report_html"] = "report.html"
    return {key: (recipe.outputs.dir / name).as_posix() for key, name in names.items()}


def _write_inputs(plan: Plan, recipe: Recipe, folder: Path) -> None:
    resolved = json.dumps(recipe.document, indent=2, default=str) + "\n"
    (folder / "resolved.json").write_text(resolved, encoding="utf-8")
    (folder / "plan.json").write_text(plan_to_json(plan), encoding="utf-8")


def _write_reports(report: Report, folder: Path) -> None:
    (folder / "report.json").write_text(report_to_json(report), encoding="utf-8")
    if "report_html" in report.artifacts:
        from runner.report.html import report_to_html

        (folder / "report.html").write_text(report_to_html(report), encoding="utf-8")
