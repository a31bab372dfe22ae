"""Tiny transformers of many families, with weights large enough that every head matters, and inputs for them."""

from __future__ import annotations

from functools import cache

import torch
import transformers as hf

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "vocab_size": 40,
    "pad_token_id": 0,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
GPT = {
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "vocab_size": 40,
    "n_positions": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
BLOOM = {"hidden_size": 16, "n_layer": 2, "n_head": 4, "vocab_size": 40}
BART = {
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 4 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 24 for side in ("encoder", "decoder")},
    **{"d_model": 16, "vocab_size": 40, "max_position_embeddings": 32},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "forced_eos_token_id": None},
}
IMAGE = {"image_size": 8, "patch_size": 4}
T5 = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4, "vocab_size": 40}
CLIP_TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24, "vocab_size": 40}

_FAMILIES = {
    "bert": lambda: (hf.BertForSequenceClassification, hf.BertConfig(**SIZES, num_labels=3)),
    "roberta": lambda: (hf.RobertaForSequenceClassification, hf.RobertaConfig(**SIZES, num_labels=3)),
    "distilbert": lambda: (hf.DistilBertForSequenceClassification, hf.DistilBertConfig(**DISTIL, num_labels=3)),
    "albert": lambda: (
        hf.AlbertForSequenceClassification,
        hf.AlbertConfig(**SIZES, embedding_size=8, num_labels=3, num_hidden_groups=1),
    ),
    "electra": lambda: (hf.ElectraForSequenceClassification, hf.ElectraConfig(**SIZES, embedding_size=8, num_labels=3)),
    "gpt2": lambda: (hf.GPT2LMHeadModel, hf.GPT2Config(**GPT)),
    "gptj": lambda: (hf.GPTJForCausalLM, hf.GPTJConfig(**GPT, rotary_dim=4)),
    "gpt_neo": lambda: (
        hf.GPTNeoForCausalLM,
        hf.GPTNeoConfig(
            hidden_size=16, num_layers=2, num_heads=4, vocab_size=40, attention_types=[[["global", "local"], 1]]
        ),
    ),
    "gpt_neox": lambda: (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(**SIZES)),
    "opt": lambda: (
        hf.OPTForCausalLM,
        hf.OPTConfig(**{**SIZES, "pad_token_id": 1}, ffn_dim=24, word_embed_proj_dim=16, max_position_embeddings=32),
    ),
    "bloom": lambda: (hf.BloomForCausalLM, hf.BloomConfig(**BLOOM)),
    "falcon": lambda: (hf.FalconForCausalLM, hf.FalconConfig(**{**SIZES, "pad_token_id": None})),
    "phi": lambda: (hf.PhiForCausalLM, hf.PhiConfig(**SIZES)),
    "llama": lambda: (hf.LlamaForCausalLM, hf.LlamaConfig(**GROUPED)),
    "mistral": lambda: (hf.MistralForCausalLM, hf.MistralConfig(**GROUPED, sliding_window=4)),
    "qwen2": lambda: (hf.Qwen2ForCausalLM, hf.Qwen2Config(**GROUPED)),
    "qwen3": lambda: (hf.Qwen3ForCausalLM, hf.Qwen3Config(**GROUPED, head_dim=6)),
    "gemma": lambda: (hf.GemmaForCausalLM, hf.GemmaConfig(**GROUPED, head_dim=8)),
    "t5": lambda: (hf.T5ForConditionalGeneration, hf.T5Config(**T5, decoder_start_token_id=0)),
    "bart": lambda: (hf.BartForConditionalGeneration, hf.BartConfig(**BART)),
    "vit": lambda: (hf.ViTForImageClassification, hf.ViTConfig(**SIZES_OF_IMAGES, num_labels=3)),
    "clip_vision": lambda: (hf.CLIPVisionModel, hf.CLIPVisionConfig(**CLIP_TOWER, **IMAGE)),
}
IDS = {"bos_token_id": 1, "eos_token_id": 2}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 4, "mamba_n_groups": 1, "mamba_d_state": 4, "mamba_expand": 2}
LINEAR = {
    **{"linear_num_value_heads": 8, "linear_num_key_heads": 4, "linear_key_head_dim": 4, "linear_value_head_dim": 4},
    "layer_types": ["linear_attention", "full_attention"],
}
PER_LAYER = {
    **{"head_dim": 4, "hidden_size_per_layer_input": 4, "vocab_size_per_layer_input": 40, "num_kv_shared_layers": 0},
    "layer_types": ["sliding_attention", "full_attention"],
}
_BRANCHED = {  # layers with more than an attention and an MLP
    "qwen3_5": lambda: (hf.Qwen3_5ForCausalLM, hf.Qwen3_5TextConfig(**GROUPED, **IDS, **LINEAR, head_dim=4)),
    "qwen3_next": lambda: (
        hf.Qwen3NextForCausalLM,
        hf.Qwen3NextConfig(**GROUPED, **IDS, **LINEAR, **EXPERTS, head_dim=4, num_experts=4),
    ),
    "falcon_h1": lambda: (hf.FalconH1ForCausalLM, hf.FalconH1Config(**GROUPED, **IDS, **MAMBA, mamba_d_ssm=32)),
    "zamba2": lambda: (
        hf.Zamba2ForCausalLM,
        hf.Zamba2Config(
            **{**SIZES, **IDS, "num_hidden_layers": 4, "num_key_value_heads": 4, "n_mamba_heads": 8},
            **{"mamba_ngroups": 1, "mamba_d_state": 4, "mamba_headdim": 4, "num_mem_blocks": 1, "adapter_rank": 4},
            layers_block_type=["mamba", "hybrid", "mamba", "hybrid"],
        ),
    ),
    "bamba": lambda: (hf.BambaForCausalLM, hf.BambaConfig(**GROUPED, **IDS, **MAMBA, attn_layer_indices=[1])),
    "granitemoeshared": lambda: (
        hf.GraniteMoeSharedForCausalLM,
        hf.GraniteMoeSharedConfig(
            **GROUPED, **IDS, shared_intermediate_size=8, num_local_experts=4, num_experts_per_tok=2
        ),
    ),
    "gemma4": lambda: (
        hf.Gemma4ForCausalLM,
        hf.Gemma4TextConfig(
            **{**GROUPED, **IDS, **PER_LAYER, "global_head_dim": 4, "moe_intermediate_size": 8},
            **{"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2},
        ),
    ),
    "gemma3n": lambda: (
        hf.Gemma3nForCausalLM,
        hf.Gemma3nTextConfig(
            **{**GROUPED, **IDS, **PER_LAYER, "intermediate_size": [24, 24], "laurel_rank": 4},
            activation_sparsity_pattern=[0.0, 0.0],
        ),
    ),
    "modernbert": lambda: (
        hf.ModernBertForMaskedLM,
        hf.ModernBertConfig(**SIZES, **IDS, cls_token_id=1, sep_token_id=2, local_attention=4),
    ),
}
BRANCHED = tuple(_BRANCHED)
SIZES_OF_IMAGES = {**CLIP_TOWER, **IMAGE}
FAMILIES = tuple(_FAMILIES)
IMAGES = ("vit", "clip_vision")
PAIRS = ("t5", "bart")
POST_NORM = ("bert", "roberta", "distilbert", "albert", "electra", "bart")


@cache
def small(family, seed=0):
    """A model whose every number is random: no zero biases, no norms of one."""
    kind, config = {**_FAMILIES, **_BRANCHED}[family]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                norm = parameter.dim() == 1 and not name.endswith("bias")
                parameter.normal_(1.0 if norm else 0.0, 0.2 if parameter.dim() == 1 else 0.5)
    return model


def a_batch(family, n_examples=1, length=5, seed=0):
    """What a model of the family is called with, by keyword."""
    generator = torch.Generator().manual_seed(seed)
    if family in IMAGES:
        return {"pixel_values": torch.randn(n_examples, 3, 8, 8, generator=generator)}
    batch = {"input_ids": torch.randint(3, 40, (n_examples, length), generator=generator)}
    if family in PAIRS:
        batch["decoder_input_ids"] = torch.randint(3, 40, (n_examples, length - 2), generator=generator)
    return batch


def scores_of(output):
    for name in ("logits", "last_hidden_state"):
        if hasattr(output, name):
            return getattr(output, name)
    return output
