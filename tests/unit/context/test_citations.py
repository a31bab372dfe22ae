"""Views of citations: scores of spans, frames, ContextCite's call, Markdown."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import captum_spex
from captum_spex.context import Citations, Source
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import MINUS

ANSWER = "It is *red*. It is old."
TEXTS = ["Red it is.", "It is red.", "Old\n[it] is.", "Noise."]


def game(masks):
    a, b, c, d = masks.astype(float).T
    return np.stack([4 * np.maximum(a, b) - 0.01 * d, 2 * c], axis=1)


@pytest.fixture
def citations():
    results = captum_spex.explain(game, 4, budget=16)
    return Citations(ANSWER, "What?", ((0, 12), (13, 23)), tuple(map(Source, TEXTS)), tuple(results))


def test_sources_of_a_span_and_of_the_answer(citations):
    assert [(one.players, round(one.score, 6)) for one in citations.sources(0)] == [
        ((0,), 2.0), ((1,), 2.0), ((2,), 0.0), ((3,), -0.01),
    ]  # fmt: skip
    assert [one.players for one in citations.sources()] == [(0,), (1,), (2,), (3,)]
    assert_allclose([one.score for one in citations.sources()], [2, 2, 2, -0.01], atol=1e-9)
    assert citations.groups(0)[0].texts == ("Red it is.", "It is red.")
    assert_allclose([citations.groups(span)[0].score for span in (0, None)], [-4, -4])
    with pytest.raises(ArgumentError, match="`span`: expected an integer from 0 to 1, got 2"):
        citations.sources(2)


def test_a_frame_has_a_row_for_every_term_of_every_span(citations):
    frame = citations.to_dataframe()
    assert list(frame) == ["span", "span_text", "sources", "texts", "order", "score", "std_error"]
    assert tuple(frame.iloc[0])[:3] == (0, "It is *red*.", (0, 1))
    assert (frame["std_error"] == 0).all()
    assert_array_equal(frame.groupby("span")["order"].apply(lambda orders: (orders == 1).sum()), [4, 4])


def test_attributions_as_users_of_context_cite_know_them(citations):
    assert_allclose(citations.get_attributions(), [2, 2, 2, -0.01], atol=1e-9)
    assert_allclose(citations.get_attributions(0, 12), [2, 2, 0, -0.01], atol=1e-9)
    assert_allclose(citations.get_attributions(start_idx=13, end_idx=23, top_k=1), [2])
    frame = citations.get_attributions(13, as_dataframe=True, top_k=2)
    assert list(frame) == ["Score", "Source"]
    assert frame["Source"].tolist() == ["Old\n[it] is.", "Red it is."]


@pytest.mark.parametrize(("start", "end"), [(3, None), (0, 15), (12, 13)])
def test_a_part_that_cuts_a_span_is_refused(citations, start, end):
    with pytest.raises(ArgumentError, match=r"`start_idx`: .* Give `spans=\[\(\d+, \d+\)\]` to `cite`\."):
        citations.get_attributions(start, end)


def test_markdown_has_numbers_behind_every_span_and_escapes_what_is_quoted(citations):
    assert (
        citations.to_markdown()
        == str(citations)
        == (
            "It is \\*red\\*. [1] [2] It is old. [3]\n\n"
            "- [1] Red it is.\n- [2] It is red.\n- [3] Old \\[it\\] is.\n\n"
            f"- [1] + [2] can replace each other: {MINUS}4 (part 1)\n"
        )
    )
    assert citations.to_markdown(top=1).startswith("It is \\*red\\*. [1] It is old. [3]")
    assert repr(citations) == "Citations(2 spans, 4 sources, 16 evaluations)"


def test_paragraphs_of_an_answer_stay_apart_in_markdown(citations):
    result = captum_spex.explain(lambda masks: 0.0 * masks[:, 0], 4, budget=16)
    answer = "So.\n\nNo."
    assert (
        Citations(answer, "?", ((0, 3), (5, 8)), citations.context, (result, result))
        .to_markdown()
        .startswith("So. No.")
    )


def test_metadata_that_json_does_not_know_are_written_all_the_same(citations):
    odd = Source("a", metadata={"price": float("nan"), (1, 2): {"when": np.float32(2.0)}})
    again = Citations.from_json(replace(citations, context=(odd, *citations.context[1:])).to_json())
    assert again.context[0].metadata == {"price": None, "(1, 2)": {"when": "2.0"}}


def test_groups_of_three_are_said_to_depend_on_each_other():
    result = captum_spex.explain(lambda m: 1.0 * m[:, 0] * m[:, 1] * m[:, 2], 3, budget=8, max_order=3)
    three = Citations("So.", "What?", ((0, 3),), tuple(map(Source, "abc")), (result,))
    assert "- [1] + [2] + [3] depend on each other: +1\n" in three.to_markdown(top=9)


def test_nothing_is_cited_where_nothing_counts(citations):
    result = captum_spex.explain(lambda masks: 0.0 * masks[:, 0], 4, budget=16)
    nothing = Citations("So.", "What?", ((0, 3),), citations.context, (result,))
    assert "No source has a score beyond its error." in nothing.to_markdown()


def test_sets_are_verified_by_asking_and_pairs_named(citations):
    asked = replace(citations, game=game)
    assert [asked.sufficient_set(span).players for span in (0, 1)] in ([(0,), (2,)], [(1,), (2,)])
    assert asked.necessary_set(0).players == (0, 1)
    assert asked.necessary_set(1).is_verified
    assert [pair.kind for pair in asked.pairs(0)] == ["redundant"]
    with pytest.raises(ArgumentError, match="`game`: expected citations that `cite` returned, with their model"):
        citations.sufficient_set(0)
    with pytest.raises(ArgumentError, match="`span`"):
        asked.necessary_set(9)


def test_json_holds_everything(citations, tmp_path):
    path = tmp_path / "citations.json"
    again = Citations.from_json(citations.to_json(path))
    for read in (again, Citations.from_json(path)):
        assert (read.answer, read.spans, read.context) == (citations.answer, citations.spans, citations.context)
        assert read.to_markdown() == citations.to_markdown()
        assert read.to_json() == citations.to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "`source`: expected what `to_json` wrote, got text that is not JSON"),
        ('{"format": "other"}', "`source`: expected format 'captum_spex.citations', version 1, got format 'other'"),
        ('{"format": "captum_spex.citations", "version": 1}', "got a damaged file"),
    ],
)
def test_what_is_no_json_of_citations_is_refused(text, message):
    with pytest.raises(ArgumentError, match=message):
        Citations.from_json(text)


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_a_page_holds_every_sentence_with_its_sources(citations, tmp_path):
    path = tmp_path / "page.html"
    page = citations.to_html(path)
    assert path.read_text(encoding="utf-8") == page == citations.to_html()
    data = data_of(page)
    assert "".join(text for text, _ in data["pieces"]) == ANSWER
    assert [span for _, span in data["pieces"]] == [0, None, 1]
    assert [span["cited"] for span in data["spans"]] == [[0, 1], [2]]
    assert data["spans"][0]["sources"][0] == [[0], 2.0, 0.0]
    assert data["spans"][0]["groups"] == [[[0, 1], -4.0, 0.0]]
    assert [source["text"] for source in data["sources"]] == TEXTS
    assert "<title>What?</title>" in page
    assert "<iframe" in citations._repr_html_()


def test_markup_in_texts_is_shown_and_not_run(citations):
    bad = "</script><script>alert(1)</script><b>&"
    hostile = Citations(
        bad, bad, ((0, len(bad)),), tuple(Source(bad, title=bad) for _ in range(4)), citations.interactions[:1]
    )
    page = hostile.to_html()
    assert "<script>alert" not in page
    assert page.count("<script") == 2
    assert data_of(page)["sources"][0] == {"title": bad, "text": bad, "name": f"{bad}: {bad}"}


def test_a_page_that_cannot_be_written_is_refused(citations, tmp_path):
    with pytest.raises(ArgumentError, match="`path`: expected a path where a file can be written"):
        citations.to_html(tmp_path / "nowhere" / "page.html")
