"""Hardware descriptors to the library's Target.

Descriptors that ship stand beside this package; they are never looked for in the working directory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from quant.scheme import Granularity, Mode, Preset, Scheme
from quant.target import Support, Target
from runner import shipped
from runner.document.check import Checked, check
from runner.document.composition import Kind, compose_document, edited_document
from runner.document.document import Document, KeyPath, locate, locate_key
from runner.document.names import listed, suggest
from runner.errors import DescriptorError, DocumentError, Location, Problem, UsageError
from runner.operation_types import OPERATION_TYPES, OURS
from runner.recipe.bases import find_beside
from runner.target_schema import DESCRIPTOR, GROUPS

FOLDER = shipped.TARGETS
SUFFIX = ".yaml"


def target_names() -> tuple[str, ...]:
    """The names of the descriptors that ship, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}")))


def load_target(name_or_path: str | Path) -> Target:
    """The target that a descriptor describes: one that ships by its name, or a file by its path.

    Raises:
        DescriptorError: the file can't be read, or is wrong.
        UsageError: no descriptor of that name ships.
    """
    path = _path_of(name_or_path)
    return _load_shipped(path) if path.parent == FOLDER else _load(path)


@cache
def _load_shipped(path: Path) -> Target:
    return _load(path)


def _load(path: Path) -> Target:
    checked = check(_read(path), DESCRIPTOR)
    problems = [*checked.problems, *_scheme_problems(checked), *_operation_problems(checked)]
    if problems:
        raise DescriptorError(problems)
    return _build(checked.value)


def _path_of(name_or_path: str | Path) -> Path:
    name, names = str(name_or_path), target_names()
    if isinstance(name_or_path, Path) or "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    if name not in names:
        message = (
            f"unknown target {name!r}; expected {listed(names)}, or the path of a descriptor"
            f"{suggest(name, names)}"
        )
        raise UsageError(message)
    return FOLDER / f"{name}{SUFFIX}"


def _read(path: Path) -> Document:
    try:
        return edited_document(compose_document(path, DESCRIPTOR_KIND))
    except DocumentError as error:
        raise DescriptorError(error.problems) from error


def _expect_descriptor(document: Document) -> None:
    if "hardware" not in document.value:
        message = "not a hardware descriptor: the key 'hardware' is missing; expected `hardware: 1`"
        hint = "it looks like a recipe" if "recipe" in document.value else ""
        raise DocumentError([Problem(document.locations[()], message, hint)])


def _find_base(reference: str, place: Location) -> Path:
    """The descriptor that a reference under `extends` means."""
    scheme, sign, name = reference.partition(":")
    names = target_names()
    if not (sign and scheme == "builtin"):
        return find_beside(reference, place, "expected builtin:NAME or ./PATH")
    if name not in names:
        message = f"there is no builtin target {name!r}; expected {listed(names)}"
        raise DocumentError([Problem(place, f"{message}{suggest(name, names)}")])
    return FOLDER / f"{name}{SUFFIX}"


DESCRIPTOR_KIND = Kind(
    find_base=_find_base, expect=_expect_descriptor, own=frozenset({"hardware", "name"})
)
"""How descriptors are composed."""


def _scheme_problems(checked: Checked) -> Iterator[Problem]:
    """Schemes that are named but not defined, defined here but not used, or not whole."""
    written = checked.written.get("schemes")
    defined = list(written) if isinstance(written, dict) else []
    used = set()
    for path, name in _scheme_names(checked.value):
        used.add(name)
        if name not in defined:
            message = f"unknown scheme {name!r}; expected {listed(defined)}{suggest(name, defined)}"
            yield Problem(locate(checked.document, path), message)
    for name in defined:
        place = locate_key(checked.document, ("schemes", name))
        if name not in used and _is_own(checked, place):
            message = f"the scheme {name!r} is not used by any operation"
            yield Problem(place, message, "remove it")
    yield from _level_problems(checked)


def _is_own(checked: Checked, place: Location) -> bool:
    """Whether a place is in the descriptor itself, and not in one that it extends: what it inherits
    without need is no mistake."""
    return place.path == checked.document.locations[()].path


def _scheme_names(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for i, operation in enumerate(value.get("operations", ())):
        for group in GROUPS:
            yield from _entries(operation, ("operations", i), group)


def _entries(operation: Mapping[str, Any], at: KeyPath, key: str) -> Iterator[tuple[KeyPath, str]]:
    """The place and the text of what stands under a key: one text, or a list of them."""
    written = operation.get(key, [])
    if isinstance(written, list):
        yield from (((*at, key, i), name) for i, name in enumerate(written))
    else:
        yield (*at, key), written


def _level_problems(checked: Checked) -> Iterator[Problem]:
    for name, scheme in checked.value.get("schemes", {}).items():
        low, high = scheme.get("level_low"), scheme.get("level_high")
        place = locate_key(checked.document, ("schemes", name))
        if (low is None) != (high is None):
            yield Problem(
                place, f"the scheme {name!r} has one level; expected level_low and level_high"
            )
        elif low is not None and low >= high:
            yield Problem(place, f"the scheme {name!r} has level_low {low} not below {high}")


def _operation_problems(checked: Checked) -> Iterator[Problem]:
    """Types that OpenVINO doesn't have, that are listed more than once, or prioritized without
    being there."""
    seen: set[str] = set()
    for path, name in _operation_types(checked.value):
        if name not in OPERATION_TYPES:
            yield Problem(locate(checked.document, path), *_unknown_type(name))
        elif name in seen:
            message = f"{name!r} is listed already; an operation type stands in one place"
            yield Problem(locate(checked.document, path), message)
        seen.add(name)
    for i, name in enumerate(checked.value.get("input_priority_types", ())):
        place = locate(checked.document, ("input_priority_types", i))
        if name not in OPERATION_TYPES:
            yield Problem(place, *_unknown_type(name))
        elif name not in seen and _is_own(checked, place):
            message = f"{name!r} is prioritized, but the target executes none"
            yield Problem(place, message, "list it under `operations` first")


def _unknown_type(name: str) -> tuple[str, str]:
    """What is wrong with an operation type that OpenVINO doesn't have, and what is expected."""
    message = f"unknown operation type {name!r}{suggest(name, OPERATION_TYPES)}"
    return message, f"expected one of OpenVINO's, or {listed(sorted(OURS))}"


def _operation_types(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for i, operation in enumerate(value.get("operations", ())):
        yield from _entries(operation, ("operations", i), "op")
    yield from _entries(value, (), "passthrough")


def _build(value: Mapping[str, Any]) -> Target:
    schemes = {name: tuple(_expand(scheme)) for name, scheme in value["schemes"].items()}
    operations = {
        name: _support(operation, schemes)
        for operation in value["operations"]
        for name in _as_list(operation["op"])
    }
    presets = value.get("presets", {}).items()
    runtime = value["runtime"]
    optional = {key: value[key] for key in ("primary_bitwidth",) if key in value}
    return Target(
        name=value["name"],
        device=runtime["device"],
        isa=runtime.get("isa"),
        **({"emulate_on": runtime["emulate_on"]} if "emulate_on" in runtime else {}),
        operations=operations,
        passthrough=frozenset(value.get("passthrough", ())),
        presets={Preset(asked): Preset(run) for asked, run in presets},
        input_priority_types=tuple(value.get("input_priority_types", ())),
        **optional,
    )


def _expand(scheme: Mapping[str, Any]) -> Iterator[Scheme]:
    """The product of the fields that hold lists, in the order in which they are written."""
    choices = [_as_list(choice) for choice in scheme.values()]
    for values in itertools.product(*choices):
        fields = dict(zip(scheme, values, strict=True))
        fields["mode"], fields["granularity"] = (
            Mode(fields["mode"]),
            Granularity(fields["granularity"]),
        )
        yield Scheme(**fields)


def _support(operation: Mapping[str, Any], schemes: Mapping[str, tuple[Scheme, ...]]) -> Support:
    candidates = {
        group: tuple(s for name in _as_list(operation.get(group, [])) for s in schemes[name])
        for group in GROUPS
    }
    unified = operation.get("unified_scales", ())
    ports = unified if isinstance(unified, str) else tuple(tuple(group) for group in unified)
    return Support(**candidates, unified_scales=ports)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
