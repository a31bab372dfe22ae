"""`ProxySpex` inside Captum's ``LLMAttribution``, against ``ShapleyValues`` on language models of a few weights."""

from __future__ import annotations

import PIL.Image
import pytest
import torch
from captum.attr import (
    ImageMaskInput,
    LLMAttribution,
    LLMAttributionResult,
    ShapleyValues,
    TextTemplateInput,
    TextTokenInput,
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.modeling_outputs import CausalLMOutput

from captum_spex import Interactions
from captum_spex.attr import ProxySpex, SpexLLMAttribution

WORDS = ["a", "good", "film", "with", "bad", "actors", "is", "not", "my", "story", "never", "fails"]
TARGET = "never fails"


def small_gpt2() -> torch.nn.Module:
    config = GPT2Config(vocab_size=32, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=2, eos_token_id=2)
    return GPT2LMHeadModel(config)


def small_llama() -> torch.nn.Module:
    config = LlamaConfig(
        vocab_size=32, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    return LlamaForCausalLM(config)


@pytest.fixture(params=[small_gpt2, small_llama])
def model(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = request.param()
        for weights in network.parameters():  # the usual start is so small that the words hardly matter
            if weights.dim() == 2:
                torch.nn.init.normal_(weights, std=0.3)
    return network.eval()


@pytest.fixture
def tokenizer():
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", "</s>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")


def text_input(kind, tokenizer):
    if kind == "tokens":
        return TextTokenInput("a good film not bad", tokenizer)
    return TextTemplateInput("a {} film with {} {} is my {}", ["good", "bad", "actors", "story"])


def attributed(method, tokenizer, given, **options) -> LLMAttributionResult:
    return LLMAttribution(method, tokenizer).attribute(given, target=TARGET, forward_in_tokens=False, **options)


@pytest.mark.parametrize("kind", ["tokens", "template"])
def test_sequence_and_token_attributions_are_those_of_shapley_values(model, tokenizer, kind):
    given = text_input(kind, tokenizer)
    exact = attributed(ShapleyValues(model), tokenizer, given)
    ours = attributed(ProxySpex(model), tokenizer, given)
    assert ours.token_attr.shape == (2, given.n_itp_features)
    torch.testing.assert_close(ours.seq_attr, exact.seq_attr, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.token_attr, exact.token_attr, rtol=0, atol=1e-5)
    assert exact.seq_attr.abs().max() > 0.1  # the words matter, so equality says something
    assert ours.input_tokens == exact.input_tokens


def test_a_budget_below_all_masks_still_sums_to_the_difference(model, tokenizer):
    given = TextTokenInput("a good film with bad actors is not my story", tokenizer)
    ours = attributed(ProxySpex(model), tokenizer, given, n_samples=64, random_state=0)
    exact = attributed(ProxySpex(model), tokenizer, given, n_samples=1024)
    torch.testing.assert_close(ours.seq_attr.sum(), exact.seq_attr.sum(), rtol=0, atol=1e-4)
    torch.testing.assert_close(ours.token_attr.sum(dim=1), exact.token_attr.sum(dim=1), rtol=0, atol=1e-4)
    torch.testing.assert_close(exact.token_attr.sum(dim=0), exact.seq_attr, rtol=0, atol=1e-4)


def test_interactions_of_words_come_from_a_plain_forward_function(model, tokenizer):
    ids = torch.tensor([tokenizer.encode("a good film not bad")])
    target = tokenizer.encode("fails")[0]

    def log_probability(rows):
        return model(rows).logits[:, -1].log_softmax(dim=-1)[:, target]

    _, interactions = ProxySpex(log_probability).attribute(ids, return_interactions=True, perturbations_per_eval=8)
    assert isinstance(interactions, Interactions)
    assert interactions.n_evaluations == 32
    without = torch.where(torch.tensor([[True, True, False, False, True]]), ids, 0)
    with torch.no_grad():
        expected = float(log_probability(without))
    assert float(interactions.model([[True, True, False, False, True]])[0]) == pytest.approx(expected, abs=1e-5)


# --- six players: all orders in which they can come ------------------------------------------------------------------


class Remembering(torch.nn.Module):
    """A language model that answers what it was asked before from memory, so that 4,320 questions take seconds."""

    def __init__(self, language):
        super().__init__()
        self.language = language
        self.known = {}

    def forward(self, **given):
        key = tuple(value.numpy().tobytes() for value in given.values())
        if key not in self.known:
            with torch.inference_mode():
                self.known[key] = self.language(**given).logits
        return CausalLMOutput(logits=self.known[key])


class Rounded(LLMAttribution):
    """Values of ten binary places: Captum adds 720 differences in single precision, of these without an error."""

    def _forward_func(self, *given, **named):
        return (super()._forward_func(*given, **named) * 1024).round() / 1024


class Seeing(torch.nn.Module):
    """A language model that adds the colour of a picture's parts to its words."""

    def __init__(self, language):
        super().__init__()
        self.language = language
        self.eye = torch.nn.Linear(3 * 6, 32)

    def forward(self, input_ids, pixel_values, attention_mask=None):
        states = self.language.get_input_embeddings()(input_ids) + self.eye(pixel_values.flatten(1))[:, None]
        return CausalLMOutput(logits=self.language(inputs_embeds=states, attention_mask=attention_mask).logits)


def six_stripes(tokenizer):
    """A picture of six stripes, each of which may be missing."""

    def processed(image):
        colours = torch.tensor([image.getpixel((place, 0)) for place in range(6)])
        ids = torch.tensor([tokenizer.encode("a good film is")])
        return {"input_ids": ids, "pixel_values": colours[None] / 255}

    image = PIL.Image.new("RGB", (6, 2))
    image.putdata([((37 * place) % 256, (91 * place + 5) % 256, (151 * place + 40) % 256) for place in range(12)])
    return ImageMaskInput(image, mask=torch.arange(6).repeat(2, 1), processor_fn=processed)


def six_players(kind, tokenizer):
    if kind == "image":
        return six_stripes(tokenizer)
    if kind == "tokens":
        return TextTokenInput("good film with bad actors never", tokenizer)
    values = ["good", "bad actors", "film", "my story", "is not", "never"]
    return TextTemplateInput("a {} {} {} is {} {} {} film", values, baselines=["bad", "", "", "a", "is", "not"])


@pytest.mark.parametrize("kind", ["tokens", "template", "image"])
def test_six_players_agree_with_every_order_of_their_arrival(kind, model, tokenizer):
    network = (Seeing(model) if kind == "image" else model).eval()
    given = six_players(kind, tokenizer)
    options = {"target": TARGET, "forward_in_tokens": False}
    remembering = Remembering(network).eval()
    exact = Rounded(ShapleyValues(remembering), tokenizer).attribute(given, **options)
    rounded = Rounded(ProxySpex(remembering), tokenizer).attribute(given, **options)
    ours = LLMAttribution(ProxySpex(network), tokenizer).attribute(given, **options)
    batched = SpexLLMAttribution(ProxySpex(network), tokenizer).attribute(given, **options)
    for name in ("seq_attr", "token_attr"):
        expected = getattr(exact, name)
        size = float(expected.abs().max())
        assert size > 0.1
        torch.testing.assert_close(getattr(rounded, name), expected, rtol=0, atol=1e-5 * size)
        torch.testing.assert_close(getattr(batched, name), getattr(ours, name), rtol=0, atol=1e-5 * size)
        torch.testing.assert_close(getattr(ours, name), expected, rtol=0, atol=1e-3)  # what the rounding changes


@pytest.mark.parametrize("kind", ["tokens", "template"])
def test_batches_and_tokens_one_by_one_give_the_same(kind, model, tokenizer):
    given = text_input(kind, tokenizer)
    batched = SpexLLMAttribution(ProxySpex(model), tokenizer).attribute(given, TARGET)
    single = LLMAttribution(ProxySpex(model), tokenizer).attribute(given, TARGET, use_cached_outputs=False)
    torch.testing.assert_close(batched.seq_attr, single.seq_attr, rtol=0, atol=1e-5)
    torch.testing.assert_close(batched.token_attr, single.token_attr, rtol=0, atol=1e-5)


def test_one_token_may_be_asked_for_with_captums_cache(model, tokenizer):
    given = text_input("tokens", tokenizer)
    batched = SpexLLMAttribution(ProxySpex(model), tokenizer).attribute(given, "never")
    cached = LLMAttribution(ProxySpex(model), tokenizer).attribute(given, "never")
    torch.testing.assert_close(batched.seq_attr, cached.seq_attr, rtol=0, atol=1e-5)
