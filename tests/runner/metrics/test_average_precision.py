from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.metrics.average_precision import Boxes, average_precision, match


def picture(rng: np.random.Generator, levels: int = 10**9) -> Boxes:
    """Up to four objects and seven detections, some near objects; few `levels` make ties."""
    objects, found = rng.integers(5), rng.integers(8)
    truth = rng.uniform(1, 40, (objects, 4))
    boxes = rng.uniform(1, 40, (found, 4))
    truth_classes, found_classes = (
        rng.integers(3, size=objects),
        rng.integers(3, size=found),
    )
    near = min(objects, found)
    boxes[:near] = truth[:near] * rng.uniform(0.9, 1.1, (near, 4))
    found_classes[:near] = truth_classes[:near]
    return Boxes(
        truth=truth,
        truth_classes=truth_classes,
        found=boxes,
        found_classes=found_classes,
        scores=rng.integers(1, levels, found) / levels,
    )


def coco_ap(pictures: Sequence[Boxes], max_detections: int) -> float:
    """AP as pycocotools itself computes it from a dataset in COCO's format; -1 for no objects."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entries(boxes: Any, classes: Any, image: int, scores: Any) -> list[dict[str, Any]]:
        return [
            {
                "image_id": image,
                "category_id": int(c),
                "bbox": b.tolist(),
                "area": float(b[2] * b[3]),
                "iscrowd": 0,
                "score": float(s),
            }
            for b, c, s in zip(boxes, classes, scores, strict=True)
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for kind in ("truth", "found"):
            items = [
                entry
                for i, p in enumerate(pictures)
                for entry in entries(
                    getattr(p, kind),
                    getattr(p, f"{kind}_classes"),
                    i,
                    p.scores if kind == "found" else np.ones(len(p.truth)),
                )
            ]
            side = COCO()
            side.dataset = {
                "images": [{"id": i} for i in range(len(pictures))],
                "categories": [{"id": i} for i in range(3)],
                "annotations": [{"id": n, **item} for n, item in enumerate(items, start=1)],
            }
            side.createIndex()
            sides.append(side)
        evaluation = COCOeval(*sides, "bbox")
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.params.maxDets = [max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]
    return float(precision[precision > -1].mean()) if (precision > -1).any() else -1.0


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([2, 100]))
@settings(deadline=None, max_examples=40)
def test_weights_of_one_give_pycocotools_own_value(seed: int, n: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = [picture(rng, levels=9) for _ in range(n)]
    (found,) = average_precision(match(pictures, limit), np.ones((1, n)))
    assert np.nan_to_num(found, nan=-1.0) == pytest.approx(coco_ap(pictures, limit), abs=1e-12)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_weights_are_copies_of_samples(seed: int) -> None:
    """A sample drawn twice counts as two pictures that are alike, one drawn never as none."""
    rng = np.random.default_rng(seed)
    pictures = [picture(rng) for _ in range(4)]
    weights = rng.integers(0, 3, (3, 4))
    copies = [[p for p, w in zip(pictures, row, strict=True) for _ in range(w)] for row in weights]
    expected = [
        average_precision(match(items, 100), np.ones((1, len(items))))[0] for items in copies
    ]
    found = average_precision(match(pictures, 100), weights)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_chunks_of_weights_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matched = match([picture(rng) for _ in range(6)], 100)
    weights = rng.integers(0, 3, (9, 6))
    expected = average_precision(matched, weights)
    monkeypatch.setattr("runner.metrics.average_precision.CELLS", 10)
    np.testing.assert_array_equal(average_precision(matched, weights), expected)


def test_matching_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    match([picture(np.random.default_rng(1))], 100)
    assert capsys.readouterr() == ("", "")


def test_without_objects_there_is_no_value() -> None:
    nothing = np.zeros((0, 4))
    empty = Boxes(
        truth=nothing,
        truth_classes=nothing[:, 0],
        found=nothing,
        found_classes=nothing[:, 0],
        scores=nothing[:, 0],
    )
    assert np.isnan(average_precision(match([empty], 100), np.ones((2, 1)))).all()
