"""Every error that the library raises on purpose.

QuantError
├── LoadError        a model can't be read or is not fit for quantization
├── SamplesError     calibration data is missing, or one sample does not fit the model
├── ParameterError   parameters are wrong; holds every problem found in them
├── EvaluationError  what a model was evaluated to is no use for accuracy control
└── DropMissed       accuracy control did not reach its limit, and that was to be an error
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]

_OPERATION = re.compile(r"with friendly_name ('[^']+')")


class QuantError(Exception):
    """Base of everything that the library raises on purpose."""


class LoadError(QuantError):
    """The model can't be read, or is not fit for quantization."""


class SamplesError(QuantError):
    """Calibration data is missing, or one sample does not fit the model.

    `index` is the sample's position in what was handed in, from 0, or None.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        self.message, self.index = message, index
        super().__init__(message, index)

    def __str__(self) -> str:
        return self.message if self.index is None else f"sample {self.index}: {self.message}"


@dataclass(frozen=True, slots=True, order=True)
class ParameterProblem:
    """One wrong parameter: the step's index, the keys that lead to the value, and what is wrong."""

    step: int
    path: KeyPath
    message: str
    hint: str = ""

    def __str__(self) -> str:
        name = ".".join(str(key) for key in self.path)
        text = f"{name}: {self.message}" if name else self.message
        return f"{text} ({self.hint})" if self.hint else text


class ParameterError(QuantError):
    """Parameters of steps are wrong; `problems` holds all of them."""

    def __init__(self, problems: Iterable[ParameterProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class EvaluationError(QuantError):
    """What a model was evaluated to is of no use: no number, or one that nothing is relative to."""


class DropMissed(QuantError):
    """Accuracy control did not reach its limit, and the caller wanted that to be an error."""


def telling_line(text: str) -> str:
    """The line of OpenVINO's message that says something, behind the operation that it speaks of:
    the first ones name its source files.

    >>> telling_line("Exception from src/inference/core.cpp:1:\\n\\nno weights\\n")
    'no weights'
    >>> telling_line("While validating node 'Add' with friendly_name 'sum':\\nno such axis\\n")
    "'sum': no such axis"
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    found = (telling or lines or ["it gives no reason"])[-1]
    at = _OPERATION.search(text)
    return f"{at[1]}: {found}" if at and at[1] not in found else found
