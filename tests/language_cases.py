"""Captum's inputs of language models, and slow twins of their attributions."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import pytest
from packaging.version import Version

if Version(version("captum")) < Version("0.9"):
    pytest.skip("`SpexLLMAttribution` needs Captum 0.9", allow_module_level=True)

import numpy as np
import PIL.Image
import torch
from captum.attr import (
    LLMAttribution,
    TextTemplateInput,
    TextTokenInput,
)
from numpy.testing import assert_allclose
from oracles import every_mask, of_every_set, sii_weight
from text_models import causal_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.modeling_outputs import CausalLMOutput

from captum_spex.attr import ProxySpex, SpexLLMAttribution

WORDS = ("a", "good", "film", "with", "bad", "actors", "is", "not", "my", "story", "never", "fails", "$x", "of")
TARGET = "never fails my"
EXACT = 1e-5  # relative to the largest number
IMAGE_SIZE = 8
BOTH_KINDS = pytest.mark.parametrize("kind", ["gpt2", "llama"])
BOTH_TARGETS = pytest.mark.parametrize("attr_target", ["log_prob", "prob"])


@cache
def words_tokenizer():
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", "</s>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")


def tokens_of(words):
    return torch.tensor(words_tokenizer().encode(words, add_special_tokens=False))


def tokens_input(text="a good film not bad", **settings):
    return TextTokenInput(text, words_tokenizer(), **settings)


def template_input(n=4, **settings):
    values = ["good", "bad actors", "film", "is", "not", "story", "of", "with", "my", "never", "fails"][:n]
    return TextTemplateInput("a " + "{} " * n + "film", values, **settings)


def of_dictionary(**settings):
    values = {"what": "good film", "who": "actors", "how": "never"}
    return TextTemplateInput("a {what} with {who} is {how} bad", values, **settings)


def of_a_function():
    def longer(first, second, third):
        return f"a {first} {third}" if second else f"not {third} film film {first}"

    return TextTemplateInput(longer, ["good", "bad", "story"])


INPUTS = {
    "tokens": tokens_input,
    "tokens, another baseline": lambda: tokens_input(baselines="film"),
    "tokens, some skipped": lambda: tokens_input("a good film with bad actors", skip_tokens=["a", "with"]),
    "tokens, skipped by number": lambda: tokens_input(skip_tokens=tokens_of("film not").tolist(), baselines=2),
    "template": template_input,
    "template, baselines": lambda: template_input(3, baselines=["bad", "my good film", ""]),
    "template, callable baselines": lambda: template_input(3, baselines=lambda: ["bad", "is", "my"]),
    "template, groups": lambda: template_input(5, mask=[7, 3, 7, 0, 3]),
    "template, dictionary": of_dictionary,
    "template, dictionaries": lambda: of_dictionary(
        baselines={"how": "not", "what": "story", "who": ""}, mask={"how": 1, "who": 5, "what": 1}
    ),
    "template, callable dictionary": lambda: of_dictionary(baselines=lambda: {"what": "x", "who": "my", "how": ""}),
    "template, function": of_a_function,
    "one token": lambda: tokens_input("film"),
    "one value": lambda: template_input(1),
}


every_input = pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)


def ours(given, target=TARGET, *, kind="gpt2", attr_target="log_prob", method=ProxySpex, **options):
    return SpexLLMAttribution(method(causal_model(kind)), words_tokenizer(), attr_target).attribute(
        given, target, **options
    )


def unbatched(given, target=TARGET, *, kind="gpt2", attr_target="log_prob", **options):
    options = {"forward_in_tokens": False, **options}
    return LLMAttribution(ProxySpex(causal_model(kind)), words_tokenizer(), attr_target).attribute(
        given, target, **options
    )


def assert_same(result, expected):
    """All attributions agree, relative to the largest."""
    for name in ("seq_attr", "token_attr"):
        wanted = getattr(expected, name).numpy()
        assert_allclose(getattr(result, name).numpy(), wanted, rtol=0, atol=EXACT * np.abs(wanted).max(), err_msg=name)


def slow_values(model, given, target, formatted=None):
    """Log-probabilities of the answer and its tokens, a forward pass for each token under each mask, float64."""
    answer = tokens_of(target).tolist()
    rows = []
    for mask in every_mask(given.n_itp_features):
        made = given.to_model_input(torch.tensor(mask[None]).to(given.to_tensor().dtype))
        inputs = {"input_ids": words_tokenizer().encode(made, return_tensors="pt")} if isinstance(made, str) else made
        inputs = inputs if isinstance(inputs, dict) else {"input_ids": inputs}
        ids, each = inputs["input_ids"], []
        for token in answer:
            with torch.inference_mode():
                logits = model(**{**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits
            each.append(float(logits[0, -1].double().log_softmax(dim=0)[token]))
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        rows.append([sum(each), *each])
    return np.array(rows)


def slow_shapley(values, n):
    return np.array([[of_every_set(sii_weight)(column, n, 1)[(player,)] for player in range(n)] for column in values.T])


def counted(model):
    """A list that grows by the number of rows with every call of a model, and what ends that."""
    rows = []

    def count(_, __, given):
        rows.append(len(given["input_ids"]))

    return rows, model.register_forward_pre_hook(count, with_kwargs=True)


class Seeing(torch.nn.Module):
    """A language model that adds what it sees to its words, as many rows as there are images."""

    def __init__(self):
        super().__init__()
        self.language = causal_model("gpt2")
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.eye = torch.nn.Linear(3 * (IMAGE_SIZE // 4) ** 2, 16)
        self.config = self.language.config

    def seen(self, pixel_values):
        small = torch.nn.functional.avg_pool2d(pixel_values, 4)
        return self.eye(small.flatten(1))[:, None]

    def forward(self, input_ids, pixel_values, attention_mask=None):
        states = self.language.transformer.wte(input_ids) + 3 * self.seen(pixel_values)
        return CausalLMOutput(logits=self.language(inputs_embeds=states, attention_mask=attention_mask).logits)


class SeeingPatches(Seeing):
    """The same, which takes the patches of all images in one long row, and looks at their mean."""

    def seen(self, pixel_values):
        return self.eye(pixel_values.mean(dim=0))[None, None]


class SeveralRows(Seeing):
    """The same, with a dimension more in its answers."""

    def forward(self, input_ids, pixel_values, attention_mask=None):
        output = super().forward(input_ids, pixel_values, attention_mask)
        return CausalLMOutput(logits=output.logits[:, None])


def picture():
    rng = np.random.default_rng(0)
    return PIL.Image.fromarray(rng.integers(0, 200, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8))


def quarters():
    place = torch.arange(IMAGE_SIZE) // (IMAGE_SIZE // 2)
    return 2 * place[:, None] + place


def as_pixels(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255


def processed(image):
    return {"input_ids": tokens_of("a good film")[None], "pixel_values": as_pixels(image)}
