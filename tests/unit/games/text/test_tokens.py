"""Which player each token of a prompt belongs to."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from text_models import Asked, byte_tokenizer, roberta_tokenizer, slow_players, word_tokenizer
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.games.text.prompts import Prompt, prompt_of
from captum_spex.games.text.tokens import FIXED, tokens_of
from captum_spex.games.text.units import spans_of

TOKENIZERS = {
    "word pieces": word_tokenizer,
    "bytes": byte_tokenizer,
    "bytes without their space": lambda: byte_tokenizer(trims=True),
    "bytes after a beginning": lambda: byte_tokenizer(begins=True),
    "bytes with ends": roberta_tokenizer,
}
every_tokenizer = pytest.mark.parametrize("make", TOKENIZERS.values(), ids=TOKENIZERS)
WRITTEN = st.sampled_from(
    ["never", "fails", "Good", "x", "don't", "é", "ﬁ", "😀", "👩‍👩‍👧", "中文", "¶", "ø", "\u200b"]
)
SIGNS = st.sampled_from([".", "!", ",", "1"])
BLANKS = st.sampled_from([" ", " ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000"])
SOME = st.lists(WRITTEN | SIGNS | BLANKS, max_size=8).map("".join)
TEXTS = st.builds(lambda first, last: f"{first}Ok! Never{last}", SOME, SOME)  # at least two sentences
AROUND = st.sampled_from(["", "Is it so? ", "Q:\n", "Q: ", "\n", " \n\n", "a\t", "never"])
UNITS = ("word", "token", "sentence")


def tokens(make, text, unit="word", **around):
    return tokens_of(make(), prompt_of(make(), text, **around), unit)


def pieces(make, found, player):
    return make().convert_ids_to_tokens(found.ids[found.players == player].tolist())


def asked_for(make, prompt, unit):
    spans = None if unit == "token" else spans_of(prompt.text, unit)
    return Asked(
        make(), prompt.text, spans, prompt.before, prompt.after, prompt.second, prompt.special_tokens is not False
    )


def assert_as_defined(make, prompt, unit):
    players, spans = slow_players(asked_for(make, prompt, unit))
    found = tokens_of(make(), prompt, unit)
    assert_array_equal(found.players, players)
    assert list(found.spans) == spans


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@every_tokenizer
@pytest.mark.parametrize("unit", UNITS)
@given(text=TEXTS, before=AROUND, after=AROUND)
@example(text=" Good! \n Film ", before="Q:\n", after="\n\nA:")
@example(text="Good.  Film", before="so ", after=" x")
@example(text="😀😀 ﬁx\u200b good. Never", before="", after="")
def test_players_are_those_of_the_definition(make, unit, text, before, after):
    assert_as_defined(make, Prompt(before, text, after), unit)


@every_tokenizer
@given(text=TEXTS)
def test_players_divide_the_tokens_that_the_tokenizer_does_not_add(make, text):
    found = tokens(make, text)
    own = make()(text, add_special_tokens=False)["input_ids"]
    assert_array_equal(found.ids[found.players != FIXED], own)
    assert set(found.players) - {FIXED} == set(range(found.n_players))
    assert_array_equal(np.diff(found.players[found.players != FIXED]) >= 0, True)


@pytest.mark.sampled
@every_tokenizer
@pytest.mark.parametrize("unit", UNITS)
@given(text=TEXTS)
def test_names_are_the_text_at_the_spans(make, unit, text):
    found = tokens(make, text, unit)
    assert found.names == tuple(text[start:end] for start, end in found.spans)
    assert all(name.strip() == name != "" for name in found.names)
    assert found.n_players == len(found.names) == len(found.spans)


@every_tokenizer
@given(text=TEXTS, before=AROUND, after=AROUND)
@example(text="good film", before="Q:\n", after="\n\nA:")
@example(text="good film", before="a\t", after=" \n\n")
def test_tokens_of_the_text_around_belong_to_no_player(make, text, before, after):
    """As long as no token spans both."""
    tokenizer = make()
    parts = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, text, after)]
    assume(tokenizer(before + text + after, add_special_tokens=False)["input_ids"] == list(chain(*parts)))
    found = tokens(make, text, prefix=before, suffix=after)
    assert_array_equal(found.ids[found.players != FIXED], parts[1])


# --- known texts ------------------------------------------------------------------------------------------------------


def test_a_word_takes_the_space_before_it():
    found = tokens(byte_tokenizer, "good  film\nx ")
    assert found.names == ("good", "film", "x")
    assert [pieces(byte_tokenizer, found, player) for player in range(3)] == [
        byte_tokenizer().tokenize("good"),
        ["Ġ", "Ġfilm"],
        ["Ċ", "x", "Ġ"],
    ]


def test_a_last_space_goes_with_the_last_word_before_a_suffix_too():
    found = tokens(byte_tokenizer, "good x ", suffix="\nEnd")
    assert pieces(byte_tokenizer, found, 1) == ["Ġ", "x", "Ġ"]


@pytest.mark.parametrize("trims", [False, True])
def test_white_space_at_the_end_of_a_prefix_stays(trims):
    found = tokens(lambda: byte_tokenizer(trims), "good film", prefix="Question:\n")
    assert pieces(byte_tokenizer, found, FIXED)[-1] == "Ċ"
    assert "Ċ" not in pieces(byte_tokenizer, found, 0)


@pytest.mark.parametrize("trims", [False, True])
def test_white_space_of_a_chat_template_stays(trims):
    tokenizer = byte_tokenizer(trims, chat=True)
    prompt = prompt_of(tokenizer, "good film", system="Be kind.")
    found = tokens_of(tokenizer, prompt, "word")
    kept = tokenizer.decode(found.ids[found.players == FIXED].tolist())
    assert kept == "<|system|>\nBe kind.</s>\n<|user|>\n</s>\n<|assistant|>\n"


def test_a_chat_template_adds_its_special_tokens_itself():
    tokenizer = byte_tokenizer(begins=True)
    template = "<s>{% for message in messages %}[{{ message['content'] }}]{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, bos_token="<s>", eos_token="</s>", chat_template=template
    )
    prompt = prompt_of(tokenizer, "x y", prefix="so ", suffix="?", chat=True)
    assert (prompt.before, prompt.text, prompt.after) == ("<s>[so ", "x y", "?]")
    assert tokens_of(tokenizer, prompt, "word").ids.tolist().count(0) == 1


def test_pieces_of_a_character_are_a_player_each():
    found = tokens(byte_tokenizer, "x 😀", "token")
    assert found.names == ("x", *["😀"] * (found.n_players - 1))
    assert found.n_players == len(byte_tokenizer().tokenize("x😀"))


def test_words_without_a_token_are_not_players():
    assert tokens(word_tokenizer, "good \u200b film").names == ("good", "film")


def test_the_second_text_stays_and_types_tell_the_two():
    prompt = Prompt("", "good film", "", "never good")
    found = tokens_of(word_tokenizer(), prompt, "word")
    assert_array_equal(found.ids, word_tokenizer()("good film", "never good")["input_ids"])
    assert_array_equal(found.players, [FIXED, 0, 1, FIXED, FIXED, FIXED, FIXED])
    assert_array_equal(found.types, [0, 0, 0, 0, 1, 1, 1])


def test_what_lies_between_given_spans_stays():
    text = "Her acting never fails"
    found = tokens(word_tokenizer, text, [(11, 16), (0, 3), (17, 20)])
    assert found.names == ("Her", "never", "fai")
    assert [pieces(word_tokenizer, found, player) for player in range(3)] == [["her"], ["never"], ["fails"]]
    assert pieces(word_tokenizer, found, FIXED) == ["[CLS]", "acting", "[SEP]"]


def test_a_token_that_begins_in_the_prefix_stays_as_a_whole():
    found = tokens(word_tokenizer, "er fails good", prefix="nev")
    assert found.names == ("fails", "good")
    assert pieces(word_tokenizer, found, FIXED) == ["[CLS]", "never", "[SEP]"]


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000"])
def test_an_empty_text_is_refused(text):
    message = "`text`: expected a text with at least two players, got an empty text."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        tokens(word_tokenizer, text)


@pytest.mark.parametrize("text", [None, 3, b"bytes", ["a", "list"]])
def test_a_text_must_be_a_text(text):
    with pytest.raises(ArgumentError, match=rf"`text`: expected a text, got {type_of(text)}\."):
        tokens(word_tokenizer, text)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("impress", "word", "expected at least two players, here words, got one word ('impress'). `unit=\"token\"`"),
        ("So good. so", "sentence", "expected at least two players, here sentences, got one sentence ('So good. so')"),
        ("good", "token", "expected at least two players, here tokens, got one token ('good')."),
        ("good film", [(0, 4)], "expected at least two players, here spans, got one span ('good')."),
        ("good film", [], "expected at least two players, here spans, got no span."),
        ("\u200b \u200b", "word", "expected at least two players, here words, got no word."),
    ],
)
def test_fewer_than_two_players_are_refused(text, unit, message):
    with pytest.raises(ArgumentError, match=re.escape(f"`text`: {message}")):
        tokens(word_tokenizer, text, unit)


def test_a_finer_unit_is_offered():
    with pytest.raises(ArgumentError, match=re.escape('`unit="word"` may divide it further.')):
        tokens(word_tokenizer, "good film", "sentence")
    assert tokens(word_tokenizer, "impress", "token").n_players == 2


def test_a_span_in_which_no_token_begins_is_refused():
    with pytest.raises(ArgumentError) as error:
        tokens(word_tokenizer, "never good", [(0, 2), (2, 5)])
    wanted = "`unit`: expected spans in each of which a token begins, got (2, 5), in which no token begins."
    assert str(error.value) == wanted


def test_a_tokenizer_that_does_not_say_where_its_tokens_are_is_refused():
    class Slow:
        is_fast = False

    message = "`tokenizer`: expected a fast tokenizer, which returns offsets, got a Slow."
    with pytest.raises(ArgumentError, match=re.escape(message)):
        tokens_of(Slow(), Prompt("", "good film", ""), "word")


def test_a_chat_without_a_template_is_refused():
    with pytest.raises(ArgumentError) as error:
        prompt_of(byte_tokenizer(), "good film", chat=True)
    wanted = (
        "`chat`: expected False for a tokenizer without a chat template, got True. Use `prefix` and `suffix` instead."
    )
    assert str(error.value) == wanted


def test_a_system_prompt_without_a_template_is_refused():
    message = "`system`: expected None for a tokenizer without a chat template, got a system prompt"
    with pytest.raises(ArgumentError, match=message):
        prompt_of(byte_tokenizer(), "good film", system="Be kind.")


@pytest.mark.parametrize(("template", "times"), [("nothing", 0), ("{{ messages[-1]['content'] * 2 }}", 2)])
def test_a_template_that_does_not_show_the_text_once_is_refused(template, times):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), chat_template=template)
    message = (
        f"`chat`: expected a chat template that contains the user's text once, got one that contains it {times} times"
    )
    with pytest.raises(ArgumentError, match=message):
        prompt_of(tokenizer, "good film", chat=True)
