"""Decoders: detections from a model's raw output, in pixels of the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.data.sample import Array
from runner.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """Boxes `[m, 4]` (left, top, right, bottom), scores `[m]` and class indices `[m]`."""

    boxes: Array
    scores: Array
    classes: Array

    def take(self, keep: Array) -> Detections:
        """Those at the indices, or where the mask is true."""
        return Detections(
            boxes=self.boxes[keep], scores=self.scores[keep], classes=self.classes[keep]
        )


def decode_yolox(
    raw: Array, size: tuple[int, int], strides: Sequence[int], score_threshold: float
) -> Detections:
    """Detections of a YOLOX output `[1, N, 5 + C]` for an input of `size` (height, width).

    Center = (raw + cell) * stride, side = exp(raw) * stride, score = object * class; each anchor
    keeps its best class, as YOLOX's own evaluation does.

    Source: YOLOX yolox/utils/demo_utils.py `demo_postprocess`, boxes.py `postprocess`, @0.3.0.

    Raises:
        ModelError: the number of anchors does not fit the size and the strides.
    """
    cells, steps = grid(size, strides)
    if raw.ndim != 3 or raw.shape[:2] != (1, len(cells)) or raw.shape[2] < 6:
        message = (
            f"the yolox decoder found an output of shape {list(raw.shape)}; expected "
            f"[1, {len(cells)}, 5 + classes] for an input of {size[0]} x {size[1]} and strides "
            f"{list(strides)}"
        )
        raise ModelError(message)
    scores = raw[0, :, 4] * raw[0, :, 5:].max(axis=1)
    keep = np.flatnonzero(scores >= score_threshold)
    x = raw[0, keep].astype(float)
    with np.errstate(over="ignore", invalid="ignore"):
        centers = (x[:, :2] + cells[keep]) * steps[keep]
        halves = np.exp(x[:, 2:4]) * steps[keep] / 2
        boxes = np.concatenate([centers - halves, centers + halves], axis=1)
    found = Detections(boxes=boxes, scores=scores[keep], classes=x[:, 5:].argmax(axis=1))
    return found.take(np.isfinite(boxes).all(axis=1) & np.isfinite(found.scores))


def grid(size: tuple[int, int], strides: Sequence[int]) -> tuple[Array, Array]:
    """Cell (x, y) `[N, 2]` and stride `[N, 1]` of every anchor: stride by stride, row by row."""
    cells, steps = [], []
    for stride in strides:
        height, width = size[0] // stride, size[1] // stride
        y, x = np.divmod(np.arange(height * width), width)
        cells.append(np.stack([x, y], axis=1))
        steps.append(np.full((height * width, 1), stride))
    return np.concatenate(cells).astype(float), np.concatenate(steps).astype(float)


def suppress(found: Detections, nms_iou: float) -> Detections:
    """Per class, best first, without those that overlap a better one by more than `nms_iou`."""
    found = found.take(np.argsort(-found.scores, kind="stable"))
    overlaps = iou(found.boxes, found.boxes) > nms_iou
    overlaps &= found.classes[:, None] == found.classes
    keep = np.ones(len(found.scores), bool)
    for i in range(len(keep)):
        if keep[i]:
            keep[i + 1 :] &= ~overlaps[i, i + 1 :]
    return found.take(keep)


def iou(a: Array, b: Array) -> Array:
    """Intersection over union `[m, n]` of boxes `[m, 4]` and `[n, 4]` (left, top, right, bottom).

    >>> iou(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]])).round(4).tolist()
    [[0.3333]]
    """
    left, top = (np.maximum.outer(a[:, i], b[:, i]) for i in (0, 1))
    right, bottom = (np.minimum.outer(a[:, i], b[:, i]) for i in (2, 3))
    shared = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    union = _area(a)[:, None] + _area(b)[None] - shared
    ratio: Array = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def _area(boxes: Array) -> Array:
    area: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


DECODERS = {"yolox": decode_yolox}
