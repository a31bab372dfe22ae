"""The law of layers over every decoder and encoder of the installed transformers that can be built small."""

from __future__ import annotations

import re

import pytest
import torch
import transformers
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from captum_spex.errors import ArgumentError
from captum_spex.games.components import ComponentGame, heads, layers, mlps

TYPES = {**MODEL_FOR_MASKED_LM_MAPPING_NAMES, **MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}
NO_ATTENTION = "expected attention modules that have one of"
NO_MLP = "expected modules named"
REFUSED = {
    **dict.fromkeys(("cpmant", "deepseek_v4", "jetmoe", "moshi"), NO_ATTENTION),  # projections of other names
    **dict.fromkeys(("rwkv", "fnet", "mamba", "mamba2", "falcon_mamba", "xlstm"), NO_ATTENTION),  # have none
    "squeezebert": NO_ATTENTION,  # convolutions of width 1 in place of matrices
    **dict.fromkeys(("xlm", "flaubert"), NO_MLP),  # lists of attentions and of MLPs, not of layers
    "gpt_neox_japanese": "'gpt_neox_japanese.layers.1' is not covered",  # adds the bias outside of the projection
    "mobilebert": "'mobilebert.encoder.layer.0.intermediate.dense' is not covered",  # several MLPs behind a bottleneck
}
"""Families that are refused, and what the message says."""
WIDTHS = dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embedding_size"), 32)
INNER = ("intermediate_size", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "d_ff", "d_inner", "hidden_dim")
DEPTHS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers")
COUNTS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads")
SMALL = {
    **{**WIDTHS, **dict.fromkeys(INNER, 48), **dict.fromkeys(DEPTHS, 2), **dict.fromkeys(COUNTS, 4)},
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "linear_num_key_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_experts_per_tok", "num_decoder_layers", "mamba_expand"), 2),
    **dict.fromkeys(("vocab_size", "max_position_embeddings", "n_positions", "mamba_d_ssm"), 64),
    **dict.fromkeys(("n_group", "topk_group", "first_k_dense_replace", "mamba_n_groups", "bos_token_id"), 1),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim", "head_dim", "d_kv"), 8),
    **dict.fromkeys(("mamba_n_heads", "mamba_d_head", "mamba_d_state", "sliding_window", "local_attention"), 8),
    **dict.fromkeys(("moe_intermediate_size", "shared_intermediate_size", "shared_expert_intermediate_size"), 16),
    **{"pad_token_id": 0, "eos_token_id": 2},
}
MOST_PARAMETERS = 5_000_000


def settings_of(kind):
    """Those of the small settings that a configuration has and takes."""
    plain = kind()
    chosen = {}
    for name, value in SMALL.items():
        is_fixed = isinstance(getattr(kind, name, None), property) and getattr(kind, name).fset is None
        if not is_fixed and hasattr(plain, name) and not isinstance(getattr(plain, name), list | dict):
            chosen[name] = value
    kinds = list(dict.fromkeys(getattr(plain, "layer_types", None) or []))
    is_fixed = isinstance(getattr(kind, "layer_types", None), property)
    if kinds and not is_fixed:
        chosen["layer_types"] = kinds * 2 if len(kinds) == 1 else kinds
        chosen["num_hidden_layers"] = len(chosen["layer_types"])
    return chosen


def a_small(model_type):
    """A model of a family whose every number is random, in evaluation mode."""
    kind = CONFIG_MAPPING[model_type]
    config = kind(**settings_of(kind))
    name = TYPES[model_type]
    maker = getattr(transformers, name if isinstance(name, str) else name[0])
    with torch.device("meta"):
        n_parameters = sum(one.numel() for one in maker(config).parameters())
    if n_parameters > MOST_PARAMETERS:
        raise ValueError(f"{n_parameters} parameters")
    torch.manual_seed(0)
    model = maker(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        model(input_ids=torch.arange(5, 13).reshape(2, 4))
    return model


def mean_score(scores):
    return scores.double().flatten(1).mean(dim=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model_type", sorted(TYPES))
def test_all_parts_off_is_the_layer_skipped(model_type):
    try:
        model = a_small(model_type)
    except Exception as failure:  # whatever a configuration refuses
        pytest.skip(f"cannot be built small: {type(failure).__name__} {str(failure)[:80]!r}")
    inputs = {"input_ids": torch.arange(5, 13).reshape(2, 4)}
    if model_type in REFUSED:
        with pytest.raises(ArgumentError, match=re.escape(REFUSED[model_type])):
            ComponentGame(model, inputs, layers(model), mean_score)
        return
    game = ComponentGame(model, inputs, layers(model), mean_score)  # the law is checked here
    assert game.n_players
    assert heads(model)
    assert mlps(model)
    assert abs(game([[False] * game.n_players])[0] - game([[True] * game.n_players])[0]) > 0
