"""One thread for linear algebra, where several would wait for each other."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which the libraries of linear algebra that are loaded use one thread."""
    return _controller(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _controller(n_modules: int) -> ThreadpoolController:
    # To look for libraries takes longer than small fits: it is done again only when modules were loaded meanwhile.
    return ThreadpoolController()
