"""From a context to citations: planted facts are found, alone and in pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from context_cases import ANSWER, FILMS, QUESTION, REDUNDANT, film_game, looking_up, wide_model
from numpy.testing import assert_allclose
from text_models import byte_tokenizer

import captum_spex
from captum_spex.context import cite
from captum_spex.errors import ArgumentError, BudgetError, OrderError
from tools.key_value_model import KEYS, VALUES


def cited(context, query, **settings):
    arguments = {**looking_up(), **settings}
    return cite(arguments.pop("model"), context, query, **arguments)


def test_redundant_facts_are_cited_both_and_named_as_a_pair():
    found = cited(REDUNDANT, "amber")
    assert (found.answer, found.n_evaluations) == ("one", 32)
    assert {one.players for one in found.sources(0)[:2]} == {(0,), (2,)}
    pair = found.groups(0)[0]
    assert pair.players == (0, 2)
    assert pair.score < 0
    game_change = found.interactions[0].model(np.array([[True] * 5, [False] * 5]))
    assert_allclose(sum(one.score for one in found.sources()), game_change[0] - game_change[1])


def test_the_planted_fact_is_first_among_many():
    rng = np.random.default_rng(0)
    keys, values = rng.permutation(KEYS), rng.permutation(VALUES)
    facts = [f"{key} {value}" for key, value in zip(keys, values, strict=True)]
    found = cited(facts, str(keys[7]), random_state=0)
    assert found.answer == values[7]
    assert found.sources(0)[0].players == (7,)
    assert found.n_evaluations == 64


@pytest.mark.filterwarnings("ignore:The (model would|answer)")
def test_all_spans_share_the_evaluations_of_one_run():
    game = film_game()
    expected = captum_spex.explain(game, budget=16)
    found = cite(
        wide_model("gpt2"), FILMS, QUESTION, tokenizer=byte_tokenizer(), answer=ANSWER, template="{context}\n{query}"
    )
    assert len(found.interactions) == 2
    assert found.n_evaluations == 16
    for ours, theirs in zip(found.interactions, expected, strict=True):
        assert_allclose(ours.first_order(), theirs.first_order(), atol=1e-5)


class Unasked(torch.nn.Module):
    """A model that nothing may ask."""

    def forward(self, **_):
        raise AssertionError("the model was asked")

    generate = forward


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"budget": 1}, BudgetError, "`budget`: expected an integer of at least 2, got 1"),
        ({"budget": "64"}, BudgetError, "`budget`"),
        ({"random_state": "x"}, ArgumentError, "`random_state`"),
        ({"max_order": "2"}, OrderError, "`max_order`"),
        ({"index": "XII"}, ArgumentError, "`index`"),
        ({"approximator": "spex"}, ArgumentError, "`approximator`"),
        ({"store": "no/where.db"}, ArgumentError, "`store`"),
        ({"hierarchy": 1}, ArgumentError, "`hierarchy`: expected True or False"),
        ({"sentences": True}, TypeError, "sentences"),
    ],
)
def test_arguments_are_checked_before_the_model_is_asked(settings, error, message):
    with pytest.raises(error, match=message):
        cite(Unasked().eval(), REDUNDANT, "amber", tokenizer=byte_tokenizer(), **settings)


def test_scores_of_which_nothing_is_known_are_warned_of():
    with pytest.warns(UserWarning, match="Of 5 sources and 3 prompts, nothing says how sure the scores are"):
        cited(REDUNDANT, "amber", budget=3)
