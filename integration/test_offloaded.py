"""Models that accelerate keeps on a disk or in memory: values and stores are those of the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import TextTemplateInput
from numpy.testing import assert_allclose, assert_array_equal
from text_models import byte_tokenizer, causal_model, varied
from transformers import GPT2Config, GPT2LMHeadModel

import captum_spex
from captum_spex.attr import ProxySpex, SpexLLMAttribution
from captum_spex.games.text import AnswerGame
from captum_spex.masks import all_masks

accelerate = pytest.importorskip("accelerate")


def a_copy():
    model = causal_model("gpt2")
    copy = varied(GPT2LMHeadModel, GPT2Config(**model.config.to_dict()))
    copy.load_state_dict(model.state_dict())
    return copy


def on_disk(folder):
    return accelerate.disk_offload(a_copy(), str(folder), execution_device=torch.device("cpu"))


def in_memory(_):
    return accelerate.cpu_offload(a_copy(), execution_device=torch.device("cpu"))


def last_block_on_disk(folder):
    parts = ("transformer.wte", "transformer.wpe", "transformer.h.0", "transformer.h.1", "transformer.ln_f", "lm_head")
    devices = {part: "disk" if part == "transformer.h.1" else "cpu" for part in parts}
    return accelerate.dispatch_model(
        a_copy(), device_map=devices, main_device="cpu", offload_dir=str(folder), force_hooks=True
    )


WAYS = (on_disk, in_memory, last_block_on_disk)


@pytest.mark.parametrize("offload", WAYS)
def test_answers(offload, tmp_path):
    model, plain = offload(tmp_path), causal_model("gpt2")
    assert any(parameter.is_meta for parameter in model.parameters())
    games = [AnswerGame(one, byte_tokenizer(), "x y never", prefix="So it is ") for one in (model, plain)]
    assert games[0].answer == games[1].answer
    assert_allclose(games[0](all_masks(3)), games[1](all_masks(3)), atol=1e-5)
    assert games[0].fingerprint == games[1].fingerprint
    results = [captum_spex.explain(game, budget=8, store=tmp_path / "store.db") for game in games]
    assert_array_equal(results[0].values, results[1].values)


@pytest.mark.parametrize("offload", WAYS)
@pytest.mark.parametrize("target", [" good", None])
def test_captums_attribution(offload, target, tmp_path):
    given = TextTemplateInput("So {} {} {}", ["x", "y", "never"])
    options = {"store": tmp_path / "store.db", "n_samples": 8}
    options |= {} if target else {"gen_args": {"max_new_tokens": 2, "do_sample": False}}
    model = offload(tmp_path)
    found = SpexLLMAttribution(ProxySpex(model), byte_tokenizer()).attribute(given, target, **options)
    del options["store"]
    plain = SpexLLMAttribution(ProxySpex(causal_model("gpt2")), byte_tokenizer()).attribute(given, target, **options)
    assert found.seq_attr.device.type == "cpu"
    assert_allclose(found.seq_attr.numpy(), plain.seq_attr.numpy(), atol=1e-5)
    assert np.abs(plain.seq_attr.numpy()).max() > 0.1
