"""Settings and fixtures that the tests share."""

from __future__ import annotations

import gc
import os
from typing import Any

import numpy as np
import pytest
from file_order import begun_with
from hypothesis import settings
from one_thread import one_thread_per_worker  # noqa: F401  # a fixture
from sampled import MARK, thinned

gc.disable()  # until all is imported and collected
settings.register_profile("default", derandomize=True, deadline=None, max_examples=8)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)


LONGEST = (
    "test_many_rows",
    "test_packed_run",
    "test_explain_command",
    "test_approximators",
    "test_resumed_runs",
    "test_explainer",
    "test_budgets",
    "test_client",
    "test_remote_game",
    "test_estimation",
    "test_regression",
    "test_contract",
)
"""Files that are begun first, so that no process is left with one of them while the others have nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not sampled, and begin with the files that take longest."""
    items[:] = begun_with(LONGEST, thinned(items))


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

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # which puts files of many tests first, however long they take
    return LoadFileScheduling(config, log)
