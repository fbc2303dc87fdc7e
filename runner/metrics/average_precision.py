"""COCO's AP@[.50:.95] of detections: matching by pycocotools, and AP for samples with weights.

Matching does not depend on the other samples, so it is done once; AP of a resampled dataset then
only counts each sample's detections as often as it was drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.data.sample import Array

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
CELLS = 4_000_000  # weights of single detections held at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """What is in one picture and what was found; boxes (left, top, width, height) in its pixels.

    Attributes:
        truth: boxes `[n, 4]`, with `truth_classes` `[n]`.
        found: boxes `[m, 4]`, with `found_classes` `[m]` and `scores` `[m]`.
    """

    truth: Array
    truth_classes: Array
    found: Array
    found_classes: Array
    scores: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One class over all samples, detections best first.

    Attributes:
        samples: which sample each detection is of, `[d]`.
        hits: whether it matches an object, per threshold, `[10, d]`.
        objects: number of objects per sample, `[n]`.
    """

    samples: Array
    hits: Array
    objects: Array


def match(pictures: Sequence[Boxes], max_detections: int) -> tuple[Matched, ...]:
    """Every class that has objects, in order, each detection matched to an object or to none.

    At most `max_detections` count per picture and class, as in pycocotools.
    """
    evaluation = _evaluation(pictures, max_detections)
    by_class = defaultdict(list)
    for picture, category in sorted(evaluation._gts.keys() | evaluation._dts.keys()):
        evaluation.ious[picture, category] = evaluation.computeIoU(picture, category)
        everything = evaluation.params.areaRng[0]
        result = evaluation.evaluateImg(picture, category, everything, max_detections)
        by_class[category].append(result)
    matched = [_merge(by_class[category], len(pictures)) for category in sorted(by_class)]
    return tuple(item for item in matched if item.objects.any())


def average_precision(matched: Sequence[Matched], weights: Array) -> Array:
    """AP `[r]` of datasets that hold sample i `weights[:, i]` times, `weights` `[r, n]`.

    NaN for a dataset without objects. With weights of 1 this is COCO's AP.

    Source: pycocotools cocoeval.py@2.0.11 `accumulate` and `summarize`.
    """
    if not matched:
        return np.full(len(weights), np.nan)
    rows = max(1, CELLS // max(1, *(len(item.samples) for item in matched)))
    parts = [weights[start : start + rows] for start in range(0, len(weights), rows)]
    return np.concatenate([_mean_over_classes(matched, part) for part in parts])


def _mean_over_classes(matched: Sequence[Matched], weights: Array) -> Array:
    values = np.stack([_class_precision(item, weights) for item in matched])
    present = ~np.isnan(values)
    total = np.where(present, values, 0).sum(axis=0)
    counts = present.sum(axis=0)
    mean: Array = np.divide(total, counts, out=np.full(len(weights), np.nan), where=counts > 0)
    return mean


def _class_precision(item: Matched, weights: Array) -> Array:
    """AP `[r]` of one class; NaN where a dataset has no object of it."""
    objects = weights @ item.objects
    drawn = weights[:, item.samples]
    ranks = np.cumsum(drawn, axis=1)
    total = np.zeros(len(weights))
    for hits in item.hits:
        found = np.cumsum(drawn[:, hits], axis=1)
        total += _area_under(found, ranks[:, hits], np.maximum(objects, 1))
    return np.where(objects > 0, total / len(item.hits), np.nan)


def _area_under(found: Array, ranks: Array, objects: Array) -> Array:
    """Mean over 101 recalls of the best precision at that recall or beyond, `[r]`.

    `found` and `ranks` `[r, h]`: at each hit, the hits and the detections so far, its own included.
    Precision at a recall that several thresholds share is counted once for each of them.
    """
    precision = found / (ranks + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, found / objects[:, None], side="right")
    new = np.diff(reached, axis=1, prepend=0)
    area: Array = (best * new).sum(axis=1) / len(RECALLS)
    return area


def _evaluation(pictures: Sequence[Boxes], max_detections: int) -> Any:
    """A COCOeval filled by hand: its COCO index prints, and visits every empty pair besides."""
    from pycocotools.cocoeval import COCOeval

    evaluation = COCOeval(iouType="bbox")
    evaluation.params.maxDets = [max_detections]
    evaluation.params.iouThrs = IOU_THRESHOLDS
    evaluation.ious = {}
    for i, boxes in enumerate(pictures):
        for category, box in zip(boxes.truth_classes, boxes.truth, strict=True):
            evaluation._gts[i, int(category)].append({"ignore": 0, "iscrowd": 0, **_entry(box)})
        found = zip(boxes.found_classes, boxes.found, boxes.scores, strict=True)
        for category, box, score in found:
            evaluation._dts[i, int(category)].append({"score": float(score), **_entry(box)})
    for i, item in enumerate([x for group in evaluation._gts.values() for x in group], start=1):
        item["id"] = i
    for i, item in enumerate([x for group in evaluation._dts.values() for x in group], start=1):
        item["id"] = i
    return evaluation


def _entry(box: Array) -> Mapping[str, Any]:
    return {"bbox": [float(v) for v in box], "area": float(box[2] * box[3])}


def _merge(results: Sequence[Mapping[str, Any]], samples: int) -> Matched:
    """One class of all pictures, detections sorted by score (stable, pictures in order)."""
    objects = np.zeros(samples)
    for result in results:
        objects[result["image_id"]] = len(result["gtIds"])
    scores = np.concatenate([np.asarray(result["dtScores"], float) for result in results])
    owners = [np.full(len(result["dtIds"]), result["image_id"]) for result in results]
    hits = np.concatenate([result["dtMatches"] > 0 for result in results], axis=1)
    order = np.argsort(-scores, kind="stable")
    return Matched(samples=np.concatenate(owners)[order], hits=hits[:, order], objects=objects)
