"""Contexts of every form become sources, and what cannot be explained is refused or warned of."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest

from captum_spex.context import Source, as_sources
from captum_spex.context.sources import text_spans, warn_of_repetition
from captum_spex.errors import ArgumentError

TEXT = "One is red. Two is blue!\n\nThree is not.  Four is."


def texts_of(context, split=None):
    return [source.text for source in as_sources(context, split)]


def test_a_text_is_split_into_sentences_or_paragraphs():
    assert texts_of(TEXT) == ["One is red.", "Two is blue!", "Three is not.", "Four is."]
    assert texts_of(TEXT, "paragraph") == ["One is red. Two is blue!", "Three is not.  Four is."]
    assert [one.gap for one in as_sources(TEXT)] == ["", " ", "\n\n", "  "]
    assert {one.document for one in as_sources(TEXT)} == {0}


def test_titles_that_a_table_does_not_know_are_none():
    rows = [{"text": "A.", "title": float("nan"), "id": 7}, {"text": "B.", "title": "T", "id": float("nan")}]
    assert [(one.title, one.id) for one in as_sources(rows)] == [(None, "7"), ("T", None)]


@pytest.mark.parametrize("split", ["sentence", "paragraph"])
def test_no_character_but_white_space_is_lost(split):
    text = f'  {TEXT}\n \n\nMr. Five (a "six")? No.\n'
    assert "".join("".join(text[a:b] for a, b in text_spans(text, split)).split()) == "".join(text.split())


def test_lists_of_texts_and_documents_stay_whole_unless_they_are_split():
    documents = [{"text": "Aa. Bb.", "title": "T", "id": 7, "metadata": {"page": 2}, "year": 1999}, Source("Cc. Dd.")]
    whole = as_sources(documents)
    assert whole[0] == Source("Aa. Bb.", title="T", id="7", metadata={"page": 2, "year": 1999})
    assert [(one.text, one.title, one.document) for one in as_sources(documents, "sentence")] == [
        ("Aa.", "T", 0), ("Bb.", "T", 0), ("Cc.", None, 1), ("Dd.", None, 1),
    ]  # fmt: skip
    assert texts_of(["A. B.", "C."]) == ["A. B.", "C."]


def test_documents_of_databases_loaders_and_memories():
    loaded = SimpleNamespace(page_content="A.", metadata={"title": "T", "source": "a.txt"})
    found = as_sources([loaded, {"memory": "B.", "id": "m1"}, {"content": "C.", "score": 0.3}])
    assert [one.text for one in found] == ["A.", "B.", "C."]
    assert (found[0].title, found[1].id, found[2].metadata) == ("T", "m1", {"score": 0.3})


@pytest.mark.parametrize(
    ("context", "split", "message"),
    [
        ("", None, r"`context`: expected one with at least two sources, got an empty context\."),
        (" \n", None, "an empty context"),
        ([], None, "an empty context"),
        (["A.", "  "], None, r"`context\[1\]`: expected a text, got an empty text\."),
        ("One sentence.", None, "got one source. With a single source there is nothing to compare."),
        (["Only this. Or this."], None, 'Split it into sentences: `split="sentence"`'),
        (7, None, "`context`: expected a text, a list of texts or documents"),
        (["A.", 7], None, r"`context\[1\]`: expected a text or a document"),
        (["A.", {"body": "B."}], None, "got a document with 'body'"),
        ("A. B.", "word", "`split`: expected 'sentence', 'paragraph', None, got 'word'"),
    ],
)
def test_what_is_no_context_is_refused(context, split, message):
    with pytest.raises(ArgumentError, match=message):
        as_sources(context, split)


def test_messages_beside_texts_are_refused():
    message = {"role": "user", "content": "Who has it?"}
    with pytest.raises(ArgumentError, match=r"`context\[0\]`: expected messages only, or texts and documents only"):
        as_sources([message, {"text": "Ann has the key."}, "Otto has none."])
    assert [one.metadata for one in as_sources([{"text": "a", "role": "x"}, "b"])] == [{"role": "x"}, {}]


def test_sources_that_occur_twice_and_a_query_in_the_context_are_warned_of():
    sources = as_sources(["The key is red.", "Blue.", "The  key is red.", "So: who has the key?"])
    with pytest.warns(UserWarning, match=r"occur twice share their credit: 1 and 3 \('The key is red.'\)\."):
        warn_of_repetition(sources, "Who?")
    with pytest.warns(UserWarning, match=r"The query stands inside source 3 .* of the context\. Left out there"):
        warn_of_repetition(sources[1:], "Who  has the key?")
    with pytest.warns(UserWarning, match="The query stands inside source 3"):
        warn_of_repetition(sources[1:], "The key?")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_repetition(sources[:2], "The key")  # a keyword, which sources hold anyway
