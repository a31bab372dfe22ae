"""What we use of other libraries is there and does what we rely on, and the versions that are said to work are true."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import shap
import torch
from numpy.testing import assert_allclose
from packaging.requirements import Requirement
from packaging.version import Version
from text_models import byte_tokenizer, causal_model
from torch import nn
from transformers import GPT2LMHeadModel

from captum_spex.compat import captum
from captum_spex.compat.shap import Explainer, Explanation, is_identity, links, operations
from captum_spex.compat.transformers import cache_argument, cache_of
from captum_spex.compat.versions import (
    CAPTUM,
    CAPTUM_LLM,
    LIBRARIES,
    SHAP,
    SHAPIQ,
    TRANSFORMERS,
    check_version,
    imported_for,
)
from captum_spex.errors import LibraryError
from captum_spex.games.text import AnswerGame

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = [library.package for library in LIBRARIES]
every_library = pytest.mark.parametrize("library", LIBRARIES, ids=NAMES)


# --- ranges -----------------------------------------------------------------------------------------------------------


def pinned(file: str) -> dict[str, list[str]]:
    """Versions that a file of constraints pins, for any Python."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            found.setdefault(requirement.name, []).append(str(requirement.specifier).removeprefix("=="))
    return found


@every_library
def test_the_range_is_what_is_installed_and_tested(library):
    extras = [one for many in PROJECT["optional-dependencies"].values() for one in many]
    every = map(Requirement, PROJECT["dependencies"] + extras)
    needed = [str(one.specifier).removeprefix(">=") for one in every if one.name == library.package]
    assert str(min(map(Version, needed))) == library.oldest  # what newer Pythons need may be newer
    newest = max(map(Version, pinned("constraints.txt")[library.package]))
    assert f"{newest.major}.{newest.minor}" == library.newest


def test_the_oldest_versions_are_tested():
    """Of everything that has a lowest version and that the unit tests use; others come with it."""
    oldest = pinned("constraints-oldest.txt")
    for requirement in map(Requirement, PROJECT["dependencies"]):
        lowest = str(requirement.specifier).removeprefix(">=")
        [tried] = oldest[requirement.name]
        assert Version(tried).release[: len(Version(lowest).release)] == Version(lowest).release, requirement


@every_library
def test_the_installed_version_works(library):
    check_version(library)
    if library is not SHAPIQ:  # which the unit tests do not need
        assert library.installed() == version(library.package)


# --- too old, too new, missing ----------------------------------------------------------------------------------------


def installed_as(folder, package, number):
    """Make a distribution of another version, which is found before the installed one."""
    info = folder / f"{package}-{number}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {number}\n")
    return folder


@pytest.mark.parametrize("library", [*LIBRARIES, CAPTUM_LLM], ids=[*NAMES, "captum for language models"])
def test_a_version_that_is_too_old_is_refused_in_a_sentence(library, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(installed_as(tmp_path, library.package, "0.3.1"))
    with pytest.raises(LibraryError) as error:
        check_version(library)
    work = "0.9 works" if library is CAPTUM_LLM else f"{library.oldest} to {library.newest} work"
    assert str(error.value) == (
        f"{library.used_by}: {library.name} 0.3.1 is installed, which is too old; {library.name} {work}. Install it,"
        f' for instance by `pip install "{library.package}=={library.newest}.*"`. '
        "The other parts of captum_spex work without it."
    )


@every_library
def test_a_newer_version_is_tried(library, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(installed_as(tmp_path, library.package, "99.0"))
    check_version(library)


def test_a_piece_that_is_gone_is_told_with_the_versions_that_have_it():
    message = (
        rf"{SHAP.used_by}: SHAP {re.escape(version('shap'))} cannot be used here \(cannot import name 'no_such_piece'"
    )
    with pytest.raises(LibraryError, match=message), imported_for(SHAP):
        from shap import no_such_piece  # noqa: F401
    with pytest.raises(LibraryError, match=r"SHAP 0\.46 to 0\.54 work"), imported_for(SHAP):
        _ = shap.no_such_piece


OTHERS_WORK = """
import captum_spex

result = captum_spex.explain(lambda masks: 1.0 * (masks[:, 0] & masks[:, 1]), 2, budget=4)
assert abs(result[(0, 1)] - 1) < 1e-12
for face in ("attr", "explainers", "games.text"):
    try:
        __import__(f"captum_spex.{face}")
    except ImportError as error:
        print(type(error).__name__, error)
from captum_spex.games.image import ImageGame
try:
    result.to_shap()
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_other_parts_work_beside_libraries_that_are_too_old(tmp_path):
    for library in (CAPTUM, SHAP, TRANSFORMERS):
        installed_as(tmp_path, library.package, "0.1")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}){OTHERS_WORK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    faces = [CAPTUM.used_by, SHAP.used_by, TRANSFORMERS.used_by, SHAP.used_by]
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [f"LibraryError {face}" for face in faces]


# --- Captum -----------------------------------------------------------------------------------------------------------


def test_every_piece_of_captum_is_there():
    assert [name for name in captum.__all__ if not hasattr(captum, name)] == []


def test_captums_helpers_do_what_we_rely_on():
    x, y = torch.arange(6.0).reshape(2, 3), torch.ones(2, 2)
    assert captum.is_tuple(x) is False
    assert captum.is_tuple((x, y)) is True
    assert captum.format_tensor_into_tuples(x) == (x,)
    assert captum.format_output(False, (x,)) is x
    assert captum.format_output(True, (x,)) == (x,)
    assert captum.format_additional_forward_args(3) == (3,)
    assert captum.format_additional_forward_args(None) is None
    assert captum.format_baseline(None, (x, y)) == (0, 0)
    assert [mask.tolist() for mask in captum.format_feature_mask(None, (x, y))] == [[[0, 1, 2]], [[3, 4]]]
    assert captum.expand_additional_forward_args((torch.tensor([1, 2]), "a"), 2)[0].tolist() == [1, 2, 1, 2]
    assert_allclose(captum.run_forward(nn.Identity(), (x,), 1), x[:, 1])
    assert {"max_new_tokens", "do_sample"} <= set(captum.DEFAULT_GEN_ARGS)
    assert captum.pretty_tokens([5, 6], byte_tokenizer()) == [
        byte_tokenizer().decode([5]),
        byte_tokenizer().decode([6]),
    ]
    assert captum.KMostInfluentialResults(1, 2) == (1, 2)
    assert captum.log_usage()(len)("ab") == 2


# --- SHAP -------------------------------------------------------------------------------------------------------------


def test_shaps_links_are_functions_of_arrays():
    x = np.array([0.25, 0.5])
    assert_allclose(links.identity(x), x)
    assert_allclose(links.logit(x), np.log(x / (1 - x)))
    assert is_identity(links.identity)
    assert not is_identity(links.logit)
    assert not is_identity(len)


def test_an_explanation_remembers_the_shapes_before_what_was_done_to_it():
    """Pairs of players are told from rows by this."""
    [taken] = operations(Explanation(np.zeros((2, 3, 3)))[0])
    assert (taken.name, taken.prev_shape, taken.collapsed_instances) == ("__getitem__", (2, 3, 3), False)
    assert np.ravel(taken.args[0])[0] == 0
    [*_, summed] = operations(Explanation(np.zeros((2, 3, 3))).mean(0))
    assert (summed.prev_shape, summed.collapsed_instances) == ((2, 3, 3), True)


def test_properties_of_an_explanation_can_be_asked_through_its_class():
    for name in ("values", "base_values", "shape"):
        assert isinstance(getattr(Explanation, name), property), name


def test_an_explainer_takes_what_ours_passes_on():
    passed = {"model", "masker", "link", "output_names", "feature_names", "linearize_link"}
    assert passed <= set(signature(Explainer.__init__).parameters)


# --- transformers -----------------------------------------------------------------------------------------------------


class Answer(dict):
    """What a model returns, by name."""

    __getattr__ = dict.__getitem__


class Asked(GPT2LMHeadModel):
    """A model of which keys and values have a name of its own."""

    def asked(self, name, keys_and_values, **settings):
        outputs = GPT2LMHeadModel.forward(self, **settings, **{cache_argument(GPT2LMHeadModel): keys_and_values})
        return Answer(logits=outputs.logits, **{name: cache_of(outputs)})


class Until523(Asked):
    def forward(
        self, input_ids, past_key_values=None, attention_mask=None, position_ids=None, logits_to_keep=0, **others
    ):
        given = {"attention_mask": attention_mask, "position_ids": position_ids, "logits_to_keep": logits_to_keep}
        return self.asked("past_key_values", past_key_values, input_ids=input_ids, **given, **others)


class From524(Asked):
    def forward(self, input_ids, cache=None, attention_mask=None, position_ids=None, logits_to_keep=0, **others):
        given = {"attention_mask": attention_mask, "position_ids": position_ids, "logits_to_keep": logits_to_keep}
        return self.asked("cache", cache, input_ids=input_ids, **given, **others)


@pytest.mark.parametrize(("kind", "name"), [(Until523, "past_key_values"), (From524, "cache")])
def test_keys_and_values_are_used_by_whatever_name(kind, name):
    plain = causal_model("gpt2")
    model = kind(plain.config).eval()
    model.load_state_dict(plain.state_dict())
    assert cache_argument(model) == name
    asked = {"answer": " yes", "prefix": "Say: "}
    expected = AnswerGame(plain, byte_tokenizer(), "no no", **asked, prefix_cache=False)
    game = AnswerGame(model, byte_tokenizer(), "no no", **asked)
    assert game._modes.mode.n_cached > 0, "the prefix would be encoded for every mask silently"
    masks = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=bool)
    assert_allclose(game(masks), expected(masks), rtol=1e-5, atol=1e-5)


def test_a_model_of_the_installed_version_takes_and_gives_keys_and_values():
    model = causal_model("gpt2")
    assert cache_argument(model) in ("cache", "past_key_values")
    assert cache_of(model(input_ids=torch.tensor([[1, 2]]), use_cache=True)).get_seq_length() == 2
    assert cache_of(model(input_ids=torch.tensor([[1, 2]]), use_cache=False)) is None
    assert cache_argument(nn.Linear(1, 1)) is None
