"""What a step that infers again works with: the samples, and the model that it compares with."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass

from quant.plan import Subset
from quant.runtime import ov
from quant.statistics.collect import collect_needs
from quant.statistics.need import Need, Statistics
from quant.statistics.passes import Array, Progress, Samples, infer


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """Handed to `refine`.

    Attributes:
        reference: the model in floating point, before anything that only the quantized model
            makes up for: SmoothQuant's divisors are part of MinMaxQuantization's ranges.
        samples: can be read again and again.
        sample_count: how many there are, as far as that is known.
        progress: called with the number of samples that a pass is done with.
    """

    reference: ov.Model
    samples: Samples
    sample_count: int
    progress: Progress | None = None

    def collect(self, model: ov.Model, needs: Sequence[Need]) -> Statistics:
        """The answers of all needs on a model, from one pass."""
        return collect_needs(model, needs, self.samples, self.progress)

    def each(
        self,
        model: ov.Model,
        subset: Subset,
        add: Callable[[int, list[Array]], None],
    ) -> int:
        """One pass; `add` takes each sample's index and the model's outputs, in sample order.

        Outputs should be reduced inside the graph. Returns the number of samples.
        """
        return infer(
            model,
            self.samples,
            [subset],
            lambda index, _, values: add(index, values),
            self.progress,
        )


def count(samples: Samples, statistics: Statistics) -> int:
    """How many samples there are; where they do not say, how many were read."""
    return len(samples) if isinstance(samples, Sized) else statistics.sample_count
