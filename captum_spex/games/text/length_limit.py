"""The most tokens that a model reads."""

from __future__ import annotations

from typing import Any

from torch import nn

from captum_spex.errors import ArgumentError
from captum_spex.games.text.ablation import Template
from captum_spex.games.text.tokens import FIXED, Tokens

_NO_LIMIT = 1_000_000  # tokenizers without a limit report 1e30


def token_limit(model: nn.Module, tokenizer: Any) -> int | None:
    """Return the most tokens that a model and its tokenizer allow; ``None`` if neither has a limit."""
    limits = [getattr(getattr(model, "config", None), "max_position_embeddings", None)]
    limits.append(getattr(tokenizer, "model_max_length", None))
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            # Such models number positions from behind that of the padding (RoBERTa).
            limits.append(module.num_embeddings - module.padding_idx - 1)
    known = [int(limit) for limit in limits if isinstance(limit, int) and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def check_length(model: nn.Module, tokenizer: Any, tokens: Tokens, template: Template) -> None:
    """Refuse a text that is longer than the model reads: nothing is truncated silently."""
    limit = token_limit(model, tokenizer)
    if limit is None:
        return
    n_fixed = template.n_fixed
    if len(tokens.ids) > limit:
        owners = tokens.players[tokens.players != FIXED]
        n_fit = int(owners[limit - n_fixed]) if limit > n_fixed else 0
        got = f"{len(tokens.ids)} tokens, {n_fixed} of them around the text"
        hint = f"The first {n_fit} of its {tokens.n_players} players fit: shorten it, or explain it in pieces."
        raise ArgumentError("text", got, f"at most {limit} tokens, the limit of the model", hint)
    longest = template.longest()
    if longest > limit:
        got = f"one that makes up to {longest}"
        raise ArgumentError("replacement", got, f"rows of at most {limit} tokens, the limit of the model")
