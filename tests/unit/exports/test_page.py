"""The page of a result: what stands in it, and that names cannot become anything but names."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.exports.page import check_writable, fragment, to_html
from captum_spex.indices import NAMES, resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum

NASTY = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!-- <script>",
    "]]>",
    "--></style>",
    "\"quotes\" and 'more'",
    "back\\slash",
    "&amp; {{script}}",
    "\u2028\u2029",
    "שלום",
    "\U0001f389",
    "",
)
FACTS = (
    *("index", "max_order", "resolved_index", "baseline", "sets", "values", "names", "n_evaluations", "faithfulness"),
    *("n_left_out", "diagnostics", "model", "n_players"),
)
ELEMENTS = {"script": 2, "style": 1, "img": 0, "link": 1, "h1": 1, "iframe": 0, "noscript": 1}


# --- made things ------------------------------------------------------------------------------------------------------


def a_result(n_players=6, *, terms=None, max_order=2, index="SII", **facts):
    """A result whose Fourier terms are known."""
    planted = {(): 0.5, (0,): 1.0, (2,): -0.25, (1, 3): -2.0, (0, 1, 4): 0.125} if terms is None else terms
    model = GameModel((Spectrum.from_terms(planted, n_players),))
    settings = {"n_evaluations": 50, "faithfulness": 0.9, **facts}
    return Interactions.from_model(model, resolve_index(index, max_order, n_players), **settings)


def many_terms(n_players, n_groups, seed=0):
    rng = np.random.default_rng(seed)
    terms = {(player,): rng.normal() for player in range(n_players)}
    while len(terms) < n_players + n_groups:
        terms[tuple(sorted(rng.choice(n_players, size=2, replace=False).tolist()))] = rng.normal()
    return a_result(n_players, terms=terms, index="BII", names=tuple(f"word{player}" for player in range(n_players)))


@pytest.fixture(scope="module")
def measured():
    """A result with standard errors."""
    return captum_spex.explain(
        lambda m: 2.0 * m[:, 0] - 1.5 * (m[:, 1] & m[:, 2]) + 0.1 * m.sum(axis=1) ** 1.5, 14, budget=120, random_state=0
    )


class Elements(HTMLParser):
    """Counts elements, and keeps the texts of scripts and styles and the attributes of elements."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.texts, self.attributes = [], {"script": [], "style": []}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.seen and self.cdata_elem in self.texts:
            self.texts[self.cdata_elem].append(data)


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def facts_of(text):
    return unescape(re.sub("<[^>]+>", " ", re.search(r'<ul id="facts">(.*?)</ul>', text, re.DOTALL)[1]))


# --- the data is the result -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "asked", "shown", "kinds"),
    [
        ("SII", None, "k-SII", ["k-SII"] * 3),
        ("SII", "SII", "SII", ["Shapley value", "SII", "SII"]),
        ("STII", None, "STII", ["STII"] * 3),
        ("Fourier", "BII", "BII", ["Banzhaf value", "BII", "BII"]),
    ],
)
def test_players_and_terms_are_those_of_the_result(index, asked, shown, kinds):
    result = a_result(max_order=3, index=index, names=tuple("abcdef"))
    data = data_of(to_html(result, index=asked))
    result = result.to(shown)
    assert data["value_names"] == kinds
    assert data["players"] == list(range(6))
    assert data["names"] == list("abcdef")
    assert [tuple(term) for term in data["terms"]] == list(result)
    assert_array_equal(data["values"], result.values)
    assert data["std_errors"] is None


def test_standard_errors_stand_beside_their_terms(measured):
    data = data_of(to_html(measured, index="SII", max_terms=20))
    chosen = [list(measured).index(tuple(term)) for term in data["terms"]]
    assert len(chosen) == 14 + 20
    np.testing.assert_allclose(data["std_errors"], measured.std_errors[chosen], rtol=6e-3)
    assert data["names"] is None


def test_standard_errors_are_asked_for_the_terms_shown_only(measured):
    asked = []

    def errors_of(supports):
        asked.append(len(supports))
        return measured.errors_of(supports)

    watched = SimpleNamespace(**{fact: getattr(measured, fact) for fact in FACTS})
    watched.errors_of = errors_of
    assert to_html(watched, index="SII", max_terms=3) == to_html(measured, index="SII", max_terms=3)
    assert asked == [14 + 3]


def test_the_largest_interactions_are_kept_and_all_players():
    result = many_terms(20, 60)
    data = data_of(to_html(result, max_terms=7))
    groups = [tuple(term) for term in data["terms"] if len(term) > 1]
    assert groups == list(result.top(7, order=2))
    assert sum(len(term) == 1 for term in data["terms"]) == 20
    assert f"{len(result) - 27} smaller terms of the result are not on this page." in facts_of(
        to_html(result, max_terms=7)
    )


def test_terms_that_the_result_left_out_are_counted():
    result = many_terms(20, 60).to("BII", max_terms=15)
    assert result.n_left_out == 45
    assert "45 smaller terms are not part of the result." in facts_of(to_html(result))
    assert "smaller term" not in facts_of(to_html(a_result()))


def test_very_many_players_are_shown_by_their_largest_terms():
    result = a_result(5000, terms={(7,): 1.0, (4000, 4999): -2.0, (8,): 1e-9}, index="BII", max_order=2)
    text = to_html(result)
    data = data_of(text)
    assert data["players"] == [7, 4000, 4999]
    assert {tuple(term): value for term, value in zip(data["terms"], data["values"], strict=True)} == {
        (1, 2): result[(4000, 4999)], (0,): result[(7,)], (1,): 0.0, (2,): 0.0,
    }  # fmt: skip
    assert "Only 3 of the 5,000 players are shown" in facts_of(text)


def test_at_most_a_thousand_players_are_shown():
    data = data_of(to_html(many_terms(1200, 300)))
    assert len(data["players"]) == 1000
    assert data["players"] == sorted(set(data["players"]))
    assert all(0 <= place < 1000 for term in data["terms"] for place in term)


def test_a_result_in_which_nothing_matters():
    data = data_of(to_html(a_result(2000, terms={(): 1.0})))
    assert len(data["players"]) == len(data["terms"]) == 1000
    assert set(data["values"]) == {0.0}
    assert data_of(to_html(a_result(1, terms={(): 1.0}, max_order=1)))["terms"] == [[0]]


def test_long_names_are_shortened():
    data = data_of(to_html(a_result(names=("x" * 10_000, *"bcdef"))))
    assert data["names"][0] == "x" * 299 + "…"


# --- the facts in words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faithfulness", "n_evaluations", "words", "trust"),
    [
        (1.0, 64, "Exact: every mask was evaluated.", "exact"),
        (0.972, 50, "Faithfulness 0.972 (R² on held-out masks): good.", "good"),
        (0.9, 50, "Faithfulness 0.900 (R² on held-out masks): fair", "fair"),
        (0.3, 50, "Faithfulness 0.300 (R² on held-out masks): poor: allow more evaluations.", "poor"),
        (-2.0, 50, "poor: allow more evaluations.", "poor"),
        (float("nan"), 50, "Faithfulness unknown", "unknown"),
    ],
)
def test_how_far_to_trust_it(faithfulness, n_evaluations, words, trust):
    text = to_html(a_result(faithfulness=faithfulness, n_evaluations=n_evaluations))
    assert words in facts_of(text)
    assert f'<li id="trust" class="{trust}">' in text
    assert "nan" not in facts_of(text).lower()


def test_what_was_computed():
    facts = facts_of(to_html(a_result(n_evaluations=1234)))
    assert "k-SII up to order 2 of 6 players, from 1,234 evaluations." in facts
    everyone, nobody = a_result().model(np.array([[True] * 6, [False] * 6]))
    outputs = f"The output is f(all) = {everyone:.4g} with all players and f(none) = {nobody:.4g} without any."
    assert outputs.replace("-", "−") in facts  # noqa: RUF001
    total = f"{everyone - nobody:.4g}".replace("-", "−")  # noqa: RUF001
    assert f"The terms add up to f(all) − f(none) = {total}." in facts  # noqa: RUF001
    of_sii = facts_of(to_html(a_result(), index="SII"))
    assert f"SII values do not add up to f(all) − f(none) = {total}; k-SII does." in of_sii  # noqa: RUF001
    few = facts_of(to_html(a_result(), max_terms=1))
    assert f"With those not shown, terms add up to f(all) − f(none) = {total}." in few  # noqa: RUF001


def test_rounding_errors_of_a_zero_are_shown_as_zero():
    facts = facts_of(to_html(a_result(terms={(): 0.5, (0,): -0.5 + 1e-17, (1,): 1e-15})))
    assert "The output is f(all) = 1 with all players and f(none) = 0 without any." in facts


# --- escaping ---------------------------------------------------------------------------------------------------------


def test_names_stay_names():
    result = a_result(len(NASTY), names=NASTY)
    text = to_html(result, title=NASTY[1])
    elements = Elements(text)
    assert {tag: elements.seen.count(tag) for tag in ELEMENTS} == ELEMENTS
    assert data_of(text)["names"] == list(NASTY)
    assert text.count("<script") == 2
    assert "\u2028" not in text
    assert f'<h1 dir="auto">{"&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"}</h1>' in text


@given(
    names=st.lists(st.text(st.characters(codec=None), max_size=12), min_size=2, max_size=2), title=st.text(max_size=20)
)
def test_any_name_comes_back(names, title):
    text = to_html(a_result(2, terms={(0, 1): 1.0}, names=tuple(names)), title=title)
    text.encode("utf-8")
    assert data_of(text)["names"] == names
    assert {tag: Elements(text).seen.count(tag) for tag in ELEMENTS} == ELEMENTS


def test_lone_surrogates_can_be_written(tmp_path):
    to_html(a_result(names=("\ud83d", *"bcdef")), tmp_path / "page.html", title="\ud83d")
    assert data_of((tmp_path / "page.html").read_text(encoding="utf-8"))["names"][0] == "\ud83d"


def test_numbers_without_json_are_unknown(measured):
    broken = SimpleNamespace(**{fact: getattr(measured, fact) for fact in FACTS})
    broken.errors_of = lambda supports: np.full(len(supports), np.nan)
    assert set(data_of(to_html(broken, index="SII"))["std_errors"]) == {None}


# --- one file that loads nothing --------------------------------------------------------------------------------------


def test_nothing_is_loaded():
    elements = Elements(to_html(a_result()))
    links = [
        (tag, attributes[key])
        for tag, attributes in elements.attributes
        for key in ("src", "href")
        if key in attributes
    ]
    assert links == [("link", "data:,")]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", to_html(a_result()))


def test_the_policy_allows_this_style_and_this_script_only():
    elements = Elements(to_html(a_result()))
    policy = next(facts["content"] for tag, facts in elements.attributes if facts.get("http-equiv"))
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    style, script = "".join(elements.texts["style"]), elements.texts["script"][-1]
    for kind, text in (("style-src", style), ("script-src", script)):
        assert allowed[kind] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert allowed["default-src"] == "'none'"
    assert not re.search(r'\s(on\w+|style)="', to_html(a_result()))


def test_names_are_never_parsed_as_html_by_the_script():
    script = Elements(to_html(a_result())).texts["script"][-1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_the_same_result_gives_the_same_page(measured):
    assert to_html(measured) == to_html(measured)
    assert fragment(measured) == fragment(measured)


def test_a_page_of_500_words_and_2000_terms_is_small():
    text = to_html(many_terms(500, 2000))
    assert len(data_of(text)["terms"]) == 2500
    assert len(text.encode()) < 500_000


# --- a frame for notebooks --------------------------------------------------------------------------------------------


def test_the_fragment_is_a_frame_with_the_same_page():
    result = a_result(len(NASTY), names=NASTY)
    (tag, facts), *others = Elements(fragment(result)).attributes
    assert (tag, others) == ("iframe", [])
    assert facts["sandbox"] == "allow-scripts"
    assert facts["srcdoc"] == to_html(result)
    assert int(facts["height"]) <= 600


# --- files and bad input ----------------------------------------------------------------------------------------------


def test_the_file_holds_what_is_returned(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    text = to_html(a_result(names=NASTY[:6]), path, title="Ünïcode", max_terms=3)
    assert path.read_bytes().decode("utf-8") == text == to_html(a_result(names=NASTY[:6]), title="Ünïcode", max_terms=3)
    assert "<title>Ünïcode</title>" in text


@pytest.mark.parametrize("place", ["no/such/folder/page.html", "."])
def test_a_path_that_cannot_be_written_is_refused_before_any_work(tmp_path, place):
    untouched = object()  # would be refused next
    with pytest.raises(ArgumentError, match=r"`path`: expected a path where a file can be written.*, got .*") as caught:
        to_html(untouched, tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_page_leaves_no_file(tmp_path):
    with pytest.raises(ArgumentError, match=r"`max_terms`: expected .*, got 0"):
        to_html(a_result(), tmp_path / "page.html", max_terms=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: to_html([a_result()]),
            "`result`: expected one `Interactions`, got a list. Choose one of several outputs: `results[0]`.",
        ),
        (lambda: to_html(a_result(), title=3), "`title`: expected a text or None, got an int."),
        (lambda: to_html(a_result(), max_terms=-1), "`max_terms`: expected an integer of at least 1, got -1."),
        (
            lambda: to_html(a_result(), index="Shapley"),
            f"`index`: expected {', '.join(map(repr, NAMES))}, or 'BII(p=0.3)' with 0 < p < 1, got 'Shapley'.",
        ),
        (lambda: to_html(a_result(), 3), "`path`: expected a path where a file can be written, got an int."),
        (lambda: check_writable("path", None), "`path`: expected a path where a file can be written, got None."),
    ],
)
def test_other_arguments_that_cannot_be_used(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message
