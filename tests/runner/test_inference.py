from __future__ import annotations

import numpy as np
import pytest

from quant.runtime import opset
from runner.data.sample import InputInfo, Sample
from runner.errors import ModelError
from runner.inference import Inference
from tests import models


def test_a_failed_sample_leaves_no_request_running() -> None:
    """`wait_all` stops at the first that failed; a queue that goes while others run can crash."""
    x, y = (models.parameter(name, -1, 3) for name in "xy")
    model = models.finish([models.named(opset.add(x, y), "same")], [x, y])
    inputs = [InputInfo(name=each, shape=(None, 3), dtype=np.dtype(np.float32)) for each in "xy"]
    rows = np.ones((2, 3), np.float32)
    samples = [Sample(id=str(i), inputs={"x": rows, "y": rows}) for i in range(16)]
    samples[0] = Sample(id="0", inputs={"x": rows, "y": np.ones((5, 3), np.float32)})
    for _ in range(20):
        with pytest.raises(ModelError, match="infer the model"):
            Inference(model, "CPU", ["same"]).infer(samples, inputs)
    assert len(Inference(model, "CPU", ["same"]).infer(samples[1:], inputs)) == 15
