"""What conditions of checks ask for, as it is on this machine."""

from __future__ import annotations

import platform

from quant.runtime import ov
from runner.expect.when import Facts
from runner.isa import isa, isa_class
from runner.recipe.recipe import Recipe
from runner.requirements import Device


def facts(recipe: Recipe, device: Device) -> Facts:
    """Every fact that a condition may be about."""
    return {
        "target": recipe.target.name,
        "profile": recipe.profile,
        "device": device.name,
        "emulated": device.emulated,
        "isa": isa_class(isa()),
        "os": platform.system().lower(),
        "openvino": ov.__version__.partition("-")[0],
    }
