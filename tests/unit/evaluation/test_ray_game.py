"""Games of Ray actors: what is refused before Ray is imported. (The actors themselves: `integration/test_ray.py`.)"""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from captum_spex.errors import ArgumentError
from captum_spex.evaluation import RayGame


def size_of(masks):
    return masks.sum(axis=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_workers": 0}, "`n_workers`: expected an integer of at least 1, got 0"),
        ({"n_workers": True}, "`n_workers`: expected an integer of at least 1, got True"),
        ({"batch_size": 0}, "`batch_size`: expected an integer of at least 1, got 0"),
        ({"max_retries": -1}, "`max_retries`: expected an integer of at least 0, got -1"),
        ({"gpus_per_worker": 1.5}, "`gpus_per_worker`: expected a number from 0 to 1, or a larger integer, got 1.5"),
        ({"cpus_per_worker": -1}, "`cpus_per_worker`: expected a number from 0 to 1, or a larger integer, got -1"),
        (
            {"cpus_per_worker": "two"},
            "`cpus_per_worker`: expected a number from 0 to 1.*, got 'two'",
        ),
        ({"build_game": 3}, "`build_game`: expected a function that makes a game, got an int"),
        ({"build_game": lambda lock=threading.Lock(): lock}, r"`build_game`: .*cannot be pickled"),  # noqa: B008
    ],
)
def test_arguments_of_ray_games_are_checked_before_ray_is_imported(settings, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ArgumentError, match=message):
        RayGame(**{"build_game": lambda: size_of, **settings})


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(ImportError, match="pip install ray") as caught:
        RayGame(lambda: size_of)
    assert caught.value.__notes__ == ["See docs/distributed.md"]


def test_the_package_does_not_import_ray():
    code = "import captum_spex, captum_spex.evaluation, sys; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
