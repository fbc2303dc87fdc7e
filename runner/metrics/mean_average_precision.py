"""Metric `mean_average_precision`: COCO's AP@[.50:.95], mean over classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from runner.data.fit import shown
from runner.data.sample import Array, Sample
from runner.errors import DataError, ModelError
from runner.metrics.average_precision import Boxes, average_precision, match
from runner.metrics.decoders import DECODERS, Detections, suppress
from runner.metrics.jackknife import pseudo_values
from runner.metrics.metric import Outputs, Packed
from runner.metrics.outputs import choose_output


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanAveragePrecision:
    """AP of decoded detections; each outcome is what is in the picture and what was found.

    Attributes:
        decoder: how the raw output is read; `strides` are its grids', in order.
        score_threshold: detections below it are dropped.
        nms_iou: of two detections of a class that overlap by more, the worse is dropped.
        max_detections: how many count per picture and class.
    """

    higher_is_better = True
    needs_labels = True
    is_share = False

    decoder: str = "yolox"
    score_threshold: float = 0.01
    nms_iou: float = 0.65
    max_detections: int = 100
    strides: Sequence[int] = (8, 16, 32)
    output: str | None = None

    def answer(self, outputs: Outputs, sample: Sample) -> Boxes:
        raw = choose_output(outputs, self.output, "mean_average_precision")
        decode = DECODERS[self.decoder]
        found = decode(raw, input_size(sample), self.strides, self.score_threshold)
        kept = suppress(found, self.nms_iou)
        truth_classes, truth = _truth(sample)
        return Boxes(
            truth=truth,
            truth_classes=truth_classes,
            found=_in_original_pixels(kept, sample),
            found_classes=kept.classes,
            scores=kept.scores,
        )

    def outcome(self, answer: Boxes, reference: Boxes) -> Boxes:
        return answer

    def pack(self, answer: Boxes) -> Packed:
        return {each.name: getattr(answer, each.name) for each in fields(Boxes)}

    def unpack(self, packed: Packed) -> Boxes:
        return Boxes(**packed)

    def value(self, outcomes: Sequence[Boxes]) -> float | None:
        """AP, or None where the labels hold no object at all."""
        matched = match(outcomes, self.max_detections)
        (value,) = average_precision(matched, np.ones((1, len(outcomes))))
        return None if np.isnan(value) else float(value)

    def contributions(self, outcomes: Sequence[Boxes]) -> Sequence[float]:
        matched = match(outcomes, self.max_detections)
        if not matched:
            return ()
        return pseudo_values(lambda weights: average_precision(matched, weights), len(outcomes))


def input_size(sample: Sample) -> tuple[int, int]:
    """(height, width) of the picture that the model saw, NCHW or NHWC."""
    shapes = [x.shape for x in sample.inputs.values() if x.ndim == 4]
    if len(shapes) != 1:
        found = ", ".join(shown(x.shape) for x in sample.inputs.values())
        message = f"mean_average_precision found inputs of {found}; expected one picture of rank 4"
        raise ModelError(message)
    _, first, second, third = shapes[0]
    is_nhwc = third in (1, 3) and first not in (1, 3)
    return (first, second) if is_nhwc else (second, third)


def _in_original_pixels(found: Detections, sample: Sample) -> Array:
    """Boxes `[m, 4]` (left, top, width, height), what preprocessing did undone."""
    scale, offset = (
        np.asarray(sample.meta.get(key, default), float)[::-1]
        for key, default in (("scale", (1.0, 1.0)), ("offset", (0.0, 0.0)))
    )
    low, high = (found.boxes[:, :2] - offset) / scale, (found.boxes[:, 2:] - offset) / scale
    return np.concatenate([low, high - low], axis=1)


def _truth(sample: Sample) -> tuple[Array, Array]:
    """Class indices `[n]` and boxes `[n, 4]` (left, top, width, height) in original pixels."""
    label = sample.label
    if not isinstance(label, np.ndarray) or label.ndim != 2 or label.shape[1] != 5:
        message = (
            f"sample {sample.id!r} has no boxes; mean_average_precision expects labels [n, 5] "
            "(class, x, y, w, h), as the loader 'images' reads them with 'labels'"
        )
        raise DataError(message)
    height, width = sample.meta.get("size") or input_size(sample)
    centers, sides = label[:, 1:3].astype(float), label[:, 3:5].astype(float)
    boxes = np.concatenate([centers - sides / 2, sides], axis=1) * (width, height, width, height)
    return label[:, 0].astype(int), boxes
