"""What is measured: topologies of real size, biases that are not zero, files read as written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import folder
from benchmarks.cases import CASES, available
from quant.runtime import ov
from tests import models, networks


def constants(model: ov.Model) -> list[np.ndarray]:
    """All floating-point constants."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    return [node.data for node in nodes if node.get_element_type() == ov.Type.f32]


def test_the_zoo_needs_its_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECIPE_ROOT_ZOO", raising=False)
    assert available() == ("resnet_50", "bert_base", "mobilenet_v2")
    monkeypatch.setenv("RECIPE_ROOT_ZOO", "anywhere")
    assert available() == tuple(CASES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mobilenet_v2", 3_504_872 - 17_056), ("resnet_50", 25_557_032 - 26_560)],
)
def test_networks_have_as_many_parameters_as_the_real_ones(name: str, expected: int) -> None:
    """As torchvision's, less one per channel: a batch norm has two, the bias it becomes is one."""
    found = constants(CASES[name].open(1).model)
    assert sum(each.size for each in found) == expected


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_no_weight_and_no_bias_is_zero(name: str) -> None:
    assert all(np.count_nonzero(each) == each.size for each in constants(networks.NETWORKS[name]()))


def test_a_case_reads_back_as_it_was_written(tmp_path: Path) -> None:
    model = networks.bert_base()
    samples = models.samples(model, 3)
    folder.write(tmp_path, model, samples)
    np.testing.assert_equal(folder.read_samples(tmp_path), samples)
    expected = models.evaluate_all(model, samples)
    np.testing.assert_equal(
        models.evaluate_all(folder.read_model(tmp_path), folder.read_samples(tmp_path)), expected
    )
