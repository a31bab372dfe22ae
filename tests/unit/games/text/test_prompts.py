"""The prompt that a model sees is the one that its user would send, token by token, for every style of tokenizer."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from prompt_styles import FIRST, N_ADDED, STYLES, TRIMMED, Style
from text_models import bert_classifier, causal_model, word_tokenizer
from transformers import PreTrainedTokenizerFast

from captum_spex.errors import ArgumentError
from captum_spex.games.text import AnswerGame, ClassificationGame
from captum_spex.games.text.prompts import kept, n_added, prompt_of

TEXT = "the film is never good"
PREFIX, SUFFIX, ANSWER = "Say: ", " the end :", " good"
every_style = pytest.mark.parametrize("style", STYLES)
begun = pytest.mark.parametrize("style", FIRST)


@cache
def tokenizer_of(style):
    return STYLES[style]()


def game_of(style, **arguments):
    arguments = {"answer": ANSWER, "prefix": PREFIX, "suffix": SUFFIX, "ablation": "delete", **arguments}
    return AnswerGame(causal_model("gpt2"), tokenizer_of(style), TEXT, **arguments)


def read_by(game):
    """The tokens before the answer that the model reads of the whole prompt."""
    n = game.n_players
    ids = game._template.rows(np.ones((1, n), dtype=np.bool_)).ids[0]
    assert_array_equal(ids[-len(game.answer_ids) :], game.answer_ids)
    return ids[: -len(game.answer_ids)].tolist()


def plain(style, text, **settings):
    return list(tokenizer_of(style)(text, **settings)["input_ids"])


def without_end(style, ids):
    return ids[: len(ids) - N_ADDED[style][1]]


# --- without a chat template ------------------------------------------------------------------------------------------


@every_style
def test_a_prompt_is_that_of_the_tokenizer_without_the_end_of_texts(style):
    ids = plain(style, PREFIX + TEXT + SUFFIX)
    assert read_by(game_of(style)) == without_end(style, ids)


@begun
def test_a_prompt_that_begins_with_the_first_token_itself_has_it_once(style):
    prefix = FIRST[style] + PREFIX
    ids = plain(style, prefix + TEXT + SUFFIX, add_special_tokens=False)
    assert len(plain(style, prefix + TEXT + SUFFIX)) == len(ids) + sum(N_ADDED[style])
    assert read_by(game_of(style, prefix=prefix)) == ids
    assert ids[: N_ADDED[style][0]] != ids[N_ADDED[style][0] : 2 * N_ADDED[style][0]]


@every_style
@pytest.mark.parametrize("special_tokens", [True, False])
def test_special_tokens_are_chosen(style, special_tokens):
    prefix = FIRST.get(style, "") + PREFIX
    game = game_of(style, prefix=prefix, special_tokens=special_tokens)
    assert read_by(game) == plain(style, prefix + TEXT + SUFFIX, add_special_tokens=special_tokens)


@every_style
def test_an_answer_has_the_tokens_that_follow_the_prompt(style):
    whole = PREFIX + TEXT + SUFFIX
    ids = plain(style, whole + ANSWER, add_special_tokens=False)
    own = plain(style, whole, add_special_tokens=False)
    assert ids[: len(own)] == own
    assert game_of(style).answer_ids.tolist() == ids[len(own) :]


def test_an_answer_that_would_change_the_last_token_of_the_prompt_is_tokenized_alone():
    style = "nothing added"
    joint, own = (plain(style, f"{PREFIX}{TEXT}{end}") for end in (" fil" + "m", " fil"))
    assert joint[: len(own)] != own
    assert game_of(style, suffix=" fil", answer="m").answer_ids.tolist() == plain(style, "m")


@every_style
def test_values_are_those_of_the_prompt_that_the_user_would_send(style):
    """One mask at a time, the tokens of absent words taken out by hand, float64."""
    game, tokenizer = game_of(style, output="sum"), tokenizer_of(style)
    whole = PREFIX + TEXT + SUFFIX
    encoded = tokenizer(whole, return_offsets_mapping=True)
    n_last = N_ADDED[style][1]
    tokens = list(zip(encoded["input_ids"], encoded["offset_mapping"], encoded.sequence_ids(), strict=True))
    tokens = tokens[: len(tokens) - n_last]
    masks = every_mask(game.n_players)
    wanted = []
    for mask in masks:
        row = [token for token, place, own in tokens if own is None or not _is_absent(whole, place, mask)]
        wanted.append(_log_prob(row, game.answer_ids.tolist()))
    assert_allclose(game(masks), wanted, atol=1e-4, rtol=0)
    assert np.ptp(wanted) > 0.1


def _is_absent(whole, place, mask):
    """Whether a token's first visible character is in an absent word of the text."""
    start, end = place
    start += len(whole[start:end]) - len(whole[start:end].lstrip())
    words = [match.span() for match in re.finditer(r"\S+", whole)][1:6]
    return any(first <= start < last and not kept for (first, last), kept in zip(words, mask, strict=True))


def _log_prob(row, answer):
    with torch.inference_mode():
        logits = causal_model("gpt2")(input_ids=torch.tensor([row + answer])).logits[0].double()
    places = range(len(row) - 1, len(row) + len(answer) - 1)
    return sum(float(logits[i].log_softmax(dim=0)[token]) for i, token in zip(places, answer, strict=True))


@pytest.mark.parametrize("style", ["nothing added", "ends", "metaspace, ends"])
def test_a_bare_text_begins_with_the_first_token_and_keeps_its_own(style):
    game = game_of(style, prefix="", suffix="", special_tokens=None)
    assert read_by(game) == [0, *without_end(style, plain(style, TEXT))]


@pytest.mark.parametrize("style", ["nothing added", "begins and ends"])
def test_a_bare_text_without_special_tokens_is_refused_where_nothing_would_be_left(style):
    with pytest.raises(ArgumentError, match=r"`ablation`: .*without players the model would read nothing"):
        game_of(style, prefix="", suffix="", special_tokens=False)


def test_a_generated_answer_follows_the_prompt_not_its_end():
    style = "begins and ends"
    row = without_end(style, plain(style, PREFIX + TEXT + SUFFIX))
    with torch.inference_mode():
        token = int(causal_model("gpt2")(input_ids=torch.tensor([row])).logits[0, -1].argmax())
    assert game_of(style, answer=None, max_new_tokens=1).answer_ids.tolist() == [token]


def test_a_classifier_reads_the_end_of_its_text_and_its_beginning_once():
    tokenizer = word_tokenizer()
    plainly = tokenizer("Her acting never fails")["input_ids"]
    every = np.ones((1, 4), dtype=np.bool_)
    for arguments, wanted in (
        ({}, plainly),
        ({"prefix": "[CLS]"}, plainly),
        ({"prefix": "[CLS]", "special_tokens": True}, [2, *plainly]),
        ({"special_tokens": False}, plainly[1:-1]),
    ):
        game = ClassificationGame(bert_classifier(), tokenizer, "Her acting never fails", **arguments)
        assert game._template.rows(every).ids[0].tolist()[: len(wanted)] == wanted


# --- in a chat --------------------------------------------------------------------------------------------------------


def applied(tokenizer, content, system=None, **variables):
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages.append({"role": "user", "content": content})
    found = tokenizer.apply_chat_template(
        messages, tokenize=True, add_generation_prompt=True, return_dict=True, **variables
    )
    return list(found["input_ids"])


@every_style
@pytest.mark.parametrize("system", [None, "Be kind."])
def test_a_chat_prompt_is_that_of_the_template(style, system):
    game = game_of(style, system=system, chat=True)
    assert read_by(game) == applied(tokenizer_of(style), PREFIX + TEXT + SUFFIX, system)


@every_style
def test_rendered_chat_text_around_a_text_is_the_same_prompt(style):
    tokenizer = tokenizer_of(style)
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": PREFIX + TEXT + SUFFIX}], tokenize=False, add_generation_prompt=True
    )
    before, after = rendered.split(TEXT)
    given, ids = game_of(style, prefix=before, suffix=after), applied(tokenizer, PREFIX + TEXT + SUFFIX)
    n_first = N_ADDED[style][0] if "template" not in style else 0
    assert read_by(given) == plain(style, "", add_special_tokens=True)[:n_first] + ids


@every_style
def test_special_tokens_around_a_chat_are_added_on_demand_only(style):
    game = game_of(style, chat=True, special_tokens=True)
    rendered = "".join([game._prompt.before, TEXT, game._prompt.after])
    assert read_by(game) == plain(style, rendered, add_special_tokens=True)


THINKING = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% for tool in tools or [] %}<|{{ tool['function']['name'] }}|>{% endfor %}"
    "{% for document in documents or [] %}<|{{ document['text'] }}|>{% endfor %}"
    "<|assistant|>{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)
TOOL = {"type": "function", "function": {"name": "search", "description": "It looks.", "parameters": {}}}


def with_template(template):
    return Style(("<s>",), (), "bytes", template).tokenizer()


@pytest.mark.parametrize(
    "variables",
    [
        {"enable_thinking": False},
        {"enable_thinking": True},
        {"tools": [TOOL]},
        {"documents": [{"title": "a", "text": "the plot"}]},
        {"tools": [TOOL], "enable_thinking": False},
        {},
    ],
    ids=str,
)
def test_variables_of_the_template_are_passed_on(variables):
    tokenizer = with_template(THINKING)
    game = AnswerGame(causal_model("gpt2"), tokenizer, TEXT, answer="good", chat=True, chat_template_kwargs=variables)
    assert read_by(game) == applied(tokenizer, TEXT, **variables)
    plainly = AnswerGame(causal_model("gpt2"), tokenizer, TEXT, answer="good", chat=True)
    changes = bool(variables) and variables != {"enable_thinking": True}
    assert (game.fingerprint != plainly.fingerprint) == changes


# --- refused ----------------------------------------------------------------------------------------------------------

STRICT = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
SHOWN = "{% for message in messages if message['role'] == 'user' %}[{{ message['content'] }}]{% endfor %}"
NO_SYSTEM = "`system`: expected None for a chat template that takes none, got a system prompt."
REFUSED = {
    "system": (
        STRICT + SHOWN,
        {"system": "Be kind."},
        f'{NO_SYSTEM} It says: "System role not supported". Put it into',
    ),
    "system left out": (SHOWN, {"system": "Be kind."}, f"{NO_SYSTEM} It leaves the system prompt out. Put it into"),
    "a template that takes nothing": (
        "{{ raise_exception('Never') }}",
        {"chat": True},
        '`chat`: expected a chat template that takes a user\'s message, got one that says: "Never".',
    ),
    "a template with an error": (
        "{{ nothing.at.all }}",
        {"system": "Be kind."},
        "`chat`: expected a chat template that takes a user's message, got one that says: ",
    ),
    "trimmed text": (
        TRIMMED,
        {"chat": True, "text": TEXT + "\n"},
        "`text`: expected a text that the chat template leaves",
    ),
    "unknown variable": (
        THINKING,
        {"chat": True, "chat_template_kwargs": {"enable_thinkng": False}},
        "`chat_template_kwargs['enable_thinkng']`: expected a variable that the tokenizer's chat template uses, "
        "got one that it does not use: 'enable_thinkng'.",
    ),
    "a variable of its own": (
        SHOWN + "{{ add_generation_prompt }}",
        {"chat": True, "chat_template_kwargs": {"add_generation_prompt": False}},
        "`chat_template_kwargs['add_generation_prompt']`: expected",
    ),
    "no mapping": (
        THINKING,
        {"chat": True, "chat_template_kwargs": ["enable_thinking"]},
        "`chat_template_kwargs`: expected a mapping from variables to values, got a list.",
    ),
    "variables without a chat": (
        THINKING,
        {"chat_template_kwargs": {"enable_thinking": False}},
        "`chat_template_kwargs`: expected None without `chat=True`, got {'enable_thinking': False}.",
    ),
    "special tokens": (SHOWN, {"special_tokens": "once"}, "`special_tokens`: expected "),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_a_chat_template_cannot_show_is_refused(case):
    template, arguments, message = case
    with pytest.raises(ArgumentError, match=re.escape(message)):
        prompt_of(with_template(template), **{"text": TEXT, **arguments})


def test_a_text_that_a_template_trims_is_taken_without_white_space():
    tokenizer = with_template(TRIMMED)
    game = AnswerGame(causal_model("gpt2"), tokenizer, TEXT, answer="good", chat=True, prefix=" so ")
    assert read_by(game) == applied(tokenizer, " so " + TEXT)


# --- which tokens a tokenizer adds ------------------------------------------------------------------------------------


@every_style
def test_added_tokens_are_counted(style):
    assert n_added(tokenizer_of(style)) == N_ADDED[style]


def test_a_tokenizer_that_changes_a_text_with_its_special_tokens_adds_none_that_are_known():
    class Odd(PreTrainedTokenizerFast):
        def encode(self, text, add_special_tokens=True, **_):
            return [7] if add_special_tokens else [8]

    assert n_added(Odd(tokenizer_object=tokenizer_of("begins").backend_tokenizer)) == (0, 0)


@pytest.mark.parametrize(
    ("ids", "n_first", "n_last", "special_tokens", "answered", "wanted"),
    [
        ([0, 5, 1], 1, 1, None, True, [0, 5]),
        ([0, 5, 1], 1, 1, None, False, [0, 5, 1]),
        ([0, 0, 5, 1, 1], 1, 1, None, True, [0, 5, 1]),
        ([0, 0, 5, 1], 1, 1, True, True, [0, 0, 5, 1]),
        ([0, 0, 5, 1], 1, 1, False, True, [0, 5]),
        ([3, 0, 3, 5], 2, 0, None, True, [3, 0, 3, 5]),
        ([3, 0, 3, 0, 5], 2, 0, None, True, [3, 0, 5]),
        ([5, 5], 0, 0, None, True, [5, 5]),
        ([0], 1, 0, None, True, [0]),
    ],
)
def test_kept_tokens(ids, n_first, n_last, special_tokens, answered, wanted):
    assert ids[kept(ids, n_first, n_last, special_tokens, answered=answered)] == wanted
