"""Documents first, then their sentences: what is planted in many documents is found within one budget."""

from __future__ import annotations

import json

import numpy as np
import pytest
from context_cases import film_game
from numpy.testing import assert_allclose, assert_array_equal
from server_shapes import serving

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.context import Citations, Server, Source, cite
from captum_spex.context.hierarchy import (
    GroupedGame,
    chosen_documents,
    documents_of,
    first_budget,
    warn_of_left_documents,
)
from captum_spex.errors import ArgumentError, BudgetError

N_DOCUMENTS, N_SENTENCES = 30, 6
KEY, DOOR = "The red key is here.", "The red door is there."


class Plain:
    """A game of six sources that remembers what it was asked; it has no hooks."""

    n_players = 6

    def __init__(self):
        self.asked = []

    def __call__(self, masks):
        self.asked += masks.tolist()
        return masks @ np.arange(1.0, 7.0)


def documents(key=(7, 3), door=(21, 1)):
    made = [[f"Note {i} of {j} is dull." for i in range(N_SENTENCES)] for j in range(N_DOCUMENTS)]
    made[key[0]][key[1]], made[door[0]][door[1]] = KEY, DOOR
    return [{"text": " ".join(sentences), "title": f"Document {j}"} for j, sentences in enumerate(made)]


def opening(body):
    """Both sentences are needed."""
    asked = body["messages"][-1]["content"]
    text = "It opens." if KEY in asked and DOOR in asked else "No idea."
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {}}


def test_groups_of_sources_are_players_and_all_others_are_present():
    plain = Plain()
    game = GroupedGame(plain, [[0, 1], [4]], ["a", "b"])
    values = game(np.array([[True, False], [False, True]]))
    assert plain.asked == [[True, True, True, True, False, True], [False, False, True, True, True, True]]
    assert_array_equal(values, [16, 15 + 3])
    assert not hasattr(game, "answer_each")
    assert not hasattr(game, "plan_batches")


@pytest.mark.filterwarnings("ignore:The (model would|answer)")
def test_groups_of_a_model_of_this_machine_are_what_its_sources_are():
    game = film_game()
    grouped = GroupedGame(game, [[0, 2], [3]], ["a", "b"])
    masks = np.array([[True, False], [False, True], [True, True]])
    wanted = game(np.array([[1, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]], dtype=bool))
    assert_allclose(grouped(masks), wanted, atol=1e-4)
    assert len(captum_spex.explain(grouped, budget=4)) == 2
    assert grouped.fingerprint != game.fingerprint
    assert sorted(np.concatenate(grouped.plan_batches(masks))) == [0, 1, 2]


def test_documents_that_matter_are_chosen_as_the_budget_allows():
    places = [np.arange(4 * i, 4 * i + 4) for i in range(5)]
    result = captum_spex.explain(lambda m: 5.0 * (m[:, 0] & m[:, 3]) + 2.0 * m[:, 1] + 0.1 * m[:, 4], 5, budget=32)
    assert chosen_documents([result], places, budget=100) == [0, 1, 3]
    assert chosen_documents([result], places, budget=16) == [0, 3]
    assert chosen_documents([result], places, budget=2) == [0]
    warn_of_left_documents([result], list("abcde"), [0, 3])
    with pytest.warns(UserWarning, match="does not allow to look into 'd', which matter, and stay present"):
        warn_of_left_documents([result], list("abcde"), [0])


def test_planted_sentences_of_two_documents_are_found_together():
    pytest.importorskip("openai")
    n_asked = []

    def counting(body):
        n_asked.append(body)
        return opening(body)

    with serving(counting) as server:
        found = cite(
            Server(server.url, value="exact", settings={"check": False}), documents(), "Does it open?", budget=240,
            hierarchy=True, random_state=0, approximator=ProxySpex(effort="fast"),
        )  # fmt: skip
        enough = found.sufficient_set(0)
    assert found.n_evaluations <= 240
    assert {one.texts[0] for one in found.sources(0)[:2]} == {KEY, DOOR}
    assert set(found.groups(0)[0].texts) == {KEY, DOOR}
    assert {one.players for one in found.documents.sources(0)[:2]} == {(7,), (21,)}
    assert found.documents.groups(0)[0].players == (7, 21)
    assert {found.context[player].text for player in enough.players} == {KEY, DOOR}
    again = Citations.from_json(found.to_json())
    assert again.n_evaluations == found.n_evaluations
    assert again.documents.to_markdown() == found.documents.to_markdown()
    assert json.loads(found.documents.to_json())["documents"] is None


def test_what_has_no_two_documents_is_refused():
    with pytest.raises(ArgumentError, match="`context`: expected a list of two or more documents, which are split"):
        documents_of([Source("A."), Source("B.")])
    with pytest.raises(ArgumentError, match="for `hierarchy=True`, got one that is not"):
        documents_of([Source("A.", document=0), Source("B.", document=0)])
    assert [list(one) for one in documents_of([Source("A.", document=d) for d in (0, 0, 2)])] == [[0, 1], [2]]


def test_a_budget_for_two_rounds_and_no_store():
    pytest.importorskip("openai")
    with pytest.raises(BudgetError, match="`budget`: expected at least 16 for the two rounds"):
        first_budget(15)
    with serving(opening) as server, pytest.raises(ArgumentError, match="`store`: expected None for `hierarchy=True`"):
        cite(Server(server.url, value="exact"), documents()[:3], "Does it?", hierarchy=True, store="a.db")
