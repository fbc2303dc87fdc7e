"""What a run says of one check: its status, in words and numbers."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.exits import DONE, FAILED
from runner.errors import Location, Problem
from runner.harness.advice import advice
from runner.harness.status import EXIT_CODES, STATUSES, Status
from runner.header import CheckHeader
from runner.report.numbers import interval, number

if TYPE_CHECKING:
    from runner.harness.outcome import Outcome

PLACE = re.compile(r"(.*):([0-9]+):([0-9]+)", re.DOTALL)
WRITTEN = re.compile(r"[^\s,}\]]+")
"""A bound, from its first character on."""


FIGURES = ("metric", "kind", "against", "severity", "value", "bound", "reference", "where", "n")
CI95 = 0.95
WARNING, WORSE = "warning", "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of a check.

    Attributes:
        message: one line that says what was found and what was expected.
        text: the same with the place of the bound, figures, and what to try.
        figures: numbers and words for programs; what is not known is left out.
        is_minor: whether it is a matter of a warning, whatever the status.
        is_warning: whether it is worth a warning, and fails where warnings count.
    """

    status: Status
    message: str
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    is_minor: bool = False
    is_warning: bool = False

    def exit_code(self, *, strict: bool) -> int:
        """The exit code that it leads to; `strict`: warnings count."""
        if strict and self.is_warning:
            return FAILED
        return DONE if self.is_minor else EXIT_CODES.get(self.status, DONE)


def finding(outcome: Outcome, check: CheckHeader | None, recipe: str, target: str) -> Finding:
    """What the run says of the check; without one, only whether there was a run."""
    if outcome.report is None or outcome.errors:
        return _without_report(outcome, recipe, target)
    if check is None:
        message = "the recipe expects nothing; it ran"
        return Finding(status=Status.PASS, message=message, text=message, figures=_run(outcome))
    found = next((each for each in outcome.report["checks"] if each["id"] == check.id), None)
    if found is None:
        message = (
            f"the run has no check {check.id!r}: the recipe has changed since it was collected"
        )
        return Finding(status=Status.INVALID, message=message, text=message, figures=_run(outcome))
    return _of_check(outcome, found, recipe, target)


def _of_check(outcome: Outcome, check: Mapping[str, Any], recipe: str, target: str) -> Finding:
    assert outcome.report is not None
    figures = {**_run(outcome), **_numbers(outcome.report, check)}
    status = Status(check["status"])
    lines = [str(_problem(check["where"], f"{check['id']} on {target}: {check['message']}"))]
    if "interval_low" in figures:
        both = interval((figures["interval_low"], figures["interval_high"]))
        level = f"{figures['confidence'] * 100:g} % interval of the {_subject(check)}"
        samples = f", n={figures['n']}" if "n" in figures else ""
        lines.append(f"{level}: {both}{samples}")
    lines += _baseline_words(figures)
    lines += [f"try: {each}" for each in advice(check, recipe, target)]
    report = outcome.report["artifacts"].get("report_html") or outcome.report["artifacts"].get(
        "report_json"
    )
    lines.append(f"report: {report}")
    text = "\n".join(lines)
    return Finding(
        status=status,
        message=check["message"],
        text=text,
        figures=figures,
        is_minor=check["severity"] == WARNING,
        is_warning=check["is_warning"] or figures.get("baseline") == WORSE,
    )


def _subject(check: Mapping[str, Any]) -> str:
    is_drop = check["kind"] == "max_drop"
    return ("drop" if check["interval"] else "absolute drop") if is_drop else "value"


def _numbers(report: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a check; the interval is that of the value, or of the absolute drop."""
    figures = {key: check[key] for key in FIGURES if check.get(key) is not None}
    found, level = check["interval"], check["confidence"]
    metric = report["metrics"].get(check["metric"])
    if metric is not None:
        figures.setdefault("n", metric["n"])
        if found is None and (check["kind"], check["against"]) == ("max_drop", "fp32"):
            found, level = metric["ci95"], CI95
    if found is not None:
        figures |= {"interval_low": found[0], "interval_high": found[1], "confidence": level}
    return figures | _compared(report, check["metric"])


def _compared(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What became of a metric since its accepted result; nothing where there is none."""
    comparisons = (report.get("baseline") or {}).get("comparisons", {})
    if name not in comparisons or name not in report["metrics"]:
        return {}
    found = comparisons[name]
    figures = {"baseline": found["change"], "baseline_value": found["before"]}
    if found["interval"] is not None:
        figures |= {"worse_by": found["worse_by"], "worse_low": found["interval"][0]}
        figures["worse_high"] = found["interval"][1]
    return figures


def _baseline_words(figures: Mapping[str, Any]) -> Iterator[str]:
    if "baseline" in figures:
        by = ""
        if "worse_by" in figures:
            both = interval((figures["worse_low"], figures["worse_high"]))
            by = f": worse by {figures['worse_by']:+.4f}, 95 % interval {both}"
        yield f"since the baseline ({number(figures['baseline_value'])}): {figures['baseline']}{by}"


def _run(outcome: Outcome) -> dict[str, Any]:
    """What is the same for all checks of a run."""
    figures: dict[str, Any] = {"run_s": round(outcome.seconds, 3)}
    if outcome.report is not None:
        about = outcome.report["environment"]
        figures["recipe_digest"] = outcome.report["recipe"]["digest"]
        isa = "-".join(about["isa"][:1]) or "unknown"
        figures["environment"] = f"{about['device']} {isa} openvino {about['openvino']}"
    return figures


def _without_report(outcome: Outcome, recipe: str, target: str) -> Finding:
    again = f"recipe apply {recipe} --target {target}"
    if not outcome.errors:
        message = f"the run of {recipe} on {target} {outcome.crash}"
        hint = "a longer --timeout, where it only needs more time" if _is_slow(outcome) else again
        text = "\n".join([message, *_log(outcome), f"try: {hint}"])
        return Finding(status=Status.CRASHED, message=message, text=text, figures=_run(outcome))
    text = "\n".join(_errors(outcome.errors))
    status = STATUSES.get(outcome.exit_code or 0, Status.CRASHED)
    if status is Status.CRASHED:
        text = f"{text}\ntry: {again} --debug"
    message = str(outcome.errors[0]["message"])
    return Finding(status=status, message=message, text=text, figures=_run(outcome))


def _is_slow(outcome: Outcome) -> bool:
    return outcome.exit_code is None and "stopped" in outcome.crash


def _log(outcome: Outcome) -> Iterator[str]:
    if outcome.log:
        yield "the last that it wrote:"
        yield from (f"  {line}" for line in outcome.log.splitlines())


def _errors(errors: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in errors:
        if each["line"] is None:
            where = "" if each["path"] is None else f"{each['path']}: "
            yield f"{where}{each['message']}"
        else:
            place = f"{each['path']}:{each['line']}:{each['column'] or 1}"
            yield str(_problem(place, each["message"], each["hint"]))
        yield from each["notes"]


def _problem(where: str, message: str, hint: str = "") -> Problem:
    """The message at a place that is written as path:line:column, with its source line."""
    found = PLACE.fullmatch(where)
    if found is None:
        return Problem(Location(Path(where), 1, 1), message, hint)
    path, line, column = Path(found[1]), int(found[2]), int(found[3])
    linecache.checkcache(str(path))
    source = linecache.getline(str(path), line).rstrip("\n")
    written = WRITTEN.match(source, column - 1)
    length = len(written[0]) if written else 1
    return Problem(Location(path, line, column, length, source), message, hint)
