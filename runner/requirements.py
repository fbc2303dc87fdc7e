"""What a run needs of this machine, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from quant.runtime import core
from quant.target import Target
from runner.data import open as data
from runner.errors import MissingDevice, MissingExtra
from runner.expect.subjects import SPEED
from runner.metrics import make as metrics
from runner.recipe.recipe import Expectation, Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which parts of a recipe run, and whether emulation will do."""

    evaluate: bool = True
    benchmark: bool = True
    diagnose: bool = True
    require_device: bool = False


ALL = Parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where models are evaluated, and whether that is in place of the target's own device."""

    name: str
    emulated: bool


def choose_device(target: Target) -> Device:
    """The target's device where this machine has it, else the one that emulates it."""
    if target.device is not None and is_here(target.device):
        return Device(name=target.device, emulated=False)
    return Device(name=target.emulate_on, emulated=True)


def is_here(device: str) -> bool:
    """Whether OpenVINO finds the device, or one of its kind (`GPU` stands for `GPU.0` too)."""
    found: list[str] = core().available_devices
    return any(each == device or each.startswith(f"{device}.") for each in found)


def check_requirements(recipe: Recipe, target: Target, device: Device, parts: Parts) -> None:
    """Raises what this machine lacks for the parts that will run.

    Raises:
        MissingExtra: an optional package.
        MissingDevice: the target's device, where emulation will not do.
    """
    absent = _missing_extra(recipe, parts)
    if absent is not None:
        raise absent
    if device.emulated:
        _expect_no_device(recipe, target, parts)
    if not is_here(device.name):
        message = f"the target {target.name!r} runs on {device.name}, which is not on this machine"
        raise MissingDevice(message, recipe.locate("targets"))


def _missing_extra(recipe: Recipe, parts: Parts) -> MissingExtra | None:
    absent = [data.missing_extra(source) for source in recipe.datasets.values()]
    if parts.evaluate:
        absent += [metrics.missing_extra(source) for source in recipe.metrics]
    if asks_for_html(recipe) and not can_render_html():
        absent.append(MissingExtra("jinja2", "report", "the report 'html'"))
    return next((each for each in absent if each is not None), None)


def asks_for_html(recipe: Recipe) -> bool:
    """Whether the recipe itself asks for HTML, other than by default."""
    return "html" in recipe.document.get("outputs", {}).get("reports", ())


def can_render_html() -> bool:
    """Whether the package that renders HTML is installed."""
    return find_spec("jinja2") is not None


def _expect_no_device(recipe: Recipe, target: Target, parts: Parts) -> None:
    """Emulation will do where neither a speed nor the device itself is asked for."""
    wanted = f"the device {target.device!r}" if target.device else "a device that OpenVINO has not"
    absent = f"the target {target.name!r} needs {wanted}, and this machine has {_found()}"
    if parts.require_device:
        raise MissingDevice(absent, recipe.locate("targets"))
    speed = next((each for each in recipe.expect if each.metric in SPEED), None)
    if speed is not None and parts.benchmark:
        raise MissingDevice(_no_speed(speed, absent), speed.where)


def _no_speed(check: Expectation, absent: str) -> str:
    return (
        f"the check {check.id!r} needs a speed, which emulation can't measure: "
        f"{absent}; give the check `when: {{emulated: false}}`, or run with --no-benchmark"
    )


def _found() -> str:
    return ", ".join(core().available_devices) or "none"
