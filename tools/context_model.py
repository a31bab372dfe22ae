"""A causal language model trained here within a minute: it answers questions over a context of sentences, in two hops.

A context is a list of sentences ``key is value .``, in any order. One fact is told twice (*redundant*: either sentence
would do), one needs two sentences (``amber is cedar .``, ``cedar is seven .``: *only together*), all others are about
keys that are not asked for. Keys, values and their order are drawn afresh for every context, so that the network must
look the answer up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

KEYS = tuple(f"{first}{last}" for first in ("am", "ba", "ce", "du", "fe", "gro", "ha", "iri") for last in
             ("ber", "sil", "dar", "ne", "rn", "ve", "zel", "sto"))  # fmt: skip
VALUES = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("red", "blue", "green", "white", "black", "brown", "north", "south", "east", "west", "up", "down"),
)
ASK = "which"
VERBS = ("is", "means")
SPECIAL = ("<pad>", "<unk>", "<s>")
MOST_TOKENS = 288
SIZE, LAYERS, HEADS = 24, 3, 4  # of a head; width 96
STEPS, TOKENS_PER_STEP = 450, 3000


@dataclass(frozen=True)
class Context:
    """A context with the two questions about it.

    Attributes:
        sentences: the sentences, each with its full stop.
        asked: the keys that are asked for.
        answers: their values.
        redundant, complementary: the places of the two sentences that say the same, and of the two that are needed.
    """

    sentences: tuple[str, ...]
    asked: tuple[str, str]
    answers: tuple[str, str]
    redundant: tuple[int, int]
    complementary: tuple[int, int]

    @property
    def text(self) -> str:
        """The sentences with spaces between them."""
        return " ".join(self.sentences)


def context(rng: np.random.Generator, n_sentences: int) -> Context:
    """Draw a context: a fact told twice, a fact in two hops, and facts that are not asked for, in any order."""
    keys = [str(key) for key in rng.choice(KEYS, n_sentences, replace=False)]
    values = [str(value) for value in rng.choice(VALUES, 2, replace=False)]
    twice, first, second, *others = keys[:-1]
    told = [(twice, VERBS[0], values[0]), (twice, VERBS[1], values[0]), (first, _verb(rng), second),
            (second, _verb(rng), values[1])]  # fmt: skip
    others = others[: n_sentences - 4]
    told += [(key, _verb(rng), str(rng.choice(VALUES if rng.random() < 0.75 else KEYS))) for key in others]
    order = rng.permutation(n_sentences)
    places = np.argsort(order)[:4].tolist()
    sentences = tuple(" ".join((*told[number], ".")) for number in order)
    pairs = [(min(pair), max(pair)) for pair in (places[:2], places[2:])]
    return Context(sentences, (twice, first), (values[0], values[1]), pairs[0], pairs[1])


def _verb(rng: np.random.Generator) -> str:
    return str(VERBS[int(rng.integers(2))])


def tokenizer_of_words() -> PreTrainedTokenizerFast:
    """Return a tokenizer for which every word is a token."""
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, ".", ASK, *VERBS, *KEYS, *VALUES])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", bos_token="<s>")


@cache
def trained_gpt2(seed: int = 0, steps: int = STEPS) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast]:
    """Train a small network of the GPT-2 type, less than a minute on one thread; return it with its tokenizer."""
    tokenizer = tokenizer_of_words()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = GPT2Config(
            vocab_size=len(tokenizer), n_positions=MOST_TOKENS, n_embd=SIZE * HEADS, n_layer=LAYERS, n_head=HEADS,
            n_inner=SIZE * HEADS, initializer_range=0.03, tie_word_embeddings=False, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, bos_token_id=2, eos_token_id=2, pad_token_id=0,
        )  # fmt: skip
        network = GPT2LMHeadModel(config)
        begin_to_look_up(network)
        train(network, tokenizer, np.random.default_rng(seed), steps)
    return network.eval(), tokenizer


@torch.no_grad()
def begin_to_look_up(network: GPT2LMHeadModel, sharpness: float = 6.0) -> None:
    """Let three heads begin as what looks up in two hops; everything is trained afterwards.

    The first brings to every word the one two places before it (to a value, its key); the second compares the asked key
    with what was brought, and writes down the word that it finds; the third compares with that word. States have four
    parts: the position, what was brought, what was found, and the word itself.
    """
    width = SIZE * HEADS
    half = SIZE // 2
    place, brought, found, word = torch.arange(width).split(SIZE)
    sines, cosines = place[:half], place[half:]
    turns = torch.logspace(math.log10(2.2), math.log10(0.02), half)
    angles = torch.arange(MOST_TOKENS)[:, None] * turns
    words, places = network.transformer.wte.weight, network.transformer.wpe.weight
    nn.init.normal_(words, std=0.8)
    words[:, : 3 * SIZE] = 0
    places.zero_()
    places[:, sines], places[:, cosines] = angles.sin(), angles.cos()
    back = 2 * turns

    bring, look, again = (block.attn for block in network.transformer.h)
    own = torch.arange(SIZE)  # the first head of each layer
    queries, keys, values = bring.c_attn.weight.split(width, dim=1)
    queries[:, own] = keys[:, own] = values[:, own] = 0
    queries[sines, own[:half]] = queries[cosines, own[half:]] = sharpness * back.cos()
    queries[cosines, own[:half]], queries[sines, own[half:]] = -sharpness * back.sin(), sharpness * back.sin()
    keys[place, own] = 1
    values[word, own] = 1
    bring.c_proj.weight[own, brought] = 1

    for attention, asked in ((look, word), (again, found)):
        queries, keys, values = attention.c_attn.weight.split(width, dim=1)
        queries[:, own] = keys[:, own] = values[:, own] = 0
        queries[asked, own] = keys[brought, own] = values[word, own] = 1.5
        attention.c_proj.weight[own, found] = 1


def train(network: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator, steps: int) -> None:
    """Train on the answers about fresh contexts, from short to long, some with sentences removed."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 20) * max(0.05, 1 - step / steps)
    )
    for step in range(steps):
        n_sentences = int(rng.integers(6, 10 + int(50 * min(1.0, 1.3 * step / steps)) + 1))
        ids, labels = lesson(tokenizer, rng, n_sentences)
        room = MOST_TOKENS - ids.shape[1]
        places = torch.arange(ids.shape[1]) + int(rng.integers(0, room + 1))
        logits = network(input_ids=ids, attention_mask=torch.ones_like(ids), position_ids=places[None]).logits[:, :-1]
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def lesson(
    tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator, n_sentences: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of tokens, and labels where an answer stands; rows are filled up at their ends."""
    rows, labels = [], []
    for _ in range(max(4, TOKENS_PER_STEP // (4 * n_sentences + 12))):
        words, asked = exercise(rng, n_sentences)
        row = tokenizer.convert_tokens_to_ids(words)
        rows.append(torch.tensor(row))
        labels.append(torch.tensor([token if is_asked else -100 for token, is_asked in zip(row, asked, strict=True)]))
    fill = nn.utils.rnn.pad_sequence
    return fill(rows, batch_first=True), fill(labels, batch_first=True, padding_value=-100)


def exercise(rng: np.random.Generator, n_sentences: int) -> tuple[list[str], list[bool]]:
    """Return a context's words with questions and their answers behind them, and which words are answers."""
    one = context(rng, n_sentences)
    share = 1.0 if rng.random() < 0.5 else rng.random()
    words = ["<s>"] + [word for sentence in one.sentences if rng.random() < share for word in sentence.split()]
    asked = [False] * len(words)
    questions = list(zip(one.asked, one.answers, strict=True))
    told = dict(zip((s.split()[0] for s in one.sentences), (s.split()[2] for s in one.sentences), strict=True))
    direct = [(key, value) for key, value in told.items() if value in VALUES and key not in one.asked]
    questions += [direct[number] for number in rng.choice(len(direct), min(2, len(direct)), replace=False)]
    for number in rng.permutation(len(questions)):
        words += [ASK, *questions[number]]
        asked += [False, False, True]
    return words, asked


def accuracy(
    network: nn.Module, tokenizer: PreTrainedTokenizerFast, contexts: Sequence[Context]
) -> tuple[float, float]:
    """Return the shares of contexts whose first and second question the network answers rightly."""
    right = np.zeros(2)
    with torch.inference_mode():
        for one in contexts:
            for number in range(2):
                ids = tokenizer(f"<s> {one.text} {ASK} {one.asked[number]}", return_tensors="pt")
                best = int(network(**ids).logits[0, -1].argmax())
                right[number] += tokenizer.decode([best]) == one.answers[number]
    first, second = (right / len(contexts)).tolist()
    return first, second
