"""The Record: what a run came to, as it is accepted, compared and kept in git."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.preconf.json import make_converter

from runner.baseline.packed import Packed, pack, unpack
from runner.expect.quantity import Quantities, Quantity
from runner.expect.subjects import MEASURED

SCHEMA = "recipe.baseline/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured. Nothing in it names a host or a person.

    `isa`: the class of its instruction set. Speeds are compared only where all of it is the same
    but the versions behind the class.
    """

    device: str
    device_name: str
    isa: str
    openvino: str
    threads: int

    @property
    def environment(self) -> str:
        """The class of environments in which answers are taken to be the same."""
        return environment_class(self.device, self.isa, self.openvino)


def environment_class(device: str, isa: str, openvino: str) -> str:
    """The device, for CPUs their class of instruction sets, and OpenVINO's major and minor.

    >>> environment_class("CPU", "vnni", "2026.4.1-100")
    'cpu-vnni-2026.4'
    >>> environment_class("GPU.0", "vnni", "2026.4")
    'gpu_0-2026.4'
    """
    kind = device.lower().replace(".", "_")
    version = ".".join(openvino.partition("-")[0].split(".")[:2])
    return "-".join([kind, *([isa] if kind == "cpu" else []), version])


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord:
    """A metric of the quantized model.

    Attributes:
        metric, options: how it is defined.
        fp32: FP32's value, for those who read the file.
        samples: the digest of the samples that it was computed on; `n`: how many.
        outcomes: the digest of what every sample added to it; `parts`: that itself.
    """

    metric: str
    options: Mapping[str, Any]
    higher_is_better: bool
    value: float | None
    fp32: float | None
    n: int
    samples: str
    outcomes: str
    parts: Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRecord:
    """A speed of the quantized model: the median, and every repeat's."""

    value: float
    repeats: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the quantized model of one run came to.

    Attributes:
        recipe, file: its name, and the name of its file.
        recipe_digest, plan_digest, model_sha256: what was run.
        emulated: whether another device stood in for the target's.
        speeds: by subject; none where they were not measured.
        measures: by subject, what is counted or measured once; None where it has no finite value.
    """

    recipe: str
    file: str
    profile: str | None
    target: str
    emulated: bool
    machine: Machine
    recipe_digest: str
    plan_digest: str
    model_sha256: str
    metrics: Mapping[str, MetricRecord] = field(default_factory=dict)
    speeds: Mapping[str, SpeedRecord] = field(default_factory=dict)
    measures: Mapping[str, float | None] = field(default_factory=dict)


def metric_record(
    kind: str, options: Mapping[str, Any], found: Quantity, fp32: Quantity, samples: str
) -> MetricRecord:
    """The record of a metric."""
    packed = pack(found.parts)
    return MetricRecord(
        metric=kind,
        options=options,
        higher_is_better=found.higher_is_better,
        value=found.value,
        fp32=fp32.value,
        n=found.n or 0,
        samples=samples,
        outcomes=hashlib.sha256(json.dumps(packed).encode()).hexdigest(),
        parts=packed,
    )


def quantities_of(record: Record) -> Quantities:
    """What was measured, as checks look at it."""
    metrics = {
        name: Quantity(
            value=each.value,
            higher_is_better=each.higher_is_better,
            parts=unpack(each.parts),
            n=each.n,
        )
        for name, each in record.metrics.items()
    }
    speeds = {
        name: Quantity(value=each.value, higher_is_better=is_better(name), parts=each.repeats)
        for name, each in record.speeds.items()
    }
    measures = {
        name: Quantity(value=value, higher_is_better=is_better(name))
        for name, value in record.measures.items()
    }
    return {**metrics, **speeds, **measures}


def is_better(subject: str) -> bool:
    """Whether more of a subject that is measured without labels is better."""
    return bool(MEASURED[subject].higher_is_better)


def record_to_json(record: Record) -> str:
    """The text of a baseline file: sorted keys, a line per value."""
    content = {"schema": SCHEMA, **_CONVERTER.unstructure(record)}
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def record_from_json(text: str) -> Record:
    """The record in the text of a baseline file.

    Raises:
        ValueError: it is no such text; a JSONDecodeError knows where.
    """
    content = json.loads(text)
    found = content.pop("schema", None) if isinstance(content, dict) else None
    if found != SCHEMA:
        message = f"its schema is {found!r}; expected {SCHEMA!r}"
        raise ValueError(message)
    try:
        record = _CONVERTER.structure(content, Record)
        quantities_of(record)
    except (BaseValidationError, ForbiddenExtraKeysError, KeyError, TypeError) as error:
        message = "a value is missing, or of the wrong kind"
        raise ValueError(message) from error
    return record


_CONVERTER = make_converter(forbid_extra_keys=True)
