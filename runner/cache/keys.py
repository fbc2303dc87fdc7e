"""Keys of entries: digests of all that the values follow from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from quant.digest import digest
from runner.cache.code import code_digest
from runner.data.digest import data_digest
from runner.data.open import Selection
from runner.environment import describe
from runner.plan import Plan
from runner.recipe.recipe import DatasetSource, MetricSource

PACKAGES = ("numpy", "pillow", "tokenizers", "pycocotools")
"""What samples are read and answers computed with, beside OpenVINO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Makes the keys of one plan's model on one machine; all hold what `common` does."""

    device: str
    common: tuple[Any, ...]

    @classmethod
    def of(cls, plan: Plan) -> Keys:
        """For a plan; reads all of the model's constants."""
        packages = {name: _version(name) for name in PACKAGES}
        model = digest(plan.quantization.model)
        return cls(device=plan.device, common=(model, packages, code_digest()))

    def statistics(self, source: DatasetSource, data: Selection) -> str:
        """Of statistics of the calibration data, which is always inferred on the CPU."""
        return _key([*self.common, asdict(describe("CPU")), data_digest(source, data)])

    def baseline(self, samples: str, metrics: Iterable[MetricSource]) -> dict[str, str]:
        """Of the answers to each metric on samples of that digest, by the metrics' names."""
        found = [*self.common, asdict(describe(self.device)), samples]
        return {each.name: _key([*found, each.metric, each.options]) for each in metrics}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _key(parts: list[Any]) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
