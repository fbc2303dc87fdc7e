"""A checked recipe document to a Recipe. Nothing can be wrong any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from runner.document.check import Checked
from runner.document.document import KeyPath, locate, value_at
from runner.errors import Location
from runner.expect.subjects import BOUNDS
from runner.recipe.paths import Paths, is_path
from runner.recipe.recipe import (
    BenchmarkSource,
    DatasetSource,
    Expectation,
    ExpectedFailure,
    Metadata,
    MetricSource,
    ModelSource,
    Outputs,
    Recipe,
    Severity,
    StepSource,
    TargetSource,
)
from runner.recipe.resolved import resolved_content
from runner.recipe.rules.targets import target_name

Value = Mapping[str, Any]
COMMON_DATASET_KEYS = ("samples", "shuffle", "seed")
DEFAULT_FOLDER = "build"


def build_recipe(
    checked: Checked, paths: Paths, target: int, *, files: tuple[Path, ...], profile: str | None
) -> Recipe:
    """The recipe for the target at that index; `files` and `profile` are what it is made of."""
    value = checked.value
    source = _target(value, paths, target)
    steps = (_step(step) for step in value.get("steps", ()))
    metrics = value.get("evaluate", {}).get("metrics", {})
    return Recipe(
        path=checked.document.path,
        name=value["name"],
        target=source,
        model=_model(value.get("model", {}), paths),
        steps=tuple(steps),
        datasets=_datasets(value, paths),
        metrics=tuple(_metric(name, metric) for name, metric in metrics.items()),
        benchmark=_benchmark(value["benchmark"]) if "benchmark" in value else None,
        expect=tuple(_expectations(checked)),
        outputs=_outputs(value, source, profile),
        metadata=_metadata(value.get("metadata", {})),
        abstract=value.get("abstract", False),
        document=resolved_content(checked, paths, target, source.name),
        locations=_locations(checked, target),
        files=files,
        profile=profile,
    )


def _locations(checked: Checked, target: int) -> dict[KeyPath, Location]:
    """The place of every value; of a mapping under a key, of that key; of targets, the one only."""
    found = dict(checked.document.locations)
    keys = checked.document.key_locations
    mappings = (path for path in keys if isinstance(value_at(checked.written, path), dict))
    found |= {path: keys[path] for path in mappings}
    if ("targets",) in found:
        found["targets",] = found["targets", 0] = found["targets", target]
    return found


def _target(value: Value, paths: Paths, index: int) -> TargetSource:
    written = value.get("targets")
    if written is None:
        return TargetSource(name="cpu")
    path = paths.found[("targets", index)] if is_path(written[index]) else None
    return TargetSource(name=target_name(written[index]), path=path)


def _model(value: Value, paths: Paths) -> ModelSource:
    inputs = {name: tuple(shape) for name, shape in value.get("inputs", {}).items()}
    path = paths.found.get(("model", "path"), Path())
    return ModelSource(path=path, sha256=value.get("sha256"), inputs=inputs)


def _datasets(value: Value, paths: Paths) -> dict[str, DatasetSource]:
    datasets = value.get("datasets", {})
    return {role: _dataset(datasets[role], paths, ("datasets", role)) for role in datasets}


def _dataset(value: Value, paths: Paths, at: KeyPath) -> DatasetSource:
    own = ("loader", "preprocessing", *COMMON_DATASET_KEYS)
    options = {
        key: paths.found.get((*at, key), option) for key, option in value.items() if key not in own
    }
    return DatasetSource(
        loader=value.get("loader", ""),
        options=options,
        preprocessing=tuple(value.get("preprocessing", ())),
        **{key: value[key] for key in COMMON_DATASET_KEYS if key in value},
    )


def _step(value: Value) -> StepSource:
    use = value.get("use", "")
    return StepSource(id=value.get("id", use), use=use, parameters=value.get("with", {}))


def _metric(name: str, value: Value) -> MetricSource:
    options = {key: option for key, option in value.items() if key != "metric"}
    return MetricSource(name=name, metric=value.get("metric", ""), options=options)


def _benchmark(value: Value) -> BenchmarkSource:
    seconds = {"seconds": float(value["seconds"])} if "seconds" in value else {}
    return BenchmarkSource(**{**value, **seconds})


def _expectations(checked: Checked) -> Iterator[Expectation]:
    checks = checked.value.get("expect", ())
    taken = {check["id"] for check in checks if "id" in check}
    for i, check in enumerate(checks):
        kind = next(key for key in check if key in BOUNDS)
        name = check.get("id") or _free(f"{check.get('metric', '')}_{kind}", taken)
        taken.add(name)
        yield Expectation(
            id=name,
            metric=check.get("metric", ""),
            kind=kind,
            bound=float(check[kind]),
            severity=Severity(check.get("severity", Severity.ERROR)),
            when={key: _several(value) for key, value in check.get("when", {}).items()},
            xfail=_expected_failure(check["xfail"]) if "xfail" in check else None,
            where=locate(checked.document, ("expect", i, kind)),
            **{key: check[key] for key in ("drop_type", "against", "confidence") if key in check},
        )


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _expected_failure(value: Value) -> ExpectedFailure:
    until = {"until": date.fromisoformat(value["until"])} if "until" in value else {}
    return ExpectedFailure(reason=value["reason"], **until)


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered where it is taken already."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _outputs(value: Value, target: TargetSource, profile: str | None) -> Outputs:
    written = value.get("outputs", {})
    own = target.name if profile is None else f"{target.name}-{profile}"
    folder = Path(written.get("dir", f"{DEFAULT_FOLDER}/{value['name']}/{own}"))
    reports = {"reports": tuple(written["reports"])} if "reports" in written else {}
    return Outputs(dir=folder, **reports)


def _metadata(value: Value) -> Metadata:
    tags = {"tags": tuple(value["tags"])} if "tags" in value else {}
    return Metadata(**{**value, **tags})
