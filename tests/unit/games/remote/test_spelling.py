"""Which tokens are the answer's: replies in the shapes of many servers, against the definition."""

from __future__ import annotations

import itertools
from itertools import accumulate

import pytest
from server_shapes import (
    WAYS,
    answer_log_probs,
    byte_level,
    echo_reply,
    ignored,
    in_words,
    llama_cpp_echo,
    lmdeploy_echo,
    numbers,
    replaced,
    without_log_probs,
)
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from captum_spex.errors import GameError
from captum_spex.games.remote.log_probs import question_of, read_log_probs
from captum_spex.games.remote.spelling import Token, find_answer

pytest.importorskip("openai")
PROMPTS = [
    "The key is safe?",
    "The caf\u00e9?",
    "\u00c9t\u00e9 \u65e5\u672c \U0001f600!",
    "ha ha ha",
    "a \ufffd b",
    "So:\n",
]
ANSWERS = [" yes", " yes it is", " caf\u00e9!", "s open", " ha", " \U0001f600 no", " \u65e5\u672c"]
FIRSTS = [(), ("<s>",), ("",), ("[gMASK]", "<sop>")]


def echoed(prompt, answer, response):
    return read_log_probs(question_of("completions", "echo", "m", answer, None), response, prompt).values


def shifted(shown):
    return [0, *accumulate(map(len, shown[:-1]))]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("first", FIRSTS, ids=len)
def test_an_echo_is_read_as_the_definition_says_or_refused(way, first):
    n_read = 0
    for prompt, answer in itertools.product(PROMPTS, ANSWERS):
        for generated, usage, offsets in itertools.product((0, 1), (False, True), (None, shifted)):
            reply = echo_reply(
                prompt + answer, way, first=first, generated=generated, usage=usage, offsets=offsets, last=(" ha",)
            )
            try:
                found = echoed(prompt, answer, reply)
            except GameError:
                continue
            assert found == answer_log_probs(prompt, answer), (prompt, answer, reply)
            n_read += 1
    share = 1.0 if way in (byte_level, in_words) else 0.25 if way is ignored else 0.45
    assert n_read >= len(PROMPTS) * len(ANSWERS) * 8 * share


# --- real tokenizers --------------------------------------------------------------------------------------------------

CORPUS = [
    "The caf\u00e9 is open, \u00e9t\u00e9 comme hiver. yes no it is",
    "\u65e5\u672c\u8a9e \U0001f600 ha ha ha yes caf\u00e9",
] * 4


def byte_level_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet))
    return tokenizer


def sentence_piece_bpe():
    """As Llama's: a space before the text, rare characters as bytes."""
    known = sorted(set("".join(CORPUS)) - set("\u65e5\u672c\u8a9e\U0001f600 "))
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *known]
    merges = [("y", "e"), ("ye", "s"), ("\u2581", "yes"), ("h", "a"), ("\u2581", "ha"), ("f", "\u00e9")]
    vocabulary = {piece: place for place, piece in enumerate([*pieces, *("".join(pair) for pair in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    parts = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(parts)
    return tokenizer


def strings_of(tokenizer, ids, way):
    if way == "vocabulary":
        return [tokenizer.id_to_token(one) for one in ids]
    if way == "decoded":
        return [tokenizer.decode([one], skip_special_tokens=False) for one in ids]
    ends = [tokenizer.decode(ids[: place + 1]).rstrip("\ufffd") for place in range(len(ids))]  # as vLLM
    return [end[len(before) :] for before, end in itertools.pairwise(["", *ends])]


@pytest.mark.parametrize("way", ["vocabulary", "decoded", "whole characters"])
@pytest.mark.parametrize("build", [byte_level_bpe, sentence_piece_bpe])
def test_tokens_of_real_tokenizers_are_placed_as_by_their_offsets(build, way):
    tokenizer, n_found = build(), 0
    prompts = ["The key?", "The caf\u00e9?", "\u00c9t\u00e9 \u65e5\u672c \U0001f600!", "ha ha"]
    for prompt, answer in itertools.product(prompts, [" yes", " yes it is", " caf\u00e9!", " \U0001f600 no", " ha"]):
        encoded = tokenizer.encode(prompt + answer)
        last = [place for place, (_, end) in enumerate(encoded.offsets) if end > len(prompt)]
        found = find_answer([Token(one) for one in strings_of(tokenizer, encoded.ids, way)], prompt, answer)
        assert found in (None, slice(last[0], last[-1] + 1)), (prompt, answer)
        n_found += found is not None
    assert n_found >= (20 if way == "vocabulary" else 12)


def test_the_reported_replies_with_an_accent():
    values = [None, -1.0, -2.0, -3.0, -4.0, -0.1, -7.0]
    shapes = [
        (["The", " caf", "", "\u00e9", "?", " yes", "!"], [0, 3, 7, 7, 8, 9, 13]),
        (["The", " caf", "\ufffd", "\ufffd", "?", " yes", "!"], [0, 3, 7, 8, 9, 10, 14]),
        (["The", "\u0120caf", "\u00c3", "\u00a9", "?", "\u0120yes", "!"], [0, 3, 7, 8, 9, 10, 14]),
        (["The", " caf", "\ufffd", "\ufffd", "?", " yes", "!"], [-1] * 7),
        (["The", "\u2581caf", "<0xC3>", "<0xA9>", "?", "\u2581yes", "!"], [-1] * 7),
    ]
    for tokens, offsets in shapes:
        told = {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}
        assert echoed("The caf\u00e9?", " yes", {"choices": [{"logprobs": told}]}) == [-0.1]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lmdeploy_echo, r"got no echo, only the generated \[' maybe'\]. Instead use `log_probs=\"prompt\"`"),
        (llama_cpp_echo, "got no echo. Instead use"),
        (without_log_probs, "got no echo. Instead use"),
        (lambda text: echo_reply(text, numbers), "return_tokens_as_token_ids"),
        (lambda text: echo_reply(text + " \n", replaced), "spell the prompt and, at its end, the answer, got tokens"),
        (lambda text: echo_reply(text[8:], replaced), "spell the prompt and, at its end, the answer, got tokens"),
        (lambda text: echo_reply("<user>" + text + "<assistant>", replaced), "spell the prompt"),
    ],
)
def test_what_is_not_the_answer_is_refused(reply, message):
    with pytest.raises(GameError, match=message):
        echoed("The key is safe?", " maybe so", reply("The key is safe? maybe so"))


def test_a_model_that_says_another_word_is_read_for_the_answer():
    """The generated token is never taken for the answer, not even where it is the same word."""
    for last in (" yes", " no", "", "</s>", "\ufffd"):
        reply = echo_reply("Is it? yes", replaced, last=(last,))
        assert echoed("Is it?", " yes", reply) == answer_log_probs("Is it?", " yes")
        reply = echo_reply("Is it? yes yes", replaced, last=(last,), usage=False)
        assert echoed("Is it? yes", " yes", reply) == answer_log_probs("Is it? yes", " yes")


def test_an_empty_token_at_the_border_is_not_guessed():
    """It may hold the first part of the answer's first character, or belong to the prompt."""
    tokens = [Token(string) for string in ["So", "", "\u00e9"]]
    assert find_answer(tokens, "So", "\u00e9") is None
    assert find_answer(tokens, "S", "o\u00e9") == slice(0, 3)
    assert find_answer([Token("So"), Token(""), Token("!")], "So", "!") == slice(2, 3)
    assert find_answer([Token("x"), Token(""), Token("\u00e9")], None, "\u00e9") is None


def test_an_answer_whose_beginning_only_the_server_knows():
    assert find_answer([Token("<a>"), Token("\n\nyes"), Token(" no")], None, "yes no") == slice(1, 3)
    assert find_answer([Token("<a>"), Token("yes"), Token("no")], None, "yes no") == slice(1, 3)
    assert find_answer([Token("<a>"), Token("yes"), Token("<end>")], None, "yes") is None


def test_bytes_count_before_strings():
    tokens = [Token("?", b"\xc3"), Token("?", b"\xa9"), Token("!", b"!")]
    assert find_answer(tokens, "", "\u00e9!") == slice(0, 3)
    assert find_answer(tokens, "\u00e9", "!") == slice(2, 3)
