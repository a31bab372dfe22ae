"""Prompts, answers and methods that are refused before the model is called."""

from __future__ import annotations

from copy import deepcopy
from importlib.metadata import version

import pytest
from packaging.version import Version

if Version(version("captum")) < Version("0.9"):
    pytest.skip("`SpexLLMAttribution` needs Captum 0.9", allow_module_level=True)

import torch
from captum.attr import (
    ImageMaskInput,
    KernelShap,
    RemoteLLMAttribution,
    TextTemplateInput,
)
from language_cases import (
    TARGET,
    Seeing,
    ours,
    picture,
    processed,
    template_input,
    tokens_input,
    tokens_of,
    words_tokenizer,
)
from text_models import bert_classifier, causal_model, varied
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from captum_spex.attr import ProxySpex, SpexLLMAttribution
from captum_spex.errors import ArgumentError

LONG = "film " * 70
BAD = {
    "inp": (tokens_input, {"inp": "a good film"}, "`inp`: expected TextTemplateInput, TextTokenInput.*, got a str"),
    "no features": (
        tokens_input,
        {"inp": tokens_input("film", skip_tokens=["film"])},
        r"`inp`: expected an input with at least one feature, got 0\.",
    ),
    "empty prompt": (
        tokens_input,
        {"inp": TextTemplateInput("{}", ["film"])},
        r"`inp`: expected prompts of at least one token, got one whose prompt may be empty\.",
    ),
    "long prompt": (
        tokens_input,
        {"inp": tokens_input(LONG)},
        r"`inp`: expected at most 64 tokens together, the model's limit, "
        r"got a prompt of up to 70 tokens and an answer of 3\.",
    ),
    "long template": (tokens_input, {"inp": TextTemplateInput("a {}", [LONG])}, "up to 71 tokens.*A prompt of 61 tok"),
    "long baseline": (
        tokens_input,
        {"inp": template_input(2, baselines=["film " * 30, "my " * 40])},
        "`inp`: expected .*, got a prompt of up to 72 tokens",
    ),
    "one long baseline of two": (
        tokens_input,
        {"inp": TextTemplateInput("a {} {}", ["film", "my " * 40], baselines=["film " * 30, "my"])},
        "`inp`: expected .*, got a prompt of up to 71 tokens",
    ),
    "target": (tokens_input, {"target": 3}, r"`target`: expected a text, its tokens, or None, got an int\."),
    "empty target": (tokens_input, {"target": ""}, "`target`: expected .*, got '', which has no tokens"),
    "no tokens": (tokens_input, {"target": tokens_of("")[:0].long()}, "which has no tokens"),
    "unknown word": (
        tokens_input,
        {"target": "never xyz"},
        r"`target`: expected a text that the tokenizer can encode, got 'never xyz'",
    ),
    "rows of tokens": (
        tokens_input,
        {"target": tokens_of(TARGET)[None]},
        r"`target`: expected the answer's tokens as integers of shape \(n_tokens,\), "
        r"got a tensor of torch\.int64 of shape \(1, 3\)\.",
    ),
    "no integers": (tokens_input, {"target": torch.ones(2)}, "`target`: expected .*, got a tensor of torch.float32"),
    "truth values": (tokens_input, {"target": torch.ones(2) > 0}, "`target`: expected .*, got a tensor of torch.bool"),
    "large token": (
        tokens_input,
        {"target": torch.tensor([4, 320])},
        r"`target`: expected tokens of the model, from 0 to 319, got the tokens \[4, 320\]\.",
    ),
    "negative token": (tokens_input, {"target": torch.tensor([-1])}, r"the tokens \[-1\]"),
    "long target": (
        tokens_input,
        {"target": LONG},
        r"`inp`: expected at most 64 tokens together, the model's limit, "
        r"got a prompt of up to 5 tokens and an answer of 70\.",
    ),
    "gen_args": (tokens_input, {"gen_args": {}}, "`gen_args`: expected None where `target` is given.*, got {}"),
    "kind of gen_args": (tokens_input, {"target": None, "gen_args": [3]}, "`gen_args`: expected .*, got a list"),
    "much to generate": (
        tokens_input,
        {"target": None, "gen_args": {"max_new_tokens": 60}},
        r"`gen_args`: expected at most 64 tokens together, the model's limit, "
        r"got a prompt of 5 tokens and up to 60 to generate\.",
    ),
    "no room": (
        tokens_input,
        {"inp": tokens_input(LONG), "target": None},
        r"`inp`: expected at most 64 tokens together, the model's limit, "
        r"got a prompt of 70 tokens and up to 25 to generate\.",
    ),
    "n_samples": (tokens_input, {"n_samples": 1}, "`n_samples`: expected an integer of at least 2.*, got 1"),
    "kind of n_samples": (tokens_input, {"n_samples": "many"}, "`n_samples`: expected .*, got 'many'"),
    "num_trials": (tokens_input, {"num_trials": 0}, "`num_trials`: expected .*, got 0"),
    "tokens_per_batch": (tokens_input, {"tokens_per_batch": 0}, "`tokens_per_batch`: expected .*, got 0"),
    "interaction_index": (tokens_input, {"interaction_index": "XII"}, "`interaction_index`: expected .*, got 'XII'"),
    "max_order": (
        tokens_input,
        {"max_order": 9},
        r"`max_order`: expected an integer from 1 to the number of players, 5, got 9\.",
    ),
    "random_state": (tokens_input, {"random_state": "one"}, "`random_state`: expected .*, got 'one'"),
    "store": (tokens_input, {"store": 3}, "`store`: expected a path or a .*, got an int"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_arguments_are_named_before_the_model_is_asked(case, rows_seen):
    given, arguments, message = case
    arguments = {"inp": given(), "target": TARGET, **arguments}
    with pytest.raises(ArgumentError, match=message):
        SpexLLMAttribution(ProxySpex(causal_model("gpt2")), words_tokenizer()).attribute(**arguments)
    assert rows_seen == []


def test_all_words_that_fit_are_taken():
    result = ours(tokens_input("film " * 61), n_samples=8, random_state=0)
    assert result.seq_attr.shape == (61,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (KernelShap(causal_model("gpt2")), words_tokenizer()),
            r"`attr_method`: expected `captum_spex\.attr\.ProxySpex\(model\)` or `captum_spex\.attr\.Spex\(model\)`, "
            r"got a KernelShap\.",
        ),
        (
            (ProxySpex(causal_model("gpt2")), words_tokenizer(), "logit"),
            r"`attr_target`: expected 'log_prob', 'prob', got 'logit'\.",
        ),
        ((ProxySpex(causal_model("gpt2")), None), r"`tokenizer`: expected the model's tokenizer, got None\."),
        (
            (ProxySpex(lambda ids: ids), words_tokenizer()),
            r"`attr_method`: expected a method of a causal language model of transformers, got one of a function\.",
        ),
        ((ProxySpex(RemoteLLMAttribution.placeholder_model), words_tokenizer()), "RemoteLLMAttribution`, or"),
        ((ProxySpex(bert_classifier()), words_tokenizer()), "got one of a BertForSequenceClassification"),
        (
            (ProxySpex(deepcopy(causal_model("gpt2")).to("meta")), words_tokenizer()),
            r"`attr_method`: expected a model whose numbers are loaded, got one with `transformer\.wte\.weight` on the",
        ),
    ],
    ids=["method", "attr_target", "tokenizer", "function", "placeholder", "classifier", "no numbers"],
)
def test_what_cannot_be_explained_is_refused_at_once(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        SpexLLMAttribution(*arguments)


def test_models_that_read_a_text_apart_are_refused():
    shape = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    model = T5ForConditionalGeneration(T5Config(vocab_size=20, **shape, decoder_start_token_id=0))
    with pytest.raises(
        ArgumentError,
        match=r"`attr_method`: expected a method of a causal language model of transformers, "
        r"got one of a T5ForConditionalGeneration\.",
    ):
        SpexLLMAttribution(ProxySpex(model.eval()), words_tokenizer())


def test_models_in_training_mode_are_refused():
    model = varied(GPT2LMHeadModel, GPT2Config(vocab_size=20, n_positions=16, n_embd=8, n_layer=1, n_head=2))
    attribution = SpexLLMAttribution(ProxySpex(model), words_tokenizer())
    model.train()
    with pytest.raises(ArgumentError, match=r"training mode.*Call `model\.eval\(\)`"):
        attribution.attribute(tokens_input(), TARGET)
    model.eval()
    assert attribution.attribute(tokens_input(), TARGET).seq_attr.shape == (5,)


def test_models_that_do_not_generate_need_a_target():
    attribution = SpexLLMAttribution(ProxySpex(Seeing().eval()), words_tokenizer())
    with pytest.raises(
        ArgumentError, match=r"`target`: expected an answer, as a Seeing cannot generate one, " r"got None\."
    ):
        attribution.attribute(ImageMaskInput(picture(), processor_fn=processed))


def test_misspelt_arguments_are_refused():
    with pytest.raises(TypeError, match="n_sample"):
        ours(tokens_input(), n_sample=3)
