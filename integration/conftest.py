"""What all integration tests share: one thread each, and which of them run in the same process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Code that numba runs in parallel sets the number of OpenMP's threads for the whole process: PyTorch and NumPy, with as
# many threads as there are processors, then wait for each other most of the time. It is read once, before any import.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import pytest
import torch
from threadpoolctl import threadpool_limits

TOGETHER = {
    "sparse transforms": ("test_benchmark", "test_benchmark_methods"),  # their finite fields compile for long
    "key and value": ("test_causal_lm", "test_remote_server"),  # the same trained network
}
"""Files whose tests run in one process, because of something costly that is made once in each."""

LONGEST = (
    "test_docs",
    "test_ray",
    "test_training_real",
    "test_head_pruning",
    "test_causal_lm",
    "test_remote_server",
    "test_benchmark",
    "test_benchmark_methods",
    "test_image_digits",
    "test_explainers_real",
    "test_shap_plots",
    "test_text_real",
    "test_page",
)
"""Files that are begun first, so that no process is left with one of them while the others have nothing to do."""


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, or of several files that share something."""
    group_of = {file: group for group, files in TOGETHER.items() for file in files}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of.get(item.path.stem, item.path.stem)))
    items.sort(key=lambda item: place_of(item.path))


def place_of(path: Path) -> int:
    """Return when a file is begun."""
    return LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST)


@pytest.fixture(scope="session", autouse=True)
def one_thread_per_worker() -> Iterator[None]:
    """More threads than processors would spend their time waiting for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)
