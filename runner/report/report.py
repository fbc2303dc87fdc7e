"""The Report type: plain numbers with units. Every output format renders it and adds nothing.

The schema is `recipe.report/1`. Numbers are never rounded here, and none is NaN or infinite: what
has no finite value is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.baseline.compare import BaselineUse
from runner.cache.use import CacheUse
from runner.expect.check import Check

SCHEMA = "recipe.report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was run: the recipe with a digest of its resolved content, and its plan's digest."""

    name: str
    path: str
    digest: str
    plan_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where it was run: nothing in it names a host or a person."""

    device: str
    device_name: str
    isa: tuple[str, ...]
    openvino: str
    runner: str
    python: str
    os: str
    threads: int
    precision: str = "f32"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """A metric of both models on the same `n` samples; a positive drop is for the worse."""

    metric: str
    fp32: float | None
    quantized: float | None
    drop: float | None
    n: int
    ci95: tuple[float, float] | None
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of one synchronous request."""

    median: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Speed of one model; `spread` is (max - min) / median of the throughput over repeats."""

    throughput_fps: float
    latency_ms: Latency
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """One model in one repeat of the benchmark; `latency_ms` is the repeat's median."""

    throughput_fps: float
    latency_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Both models measured in turn; speed-ups are medians of the ratios within each repeat.

    `speedup` is that of what `hint` asks for. `rounds`: FP32 and quantized of every repeat.
    """

    fp32: Speed
    quantized: Speed
    speedup: float
    throughput_speedup: float
    latency_speedup: float
    hint: str
    seconds: float
    repeats: int
    rounds: tuple[tuple[Repeat, Repeat], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes of .xml and .bin together, both models as saved here, uncompressed."""

    fp32_bytes: int
    quantized_bytes: int
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOperation:
    """An operation that stays in floating point, and why."""

    name: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Counts of operations by what became of them; `policies` are choices that the data made."""

    operations: int
    quantized: int
    passthrough: int
    fused: int
    fake_quantize: int
    samples: int
    policies: Mapping[str, str] = field(default_factory=dict)
    reverted: tuple[str, ...] = ()
    not_quantized: tuple[KeptOperation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A quantized operation.

    Attributes:
        ranges, clipped: by quantizer of its activations, the range and the share of values outside.
        saturation: the share of sums that would saturate on the target with full-range weights.
        is_half_range: whether its weights use half of their range against that.
        sqnr_db: signal to quantization noise at its output; None where there is no finite one.
        own_sqnr_db: the same with nothing above it quantized.
        noise_share: how much of the noise at the model's outputs is its own, 0 to 1.
        weights_share: how much of its own noise comes from its weights, 0 to 1.
    """

    name: str
    type: str
    weights_scheme: str | None
    activations_scheme: str | None
    ranges: Mapping[str, tuple[float, float]]
    bias_shift: float | None
    saturation: float | None = None
    is_half_range: bool = False
    sqnr_db: float | None = None
    own_sqnr_db: float | None = None
    noise_share: float | None = None
    weights_share: float | None = None
    clipped: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputNoise:
    """Signal to quantization noise of a model output; without a finite one, `note` says why."""

    name: str
    sqnr_db: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTrial:
    """A model that accuracy control evaluated.

    Attributes:
        int16, fp32, fp32_activations: the operations that it had reverted.
        values, drops: by metric, over `samples`; of a model that misses the limit by far these are
            not all, and the drop of a mean is that of the same samples. Once another model keeps
            the limit: the drop is the least that it can be.
        is_ranking: made only to rank what is reverted in it.
    """

    preset: str
    int16: tuple[str, ...]
    fp32: tuple[str, ...]
    fp32_activations: tuple[str, ...]
    values: Mapping[str, float | None]
    drops: Mapping[str, float | None]
    meets: bool
    samples: int | None
    seconds: float
    is_ranking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How accuracy control ended.

    Attributes:
        untried: reverted operations that may be unnecessary: the budget ended before.
        parameters: YAML that makes DefaultQuantization do the same.
    """

    reached: bool
    reason: str
    untried: tuple[str, ...]
    parameters: str
    trials: tuple[ControlTrial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTrial:
    """A model that tuning compared.

    Attributes:
        parameters: what it differs in from the recipe, by path.
        values: by metric; `sqnr_db`: signal to noise of the outputs, the mean of the samples'.
        is_better: than the best one before it.
    """

    parameters: Mapping[str, str | bool | float]
    values: Mapping[str, float | None]
    sqnr_db: float | None
    is_better: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How settings were chosen.

    Attributes:
        axes: what was open.
        parameters: YAML of what was chosen, to paste; empty where nothing better was found.
        samples: how many the models were compared on.
        trials: the first is the recipe as it is written.
    """

    axes: tuple[str, ...]
    parameters: str
    samples: int
    trials: tuple[TuningTrial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds per phase; None where a phase was not run.

    `cache_s`: of the digests of model and data, and of what was read from the cache.
    `references_s`: of what checks compare with, other than FP32.
    """

    load_s: float
    cache_s: float
    calibration_s: float
    quantize_s: float
    diagnose_s: float | None = None
    baseline_s: float | None = None
    evaluate_s: float | None = None
    references_s: float | None = None
    benchmark_s: float | None = None
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one run of one recipe for one target.

    Attributes:
        baseline: what became of the accepted result, where there is one.
        peak_memory_bytes: the most that the process held while it calibrated and quantized.
        strict: whether warnings of checks count as failures.
    """

    recipe: Subject
    target: str
    emulated: bool
    environment: Environment
    metrics: Mapping[str, MetricValue]
    performance: Performance | None
    size: Size
    quantization: Quantization
    layers: tuple[Layer, ...]
    outputs: tuple[OutputNoise, ...]
    checks: tuple[Check, ...]
    timings: Timings
    artifacts: Mapping[str, str]
    cache: CacheUse = field(default_factory=CacheUse)
    control: Control | None = None
    tuning: Tuning | None = None
    notes: tuple[str, ...] = ()
    peak_memory_bytes: int | None = None
    baseline: BaselineUse | None = None
    strict: bool = False

    @property
    def worst_layers(self) -> tuple[Layer, ...]:
        """The layers that were measured, those with most of the noise at the outputs first."""
        measured = [layer for layer in self.layers if layer.noise_share is not None]
        return tuple(sorted(measured, key=lambda layer: (-(layer.noise_share or 0), layer.name)))

    @property
    def verdict(self) -> str:
        """`fail` when any check does, else `pass`."""
        return "fail" if any(each.fails(strict=self.strict) for each in self.checks) else "pass"
