"""Prompts of `SpexLLMAttribution` are those that the user would send; answers may be cut inside a character."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import pytest
from packaging.version import Version

if Version(version("captum")) < Version("0.9"):
    pytest.skip("`SpexLLMAttribution` needs Captum 0.9", allow_module_level=True)

import numpy as np
import torch
from captum.attr import TextTemplateInput, TextTokenInput
from language_cases import slow_shapley
from numpy.testing import assert_allclose
from oracles import every_mask
from prompt_styles import FIRST, N_ADDED, STYLES
from text_models import byte_tokenizer, causal_model

from captum_spex.attr import ProxySpex, SpexLLMAttribution
from captum_spex.errors import ArgumentError
from captum_spex.games.text import AnswerGame

VALUES = ["film", "never", "good"]
TEMPLATE = "Say: the {} is {} {} :"
every_style = pytest.mark.parametrize("style", STYLES)
begun = pytest.mark.parametrize("style", FIRST)


@cache
def tokenizer_of(style):
    return STYLES[style]()


def explained(tokenizer, given, target="good", special_tokens=None, **options):
    method = SpexLLMAttribution(ProxySpex(causal_model("gpt2")), tokenizer, special_tokens=special_tokens)
    return method.attribute(given, target, n_samples=64, **options)


def sent(mask, template=TEMPLATE):
    return template.format(*[value if kept else "" for value, kept in zip(VALUES, mask, strict=True)])


def wanted_of(rows, answer):
    """Shapley values of the answer and each of its tokens from the rows of tokens under every mask, float64."""
    table = []
    for row in rows:
        with torch.inference_mode():
            logits = causal_model("gpt2")(input_ids=torch.tensor([[*row, *answer]])).logits[0].double()
        places = range(len(row) - 1, len(row) + len(answer) - 1)
        each = [float(logits[i].log_softmax(dim=0)[token]) for i, token in zip(places, answer, strict=True)]
        table.append([sum(each), *each])
    return slow_shapley(np.array(table), 3)


def assert_explains(result, rows, answer):
    wanted = wanted_of(rows, answer)
    assert_allclose(result.seq_attr.numpy(), wanted[0], rtol=0, atol=1e-4)
    assert_allclose(result.token_attr.numpy(), wanted[1:], rtol=0, atol=1e-4)
    assert np.abs(wanted).max() > 0.1


@every_style
def test_a_template_is_sent_as_the_tokenizer_makes_it_without_the_end_of_texts(style):
    tokenizer, (_, n_last) = tokenizer_of(style), N_ADDED[style]
    rows = [tokenizer(sent(mask))["input_ids"] for mask in every_mask(3)]
    rows = [row[: len(row) - n_last] for row in rows]
    answer = tokenizer("good", add_special_tokens=False)["input_ids"]
    assert_explains(explained(tokenizer, TextTemplateInput(TEMPLATE, VALUES)), rows, answer)


@begun
def test_a_template_that_begins_with_the_first_token_has_it_once(style):
    tokenizer, template = tokenizer_of(style), FIRST[style] + TEMPLATE
    rows = [tokenizer(sent(mask, template), add_special_tokens=False)["input_ids"] for mask in every_mask(3)]
    answer = tokenizer("good", add_special_tokens=False)["input_ids"]
    assert_explains(explained(tokenizer, TextTemplateInput(template, VALUES)), rows, answer)


@pytest.mark.parametrize("style", [style for style, (n, _) in N_ADDED.items() if "template" in style or not n])
def test_a_rendered_chat_is_sent_as_the_chat_template_makes_it(style):
    """Where the template and the tokenizer agree on how a text begins."""
    tokenizer = tokenizer_of(style)

    def chat(content, **settings):
        messages = [{"role": "user", "content": content}]
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, **settings)

    rows = [chat(sent(mask), tokenize=True, return_dict=True)["input_ids"] for mask in every_mask(3)]
    answer = tokenizer("good", add_special_tokens=False)["input_ids"]
    given = TextTemplateInput(chat(TEMPLATE, tokenize=False), VALUES)
    assert_explains(explained(tokenizer, given), rows, answer)


@pytest.mark.parametrize("special_tokens", [True, False])
@pytest.mark.parametrize("first", ["", "<s>"])
def test_special_tokens_are_chosen(special_tokens, first):
    tokenizer, template = tokenizer_of("begins and ends"), first + TEMPLATE
    rows = [tokenizer(sent(m, template), add_special_tokens=special_tokens)["input_ids"] for m in every_mask(3)]
    answer = tokenizer("good", add_special_tokens=False)["input_ids"]
    result = explained(tokenizer, TextTemplateInput(template, VALUES), special_tokens=special_tokens)
    assert_explains(result, rows, answer)


def tokens_of_three(tokenizer, text="x y z", skip=("<s>", "</s>")):
    return TextTokenInput(text, tokenizer, baselines=9, skip_tokens=list(skip))


@pytest.mark.parametrize("style", ["begins", "ends", "begins and ends"])
@pytest.mark.parametrize("first", ["", "<s>"])
def test_skipped_tokens_of_a_text_are_left_out_where_the_prompt_has_none(style, first):
    tokenizer = tokenizer_of(style)
    given = tokens_of_three(tokenizer, f"{first}x<s>y<s>z")
    assert given.values == ["x", "y", "z"]
    begins = [0] if first or N_ADDED[style][0] else []
    letters = tokenizer.convert_tokens_to_ids(["x", "y", "z"])
    rows = []
    for mask in every_mask(3):
        one, two, three = (letter if kept else 9 for letter, kept in zip(letters, mask, strict=True))
        rows.append([*begins, one, 0, two, 0, three])
    answer = tokenizer("good", add_special_tokens=False)["input_ids"]
    assert_explains(explained(tokenizer, given), rows, answer)


@pytest.mark.parametrize(
    ("text", "skip", "token"), [("x y", [], "</s>"), ("<s>x y", ["</s>"], "<s>"), ("x y", ["<s>"], "</s>")]
)
def test_features_that_the_prompt_does_not_have_are_refused(text, skip, token, rows_seen):
    tokenizer = tokenizer_of("begins and ends")
    given = TextTokenInput(text, tokenizer, baselines=9, skip_tokens=skip)
    message = rf"`inp`: expected features that are in the prompt, got '{token}', which .*skip_tokens=\['{token}'\]"
    with pytest.raises(ArgumentError, match=message):
        explained(tokenizer, given)
    assert rows_seen == []
    assert explained(tokenizer, given, special_tokens=True).seq_attr.shape == (given.n_itp_features,)


@pytest.mark.parametrize("style", ["begins and ends", "metaspace, ends"])
def test_an_answer_is_generated_after_the_prompt_not_after_its_end(style):
    tokenizer = tokenizer_of(style)
    row = tokenizer(sent([True] * 3))["input_ids"][:-1]
    with torch.inference_mode():
        token = int(causal_model("gpt2")(input_ids=torch.tensor([row])).logits[0, -1].argmax())
    arguments = {"max_new_tokens": 1, "do_sample": False, "pad_token_id": 0}
    result = explained(tokenizer, TextTemplateInput(TEMPLATE, VALUES), None, gen_args=arguments)
    assert result.answer == tokenizer.decode([token])


def test_a_store_tells_prompts_with_other_special_tokens_apart(tmp_path, rows_seen):
    tokenizer, store = tokenizer_of("begins and ends"), tmp_path / "store.db"
    given = TextTemplateInput(TEMPLATE, VALUES)
    first = explained(tokenizer, given, store=store)
    n_rows = len(rows_seen)
    assert_allclose(explained(tokenizer, given, store=store).seq_attr, first.seq_attr)
    assert len(rows_seen) == n_rows
    other = explained(tokenizer, given, store=tmp_path / "other.db", special_tokens=True)
    assert not np.allclose(other.seq_attr, first.seq_attr)


def test_special_tokens_are_a_choice():
    with pytest.raises(ArgumentError, match="`special_tokens`: expected "):
        explained(tokenizer_of("begins"), TextTemplateInput(TEMPLATE, VALUES), special_tokens="once")


# --- answers that are cut inside a character --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "n_tokens"), [("ok 日", 4), ("ok 日", 5), ("日", 1), ("日", 2), ("😀😀", 5), ("é", 1)]
)
@pytest.mark.parametrize("per_token", [True, False])
def test_an_answer_that_is_cut_inside_a_character_is_explained(text, n_tokens, per_token):
    """Its tokens are shown as `AnswerGame` shows them."""
    tokenizer = byte_tokenizer()
    answer = tokenizer(text)["input_ids"][:n_tokens]
    assert tokenizer.decode(answer).endswith("\ufffd")
    result = explained(tokenizer, TextTemplateInput(TEMPLATE, VALUES), torch.tensor(answer), per_token=per_token)
    rows = [tokenizer(sent(mask))["input_ids"] for mask in every_mask(3)]
    wanted = wanted_of(rows, answer)
    assert_allclose(result.seq_attr.numpy(), wanted[0], rtol=0, atol=1e-4)
    if per_token:
        assert_allclose(result.token_attr.numpy(), wanted[1:], rtol=0, atol=1e-4)
    assert len(result.output_tokens) == n_tokens
    assert result.output_tokens == [tokenizer.decode([token]) for token in answer]
    assert result.answer == tokenizer.decode(answer)


def test_the_model_generates_an_answer_that_is_cut_inside_a_character_and_it_is_explained(monkeypatch):
    tokenizer, model = byte_tokenizer(), causal_model("gpt2")
    answer = tokenizer("日")["input_ids"][:2]
    monkeypatch.setattr(model, "generate", lambda input_ids, **_: torch.cat([input_ids, torch.tensor([answer])], 1))
    result = explained(tokenizer, TextTemplateInput(TEMPLATE, VALUES), None)
    game = AnswerGame(model, tokenizer, "the film", prefix="Say: ")
    assert tuple(result.output_tokens) == game.answer_tokens == ("\ufffd", "\ufffd")
