"""Captum's interface to language models: values of every mask against plain forward passes, and what goes wrong."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

if Version(version("captum")) < Version("0.9"):
    pytest.skip("`SpexLLMAttribution` needs Captum 0.9", allow_module_level=True)

import numpy as np
import torch
from captum.attr import (
    LLMAttribution,
    LLMAttributionResult,
    RemoteLLMAttribution,
    ShapleyValues,
    TextTemplateInput,
    TextTokenInput,
)
from captum.attr._core.remote_provider import RemoteLLMProvider
from language_cases import (
    BOTH_KINDS,
    BOTH_TARGETS,
    EXACT,
    TARGET,
    WORDS,
    assert_same,
    every_input,
    of_dictionary,
    ours,
    slow_shapley,
    slow_values,
    template_input,
    tokens_input,
    tokens_of,
    unbatched,
    words_tokenizer,
)
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose, assert_array_equal
from oracles import of_every_set, sii_weight
from text_models import byte_tokenizer, causal_model, varied
from transformers import GPT2Config, GPT2LMHeadModel

from captum_spex import Interactions
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.attr import ProxySpex, Spex, SpexLLMAttribution, SpexLLMAttributionResult
from captum_spex.errors import ArgumentError, StoreError
from captum_spex.exports.result import BLUE, RED


@every_input
def test_an_answer_as_a_whole_is_what_it_is_beside_its_tokens(given):
    with_tokens, whole = ours(given()), ours(given(), per_token=False)
    assert (whole.token_attr, whole.token_interactions) == (None, [])
    torch.testing.assert_close(whole.seq_attr, with_tokens.seq_attr, rtol=0, atol=1e-6)
    assert_allclose(whole.interactions.values, with_tokens.interactions.values, rtol=0, atol=1e-6)
    assert_array_equal(whole.seq_attr.shape, with_tokens.seq_attr.shape)


@pytest.mark.sampled
@every_input
@BOTH_KINDS
def test_attributions_are_shapley_values_of_plain_forward_passes(given, kind):
    given = given()
    values = slow_values(causal_model(kind), given, TARGET)
    expected = given.format_attr(torch.from_numpy(slow_shapley(values, given.n_itp_features)))
    result = ours(given, kind=kind)
    size = float(expected.abs().max())
    assert size > 0.1  # the words matter, so equality says something
    assert_allclose(torch.vstack([result.seq_attr, result.token_attr]), expected, rtol=0, atol=EXACT * size)


@pytest.mark.sampled
@every_input
@BOTH_TARGETS
def test_batches_give_the_numbers_of_captums_unbatched_way(given, attr_target):
    given = given()
    result = ours(given, attr_target=attr_target)
    expected = unbatched(given, attr_target=attr_target)
    assert_same(result, expected)
    assert result.input_tokens == expected.input_tokens
    assert result.output_tokens == expected.output_tokens == TARGET.split()


@BOTH_KINDS
@BOTH_TARGETS
def test_batches_give_the_numbers_of_tokens_one_after_the_other(kind, attr_target):
    given = tokens_input()
    options = {"kind": kind, "attr_target": attr_target}
    expected = unbatched(given, forward_in_tokens=True, use_cached_outputs=False, **options)
    assert_same(ours(given, **options), expected)
    # what there is one way for changes nothing
    assert_same(ours(given, use_cached_outputs=True, forward_in_tokens=True, **options), expected)


@BOTH_KINDS
@pytest.mark.parametrize("given", [lambda: tokens_input("a good film bad"), template_input], ids=["tokens", "template"])
def test_the_method_inside_captums_own_class_agrees_with_shapley_values(given, kind):
    given = given()
    exact = LLMAttribution(ShapleyValues(causal_model(kind)), words_tokenizer()).attribute(
        given, TARGET, forward_in_tokens=False
    )
    assert_same(unbatched(given, kind=kind), exact)
    assert_same(ours(given, kind=kind), exact)


def test_interactions_are_those_of_plain_forward_passes():
    given = tokens_input("a good film bad")
    values = slow_values(causal_model("gpt2"), given, TARGET)
    result = ours(given, max_order=3)
    for found, column in zip([result.interactions, *result.token_interactions], values.T, strict=True):
        expected = of_every_set(sii_weight)(column, 4, 3)
        assert_allclose([found[players] for players in expected], list(expected.values()), atol=1e-5)


@pytest.mark.parametrize("kind", ["opt", "bloom", "mistral", "mamba"])
def test_other_kinds_of_networks_get_their_own_values(kind):
    given = template_input(3)
    expected = slow_shapley(slow_values(causal_model(kind), given, TARGET), 3)
    result = ours(given, kind=kind)
    assert_allclose(result.seq_attr, expected[0], rtol=0, atol=EXACT * np.abs(expected[0]).max())


def test_templates_of_pieces_that_grow_together_are_tokenized_whole():
    tokenizer, model = byte_tokenizer(begins=True), causal_model("llama")
    given = TextTemplateInput("The {}{}{}.", [" film", " never", " fails"], baselines=["", " not at all", "th"])
    both = [
        kind(ProxySpex(model), tokenizer).attribute(given, " good", forward_in_tokens=False)
        for kind in (SpexLLMAttribution, LLMAttribution)
    ]
    assert_same(*both)


def test_double_and_half_precision_are_taken():
    given = tokens_input()
    exact = ours(given)
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.bfloat16, 0.5)):
        model = varied(GPT2LMHeadModel, causal_model("gpt2").config).to(dtype)
        result = SpexLLMAttribution(ProxySpex(model), words_tokenizer()).attribute(given, TARGET)
        assert result.seq_attr.dtype == torch.float32
        assert_allclose(result.seq_attr, exact.seq_attr, atol=tolerance)


@pytest.mark.parametrize("given", [tokens_input, lambda: template_input(5)], ids=["tokens", "template"])
def test_batches_of_any_size_give_the_same(given, rows_seen):
    given = given()
    small, large = ours(given, tokens_per_batch=1), ours(given, tokens_per_batch=100_000)
    assert_same(small, large)
    assert rows_seen.count(32) == 1  # all masks at once, and only once
    assert rows_seen.count(1) >= 32


def test_a_thousand_masks_take_few_calls(rows_seen):
    ours(template_input(10), n_samples=1024, tokens_per_batch=2048)
    assert sum(rows_seen) <= 1032  # six to see how rows are put together, two alone
    assert len(rows_seen) <= 17


def test_every_evaluation_is_shown_as_captum_shows_it():
    def told(attribute, **options):
        seen = {}
        attribute(
            template_input(3),
            _inspect_forward=lambda prompt, answer, values: seen.update({prompt: (answer, values)}),
            **options,
        )
        return seen

    ways = {"forward_in_tokens": True, "use_cached_outputs": False}
    for attr_target in ("log_prob", "prob"):
        batched, single = (told(way, attr_target=attr_target, **ways) for way in (ours, unbatched))
        assert sorted(batched) == sorted(single)
        assert len(batched) == 8
        for prompt, (answer, values) in batched.items():
            assert answer == single[prompt][0] == TARGET
            assert_allclose(values, single[prompt][1], rtol=1e-4)
            assert_allclose(values[0], np.prod(values[1:]), rtol=1e-4)


def test_baselines_that_are_drawn_are_drawn_once_for_every_mask():
    rng, drawn, shown = np.random.default_rng(0), [], []

    def baselines():
        drawn.append(list(rng.choice(WORDS[:10], 3)))
        return drawn[-1]

    def tell(prompt, _, values):
        shown.append((prompt, values))

    ours(template_input(3, baselines=baselines), tokens_per_batch=30, _inspect_forward=tell, store=None)
    assert len(shown) == 8
    for prompt, values in shown:  # what is shown is what the model was asked
        row = torch.cat([tokens_of(prompt), tokens_of(TARGET)])[None]
        with torch.inference_mode():
            log_probs = causal_model("gpt2")(input_ids=row).logits[0, -4:-1].double().log_softmax(dim=1)
        assert_allclose(values[1:], log_probs.gather(1, tokens_of(TARGET)[:, None])[:, 0].exp(), rtol=1e-3)


def test_trials_are_more_evaluations_of_one_result():
    result = ours(tokens_input(), n_samples=16, num_trials=2)
    assert result.interactions.n_evaluations == 32
    assert_same(result, unbatched(tokens_input()))
    averaged = unbatched(tokens_input(), num_trials=3)
    assert_same(averaged, result)


def test_a_target_may_be_given_as_its_tokens():
    for dtype in (torch.int64, torch.int32):
        assert_same(ours(tokens_input(), tokens_of(TARGET).to(dtype)), ours(tokens_input(), TARGET))


def test_the_tokens_of_a_target_are_not_changed_by_the_caller_later():
    tokens = tokens_of(TARGET)
    result = ours(tokens_input(), tokens)
    tokens[:] = 0
    assert result.output_tokens == TARGET.split()


@pytest.mark.parametrize("gen_args", [None, {"max_new_tokens": 3, "do_sample": False}], ids=["default", "three"])
def test_without_a_target_what_the_model_generates_is_explained(gen_args):
    model = varied(GPT2LMHeadModel, GPT2Config(vocab_size=17, n_positions=64, n_embd=16, n_layer=1, n_head=2))
    model.generation_config.pad_token_id = 0
    both = [
        kind(ProxySpex(model), words_tokenizer()).attribute(tokens_input(), gen_args=gen_args, forward_in_tokens=False)
        for kind in (SpexLLMAttribution, LLMAttribution)
    ]
    assert_same(*both)
    assert both[0].output_tokens == both[1].output_tokens
    assert len(both[0].output_tokens) == (25 if gen_args is None else 3)


@pytest.mark.parametrize("index", ["SV", "BII", "k-SII", "STII", "FSII", "Moebius", "Fourier"])
def test_attributions_are_shapley_values_whatever_the_index(index):
    result = ours(tokens_input(), interaction_index=index, max_order=1 if index == "SV" else 2)
    assert_same(result, ours(tokens_input()))
    assert result.interactions.index == index
    assert {one.index for one in result.token_interactions} == {index}


def test_the_seed_decides_the_masks_of_a_small_budget():
    def attributed(seed):
        return ours(template_input(11), n_samples=64, random_state=seed)

    first, again, other = attributed(3), attributed(3), attributed(4)
    assert_array_equal(first.seq_attr, again.seq_attr)
    assert first.interactions.n_evaluations == 64
    assert (first.seq_attr - other.seq_attr).abs().max() > 1e-3


def test_a_small_budget_still_sums_to_the_difference():
    given = template_input(11)
    result = ours(given, n_samples=64, random_state=0)
    ends = [given.to_model_input(value * torch.ones(1, 11)) for value in (1, 0)]
    whole, empty = (slow_values(causal_model("gpt2"), TextTemplateInput("{}" + end, [""]), TARGET)[0] for end in ends)
    assert_allclose(result.seq_attr.sum(), whole[0] - empty[0], atol=1e-4)
    assert_allclose(result.token_attr.sum(dim=1), (whole - empty)[1:], atol=1e-4)


@BOTH_TARGETS
def test_an_answer_of_one_token_is_that_token(attr_target):
    seen = []
    result = ours(template_input(), "never", attr_target=attr_target, _inspect_forward=lambda *told: seen.append(told))
    assert_same(result, unbatched(template_input(), "never", attr_target=attr_target))
    assert_array_equal(result.token_attr[0], result.seq_attr)
    assert result.token_interactions == [result.interactions]
    assert {len(values) for _, _, values in seen} == {2}


def test_spex_is_a_method_too():
    result = ours(template_input(4), method=Spex)
    assert_same(result, ours(template_input(4)))
    many = ours(template_input(11), method=Spex, n_samples=1500, random_state=0, max_order=3)
    assert 64 < many.interactions.n_evaluations <= 1500


def test_nothing_that_was_given_is_changed():
    model = causal_model("gpt2")
    method = ProxySpex(model, ProxySpexApproximator())
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    before, random = dict(vars(method)), torch.random.get_rng_state()
    given = template_input(4)
    attribution = SpexLLMAttribution(method, words_tokenizer())
    attribution.attribute(given, TARGET)
    assert vars(method) == before
    assert method.forward_func is model
    assert attribution.attr_method is not method
    assert_array_equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert not model.training
    assert given.values == template_input(4).values


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (tokens_input, ("a", "good", "film", "not", "bad")),
        (template_input, ("good", "bad actors", "film", "is")),
        (lambda: template_input(5, mask=[7, 3, 7, 0, 3]), ("is", "bad actors + not", "good + film")),
        (of_dictionary, ("good film", "actors", "never")),
    ],
    ids=["tokens", "template", "groups", "dictionary"],
)
def test_players_are_named_by_their_texts(given, names):
    result = ours(given())
    assert result.interactions.names == names
    assert {one.names for one in result.token_interactions} == {names}


def test_tokens_with_signs_for_spaces_are_named_as_text():
    tokenizer = byte_tokenizer()
    given = TextTokenInput("The film never", tokenizer)
    result = SpexLLMAttribution(ProxySpex(causal_model("gpt2")), tokenizer).attribute(given, " good")
    assert "".join(result.interactions.names) == "Thefilmnever"
    assert result.input_tokens == given.values  # Captum's own, with the signs


def test_the_result_is_captums_with_interactions():
    result = ours(tokens_input())
    assert isinstance(result, LLMAttributionResult)
    assert isinstance(result, SpexLLMAttributionResult)
    assert isinstance(result.interactions, Interactions)
    assert result.seq_attr.shape == (5,)
    assert result.token_attr.shape == (3, 5)
    assert len(result.token_interactions) == 3
    assert result.answer == TARGET
    assert result.interactions.n_evaluations == 32
    assert_allclose(result.interactions.first_order(), result.seq_attr, atol=1e-5)
    assert list(result.seq_attr_dict) == ["a", "good", "film", "not", "bad"]
    assert_allclose(result.token_attr.sum(dim=0), result.seq_attr, atol=1e-4)


def test_captums_pictures_can_be_drawn(closing):
    result = ours(tokens_input())
    figure, axes = result.plot_token_attr()
    assert [label.get_text() for label in axes.get_xticklabels()] == result.input_tokens
    assert [label.get_text() for label in axes.get_yticklabels()] == result.output_tokens
    figure.canvas.draw()
    figure, axes = result.plot_seq_attr()
    figure.canvas.draw()
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(2, -1).sum(axis=0)
    assert_allclose(heights, result.seq_attr, rtol=1e-6)


@pytest.mark.parametrize(("order", "token"), [(1, None), (2, None), (2, 1), (3, -1)])
def test_the_largest_interactions_are_drawn_as_bars(order, token, closing):
    result = ours(tokens_input(), max_order=3)
    figure, axes = result.plot_interactions(order=order, top=4, token=token)
    figure.canvas.draw()
    chosen = result.interactions if token is None else result.token_interactions[token]
    expected = chosen.top(4, order=order)
    assert_allclose([bar.get_width() for bar in axes.patches], list(expected.values()))
    assert [label.get_text() for label in axes.get_yticklabels()] == [chosen.name_of(players) for players in expected]
    assert axes.yaxis_inverted()  # the largest on top
    assert (TARGET if token is None else result.output_tokens[token]) in axes.get_xlabel()
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [
        RED if value > 0 else BLUE for value in expected.values()
    ]
    kind = "single players: Shapley values" if order == 1 else f"interactions of order {order}: SII"
    assert axes.get_xlabel().startswith(f"{kind}; ")


def test_a_picture_can_be_shown_at_once(closing, monkeypatch):
    shown = []
    monkeypatch.setattr(closing, "show", lambda: shown.append(True))
    assert ours(tokens_input()).plot_interactions(show=True) is None
    assert shown == [True]


def test_names_are_drawn_as_they_are(closing):
    values = ["$x", "$x\nfilm", "of " * 40]
    result = ours(TextTemplateInput("a {} {} {}", values), target="$x of")
    figure, axes = result.plot_interactions(order=1)
    figure.canvas.draw()
    labels = {label.get_text() for label in axes.get_yticklabels()}
    assert {r"\$x", r"\$x film"} < labels
    assert max(map(len, labels)) == 60
    assert r"\$x" in axes.get_xlabel()


def test_orders_and_tokens_that_are_not_there_cannot_be_drawn():
    result = ours(tokens_input())
    with pytest.raises(ArgumentError, match=r"`order`: expected an order that has terms, from 1 to 2, got 3\."):
        result.plot_interactions(order=3)
    with pytest.raises(ArgumentError, match="`token`: expected an integer from -3 to 2, got 3"):
        result.plot_interactions(token=3)
    with pytest.raises(ArgumentError, match=r"`top`: expected .*, got 0"):
        result.plot_interactions(top=0)
    with pytest.raises(ArgumentError, match="`order`: expected an order that has terms, 1, got 2"):
        ours(tokens_input("film")).plot_interactions()


def test_a_stored_run_is_not_repeated(tmp_path, rows_seen):
    first = ours(template_input(6), store=tmp_path / "film.db")
    rows_seen.clear()
    again = ours(template_input(6), store=tmp_path / "film.db")
    assert rows_seen == []
    assert_array_equal(first.seq_attr, again.seq_attr)
    assert_array_equal(first.token_attr, again.token_attr)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path):
    def until(n_masks):
        seen = []

        def tell(prompt, *_):
            if len(seen) == n_masks:
                raise KeyboardInterrupt
            seen.append(prompt)

        return seen, {"_inspect_forward": tell, "store": tmp_path / "film.db", "tokens_per_batch": 60}

    stopped, options = until(40)
    with pytest.raises(KeyboardInterrupt):
        ours(template_input(6), **options)
    rest, options = until(64)
    result = ours(template_input(6), **options)
    assert len(set(stopped)) == 40 - 2  # two are also evaluated alone
    assert 26 <= len(rest) <= 26 + 8  # the batch in which it was stopped again
    assert_same(result, ours(template_input(6)))


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (template_input, {"target": "never"}),
        (template_input, {"attr_target": "prob"}),
        (template_input, {"kind": "llama"}),
        (lambda: template_input(4, baselines=["is", "", "", ""]), {}),
    ],
    ids=["target", "attr_target", "model", "baselines"],
)
def test_a_store_of_another_question_is_refused(given, options, tmp_path):
    ours(template_input(), store=tmp_path / "film.db")
    with pytest.raises(StoreError):
        ours(given(), store=tmp_path / "film.db", **options)


class Provider(RemoteLLMProvider):
    """Answers as a server does, with a network of its own."""

    api_url = "none"

    def __init__(self):
        self.n_requests = 0

    def generate(self, prompt, **gen_args):
        return TARGET

    def get_logprobs(self, input_prompt, target_str, tokenizer=None):
        self.n_requests += 1
        prompt, answer = (tokenizer.encode(text, add_special_tokens=False) for text in (input_prompt, target_str))
        with torch.inference_mode():
            logits = causal_model("gpt2")(input_ids=torch.tensor([prompt + answer])).logits[0].double()
        log_probs = logits[len(prompt) - 1 : -1].log_softmax(dim=1)
        return [float(log_probs[place, token]) for place, token in enumerate(answer)]


@pytest.mark.sampled
@pytest.mark.parametrize("given", [tokens_input, template_input, of_dictionary], ids=["tokens", "template", "named"])
@pytest.mark.parametrize("method", [ProxySpex, Spex])
@BOTH_TARGETS
def test_models_behind_a_provider_get_the_same_numbers(given, method, attr_target):
    provider = Provider()
    remote = RemoteLLMAttribution(
        method(RemoteLLMAttribution.placeholder_model), words_tokenizer(), provider, attr_target
    )
    given = given()
    result = remote.attribute(given, TARGET)
    assert_same(result, ours(given, attr_target=attr_target))
    assert provider.n_requests == 2**given.n_itp_features
    assert_same(remote.attribute(given), result)  # the target that the provider generates
