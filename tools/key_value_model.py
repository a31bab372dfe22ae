"""A causal language model trained here in seconds: it is told which key has which value, and asked for one of them.

``python -m tools.key_value_model FOLDER`` writes it and its tokenizer to a folder.

A text is a list of pairs ``key value`` among words that say nothing, the question names a key, and the answer is its
value. Keys, values and their order are drawn afresh for every text, so that the network must look the answer up: it
needs the asked key and the value behind it, both.
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

KEYS = ("amber", "basil", "cedar", "dune", "ember", "fern", "grove", "hazel", "iris", "jade", "kelp", "lark")
VALUES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
FILLERS = ("and", "with", "then", "also", "near", "again", "maybe", "still")
ASK = "which"
SPECIAL = ("<pad>", "<unk>", "<s>")
MOST_TOKENS = 128
WIDTH, LAYERS, HEADS = 64, 2, 4
STEPS, PER_STEP = 250, 64
MOST_BEFORE = 50  # words before a text


@dataclass(frozen=True)
class Riddle:
    """A text of pairs and fillers.

    Attributes:
        words: the text, word by word.
        pairs: the places of each key and of its value.
    """

    words: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def text(self) -> str:
        """The words with spaces between them."""
        return " ".join(self.words)

    def question(self, pair: int) -> str:
        """Return what asks for the value of a pair, to be put behind the text."""
        return f" {ASK} {self.words[self.pairs[pair][0]]}"

    def answer(self, pair: int) -> str:
        """Return the value of a pair."""
        return self.words[self.pairs[pair][1]]


def riddle(rng: np.random.Generator, n_pairs: int, n_fillers: int) -> Riddle:
    """Draw keys, their values, fillers, and the order of it all; a value stands right behind its key."""
    pairs = zip(rng.choice(KEYS, n_pairs, replace=False), rng.choice(VALUES, n_pairs, replace=False), strict=True)
    pieces = [(str(key), str(value)) for key, value in pairs]
    pieces += [(str(filler),) for filler in rng.choice(FILLERS, n_fillers)]
    words: list[str] = []
    places = []
    for piece in (pieces[number] for number in rng.permutation(len(pieces))):
        if len(piece) == 2:
            places.append((len(words), len(words) + 1))
        words += piece
    return Riddle(tuple(words), tuple(places))


def tokenizer_of_words() -> PreTrainedTokenizerFast:
    """Return a tokenizer for which every word is a token."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, ASK, *KEYS, *VALUES, *FILLERS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", bos_token="<s>")


@cache
def trained_gpt2(seed: int = 0) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast]:
    """Train a small network of the GPT-2 type, about ten seconds on one thread; return it with its tokenizer."""
    tokenizer = tokenizer_of_words()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = gpt2(len(tokenizer), width=WIDTH, layers=LAYERS, heads=HEADS, positions=MOST_TOKENS)
        begin_to_look_up(network)
        train(network, tokenizer, np.random.default_rng(seed))
    return network.eval(), tokenizer


def untrained_gpt2(
    width: int, layers: int, heads: int, *, n_tokens: int
) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast]:
    """Return a network that has learnt nothing, and the tokenizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = gpt2(n_tokens, width=width, layers=layers, heads=heads, positions=256)
    return network.eval(), tokenizer_of_words()


def gpt2(n_tokens: int, *, width: int, layers: int, heads: int, positions: int) -> GPT2LMHeadModel:
    """Return a network of the GPT-2 type with random weights, whose answers depend on the text."""
    config = GPT2Config(
        vocab_size=n_tokens,
        n_positions=positions,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        initializer_range=0.03,
        tie_word_embeddings=False,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=2,
        eos_token_id=2,
        pad_token_id=0,
    )
    network = GPT2LMHeadModel(config)
    nn.init.normal_(network.transformer.wte.weight, std=0.5)
    return network


@torch.no_grad()
def begin_to_look_up(network: GPT2LMHeadModel, sharpness: float = 6.0) -> None:
    """Let two heads begin as a pair that looks up: one brings the word before, one compares with what it brought.

    Networks find this pair by themselves, but late: neither head is of use before the other is there. Everything is
    trained afterwards, and how a value becomes an answer is learnt from nothing.
    """
    size = WIDTH // HEADS  # of a head; the first numbers of a state tell the position, the next are what is brought
    half = size // 2
    place, brought = torch.arange(size), torch.arange(size, 2 * size)
    sines, cosines = place[:half], place[half:]
    turns = torch.logspace(math.log10(2.2), math.log10(0.05), half)
    angles = torch.arange(MOST_TOKENS)[:, None] * turns
    of_words = torch.zeros(WIDTH, size)
    of_words[2 * size :] = torch.linalg.qr(torch.randn(WIDTH - 2 * size, size))[0]

    words, places = network.transformer.wte.weight, network.transformer.wpe.weight
    words[:, : 2 * size] = 0
    places.zero_()
    places[:, sines], places[:, cosines] = angles.sin(), angles.cos()

    queries, keys, values = network.transformer.h[0].attn.c_attn.weight.split(WIDTH, dim=1)
    queries[:, :size] = keys[:, :size] = 0
    queries[sines, sines] = queries[cosines, cosines] = sharpness * turns.cos()  # turned back by one position
    queries[cosines, sines], queries[sines, cosines] = -sharpness * turns.sin(), sharpness * turns.sin()
    keys[place, place] = 1
    values[:, :size] = of_words
    network.transformer.h[0].attn.c_proj.weight[place, brought] = 1

    queries, keys, _ = network.transformer.h[1].attn.c_attn.weight.split(WIDTH, dim=1)
    queries[:, :size] = of_words
    keys[:, :size] = 0
    keys[brought, place] = 1


def train(network: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator) -> None:
    """Train on the answers of fresh riddles, some with words removed."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 30) * max(0.05, 1 - step / STEPS)
    )
    for _ in range(STEPS):
        ids, labels = lesson(tokenizer, rng)
        seen = torch.ones_like(ids)
        places = torch.arange(ids.shape[1]) + int(rng.integers(0, MOST_BEFORE))  # as if much had been said before
        logits = network(input_ids=ids, attention_mask=seen, position_ids=places[None]).logits[:, :-1]
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def lesson(tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of tokens, and labels where an answer stands; rows are filled up at their ends."""
    rows, labels = [], []
    for _ in range(PER_STEP):
        words, asked = exercise(rng)
        row = tokenizer.convert_tokens_to_ids(words)
        rows.append(torch.tensor(row))
        labels.append(torch.tensor([token if is_asked else -100 for token, is_asked in zip(row, asked, strict=True)]))
    fill = nn.utils.rnn.pad_sequence
    return fill(rows, batch_first=True), fill(labels, batch_first=True, padding_value=-100)


def exercise(rng: np.random.Generator) -> tuple[list[str], list[bool]]:
    """Return a riddle's words with every question and its answer behind them, and which words are answers."""
    one = riddle(rng, int(rng.integers(2, 6)), int(rng.integers(0, 7)))
    share = 1.0 if rng.random() < 0.6 else rng.random()
    words = [word for word in one.words if rng.random() < share]
    asked = [False] * len(words)
    for pair in rng.permutation(len(one.pairs))[:4]:
        words += [*one.question(pair).split(), one.answer(pair)]
        asked += [False, False, True]
    return words, asked


def accuracy(
    network: nn.Module, tokenizer: PreTrainedTokenizerFast, riddles: Sequence[Riddle], prefix: str = ""
) -> float:
    """Return the share of first pairs whose value the network finds most probable."""
    right = 0
    with torch.inference_mode():
        for one in riddles:
            ids = tokenizer(prefix + one.text + one.question(0), return_tensors="pt")
            best = int(network(**ids).logits[0, -1].argmax())
            right += tokenizer.decode([best]) == one.answer(0)
    return right / len(riddles)


if __name__ == "__main__":
    import sys

    for part in trained_gpt2():
        part.save_pretrained(sys.argv[1])
