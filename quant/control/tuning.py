"""Tuning: the settings of DefaultQuantization that suit a model and its data best.

Settings are searched one axis after the other, each option against the best found so far, on the
same samples; once more where that changed anything. All models are made from one calibration pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field

from quant.control.axes import PRESET, Axis, free_axes
from quant.control.candidate import Candidate, Workshop
from quant.control.gain import Reading, Yardstick, is_improvement
from quant.control.noise import SQNR
from quant.control.parameters import ControlParameters
from quant.entry import needs_of
from quant.errors import ParameterError
from quant.plan import Planned, QuantPlan
from quant.scheme import Preset
from quant.statistics.store import collect_stored

ROUNDS = 2
"""How often all axes are searched at most."""

SIZE = 300
"""Samples that models are compared on, unless `ranking_subset_size` says. Source: the size that
POT's documents recommend for a representative subset."""

Readings = Mapping[str, Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTrial:
    """One model that was compared.

    `values`: by metric, on the samples of the comparison. `sqnr_db`: signal to noise of the
    outputs, the mean of the samples'. `is_better`: than the best one before it.
    """

    candidate: Candidate
    values: Mapping[str, float]
    sqnr_db: float
    is_better: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What tuning chose: the last trial that is better, or else the first, which is the start.

    `axes`: what was open. `samples`: how many the models were compared on.
    """

    candidate: Candidate
    trials: tuple[TuningTrial, ...]
    axes: tuple[str, ...]
    samples: int

    @property
    def summary(self) -> str:
        """What was chosen, in one line."""
        compared = f"{len(self.trials)} models compared on {self.samples} samples"
        better = [each for each in self.trials if each.is_better]
        if not better:
            return f"nothing better was found; {compared}"
        words = [f"{path}: {value}" for path, value in self.candidate.settings]
        if self.candidate.preset is not self.trials[0].candidate.preset:
            words.insert(0, f"preset: {self.candidate.preset}")
        gain = better[-1].sqnr_db - self.trials[0].sqnr_db
        return f"{', '.join(words)}; {gain:+.2f} dB at the outputs; {compared}"


def subset_size(asked: ControlParameters, samples: object) -> int:
    """How many samples models are compared on: as many as are asked for, or all if there are
    fewer."""
    wanted = asked.ranking_subset_size or SIZE
    return min(wanted, len(samples)) if isinstance(samples, Sized) else wanted


def _axes(workshop: Workshop) -> tuple[Axis, ...]:
    return free_axes(workshop.given) if workshop.parameters.tune_hyperparams else ()


def prepare(workshop: Workshop) -> None:
    """Collects, in one pass, what all models of a tuning need, that of the start included."""
    needs = dict.fromkeys(n for plan in _plans(workshop) for n in needs_of(plan))
    model, samples = workshop.model, workshop.samples
    collect_stored(model, tuple(needs), samples, workshop.store, workshop.progress)


def _plans(workshop: Workshop) -> Iterator[QuantPlan]:
    """Plans that together need all that any combination of options does: ranges hang on preset
    and estimator, all else on the option alone."""
    axes = {each.name: each for each in _axes(workshop)}
    start = Candidate(preset=workshop.parameters.preset)
    presets = [start, *_options(axes.get(PRESET), start)]
    if workshop.parameters.convert_to_mixed_preset:
        presets.append(Candidate(preset=Preset.MIXED))
    ranges = [each for one in presets for each in (one, *_options(axes.get("activations"), one))]
    others = [
        each
        for name in axes
        if name not in (PRESET, "activations")
        for each in _options(axes[name], start)
    ]
    for candidate in dict.fromkeys((*ranges, *others)):
        try:
            yield workshop.plan(candidate)
        except ParameterError:
            if candidate == start:
                raise


def _options(axis: Axis | None, candidate: Candidate) -> list[Candidate]:
    return [] if axis is None else [axis.applied(candidate, each) for each in axis.options]


def tune(
    workshop: Workshop,
    start: Candidate,
    noise: Yardstick,
    metrics: Yardstick | None = None,
    *,
    samples: int,
    is_spent: Callable[[], bool] = lambda: False,
) -> Tuning:
    """The best settings found from a start.

    Args:
        noise: reads the signal to noise of the outputs.
        metrics: reads what decides where it can; None: the output error alone does.
        samples: how many the yardsticks read at most.
        is_spent: whether there must be no further trial.
    """
    search = _Search(workshop=workshop, noise=noise, metrics=metrics, is_spent=is_spent)
    search.compare(start)
    axes = _axes(workshop)
    for _ in range(ROUNDS):
        before = search.best
        for axis in axes:
            for option in axis.options:
                search.compare(axis.applied(search.best, option))
        if search.best == before:
            break
    return Tuning(
        candidate=search.best,
        trials=tuple(search.trials),
        axes=tuple(each.name for each in axes),
        samples=samples,
    )


@dataclass(slots=True)
class _Search:
    """The trials so far, and the best one."""

    workshop: Workshop
    noise: Yardstick
    metrics: Yardstick | None
    is_spent: Callable[[], bool]
    trials: list[TuningTrial] = field(default_factory=list)
    plans: dict[Candidate, QuantPlan] = field(default_factory=dict)
    best: Candidate = field(init=False)
    readings: Readings = field(init=False)

    def compare(self, candidate: Candidate) -> None:
        """Makes, measures and compares a model, unless that would tell nothing new."""
        if candidate in self.plans or (self.trials and self.is_spent()):
            return
        started = time.perf_counter()
        if not self._is_new(candidate):
            return
        model = self.workshop.make(candidate).model
        found = dict(self.noise.measure(model))
        if self.metrics is not None:
            found |= self.metrics.measure(model)
        is_better = bool(self.trials) and self._is_better(found)
        if is_better or not self.trials:
            self.best, self.readings = candidate, found
        self.trials.append(
            TuningTrial(
                candidate=candidate,
                values={name: each.value for name, each in found.items() if name != SQNR},
                sqnr_db=found[SQNR].value,
                is_better=is_better,
                seconds=time.perf_counter() - started,
            )
        )

    def _is_new(self, candidate: Candidate) -> bool:
        """Whether the target can run it, on weights no wider than those of the start, and nothing
        that was tried makes the same model."""
        try:
            plan = self.workshop.plan(candidate)
        except ParameterError:
            if not self.trials:
                raise
            return False
        plans = list(self.plans.values())
        self.plans[candidate] = plan
        is_known = any(is_same_model(plan, each) for each in plans)
        return not is_known and all(_weight_bits(plan) <= _weight_bits(each) for each in plans[:1])

    def _is_better(self, found: Readings) -> bool:
        names: Sequence[str] = [name for name in found if name != SQNR]
        gains = (
            self.metrics.gain(name, self.readings[name], found[name])
            for name in names
            if self.metrics is not None
        )
        return is_improvement(gains, self.noise.gain(SQNR, self.readings[SQNR], found[SQNR]))


def is_same_model(plan: QuantPlan, other: QuantPlan) -> bool:
    """Whether two plans make the same model: at most steps with nothing to do differ."""
    return _acting(plan) == _acting(other)


def _acting(plan: QuantPlan) -> list[Planned]:
    return [step for step in plan.steps if any(getattr(step, name, ()) for name in _OBJECTS)]


def _weight_bits(plan: QuantPlan) -> int:
    """The most bits of any weights; 16 in place of 8 would be another speed."""
    schemes = (each.weights for each in plan.operations)
    return max((scheme.bits for scheme in schemes if scheme is not None), default=0)


_OBJECTS = ("activations", "weights", "groups", "pairs", "sites", "stages")
"""What steps act on."""
