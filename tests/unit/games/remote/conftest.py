"""A running server."""

from __future__ import annotations

import pytest
from remote_games import QUIET, openai_server


@pytest.fixture(scope="session")
def running():
    with openai_server.Running() as started:
        yield started


@pytest.fixture
def server(running, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    running.control(**QUIET, forget=True)
    yield running
    running.control(**QUIET)
