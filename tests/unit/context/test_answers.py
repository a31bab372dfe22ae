"""Spans of answers, and which tokens belong to them."""

from __future__ import annotations

import pytest
from numpy.testing import assert_array_equal

from captum_spex.context.answers import answer_spans, check_spans, membership
from captum_spex.errors import ArgumentError

ANSWER = "It is red. So?"


def test_spans_are_sentences_all_or_given():
    assert answer_spans(ANSWER, "sentence") == [(0, 10), (11, 14)]
    assert answer_spans(ANSWER, "answer") == [(0, 14)]
    assert answer_spans(ANSWER, [(0, 2), (11, 14)]) == [(0, 2), (11, 14)]


def test_white_space_goes_with_the_token_after_it_and_what_is_in_no_span_with_none():
    places = [(0, 2), (2, 5), (5, 9), (9, 10), (10, 11), (11, 14)]
    assert_array_equal(membership(ANSWER, places, [(0, 10), (11, 14)]).argmax(axis=1), [0, 0, 0, 0, 1, 1])
    assert_array_equal(membership(ANSWER, places, [(3, 9)]).sum(axis=1), [0, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 99)], r"`spans\[0\]`: expected pairs \(start, end\) of characters, 0 <= start < end <= 14"),
        ([(0, 5), (4, 6)], "`spans`: expected pairs .* overlap, got"),
        ([(6, 8), (0, 5)], r"`spans`: expected them as they stand in the answer, \[\(0, 5\), \(6, 8\)\], got spans"),
        ([], "`spans`: expected at least one"),
        ("word", "`spans`: expected 'sentence', 'answer', got 'word'. Or a list"),
    ],
)
def test_spans_outside_of_the_answer_are_refused(spans, message):
    with pytest.raises(ArgumentError, match=message):
        answer_spans(ANSWER, spans)


def test_a_span_without_a_token_is_refused():
    with pytest.raises(ArgumentError, match=r"`spans`: expected spans in each of which a token begins, got \(1, 2\)"):
        membership(ANSWER, [(0, 14)], [(0, 1), (1, 2)])


def test_what_can_be_no_spans_is_refused_before_there_is_an_answer():
    check_spans([(0, 3)])
    for wrong in ("word", None):
        with pytest.raises(ArgumentError, match="`spans`"):
            check_spans(wrong)
