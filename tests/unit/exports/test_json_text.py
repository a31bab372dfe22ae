"""Results as JSON text, there and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from smooth_results import NAMES, TREES, assert_same, estimate

from captum_spex import Interactions
from captum_spex.approximators import GaussianProcess, ProxySpex
from captum_spex.errors import ArgumentError


@pytest.fixture(scope="module")
def result():
    return estimate(names=NAMES)


@pytest.mark.parametrize(
    "settings",
    [
        {"names": NAMES},
        {"budget": 5},
        {"budget": 512},
        {"index": "FSII", "max_order": 3},
        {"approximator": TREES},
        {"approximator": ProxySpex(GaussianProcess(n_steps=10, links=False), noisy=True)},
    ],
)
def test_json_there_and_back(settings, tmp_path):
    result = estimate(**settings)
    path = tmp_path / "result.json"
    text = result.to_json(path)
    assert path.read_text(encoding="utf-8") == text == result.to_json(str(path))
    for source in (text, path, str(path), "\n " + text):
        again = Interactions.from_json(source)
        assert_same(again, result)
        assert (again.model.posterior is None) == (result.model.posterior is None)
        assert dict(again.to("BII")) == pytest.approx(dict(result.to("BII")), abs=1e-9)


def test_json_of_more_than_sixty_four_players():
    result = estimate(n=70, budget=40)
    assert_same(Interactions.from_json(result.to_json()), result)


def test_json_is_plain_and_holds_no_nan():
    result = estimate(budget=5)
    assert np.isnan(result.faithfulness)
    content = json.loads(result.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert content["faithfulness"] is None
    assert content["format"] == "captum_spex.interactions"
    assert np.isnan(Interactions.from_json(json.dumps(content)).faithfulness)


@pytest.mark.parametrize(
    "source", ["{", '{"format": "other", "version": 1}', '{"format": "captum_spex.interactions", "version": 99}']
)
def test_json_of_something_else(source):
    with pytest.raises(ArgumentError, match=r"`source`: expected .*, got "):
        Interactions.from_json(source)


def test_json_of_the_version_before(result):
    content = json.loads(result.to_json())
    assert content["version"] == 2  # so that what does not know all kernels refuses it
    assert_same(Interactions.from_json(json.dumps({**content, "version": 1})), result)


def test_json_of_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Interactions.from_json(tmp_path / "missing.json")


def test_paths_are_accepted_as_path_objects(result, tmp_path):
    result.to_json(Path(tmp_path, "a.json"))
    assert_same(Interactions.from_json(Path(tmp_path, "a.json")), result)
