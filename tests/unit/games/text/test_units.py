"""Where the players of a text are: words, sentences, spans."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from text_models import words_of

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text.units import spans_of

WRITTEN = st.sampled_from(["good", "Bad", "Dr.", "e.g.", "A.", "3.5", "é", "Ünder", "😀", "👩‍👩‍👧", "中文。", "\uff01"])
SIGNS = st.sampled_from(["?", "!", ".", "...", '"', ")", "'s", "-", ","])
BLANKS = st.sampled_from([" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000"])
TEXTS = st.lists(WRITTEN | SIGNS | BLANKS, max_size=14).map("".join)


def pieces_of(text, unit):
    return [text[start:end] for start, end in spans_of(text, unit)]


def found_sentences(text):
    """Sentences of texts without abbreviations, character by character."""
    sentences, start = [], None
    for place, character in enumerate(text):
        if start is None and not character.isspace():
            start = place
        if start is not None and ends_a_sentence(text, start, place):
            sentences.append(text[start : place + 1])
            start = None
    return sentences


def ends_a_sentence(text, start, place):
    rest = text[place + 1 :]
    following = rest.lstrip()
    gap = rest[: len(rest) - len(following)]
    if text[place].isspace():
        return False
    if not following or gap.count("\n") >= 2:
        return True
    if text[place] in "。\uff01\uff1f":
        return rest[0] not in "。\uff01\uff1f" and place > start  # what opens a sentence does not end it
    closing = text[start + 1 : place + 1]
    while closing and not (
        closing[-1].isalnum() or closing[-1] == "_" or closing[-1].isspace() or closing[-1] in ".!?"
    ):
        closing = closing[:-1]
    return bool(gap) and closing[-1:] in tuple(".!?") and not "a" <= following[0] <= "z"


# --- words ------------------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_words_are_what_white_space_separates(text):
    assert pieces_of(text, "word") == text.split()


@given(st.text(max_size=30))
def test_words_are_what_white_space_separates_in_any_text(text):
    assert spans_of(text, "word") == words_of(text)


def test_the_tokenizer_knows_the_tokens():
    assert spans_of("some text", "token") is None


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Yes. It works! Really?", ["Yes.", "It works!", "Really?"]),
        ("One without an end", ["One without an end"]),
        ('He said: "Stop!" Then he left.', ['He said: "Stop!"', "Then he left."]),
        ("Wait... what? No!!! (Never.) So.", ["Wait... what?", "No!!!", "(Never.)", "So."]),
        ("Dr. Who met Mrs. Smith, e.g. Today.", ["Dr. Who met Mrs. Smith, e.g. Today."]),
        ("J. R. R. Tolkien wrote it. Good.", ["J. R. R. Tolkien wrote it.", "Good."]),
        ("It costs 3.5 or 4. Not more.", ["It costs 3.5 or 4.", "Not more."]),
        ("A title\n\nA text. more of it", ["A title", "A text. more of it"]),
        ("A title\r\n\r\nA text.", ["A title", "A text."]),
        ("A line\nand the next. End", ["A line\nand the next.", "End"]),
        ("  spaces.   Around.  ", ["spaces.", "Around."]),
        ("很好。不错\uff01真的\uff1f是", ["很好。", "不错\uff01", "真的\uff1f", "是"]),
        ("Good. 😀 Fine. 3 more.", ["Good.", "😀 Fine.", "3 more."]),
    ],
)
def test_sentences_of_known_texts(text, sentences):
    assert pieces_of(text, "sentence") == sentences


@pytest.mark.parametrize("gap", [" ", "  ", "\n", " \n", "\u00a0", "\t "])
def test_a_lower_case_letter_after_any_white_space_continues_the_sentence(gap):
    text = f"It ended.{gap}and went on. Then it stopped."
    assert pieces_of(text, "sentence") == [f"It ended.{gap}and went on.", "Then it stopped."]


@given(
    st.lists(st.sampled_from(["Good", "bad", "no", ".", "!", "?", '"', " ", "  ", "\n\n", "。", "\uff1f"]), max_size=12)
)
@example(["Good", ".", "  ", "bad"])
def test_sentences_end_where_their_definition_says(pieces):
    text = "".join(pieces)
    assert pieces_of(text, "sentence") == found_sentences(text)


@given(TEXTS)
def test_sentences_hold_every_visible_character_once(text):
    spans = spans_of(text, "sentence")
    between = "".join(text[a:b] for (_, a), (b, _) in zip([(0, 0), *spans], [*spans, (len(text), 0)], strict=True))
    assert between.strip() == ""
    assert spans == sorted(spans)
    assert [text[slice(*span)] for span in spans] == [text[slice(*span)].strip() for span in spans]


# --- given spans ------------------------------------------------------------------------------------------------------


def test_given_spans_are_sorted():
    assert spans_of("abcdefgh", [(5, 8), (0, 2), (2, 3)]) == [(0, 2), (2, 3), (5, 8)]


@pytest.mark.parametrize("kind", [list, tuple, np.array], ids=["lists", "tuples", "array"])
def test_spans_may_come_in_any_sequence(kind):
    assert spans_of("abcdefgh", kind([[0, 2], [3, 5]])) == [(0, 2), (3, 5)]


@pytest.mark.parametrize(
    ("spans", "position", "got"),
    [
        ([(0, 9)], 0, "(0, 9)"),
        ([(0, 2), (-1, 2)], 1, "(-1, 2)"),
        ([(2, 2)], 0, "(2, 2)"),
        ([(3, 2)], 0, "(3, 2)"),
        ([(0, 1, 2)], 0, "(0, 1, 2)"),
        ([(0, 1.5)], 0, "(0, 1.5)"),
        (["ab"], 0, "'ab'"),
        ([3], 0, "3"),
    ],
)
def test_bad_spans_are_refused(spans, position, got):
    with pytest.raises(ArgumentError) as error:
        spans_of("abcdefgh", spans)
    expected = "pairs (start, end) of characters, 0 <= start < end <= 8, that do not overlap"
    assert str(error.value) == f"`unit[{position}]`: expected {expected}, got {got}."


def test_overlapping_spans_are_refused():
    with pytest.raises(ArgumentError, match=r"`unit`: expected pairs .*, got \(0, 4\) and \(3, 6\), which overlap"):
        spans_of("abcdefgh", [(3, 6), (0, 4)])


@pytest.mark.parametrize("unit", [None, 3, 1.5])
def test_a_unit_must_be_a_name_or_spans(unit):
    with pytest.raises(ArgumentError, match=f"`unit`: expected 'word', 'token', 'sentence', or a list .*, got {unit}"):
        spans_of("abcdefgh", unit)


@pytest.mark.parametrize("unit", ["words", "Word", ""])
def test_unknown_units_are_refused(unit):
    with pytest.raises(UnknownNameError) as error:
        spans_of("abcdefgh", unit)
    allowed = "'word', 'token', 'sentence', or a list of (start, end)"
    assert str(error.value) == f"`unit`: expected {allowed}, got {unit!r}."
