"""Explainers that are saved and loaded, in this process or another."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from shap.links import identity, logit
from shap.maskers import Composite, Fixed, Image, Independent, Partition, Text
from shap_cases import (
    COMPILED,
    IMAGES,
    LINKS,
    NAMED,
    QUICK,
    SMALL_SPEX,
    TEXTS,
    assert_sums,
    both,
    language_model,
    network,
    of_table,
    pipeline,
    plain,
    polynomial,
    table,
    table_masker,
    with_outputs,
)

from captum_spex.compat.shap import is_identity
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer


def saved(explainer, **savers):
    stream = io.BytesIO()
    explainer.save(stream, **savers)
    stream.seek(0)
    return stream


def local_model():
    """A function that only its bytes can bring to another process."""
    return lambda x: np.stack([np.asarray(x)[:, 0] * np.asarray(x)[:, 1], np.asarray(x)[:, -1]], axis=-1).reshape(
        len(x), -1
    )


def local_product():
    return lambda x, y: x[:, 0] * np.array([len(str(one)) for one in y])


def local_masker():
    return lambda mask, x: np.where(mask, x, -0.5)[None]


X, HIDDEN = table(2, 4), table(2, 4, 1)

SAVED = {
    "table": lambda: (ProxySpexExplainer(local_model(), HIDDEN, seed=1), X),
    "frame": lambda: (SpexExplainer(local_model(), pd.DataFrame(HIDDEN, columns=list("abcd")), seed=1), X),
    "function": lambda: (ProxySpexExplainer(local_model(), local_masker(), feature_names=list("abcd")), X),
    "partition": lambda: (ProxySpexExplainer(local_model(), Partition(table(3, 4, 1))), X),
    "composite": lambda: (ProxySpexExplainer(local_product(), Composite(Independent(HIDDEN), Fixed())), X, X[:, 0]),
    "list": lambda: (ProxySpexExplainer(local_product(), [table_masker(4), Text(r"\W+")], seed=1), X, TEXTS[:2]),
    "torch": lambda: (ProxySpexExplainer(network(4, 2), HIDDEN), X),
    "image": lambda: (ProxySpexExplainer(local_model(), Image(128, (2, 2, 1))), IMAGES),
    "pipeline": lambda: (ProxySpexExplainer(pipeline(), seed=1), TEXTS[:1]),
    "language model": lambda: (ProxySpexExplainer(*language_model(), seed=1), TEXTS[1:2]),
    "fixed answer": lambda: (ProxySpexExplainer(*language_model(), seed=1), TEXTS[1:2], [" Paris"]),
}


def values_of(explainer, rows):
    found = explainer(*rows, max_evals=16)
    return [np.stack(one.values) for one in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_saved_and_loaded(make):
    explainer, *rows = make()
    before = values_of(explainer, rows)
    loaded = type(explainer).load(saved(explainer))
    assert type(loaded) is type(explainer)
    assert type(loaded.model) is type(explainer.model)
    assert type(loaded.masker) is type(explainer.masker)
    again = type(explainer).load(saved(loaded))
    for one in (loaded, again):
        for found, expected in zip(values_of(one, rows), before, strict=True):
            assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@both
def test_every_argument_is_saved(kind):
    chosen = QUICK if kind is ProxySpexExplainer else SMALL_SPEX
    explainer = kind(
        with_outputs(of_table, 3), table(2, 16, 1), logit, "auto", NAMED, [f"f{i}" for i in range(16)], False, 9, chosen
    )
    loaded = shap.Explainer.load(saved(explainer))
    assert type(loaded) is kind
    assert plain(loaded.link)(0.25) == plain(explainer.link)(0.25) == plain(logit)(0.25)
    for name in ("linearize_link", "feature_names", "output_names", "seed", "approximator"):
        assert getattr(loaded, name) == getattr(explainer, name), name
    budget = 40 if kind is ProxySpexExplainer else 700
    before, after = (one(table(2, 16), max_evals=budget) for one in (explainer, loaded))
    assert_array_equal(after.values, before.values)
    assert_array_equal(after.base_values, before.base_values)
    assert (after.feature_names, after.output_names) == (before.feature_names, before.output_names)
    assert_sums(after, plain(logit)(with_outputs(of_table, 3)(table(2, 16))))


@pytest.mark.parametrize("link", [*LINKS.values(), *COMPILED.values()], ids=[*LINKS, *COMPILED])
def test_links_are_saved(link):
    """Compiled or not; a compiled identity is known by its name, as SHAP's own is a copy after loading up to 0.51."""
    explainer = ProxySpexExplainer(of_table, table(2, 5, 1), link=link)
    loaded = ProxySpexExplainer.load(saved(explainer))
    assert is_identity(loaded.link) == (plain(link) is plain(identity))
    assert_array_equal(loaded(table(2, 5)).values, explainer(table(2, 5)).values)


OTHER_PROCESS = """
import gc; gc.disable()  # faster imports
import sys, cloudpickle, shap, numpy as np
with open(sys.argv[1], "rb") as stream, open(sys.argv[2], "wb") as values:
    for _ in range(int(sys.argv[3])):
        explainer = shap.Explainer.load(stream)
        found = explainer(*cloudpickle.load(stream), max_evals=16)
        cloudpickle.dump([np.stack(one.values) for one in (found if isinstance(found, list) else [found])], values)
"""


def test_loaded_in_another_process(tmp_path):
    """Several explainers, one after the other in one file."""
    cases = [(name, *make()) for name, make in SAVED.items()]
    with (tmp_path / "explainers").open("wb") as stream:
        for _, explainer, *rows in cases:
            explainer.save(stream)
            cloudpickle.dump(rows, stream)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [str(tmp_path / "explainers"), str(tmp_path / "values"), str(len(cases))]
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, *arguments], check=True, env=environment, timeout=600)
    with (tmp_path / "values").open("rb") as stream:
        found = [cloudpickle.load(stream) for _ in cases]
    for (name, explainer, *rows), theirs in zip(cases, found, strict=True):
        for one, other in zip(values_of(explainer, rows), theirs, strict=True):
            assert_allclose(other, one, rtol=1e-5, atol=1e-7, err_msg=name)


def test_savers_and_loaders_of_ones_own():
    background = table(2, 4, 1)
    explainer = ProxySpexExplainer(polynomial, background, seed=4)
    expected = explainer(table(2, 4)).values

    def save_words(thing, stream):
        stream.write(f"{type(thing).__name__}\n".encode())

    def load_model(stream):
        assert stream.readline() == b"FunctionModel\n"
        return polynomial

    def load_masker(stream):
        assert stream.readline() == b"Background\n"
        return Independent(background)

    both_own = saved(explainer, model_saver=save_words, masker_saver=save_words)
    loaded = ProxySpexExplainer.load(both_own, model_loader=load_model, masker_loader=load_masker)
    assert_array_equal(loaded(table(2, 4)).values, expected)
    assert loaded.seed == 4
    one_own = saved(explainer, model_saver=save_words)
    assert_array_equal(ProxySpexExplainer.load(one_own, model_loader=load_model)(table(2, 4)).values, expected)


def test_a_model_that_is_not_saved_comes_from_the_loader():
    explainer = ProxySpexExplainer(polynomial, table(2, 4, 1), seed=4)
    small = saved(explainer, model_saver=False, masker_saver=False)
    loaded = ProxySpexExplainer.load(
        small, model_loader=lambda stream: polynomial, masker_loader=lambda stream: table(2, 4, 1)
    )
    assert_array_equal(loaded(table(2, 4)).values, explainer(table(2, 4)).values)
    small.seek(0)
    assert small.getbuffer().nbytes < saved(explainer).getbuffer().nbytes


def test_arguments_without_an_explainer():
    stream = saved(ProxySpexExplainer(polynomial, table(2, 4, 1), seed=4))
    arguments = pickle.load(stream).load(stream, instantiate=False)
    assert arguments["seed"] == 4
    assert_array_equal(arguments["masker"].data, table(2, 4, 1))


def test_a_saver_that_shap_does_not_know_either():
    """SHAP: "Unknown encoder type"; a file without the model would be noticed too late."""
    with pytest.raises(ValueError, match=r"`model_saver`: expected .*, got '\.write'"):
        saved(ProxySpexExplainer(polynomial, table(2, 4, 1)), model_saver=".write")


def test_another_kind_of_explainer_is_not_loaded():
    stream = saved(ProxySpexExplainer(polynomial, table(2, 4, 1)))
    with pytest.raises(ArgumentError, match=r"`in_file`: expected an.*, got a saved <class .*ProxySpexExplainer'>"):
        SpexExplainer.load(stream)
