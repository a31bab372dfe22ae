"""Settings and fixtures that the tests share."""

from __future__ import annotations

import gc
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from one_thread import one_thread_per_worker  # noqa: F401  # a fixture
from sampled import MARK, thinned

gc.disable()  # until all is imported and collected
settings.register_profile("default", derandomize=True, deadline=None, max_examples=8)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = thinned(items)


def pytest_collection_finish() -> None:
    """What all imports made stays: looking through it for garbage again and again takes long."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240607)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, so that what they share is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None
