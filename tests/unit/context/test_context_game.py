"""Values of contexts under masks, against one forward pass for every prompt."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from context_cases import ANSWER, FILMS, QUESTION, REDUNDANT, film_game, look_up_game, slow_log_probs, wide_model
from numpy.testing import assert_allclose
from oracles import every_mask
from text_models import byte_tokenizer

import captum_spex
from captum_spex.context import ContextGame
from captum_spex.errors import ArgumentError

EXACT = {"atol": 1e-4, "rtol": 0}
quiet = pytest.mark.filterwarnings("ignore:The (model would|answer)")


def text_of(
    mask, texts=("Her acting is good.", "The film is never good!", "Nobody liked the plot.", "The ending was worse.")
):
    """Of `FILMS`: an empty line is between the second and the third."""
    first, second = (
        " ".join(text for text, there in zip(texts[a:b], mask[a:b], strict=True) if there) for a, b in ((0, 2), (2, 4))
    )
    return "\n\n".join(filter(None, [first, second]))


@quiet
@pytest.mark.parametrize("prefix_cache", [True, False])
@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom"])
def test_values_are_log_probabilities_by_one_forward_pass_of_each_prompt(kind, prefix_cache):
    template = "What is good? {context}\n{query}"
    game = film_game(kind=kind, template=template, prefix_cache=prefix_cache, spans="answer")
    masks = every_mask(4)
    prompts = [template.format(context=text_of(mask), query=QUESTION) for mask in masks]
    model, tokenizer = wide_model(kind), byte_tokenizer()
    expected = [sum(slow_log_probs(model, tokenizer, prompt, f" {ANSWER}")) for prompt in prompts]
    assert np.ptp(expected) > 0.1
    assert_allclose(game(masks), expected, **EXACT)


@quiet
def test_spans_add_up_to_the_answer():
    masks = every_mask(4)
    by_sentence = film_game()
    assert by_sentence.span_texts == ("The plot is good.", "The ending was never good.")
    assert_allclose(by_sentence(masks).sum(axis=1), film_game(spans="answer")(masks), **EXACT)
    values = film_game(spans=[(0, 8), (8, 17), (18, 44)])(masks)
    assert_allclose(values[:, :2].sum(axis=1), by_sentence(masks)[:, 0], **EXACT)


@quiet
def test_a_prompt_that_ends_with_white_space_is_followed_by_the_answer_alone():
    game = film_game(template="{context} {query}\n", spans="answer")
    expected = slow_log_probs(wide_model("gpt2"), byte_tokenizer(), f"{FILMS} {QUESTION}\n", ANSWER)
    assert_allclose(game(np.ones((1, 4), dtype=bool))[0], sum(expected), **EXACT)


@quiet
def test_a_space_is_put_before_an_answer_where_one_belongs():
    game = film_game(template="{context} {query}", spans="answer")
    expected = slow_log_probs(wide_model("gpt2"), byte_tokenizer(), f"{FILMS} {QUESTION}", f" {ANSWER}")
    assert_allclose(game(np.ones((1, 4), dtype=bool))[0], sum(expected), **EXACT)
    assert game.answer == ANSWER


def test_the_answer_is_what_the_model_generates():
    game = look_up_game(REDUNDANT, "basil")
    assert (game.answer, game.spans, game.names[1]) == ("two", ((0, 3),), "basil two")
    full = float(game(np.ones((1, 5), dtype=bool))[0])
    assert full > np.log(0.5)
    assert float(game(~np.eye(5, dtype=bool)[1:2])[0]) < full - 1
    given = look_up_game(REDUNDANT, "basil", answer="two")
    masks = every_mask(5)
    assert_allclose(game(masks), given(masks), **EXACT)


@quiet
def test_replaced_sources_leave_a_placeholder():
    game = film_game(removal="replace", placeholder="(gone)", spans="answer")
    prompt = f"(gone) The film is never good!\n\n(gone) (gone)\n{QUESTION}"
    expected = sum(slow_log_probs(wide_model("gpt2"), byte_tokenizer(), prompt, f" {ANSWER}"))
    assert_allclose(game(np.array([[False, True, False, False]])), [expected], **EXACT)


@quiet
def test_a_chat_template_is_used_where_there_is_one():
    tokenizer = byte_tokenizer(chat=True)
    game = film_game(tokenizer=tokenizer, template="{context} {query}", system="Be short.", spans="answer")
    prompt = f"<|system|>\nBe short.</s>\n<|user|>\nHer acting is good. {QUESTION}</s>\n<|assistant|>\n"
    expected = sum(slow_log_probs(wide_model("gpt2"), tokenizer, prompt, ANSWER, specials=False))
    assert_allclose(game(np.array([[True, False, False, False]])), [expected], **EXACT)


@quiet
def test_a_fingerprint_tells_games_apart_and_a_store_resumes(tmp_path):
    game, same, other = film_game(), film_game(), film_game(removal="replace")
    assert game.fingerprint == same.fingerprint != other.fingerprint
    first = captum_spex.explain(game, budget=10, random_state=0, store=tmp_path / "a.db")
    again = captum_spex.explain(same, budget=10, random_state=0, store=tmp_path / "a.db")
    assert [list(one.values) for one in first] == [list(one.values) for one in again]


def test_an_answer_that_the_model_would_not_give_is_warned_of():
    with pytest.warns(UserWarning, match="The answer 'twelve' is no more probable with the context"):
        look_up_game(REDUNDANT, "basil", answer="twelve")
    with pytest.warns(
        UserWarning, match="The model would not give .*: a token of it has the probability .* with all sources"
    ):
        film_game()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        look_up_game(REDUNDANT, "basil", answer="two")


@pytest.mark.filterwarnings("ignore:The model would")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context": ""}, "an empty context"),
        ({"context": "One sentence."}, "one source"),
        ({"spans": [(0, 99)]}, r"`spans\[0\]`: expected pairs"),
        ({"spans": "word"}, "`spans`"),
        ({"answer": " "}, "`answer`: expected a text, or None for a generated one"),
        ({"removal": "drop"}, "`removal`"),
        ({"query": ""}, "`query`"),
        ({"system": "Be short."}, "`system`: expected None without a chat"),
        ({"chat_template_kwargs": {"tools": []}}, "`chat_template_kwargs`: expected None without a chat"),
        ({"chat": True}, "`tokenizer`: expected one with a chat template"),
        ({"tokenizer": None}, "`tokenizer`: expected the model's tokenizer"),
        ({"max_new_tokens": 0, "answer": None}, "`max_new_tokens`"),
    ],
)
def test_what_cannot_be_asked_is_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        film_game(settings.pop("context", FILMS), **settings)


def test_a_context_beyond_the_window_says_which_sources_fit():
    many = [
        f"{one} {number}" for one, number in zip(["amber", "basil", "cedar"] * 20, ["one", "two"] * 30, strict=True)
    ]
    many = [f"{text} and with then also" for text in many]
    with (
        pytest.warns(UserWarning, match="occur twice"),
        pytest.raises(
            ArgumentError,
            match=r"at most 128 tokens, the limit of the model, got 363 tokens .* The first 20 of its 60 sources fit\.",
        ),
    ):
        look_up_game(many, "amber")


def test_a_model_that_cannot_answer_is_refused():
    with pytest.raises(ArgumentError, match="`model`: expected a torch module of transformers"):
        ContextGame(object(), FILMS, QUESTION, tokenizer=byte_tokenizer())
