"""A Report as text for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from runner.expect.check import Check
from runner.expect.verdict import Status
from runner.report.comparison_text import print_comparisons
from runner.report.numbers import interval, number, size
from runner.report.report import Report, Tuning
from runner.report.tables import print_table

STYLES = {Status.PASS: "bold green", Status.FAIL: "bold red"}
OTHER_STYLE = "bold yellow"
WORST = 3
"""How many of the layers with the most noise are shown."""

MEASURES = ("measure", "FP32", "quantized", "ratio")


def print_report(report: Report, console: Console) -> None:
    """Prints the report, a table per subject."""
    verdict = Text(report.verdict.upper(), style=STYLES[Status(report.verdict)])
    if not report.checks:
        verdict = Text("done, nothing was expected")
    title = f"{report.recipe.name} -> {report.target}{_emulated(report)}: "
    console.print(Text.assemble((title, "bold"), verdict))
    if report.metrics:
        head = ("metric", "FP32", "quantized", "drop", "95 % interval", "n")
        print_table(console, head, _metrics(report), numbers=range(1, 6))
    print_table(console, MEASURES, _measures(report), numbers=range(1, 4))
    counts = report.quantization
    console.print(
        f"operations: {counts.quantized} quantized, {counts.passthrough} passed through, "
        f"{counts.fused} fused, {len(counts.not_quantized)} kept in floating point"
    )
    _print_tuning(report, console)
    _print_control(report, console)
    _print_noise(report, console)
    console.print(f"cache: {report.cache}")
    if report.baseline is not None:
        console.print(f"against the baseline for {report.baseline.environment}:")
        print_comparisons(report.baseline.comparisons, console)
    if report.checks:
        print_table(console, ("check", "", "found", "bound written at"), _checks(report))
    written = (report.artifacts.get(each) for each in ("model", "report_html", "report_json"))
    console.print(f"results: {', '.join(path for path in written if path)}")


def print_warnings(report: Report, console: Console) -> None:
    """Prints notes, and checks that did not decide anything."""
    for note in report.notes:
        console.print(f"note: {note}", style="yellow")
    for check in report.checks:
        if check.is_warning or check.status is Status.SKIPPED:
            console.print(f"warning: {_warning(check)}", style="yellow")


def _warning(check: Check) -> str:
    words = {Status.PASS: "passed", Status.FAIL: "failed"}.get(check.status, f"was {check.status}")
    return f"check {check.id!r} {words}: {check.message}"


def _print_noise(report: Report, console: Console) -> None:
    """The signal to noise of the outputs, and the layers that make most of the noise."""
    outputs = [f"{each.sqnr_db:.1f} dB" for each in report.outputs if each.sqnr_db is not None]
    if not outputs:
        return
    worst = (f"{each.noise_share:.0%} {each.name}" for each in report.worst_layers[:WORST])
    console.print(f"signal to noise: output {', '.join(outputs)}; of the noise: {', '.join(worst)}")


def _print_tuning(report: Report, console: Console) -> None:
    """The models that were compared, and what was chosen, as parameters to paste."""
    found = report.tuning
    if found is None:
        return
    console.print(f"tuning: {len(found.trials)} models compared on {found.samples} samples")
    print_table(console, *tuning_table(found), numbers=range(1, len(found.trials[0].values) + 3))
    if found.parameters:
        console.print("chosen:")
        for line in found.parameters.splitlines():
            console.print(f"  {line}", markup=False, soft_wrap=True)
    else:
        console.print("nothing better was found: the settings stay")


def tuning_table(found: Tuning) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The head, and a row per model: what was changed in the best one before it."""
    head = ("changed", *found.trials[0].values, "SQNR, dB", "seconds", "")
    best: Mapping[str, str | bool | float] = {}
    rows = []
    for each in found.trials:
        changed = {path: v for path, v in each.parameters.items() if best.get(path) != v}
        words = ", ".join(f"{path}: {_as_yaml(value)}" for path, value in changed.items())
        values = (each.values.values(), (each.sqnr_db, each.seconds))
        numbers = (number(value) for part in values for value in part)
        rows.append((words or "as written", *numbers, "better" if each.is_better else ""))
        best = each.parameters if each.is_better else best
    return head, rows


def _as_yaml(value: str | bool | float) -> str:
    """A value as it stands in a recipe."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _print_control(report: Report, console: Console) -> None:
    """What accuracy control reverted, as parameters to paste."""
    control = report.control
    if control is None:
        return
    outcome = "reached" if control.reached else "missed"
    reverted = report.quantization.reverted
    console.print(
        f"accuracy control: {outcome} with {len(reverted)} operations reverted, "
        f"{len(control.trials)} models evaluated: {control.reason}"
    )
    if control.untried:
        console.print(f"not tried to be quantized again: {', '.join(control.untried)}")
    if reverted:
        console.print("the same with DefaultQuantization:")
        for line in control.parameters.splitlines():
            console.print(f"  {line}", markup=False, soft_wrap=True)


def _emulated(report: Report) -> str:
    return f" (emulated on {report.environment.device})" if report.emulated else ""


def _metrics(report: Report) -> Iterator[tuple[str, ...]]:
    for name, value in report.metrics.items():
        yield (
            name,
            number(value.fp32),
            number(value.quantized),
            number(value.drop),
            interval(value.ci95),
            str(value.n),
        )


def _measures(report: Report) -> Iterator[tuple[str, ...]]:
    speed = report.performance
    if speed is not None:
        old, new = speed.fp32, speed.quantized
        faster = f"{speed.throughput_speedup:.2f}x"
        yield "throughput, 1/s", number(old.throughput_fps), number(new.throughput_fps), faster
        before, after = old.latency_ms, new.latency_ms
        faster = f"{speed.latency_speedup:.2f}x"
        yield "latency, median ms", number(before.median), number(after.median), faster
        yield "latency, p90 ms", number(before.p90), number(after.p90), ""
    both = report.size
    yield "model size", size(both.fp32_bytes), size(both.quantized_bytes), f"{both.ratio:.3f}"


def _checks(report: Report) -> Iterator[tuple[str | Text, ...]]:
    for check in report.checks:
        style = OTHER_STYLE if check.is_warning else STYLES.get(check.status, OTHER_STYLE)
        status = Text(check.status.upper(), style=style)
        yield check.id, status, check.message, check.where
