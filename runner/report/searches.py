"""How models were searched for, as a report has it: accuracy control, and tuning."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from quant.control import tuning
from quant.control.candidate import Candidate
from quant.control.control import ControlResult
from quant.control.settings import nested
from runner.report.numbers import finite
from runner.report.report import Control, ControlTrial, Tuning, TuningTrial


def control_content(found: ControlResult) -> Control:
    return Control(
        reached=found.reached,
        reason=found.reason,
        untried=found.untried,
        parameters=_yaml(found.candidate.parameters()),
        trials=tuple(
            ControlTrial(
                preset=each.candidate.preset.value,
                int16=each.candidate.int16,
                fp32=each.candidate.fp32,
                fp32_activations=each.candidate.fp32_activations,
                values={name: finite(value) for name, value in each.verdict.values.items()},
                drops={name: finite(value) for name, value in each.verdict.drops.items()},
                meets=each.verdict.meets,
                samples=each.verdict.samples,
                seconds=each.seconds,
                is_ranking=each.is_ranking,
            )
            for each in found.trials
        ),
    )


def tuning_content(found: tuning.Tuning) -> Tuning:
    """All models that were compared, and what was chosen."""
    start = found.trials[0].candidate
    chosen = nested(changes(start, found.candidate).items())
    return Tuning(
        axes=found.axes,
        parameters=_yaml(chosen) if chosen else "",
        samples=found.samples,
        trials=tuple(
            TuningTrial(
                parameters=changes(start, each.candidate),
                values={name: finite(value) for name, value in each.values.items()},
                sqnr_db=finite(each.sqnr_db),
                is_better=each.is_better,
                seconds=each.seconds,
            )
            for each in found.trials
        ),
    )


def changes(start: Candidate, candidate: Candidate) -> dict[str, Any]:
    """The settings in which a candidate differs from the start, by path."""
    preset = {} if candidate.preset is start.preset else {"preset": candidate.preset.value}
    return {**preset, **dict(candidate.settings)}


def _yaml(parameters: Mapping[str, Any]) -> str:
    """Parameters as they stand in a recipe, lists a line per item."""
    stream = StringIO()
    writer = YAML()
    writer.width = 4096  # names are never cut
    writer.dump(parameters, stream)
    return stream.getvalue()
