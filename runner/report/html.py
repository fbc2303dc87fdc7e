"""A Report as one HTML page that needs no network and no script."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runner.report import numbers
from runner.report.report import Report
from runner.report.terminal import tuning_table

TEMPLATE = "report.html.j2"


def report_to_html(report: Report) -> str:
    """The text of report.html."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": numbers.number,
        "percent": numbers.percent,
        "size": numbers.size,
        "interval": numbers.interval,
        "span": numbers.span,
        "tuning_table": tuning_table,
    }
    return environment.get_template(TEMPLATE).render(report=report)
