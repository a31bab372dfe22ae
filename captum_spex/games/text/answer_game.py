"""The answer of a causal language model, as a game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.games.text.ablation import Ablation, Template, checked_ablation, leaves_nothing
from captum_spex.games.text.answer_modes import AnswerModes, generated_ids
from captum_spex.games.text.answer_scorer import AnswerScorer, padding_token
from captum_spex.games.text.length_limit import token_limit
from captum_spex.games.text.prompts import Prompt, prompt_of
from captum_spex.games.text.text_game import TextGame, TextSettings, checked_model
from captum_spex.games.text.tokens import FIXED, Align, Rows
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks, ends

_OUTPUTS = ("mean", "sum", "tokens")


class AnswerGame(TextGame):
    """The log-probability of an answer, by a causal language model, when parts of the text before it are removed.

    That is the log-probability of the answer's tokens, each given the text and the answer before it.

    Rows are aligned at the answer, so that logits are computed for it only, and fixed tokens at the beginning (a system
    prompt, a chat template, ``prefix``) are encoded once and kept as keys and values. Both are used only if they do not
    change the values of the longest and of the shortest row.

    Args:
        model: a transformers causal language model in evaluation mode, on any device and in any precision.
        tokenizer: its fast tokenizer.
        text: the text to explain.
        answer: the answer as it follows the prompt (with a leading space, if there is one); default: what the model
            generates, by greedy decoding.
        max_new_tokens: the most tokens of a generated answer.
        output: ``"mean"`` or ``"sum"`` over the tokens of the answer, or ``"tokens"``, one output for each.
        unit, ablation, replacement, tokens_per_batch, compile: see `ClassificationGame`. The default ablation of a
            tokenizer without mask token is ``"delete"``; ``"hide"`` needs a fixed token between text and answer.
        prefix, suffix: texts before and after, never removed.
        system: a system prompt, never removed; implies ``chat``.
        chat: whether to put the text into the tokenizer's chat template.
        chat_template_kwargs: variables of that template, such as ``{"enable_thinking": False}``, tools or documents.
        special_tokens: whether the tokenizer's special tokens stand around the prompt. Default: at its beginning unless
            it begins with them itself, as a chat template may; not between prompt and answer.
        prefix_cache: whether fixed tokens at the beginning may be encoded once.

    Attributes:
        answer: the answer.
        answer_ids, answer_tokens: its tokens, int64 ``(n_tokens,)``, and the same as text.

    Raises:
        ArgumentError: for an invalid argument, for instance a text that is longer than the model reads.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> from captum_spex.games.text import AnswerGame, embedded_model
        >>> tokenizer = embedded_model()[1]                       # an untrained network for an example
        >>> config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=16, n_layer=1, n_head=2)
        >>> game = AnswerGame(GPT2LMHeadModel(config).eval(), tokenizer, "a good film", answer="no", suffix=" :")
        >>> game.n_players, game.names
        (3, ('a', 'good', 'film'))
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        text: str,
        *,
        answer: str | None = None,
        max_new_tokens: int = 16,
        output: Literal["mean", "sum", "tokens"] = "mean",
        unit: str | Sequence[Span] = "word",
        ablation: Ablation | None = None,
        replacement: str | None = None,
        prefix: str = "",
        suffix: str = "",
        system: str | None = None,
        chat: bool = False,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        special_tokens: bool | None = None,
        prefix_cache: bool = True,
        tokens_per_batch: int | None = None,
        compile: bool = False,  # noqa: A002  # torch's own word
    ) -> None:
        checked_model(model, tokenizer)
        check_causal(model)
        self.output = checks.choice("output", output, _OUTPUTS)
        max_new_tokens = checks.integer("max_new_tokens", max_new_tokens)
        prompt = prompt_of(
            tokenizer,
            text,
            prefix=prefix,
            suffix=suffix,
            system=system,
            chat=chat,
            special_tokens=special_tokens,
            chat_template_kwargs=chat_template_kwargs,
        )
        prompt = _answered(prompt, tokenizer, ablation, replacement)
        settings = TextSettings(unit, ablation, replacement, tokens_per_batch, compile)
        super().__init__(model, tokenizer, prompt, settings)
        _check_last_token_stays(self._template)
        given = None if answer is None else _tokens_of_answer(tokenizer, answer, prompt)
        _check_room(self._template, max_new_tokens if given is None else len(given), token_limit(model, tokenizer))
        self.answer_ids = self._generated(max_new_tokens) if given is None else given
        self.answer = tokenizer.decode(self.answer_ids) if answer is None else answer
        self.answer_tokens = tuple(tokenizer.decode([token]) for token in self.answer_ids)
        self._template = self._template.followed_by(self.answer_ids)
        self._modes = self._answer_modes(checks.flag("prefix_cache", prefix_cache))

    def _question(self) -> Mapping[str, str]:
        return {"answer": repr(self.answer_tokens), "output": self.output}

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        return self._modes.cost(self._template.lengths(masks))

    def _values(self, masks: Masks) -> Tensor:
        log_probs = self._modes.log_probs(masks)
        if self.output == "tokens":
            return log_probs
        return (log_probs.mean(dim=1) if self.output == "mean" else log_probs.sum(dim=1))[:, None]

    def _answer_modes(self, prefix_cache: bool) -> AnswerModes:
        template = self._template
        n_fixed = int(np.argmax(template.players != FIXED)) if prefix_cache else 0
        first = template.ids[: max(0, n_fixed - 1)]  # the last fixed token predicts the next
        scorer = AnswerScorer(self._model, self.answer_ids, self._forward)
        return AnswerModes(scorer, self._rows, template.extremes(), first, hides=template.hides)

    def _rows(self, masks: Masks, n_skipped: int, align: Align) -> Rows:
        return self._template.without_first(n_skipped).rows(masks, fill=padding_token(self._model), align=align)

    def _generated(self, max_new_tokens: int) -> NDArray[np.int64]:
        rows = self._template.rows(ends(self.n_players)[:1])
        return generated_ids(self._model, self._tensors(replace(rows, types=None)), max_new_tokens)


def check_causal(model: Any) -> None:
    """Refuse a model that does not continue a text."""
    config = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False) or not callable(getattr(model, "generate", None)):
        expected = "a causal language model, such as `AutoModelForCausalLM` loads"
        raise ArgumentError("model", type_of(model), expected)


def _answered(prompt: Prompt, tokenizer: Any, ablation: str | None, replacement: str | None) -> Prompt:
    """Return a prompt that an answer follows: a text without any fixed token is begun, so that no row is empty."""
    prompt = replace(prompt, answered=True)
    bare = not prompt.before and not prompt.after and prompt.special_tokens is None
    if bare and leaves_nothing(tokenizer, checked_ablation(tokenizer, ablation, replacement), replacement):
        return replace(prompt, begin=getattr(tokenizer, "bos_token_id", None))
    return prompt


def _check_last_token_stays(template: Template) -> None:
    if template.hides and template.players[-1] != FIXED:
        hint = "The answer is predicted from the last token before it, hidden or not."
        raise ArgumentError("ablation", "'hide'", "another ablation, or a `suffix`", hint)


def _tokens_of_answer(tokenizer: Any, answer: Any, prompt: Prompt) -> NDArray[np.int64]:
    """Return the tokens of an answer as they follow the prompt; alone, if the prompt's last token would change."""
    known = isinstance(answer, str) and bool(answer)
    alone, own, joint = (
        list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) if known else []
        for text in (answer, prompt.complete, f"{prompt.complete}{answer}")
    )
    # Alone, some tokenizers put a space before the answer that is not there.
    ids = joint[len(own) :] if joint[: len(own)] == own else alone
    if not ids:
        raise ArgumentError("answer", repr(answer), "a text of at least one token, or None for a generated one")
    if getattr(tokenizer, "unk_token_id", None) in ids:
        raise ArgumentError("answer", f"{answer!r}, with unknown tokens", "a text that the tokenizer can encode")
    return np.asarray(ids, dtype=np.int64)


def _check_room(template: Template, n_answer: int, limit: int | None) -> None:
    if limit is not None and template.longest() + n_answer > limit:
        got = f"{template.longest()} before an answer of {n_answer}"
        raise ArgumentError("text", got, f"at most {limit} tokens with the answer, the limit of the model")
