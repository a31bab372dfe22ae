"""A language model and one of Captum's interpretable inputs as a game: outputs for the answer and for its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from captum_spex.attr.tensor_game import content_of, identity_of
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.text.answer_scorer import AnswerScorer, padding_token
from captum_spex.games.text.length_limit import token_limit
from captum_spex.games.text.token_batches import BatchedGame
from captum_spex.games.text.tokens import Align, Rows, padded
from captum_spex.masks import Masks, ends

Inspect = Callable[[str, str, list[float]], None]


class LanguageGame(BatchedGame):
    """Log-probabilities, or probabilities, of an answer and of each of its tokens, ``(n_masks, 1 + n_tokens)``.

    An answer of one token is that token, and without ``per_token`` there is the answer only: ``(n_masks,)``.

    Args:
        wrapper: Captum's wrapper of the language model.
        inp: what is perturbed, in Captum's conventions.
        target_tokens: the answer.
        per_token: whether its tokens are outputs too.
        inspect: called for every mask with prompt, answer, and the probabilities of it and of its tokens.
        tokens_per_batch: largest number of tokens in a call of the model.

    Raises:
        ArgumentError: a prompt that exceeds the model's limit, or that may be empty.
    """

    def __init__(
        self,
        wrapper: Any,
        inp: Any,
        target_tokens: Tensor,
        *,
        per_token: bool = True,
        inspect: Inspect | None = None,
        tokens_per_batch: int | None = None,
    ) -> None:
        super().__init__(wrapper.model, tokens_per_batch)
        if callable(getattr(inp, "baselines", None)):  # drawn anew whenever a mask is evaluated
            self.batch_argument = None
        self.n_players: int = inp.n_itp_features
        self.names = _names(inp, wrapper.tokenizer)
        self._wrapper = wrapper
        self._inp = inp
        self._answer = target_tokens.cpu().numpy().astype(np.int64)
        self._answer_only = not per_token or len(self._answer) == 1
        self._inspect = inspect
        self._scorer = AnswerScorer(wrapper.model, self._answer)
        self._is_text = isinstance(inp, captum.TextTokenInput | captum.TextTemplateInput)
        self._filled: dict[bytes, NDArray[np.int64]] = {}  # tokens of templates that are not yet evaluated
        self._check_lengths()

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """What identifies this game, for a store."""
        from captum_spex import __version__

        try:
            return {
                "captum_spex": __version__,
                "model": digest(*identity_of(self._wrapper, (self._inp,))),
                "input": digest(content_of(self._inp)),
                "target": digest(self._answer),
                "special tokens": f"{self._wrapper.special_tokens} {digest(self._complete)}",
                "outputs": "the answer" if self._answer_only else "the answer and its tokens",
            }
        except (TypeError, RuntimeError):
            return None

    @cached_property
    def _complete(self) -> list[int] | None:
        """The tokens of the unmasked prompt and the answer; ``None`` for an image."""
        everybody = ends(self.n_players)[:1]
        tokens = self._prompts(everybody)[0].tolist() if self._is_text else None
        self._filled.pop(everybody[0].tobytes(), None)
        return tokens

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        if not self._is_text:
            return np.full(len(masks), self._n_with_image)
        return np.asarray([len(row) for row in self._prompts(masks)])

    @cached_property
    def _n_with_image(self) -> int:
        """Number of tokens of prompt and answer with the complete image."""
        (complete,) = self._inputs(ends(self.n_players)[:1])
        return int(complete["input_ids"].shape[1]) + len(self._answer)

    def _check_lengths(self) -> None:
        """Refuse prompts that the model cannot read; nothing is truncated silently."""
        n_answer, limit = len(self._answer), token_limit(self._wrapper.model, self._wrapper.tokenizer)
        lengths = self._lengths(self._longest_and_shortest()) - n_answer
        self._filled.clear()
        if lengths.min() < 1:
            hint = "Begin it with a text that is always present, or with the token that begins texts."
            raise ArgumentError("inp", "one whose prompt may be empty", "prompts of at least one token", hint)
        if limit is not None and lengths.max() + n_answer > limit:
            got = f"a prompt of up to {lengths.max()} tokens and an answer of {n_answer}"
            room = limit - n_answer
            hint = f"A prompt of {room} tokens fits." if room > 0 else "The answer alone is too long."
            raise ArgumentError("inp", got, f"at most {limit} tokens together, the model's limit", hint)

    def _longest_and_shortest(self) -> Masks:
        """Return the masks of all players, of none, and of those that make a prompt longer and shorter."""
        if not isinstance(self._inp, captum.TextTemplateInput):
            return ends(self.n_players)
        masks = ~np.eye(self.n_players + 1, self.n_players, k=-1, dtype=np.bool_)  # all, then all but one
        lengths = self._lengths(masks)
        lengthens = lengths[1:] <= lengths[0]
        return np.stack([masks[0], ~masks[0], lengthens, ~lengthens])

    def _values(self, masks: Masks) -> Tensor:
        log_probs = self._text_log_probs(masks) if self._is_text else self._log_probs_of(self._inputs(masks))
        outputs = torch.cat([log_probs.sum(dim=1, keepdim=True), log_probs], dim=1)
        if self._inspect is not None:
            self._show(masks, outputs.exp(), self._inspect)
        outputs = outputs[:, :1] if self._answer_only else outputs
        for mask in masks:
            self._filled.pop(mask.tobytes(), None)
        return outputs if self._wrapper.attr_target == "log_prob" else outputs.exp()

    def _text_log_probs(self, masks: Masks) -> Tensor:
        if self._scorer.aligns and self._alignment_is_exact:
            return self._scorer.right_aligned(self._rows(masks, "right"))
        return self._scorer.left_aligned(self._rows(masks, "left"))

    def _rows(self, masks: Masks, align: Align) -> Rows:
        prompts = self._prompts(masks)
        lengths = np.asarray([len(prompt) for prompt in prompts])
        return padded(np.concatenate(prompts), lengths, fill=padding_token(self._wrapper.model), align=align)

    def _prompts(self, masks: Masks) -> list[NDArray[np.int64]]:
        """Return the tokens of every row, the answer at its end."""
        if isinstance(self._inp, captum.TextTokenInput):
            kept = self._wrapper.kept_tokens(self._inp.inp_tensor[0].tolist())
            prompts = self._inp.to_model_input(self._present(masks)).cpu().numpy()[:, kept]
            return [np.concatenate([prompt, self._answer]).astype(np.int64) for prompt in prompts]
        return [self._filled_in(mask) for mask in masks]

    def _filled_in(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the tokens of a template under a mask.

        A template may draw its baselines at random, so that what was counted must be what is evaluated.
        """
        tokens = self._filled.get(mask.tobytes())
        if tokens is None:
            ids = self._wrapper.tokenizer.encode(self._inp.to_model_input(self._present(mask[None])))
            prompt = ids[self._wrapper.kept_tokens(ids)]
            tokens = np.concatenate([prompt, self._answer]).astype(np.int64)
            self._filled[mask.tobytes()] = tokens
        return tokens

    def _present(self, masks: Masks) -> Tensor:
        return torch.from_numpy(masks).to(self._inp.to_tensor().dtype)

    @cached_property
    def _alignment_is_exact(self) -> bool:
        """Whether rows that are aligned at their ends get the values that they get alone."""
        masks = self._trial_masks()
        alone = [self._scorer.left_aligned(self._rows(mask[None], "left")) for mask in masks]
        return self._scorer.agrees(lambda: self._scorer.right_aligned(self._rows(masks, "right")), torch.cat(alone))

    def _trial_masks(self) -> Masks:
        """Return the masks of all players, of none, and of the second half."""
        return np.vstack([ends(self.n_players), np.arange(self.n_players) >= self.n_players // 2])

    def _inputs(self, masks: Masks) -> list[Mapping[str, Any]]:
        """Return what the model receives for every mask, as Captum makes it."""
        present = self._present(masks)
        return [self._wrapper._format_model_input(self._inp.to_model_input(row[None])) for row in present]

    def _log_probs_of(self, inputs: list[Mapping[str, Any]]) -> Tensor:
        """Return the log-probabilities after inputs of any kind, in one call if they have one shape."""
        if len(inputs) > 1 and not (_have_one_shape(inputs) and self._joining_is_exact):
            return torch.cat([self._joined([single]) for single in inputs])
        return self._joined(inputs)

    @cached_property
    def _joining_is_exact(self) -> bool:
        """Whether joined inputs get the values that they get alone: some tensors do not have one row per prompt."""
        inputs = self._inputs(self._trial_masks())
        inputs = inputs if _have_one_shape(inputs) else [inputs[0], inputs[0]]
        alone = torch.cat([self._joined([single]) for single in inputs])
        try:
            return self._scorer.agrees(lambda: self._joined(inputs), alone)
        except RuntimeError:  # shapes that do not fit together
            return False

    def _joined(self, inputs: list[Mapping[str, Any]]) -> Tensor:
        joined = {
            name: torch.cat([one[name] for one in inputs]) if isinstance(value, Tensor) else value
            for name, value in inputs[0].items()
        }
        answer = self._tensor(self._answer).expand(len(inputs), -1)
        ids = torch.cat([joined["input_ids"].to(self.device), answer], dim=1)
        joined |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        logits: Tensor = self._wrapper.model(**joined).logits
        logits = logits[:, 0] if logits.dim() == 4 else logits  # heads that return several rows
        return self._scorer.of_answer(logits[:, -answer.shape[1] - 1 : -1])

    def _show(self, masks: Masks, probabilities: Tensor, inspect: Inspect) -> None:
        decode = self._wrapper.tokenizer.decode
        n_answer = len(self._answer)
        if self._is_text:
            prompts = [ids[:-n_answer] for ids in self._prompts(masks)]
        else:
            prompts = [one["input_ids"][0] for one in self._inputs(masks)]
        for prompt, values in zip(prompts, probabilities.tolist(), strict=True):
            inspect(decode(prompt), decode(self._answer), values)


def _have_one_shape(inputs: list[Mapping[str, Any]]) -> bool:
    shapes = [{name: getattr(value, "shape", None) for name, value in one.items()} for one in inputs]
    return len(inputs) == 1 or all(shape == shapes[0] for shape in shapes)


def _names(inp: Any, tokenizer: Any) -> tuple[str, ...]:
    """Return the players as texts: tokens without their space markers, values of a template, groups joined."""
    values = [str(value) for value in inp.values]
    if isinstance(inp, captum.TextTokenInput):
        return tuple(tokenizer.convert_tokens_to_string([value]).strip() or value for value in values)
    groups = getattr(inp, "formatted_mask", None)
    if isinstance(inp, captum.TextTemplateInput) and groups is not None:
        members = [
            [value for value, group in zip(values, groups, strict=True) if group == k]
            for k in range(inp.n_itp_features)
        ]
        return tuple(" + ".join(texts) for texts in members)
    return tuple(values) if len(values) == inp.n_itp_features else tuple(map(str, range(inp.n_itp_features)))
