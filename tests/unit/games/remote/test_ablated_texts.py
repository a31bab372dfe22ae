"""Texts of which parts are removed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote_games import game_of

from captum_spex.games.remote.ablated_texts import AblatedTexts
from captum_spex.masks import all_masks

pytest.importorskip("openai")
pytest.importorskip("tenacity")


def slow_under(text, spans, mask, replacement):
    """Character by character: which belong to an absent player, or are the blank gap before one."""
    written, position = [], 0
    for (start, end), present in zip(spans, mask, strict=True):
        gap = text[position:start]
        if present or replacement is not None or gap.strip():
            written += gap
        written += text[start:end] if present else (replacement or "")
        position = end
    whole = "".join(written) + text[position:]
    while whole and whole[0].isspace() and not text[0].isspace():
        whole = whole[1:]
    return whole


TEXTS = st.text("ab .\n\u00e9\u4e2d-", min_size=3, max_size=30).filter(lambda text: len(text.split()) >= 2)


@given(TEXTS, st.sampled_from([None, "", "_", "so what"]), st.randoms(use_true_random=False))
def test_texts_of_words_equal_the_slow_ones(text, replacement, random):
    prompts = AblatedTexts(text, "word", replacement)
    masks = np.array([[random.random() < 0.5 for _ in prompts.spans] for _ in range(6)])
    slow = [slow_under(text, prompts.spans, mask, replacement) for mask in masks]
    assert prompts.under(masks) == slow
    if replacement is None:
        words = [[word for word, present in zip(text.split(), mask, strict=True) if present] for mask in masks]
        assert [one.split() for one in prompts.under(masks)] == words


@given(st.text("ab .\n\u00e9", min_size=6, max_size=24).filter(str.strip), st.data())
def test_texts_of_spans_equal_the_slow_ones(text, data):
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), min_size=4, max_size=6)))
    spans = list(zip(places[::2], places[1::2], strict=False))
    prompts = AblatedTexts(text, spans)
    masks = all_masks(len(spans))
    assert prompts.under(masks) == [slow_under(text, spans, mask, None) for mask in masks]
    assert prompts.under(masks[-1:]) == [text]


def test_sentences_and_a_replacement_reach_the_server(server):
    text = "It is here. Nobody knows! Ask again."
    sentences = game_of(server, text=text, unit="sentence")
    assert sentences.names == ("It is here.", "Nobody knows!", "Ask again.")
    sentences(np.array([[True, False, True]]))
    game_of(server, text=text, unit=[(3, 5), (12, 18)], replacement="...")(np.array([[False, True]]))
    asked = [
        "Note: It is here. Ask again. Is it safe? yes",
        "Note: It ... here. Nobody knows! Ask again. Is it safe? yes",
    ]
    assert server.report()["answered"] == dict.fromkeys(asked, 1)
