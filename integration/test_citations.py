"""A hundred documents of twenty sentences behind a server, within 600 prompts: planted pairs of sentences are found."""

from __future__ import annotations

import numpy as np
import pytest
from server_shapes import serving

from captum_spex.context import Server, cite

pytest.importorskip("openai")
N_DOCUMENTS, N_SENTENCES, BUDGET = 100, 20, 600
KEY, DOOR = "The red key is here.", "The red door is there."  # needed both
LAMPS = "A lamp burns in the hall.", "The hall has a burning lamp."  # either would do


def context(rng):
    texts = [[f"Note {i} of {j} is dull." for i in range(N_SENTENCES)] for j in range(N_DOCUMENTS)]
    for document, sentence in zip(rng.choice(N_DOCUMENTS, 4, replace=False), (KEY, DOOR, *LAMPS), strict=True):
        texts[document][rng.integers(N_SENTENCES)] = sentence
    return [{"text": " ".join(sentences), "title": f"Document {j}"} for j, sentences in enumerate(texts)]


def answering(body):
    asked = body["messages"][-1]["content"]
    opens = "It opens." if KEY in asked and DOOR in asked else "No idea."
    lit = "It is bright." if any(lamp in asked for lamp in LAMPS) else "It is dark."
    return {"choices": [{"message": {"content": f"{opens} {lit}"}, "finish_reason": "stop"}], "usage": {}}


@pytest.mark.parametrize("seed", range(3))
def test_planted_pairs_of_sentences_are_found_among_two_thousand(seed):
    with serving(answering) as server:
        asked = Server(server.url, value="exact", settings={"check": False})
        found = cite(
            asked,
            context(np.random.default_rng(seed)),
            "Does it open?",
            budget=BUDGET,
            hierarchy=True,
            random_state=seed,
        )
    assert found.n_evaluations <= BUDGET
    for span, pair in enumerate([{KEY, DOOR}, set(LAMPS)]):
        assert {one.texts[0] for one in found.sources(span)[:2]} == pair
        assert set(found.groups(span)[0].texts) == pair
    assert [found.groups(span)[0].score > 0 for span in (0, 1)] == [True, False]
