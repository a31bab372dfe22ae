"""Contexts for a network that looks keys up, and slow twins: prompts as texts, one forward pass for each."""

from __future__ import annotations

from functools import cache

import torch
from text_models import ENDS, SMALL, byte_tokenizer, varied
from transformers import BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from captum_spex.context import ContextGame
from tools.key_value_model import trained_gpt2

LOOK_UP = "{context} which {query}"
REDUNDANT = ["amber one and", "basil two", "amber one near", "cedar three then", "dune four"]
POSITIONS = 256
FILMS = "Her acting is good. The film is never good!\n\nNobody liked the plot. The ending was worse."
QUESTION = "What is the film?"
ANSWER = "The plot is good. The ending was never good."


@cache
def wide_model(kind):
    """A network of random weights that reads a few hundred bytes."""
    n_tokens = {"vocab_size": len(byte_tokenizer()), **ENDS}
    if kind == "gpt2":
        return varied(GPT2LMHeadModel, GPT2Config(n_positions=POSITIONS, n_embd=16, n_layer=2, n_head=2, **n_tokens))
    if kind == "bloom":
        return varied(BloomForCausalLM, BloomConfig(hidden_size=16, n_layer=2, n_head=2, **n_tokens))
    gated = {"intermediate_size": 32, "num_key_value_heads": 2, "max_position_embeddings": POSITIONS}
    return varied(LlamaForCausalLM, LlamaConfig(**SMALL, **gated, **n_tokens))


@cache
def looking_up():
    model, tokenizer = trained_gpt2()
    return {"model": model, "tokenizer": tokenizer, "template": LOOK_UP, "max_new_tokens": 1}


def look_up_game(context, query, **settings):
    arguments = {**looking_up(), **settings}
    return ContextGame(arguments.pop("model"), context, query, **arguments)


def film_game(context=FILMS, kind="gpt2", query=QUESTION, **settings):
    """A network of random weights, which reads bytes."""
    settings = {"tokenizer": byte_tokenizer(), "answer": ANSWER, "template": "{context}\n{query}", **settings}
    return ContextGame(wide_model(kind), context, query, **settings)


def slow_log_probs(model, tokenizer, prompt, answer, specials=True):
    """The log-probability of each token of an answer: one forward pass of all that is said."""
    own = tokenizer(prompt, add_special_tokens=specials)["input_ids"]
    ids = tokenizer(prompt + answer, add_special_tokens=specials)["input_ids"]
    assert ids[: len(own)] == own
    with torch.inference_mode():
        log_probs = model(torch.tensor([ids])).logits[0].double().log_softmax(dim=-1)
    return [float(log_probs[place - 1, ids[place]]) for place in range(len(own), len(ids))]
