"""Post-training quantization of OpenVINO models: a library with no YAML and no terminal.

    import quant, runner
    result = quant.quantize(model, samples, target=runner.load_target("cpu"), preset="mixed")

`quantize` is `load_model`, `resolve`, `collect` and `apply` in a row. Importing this package does
not import OpenVINO; the first use of a function that needs it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.control.control import ControlResult, Trial
    from quant.control.entry import quantize_with_accuracy_control
    from quant.control.parameters import ControlParameters
    from quant.default import quantize
    from quant.diagnosis.diagnose import Diagnosis, LayerDiagnosis, OutputDiagnosis, diagnose
    from quant.entry import OperationResult, Result, apply, collect, resolve
    from quant.errors import (
        DropMissed,
        EvaluationError,
        LoadError,
        ParameterError,
        ParameterProblem,
        QuantError,
        SamplesError,
    )
    from quant.load import load_model
    from quant.parameters import DefaultParameters, FastBiasParameters, MinMaxParameters
    from quant.plan import OperationPlan, QuantPlan, Status
    from quant.scheme import Granularity, Mode, Preset, Scheme
    from quant.statistics.need import Statistics
    from quant.steps.table import Inferring, OnStatistics, Step
    from quant.target import Support, Target

_HOMES = {
    "quant.control.control": ("ControlResult", "Trial"),
    "quant.control.entry": ("quantize_with_accuracy_control",),
    "quant.control.parameters": ("ControlParameters",),
    "quant.default": ("quantize",),
    "quant.diagnosis.diagnose": (
        "Diagnosis",
        "LayerDiagnosis",
        "OutputDiagnosis",
        "diagnose",
    ),
    "quant.entry": ("OperationResult", "Result", "apply", "collect", "resolve"),
    "quant.errors": (
        "DropMissed",
        "EvaluationError",
        "LoadError",
        "ParameterError",
        "ParameterProblem",
        "QuantError",
        "SamplesError",
    ),
    "quant.load": ("load_model",),
    "quant.parameters": ("DefaultParameters", "FastBiasParameters", "MinMaxParameters"),
    "quant.plan": ("OperationPlan", "QuantPlan", "Status"),
    "quant.scheme": ("Granularity", "Mode", "Preset", "Scheme"),
    "quant.statistics.need": ("Statistics",),
    "quant.steps.table": ("Inferring", "OnStatistics", "Step"),
    "quant.target": ("Support", "Target"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ControlParameters",
    "ControlResult",
    "DefaultParameters",
    "Diagnosis",
    "DropMissed",
    "EvaluationError",
    "FastBiasParameters",
    "Granularity",
    "Inferring",
    "LayerDiagnosis",
    "LoadError",
    "MinMaxParameters",
    "Mode",
    "OnStatistics",
    "OperationPlan",
    "OperationResult",
    "OutputDiagnosis",
    "ParameterError",
    "ParameterProblem",
    "Preset",
    "QuantError",
    "QuantPlan",
    "Result",
    "SamplesError",
    "Scheme",
    "Statistics",
    "Status",
    "Step",
    "Support",
    "Target",
    "Trial",
    "apply",
    "collect",
    "diagnose",
    "load_model",
    "quantize",
    "quantize_with_accuracy_control",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        message = f"module 'quant' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME[name]), name)
