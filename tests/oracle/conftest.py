"""The suite needs NNCF, a peer and never a dependency: `make oracle` sets up what it takes."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(scope="session", autouse=True)
def _nncf() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("nncf", reason="NNCF is not installed; `make oracle` installs it")
