"""What stands in place of absent players: rows of tokens against their slow twin."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import every_mask
from text_models import Asked, byte_tokenizer, roberta_tokenizer, slow_row, word_tokenizer

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text.ablation import checked_ablation, template_of
from captum_spex.games.text.prompts import Prompt
from captum_spex.games.text.tokens import tokens_of
from captum_spex.games.text.units import spans_of

TEXT = "Her acting  never impress\n"
GAPS = [(0, 3), (4, 10), (18, 20)]
UNITS = ["word", "token", "sentence", GAPS]
REPLACEMENTS = {
    "mask": None,
    "pad": None,
    "unk": None,
    "a long string": "the plot, impress",
    "an empty string": "",
    "delete": None,
    "hide": None,
}
every_ablation = pytest.mark.parametrize("ablation", REPLACEMENTS)
every_tokenizer = pytest.mark.parametrize("tokenizer", [word_tokenizer(), roberta_tokenizer()], ids=["BERT", "RoBERTa"])
PREFIXES = st.sampled_from(["", "So ", "Is it?\n"])
TEXTS = st.lists(st.sampled_from(["good", "impress", " ", "\n", ".", "😀", "é"]), max_size=6).map("".join)


def asked_for(tokenizer, ablation, *, text=TEXT, unit="word", before="", after="", second=None):
    spans = spans_of(text, unit)
    replacement = REPLACEMENTS[ablation]
    name = "string" if replacement is not None else ablation
    return Asked(tokenizer, text, spans, before, after, second, ablation=name, replacement=replacement)


def template(asked, unit="word"):
    found = tokens_of(asked.tokenizer, Prompt(asked.before, asked.text, asked.after, asked.second), unit)
    return template_of(asked.tokenizer, found, asked.ablation, asked.replacement), found.n_players


def assert_rows(asked, unit="word", align="left", fill=7):
    made, n_players = template(asked, unit)
    masks = every_mask(n_players) if n_players <= 5 else some_masks(n_players)
    rows = made.rows(masks, fill=fill, align=align)
    wanted = [slow_row(asked, mask) for mask in masks]
    lengths = [len(row) for row, _, _ in wanted]
    assert_array_equal(made.lengths(masks), lengths)
    assert rows.ids.shape == (len(masks), max(lengths))
    assert_array_equal(rows.ids, [padded(row, max(lengths), fill, align) for row, _, _ in wanted])
    assert_array_equal(rows.attention, [padded(seen, max(lengths), 0, align) for _, seen, _ in wanted])
    if rows.types is not None:
        assert_array_equal(rows.types, [padded(types, max(lengths), 0, align) for _, _, types in wanted])
    positions = [padded(list(range(length)), max(lengths), 0, align) for length in lengths]
    kept = [padded([1] * length, max(lengths), 0, align) for length in lengths]
    assert_array_equal(rows.positions * np.array(kept), positions)  # where a row is padded, any


def padded(row, length, filler, align):
    rest = [filler] * (length - len(row))
    return rest + row if align == "right" else row + rest


def some_masks(n_players):
    masks = np.random.default_rng(0).random((20, n_players)) < 0.5
    masks[0], masks[1] = True, False
    return masks


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@every_tokenizer
@every_ablation
@pytest.mark.parametrize("align", ["left", "right"])
def test_rows_are_those_of_the_definition(tokenizer, ablation, align):
    assert_rows(asked_for(tokenizer, ablation), align=align)


@pytest.mark.sampled
@every_tokenizer
@every_ablation
@pytest.mark.parametrize("unit", ["token", "sentence", GAPS], ids=["tokens", "sentences", "spans with gaps"])
def test_rows_of_every_unit(tokenizer, ablation, unit):
    text = TEXT if unit != "sentence" else "It is good. Not bad!  Never\n\n"
    assert_rows(asked_for(tokenizer, ablation, text=text, unit=unit), unit)


@pytest.mark.sampled
@every_tokenizer
@every_ablation
def test_rows_with_texts_around(tokenizer, ablation):
    assert_rows(asked_for(tokenizer, ablation, before="Is it good?\n", after=" never.", second="a film"))


@pytest.mark.parametrize("ablation", ["a long string", "an empty string", "delete", "hide"])
def test_rows_of_a_tokenizer_without_special_tokens(ablation):
    assert_rows(asked_for(byte_tokenizer(), ablation, before="So "), align="right")


@every_ablation
@given(text=TEXTS, before=PREFIXES, after=PREFIXES)
def test_rows_of_any_text(ablation, text, before, after):
    assert_rows(asked_for(roberta_tokenizer(), ablation, text=f"x y{text}", before=before, after=after))


def test_deleting_all_leaves_the_fixed_tokens():
    made, n_players = template(asked_for(word_tokenizer(), "delete", before="So ", after=" !"))
    rows = made.rows(np.zeros((1, n_players), dtype=bool))
    assert_array_equal(rows.ids, [word_tokenizer()("So !")["input_ids"]])
    assert made.n_fixed == rows.ids.size


@every_tokenizer
@every_ablation
def test_the_full_mask_gives_the_text_as_the_tokenizer_does(tokenizer, ablation):
    made, n_players = template(asked_for(tokenizer, ablation, second="a film"))
    rows = made.rows(np.ones((1, n_players), dtype=bool))
    assert_array_equal(rows.ids[0], tokenizer(TEXT, "a film")["input_ids"])
    assert_array_equal(rows.attention, np.ones_like(rows.ids))


@every_tokenizer
@every_ablation
def test_the_longest_row_is_the_longest_of_all_masks(tokenizer, ablation):
    made, n_players = template(asked_for(tokenizer, ablation, before="So "))
    assert made.longest() == made.lengths(every_mask(n_players)).max()


@every_ablation
def test_what_follows_stands_in_every_row(ablation):
    made, n_players = template(asked_for(word_tokenizer(), ablation))
    masks = every_mask(n_players)
    longer = made.followed_by(np.array([9, 8])).rows(masks, align="right")
    shorter = made.rows(masks, align="right")
    assert_array_equal(longer.ids[:, -2:], [[9, 8]] * len(masks))
    assert_array_equal(longer.ids[:, :-2], shorter.ids)
    assert_array_equal(longer.attention[:, :-2], shorter.attention)
    assert_array_equal(longer.types[:, -2:], np.zeros((len(masks), 2)))


@every_ablation
def test_the_first_tokens_can_be_dropped(ablation):
    made, n_players = template(asked_for(word_tokenizer(), ablation, before="So a film "))
    masks = every_mask(n_players)
    n_first = 4
    whole, rest = made.rows(masks), made.without_first(n_first).rows(masks)
    assert_array_equal(rest.ids, whole.ids[:, n_first:])
    assert_array_equal(rest.attention, whole.attention[:, n_first:])
    assert_array_equal(made.without_first(n_first).lengths(masks), made.lengths(masks) - n_first)


# --- which ablation ---------------------------------------------------------------------------------------------------


def test_the_default_is_the_mask_token_or_nothing():
    assert checked_ablation(word_tokenizer(), None, None) == "mask"
    assert checked_ablation(byte_tokenizer(), None, None) == "delete"
    assert checked_ablation(word_tokenizer(), None, "...") == "string"


@pytest.mark.parametrize("ablation", ["mask", "pad", "unk"])
def test_a_token_that_the_tokenizer_does_not_have_is_refused_and_what_works_is_offered(ablation):
    with pytest.raises(ArgumentError) as error:
        checked_ablation(byte_tokenizer(), ablation, None)
    assert str(error.value) == (
        f"`ablation`: expected 'string', 'delete', 'hide', got {ablation!r} for a tokenizer without it."
    )


@pytest.mark.parametrize("ablation", ["remove", "MASK", "", 3])
def test_an_unknown_ablation_is_refused(ablation):
    with pytest.raises(UnknownNameError) as error:
        checked_ablation(word_tokenizer(), ablation, None)
    allowed = "'mask', 'pad', 'unk', 'string', 'delete', 'hide'"
    assert str(error.value) == f"`ablation`: expected {allowed}, got {ablation!r}."


def test_a_string_without_a_replacement_is_refused():
    message = '`replacement`: expected a text if `ablation="string"`, else None, got None.'
    with pytest.raises(ArgumentError, match=re.escape(message)):
        checked_ablation(word_tokenizer(), "string", None)


@pytest.mark.parametrize("ablation", ["mask", "delete", "hide"])
def test_an_unused_replacement_is_refused(ablation):
    message = (
        f"`replacement`: expected a text if `ablation=\"string\"`, else None, got '...' with ablation {ablation!r}."
    )
    with pytest.raises(ArgumentError, match=re.escape(message)):
        checked_ablation(word_tokenizer(), ablation, "...")


@pytest.mark.parametrize("replacement", [3, ["..."], b"..."])
def test_a_replacement_must_be_a_text(replacement):
    with pytest.raises(ArgumentError, match=r'`replacement`: expected a text if `ablation="string"`, else None, got '):
        checked_ablation(word_tokenizer(), "string", replacement)


@pytest.mark.parametrize("ablation", ["delete", "hide"])
def test_a_text_without_fixed_tokens_is_refused_if_players_leave_no_token(ablation):
    with pytest.raises(ArgumentError) as error:
        template(asked_for(byte_tokenizer(), ablation))
    assert str(error.value) == (
        f"`ablation`: expected 'string' with a `replacement`, or a `prefix`, got {ablation!r}. "
        "The text has no fixed token: without players the model would read nothing."
    )


def test_a_replacement_without_tokens_is_refused_for_a_text_without_fixed_tokens():
    with pytest.raises(ArgumentError, match="without players the model would read nothing"):
        template(asked_for(byte_tokenizer(), "an empty string"))
