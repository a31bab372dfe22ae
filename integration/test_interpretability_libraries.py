"""Models of TransformerLens and nnsight, and autoencoders of sae-lens: the same values as of the plain model.

Each test is skipped where its library is not installed: sae-lens 6 holds TransformerLens below 4, so that no
environment has all of the newest.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from numpy.testing import assert_allclose
from tokenizers import Tokenizer, models

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.games.components import ComponentGame, heads, layers, mlps, modules, neurons, with_autoencoder

pytestmark = pytest.mark.filterwarnings("ignore")
TOKENS = torch.arange(10).reshape(2, 5)
FINDERS = {"heads": heads, "mlps": mlps, "layers": layers}
MODULE = "transformer.h.0"


def a_network(family="gpt2"):
    sizes = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 0}
    if family == "gpt2":
        config = transformers.GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=32, **sizes)
    else:
        config = transformers.LlamaConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            **sizes,
        )
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


@pytest.fixture
def tokenizer(tmp_path):
    words = models.WordLevel({str(number): number for number in range(50)}, unk_token="0")
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(words), pad_token="0", eos_token="0", bos_token="0"
    )
    made.save_pretrained(tmp_path)
    return transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)


def game_of(model, parts):
    return ComponentGame(model, TOKENS, parts, lambda scores: scores.double().square().flatten(1).mean(dim=1))


def some_masks(n_players):
    return np.random.default_rng(0).random((12, n_players)) < 0.5


def check_the_same(other, plain, find):
    game, wanted = game_of(other, find(other)), game_of(plain, find(plain))
    assert game.names == wanted.names
    masks = some_masks(game.n_players)
    assert_allclose(game(masks), wanted(masks), rtol=1e-4, atol=1e-6)
    assert np.ptp(wanted(masks)) > 1e-3


@pytest.mark.parametrize("find", FINDERS.values(), ids=FINDERS)
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_bridge_of_transformer_lens(find, family, tokenizer, monkeypatch):
    bridges = pytest.importorskip("transformer_lens.model_bridge")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    name = {"gpt2": "gpt2", "llama": "meta-llama/Llama-3.2-1B"}[family]
    bridge = bridges.TransformerBridge.boot_transformers(name, hf_model=a_network(family), tokenizer=tokenizer)
    check_the_same(bridge.eval(), a_network(family), find)


@pytest.mark.parametrize("find", FINDERS.values(), ids=FINDERS)
@pytest.mark.parametrize("kind", ["NNsight", "LanguageModel"])
def test_a_model_of_nnsight(find, kind, tokenizer):
    nnsight = pytest.importorskip("nnsight")
    network = a_network()
    settings = {"tokenizer": tokenizer} if kind == "LanguageModel" else {}
    wrapped = getattr(nnsight, kind)(network, **settings)
    check_the_same(wrapped, network, find)
    check_the_same(wrapped, network, lambda model: modules(model, "transformer.h.*.mlp"))
    check_the_same(wrapped, network, lambda model: neurons(model, "transformer.h.1.mlp.c_proj", range(6), side="input"))


def test_a_model_of_nnsight_without_weights():
    nnsight = pytest.importorskip("nnsight")
    with torch.device("meta"):
        wrapped = nnsight.NNsight(a_network())
    with pytest.raises(ArgumentError, match=r"NNsight without weights\. Call `model.dispatch\(\)`|without weights"):
        heads(wrapped)


def test_features_of_an_autoencoder_of_sae_lens():
    sae_lens = pytest.importorskip("sae_lens")
    network = a_network()
    torch.manual_seed(1)
    for normalisation in ("none", "layer_norm"):
        config = sae_lens.StandardSAEConfig(d_in=32, d_sae=64, normalize_activations=normalisation)
        sae = sae_lens.StandardSAE(config).eval()
        with torch.no_grad():
            for parameter in sae.parameters():
                parameter.normal_(0, 0.3)
        sparse = with_autoencoder(network, MODULE, sae)
        game = game_of(sparse, neurons(sparse, f"{MODULE}.features", range(20), width=64))
        masks = some_masks(20)
        assert_allclose(game(masks), [by_hand(network, sae, mask) for mask in masks], rtol=1e-4)
        assert captum_spex.explain(game, budget=64, random_state=0).n_players == 20


def by_hand(network, sae, mask):
    def changed(_module, _given, output):
        states = output[0] if isinstance(output, tuple) else output
        features = sae.encode(states)
        kept = features.clone()
        kept[..., :20] *= torch.from_numpy(mask)
        whole = sae.decode(features)
        sae.encode(states)  # decoding uses up its norms
        states = states + sae.decode(kept) - whole
        return (states, *output[1:]) if isinstance(output, tuple) else states

    handle = network.get_submodule(MODULE).register_forward_hook(changed)
    with torch.no_grad():
        scores = network(TOKENS).logits
    handle.remove()
    return float(scores.double().square().mean())
