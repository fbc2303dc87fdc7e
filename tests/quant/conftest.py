"""What all tests of the library share."""

from __future__ import annotations

import pytest
from hypothesis import settings

import runner
from quant.target import Target

settings.register_profile("quant", database=None, deadline=None, derandomize=True, max_examples=30)
settings.load_profile("quant")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files from what is found"
    )


@pytest.fixture
def is_updating(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden", default=False))


@pytest.fixture(scope="session")
def cpu() -> Target:
    """The shipped target cpu."""
    return runner.load_target("cpu")
