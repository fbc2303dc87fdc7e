"""What all tests of the library share."""

from __future__ import annotations

import pytest
from hypothesis import settings

import runner
from quant.target import Target

settings.register_profile("quant", database=None, deadline=None, derandomize=True, max_examples=30)
settings.load_profile("quant")


@pytest.fixture(scope="session")
def cpu() -> Target:
    """The shipped target cpu."""
    return runner.load_target("cpu")
