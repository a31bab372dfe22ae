"""What all integration tests share: one thread for each process, and the order of the files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Code that numba runs in parallel sets the number of OpenMP's threads for the whole process: PyTorch and NumPy, with as
# many threads as there are processors, then wait for each other most of the time. It is read once, before any import.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import pytest
from file_order import begun_with
from one_thread import one_thread_per_worker  # noqa: F401  # a fixture

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks, tools; last: the installed package is tested

LONGEST = (
    "test_docs",
    "test_head_pruning",
    "test_ray",
    "test_training_real",
    "test_causal_lm",
    "test_shaps_own_tests",
    "test_remote_server",
    "test_benchmark_spex",
    "test_image_digits",
    "test_explainers_real",
    "test_text_real",
    "test_page",
    "test_many_rows",
    "test_benchmark_methods",
)
"""Files that are begun first, so that no process is left with one of them while the others have nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items[:] = begun_with(LONGEST, items)
