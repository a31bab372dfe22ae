"""A language model and one of Captum's interpretable inputs as a game: outputs for the answer and for its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from captum_spex.attr import _captum
from captum_spex.fingerprint import digest
from captum_spex.games.text._batches import BatchedGame
from captum_spex.games.text._rows import Align, Rows, filled_up
from captum_spex.games.text._scorer import AnswerScorer, filler
from captum_spex.masks import Masks

Inspect = Callable[[str, str, list[float]], None]


class LanguageGame(BatchedGame):
    """Log-probabilities, or probabilities, of an answer and of each of its tokens, ``(n_masks, 1 + n_tokens)``.

    Args:
        wrapper: Captum's wrapper of the language model.
        inp: what is perturbed, in Captum's conventions.
        target_tokens: the answer.
        inspect: called with prompt, answer and the outputs of every mask.
        tokens_per_batch: the most tokens that the model receives at once.
    """

    def __init__(
        self,
        wrapper: Any,
        inp: Any,
        target_tokens: Tensor,
        *,
        inspect: Inspect | None = None,
        tokens_per_batch: int | None = None,
    ) -> None:
        super().__init__(wrapper.model, tokens_per_batch)
        self.n_players: int = inp.n_itp_features
        self.names = _names(inp, wrapper.tokenizer)
        self._wrapper = wrapper
        self._inp = inp
        self._answer = target_tokens.cpu().numpy().astype(np.int64)
        self._inspect = inspect
        self._scorer = AnswerScorer(wrapper.model, self._answer)
        self._is_text = isinstance(inp, _captum.TextTokenInput | _captum.TextTemplateInput)
        self._aligned = self._is_text and self._scorer.aligns and self._alignment_is_exact()

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """What tells this game from others, for a store."""
        from captum_spex import __version__

        try:
            return {
                "captum_spex": __version__,
                "model": digest(*_captum.identity_of(self._wrapper, (self._inp,))),
                "input": digest(_captum.content_of(self._inp)),
                "target": digest(self._answer),
            }
        except (TypeError, RuntimeError):
            return None

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        if not self._is_text:
            longest = self._inputs(np.ones((1, self.n_players), dtype=np.bool_))[0]["input_ids"].shape[1]
            return np.full(len(masks), longest + len(self._answer))
        return np.asarray([len(row) for row in self._prompts(masks)])

    def _values(self, masks: Masks) -> Tensor:
        log_probs = self._text_log_probs(masks) if self._is_text else self._log_probs_of(self._inputs(masks))
        outputs = torch.cat([log_probs.sum(dim=1, keepdim=True), log_probs], dim=1)
        outputs = outputs if self._wrapper.attr_target == "log_prob" else outputs.exp()
        if self._inspect is not None:
            self._show(masks, outputs)
        return outputs

    def _text_log_probs(self, masks: Masks) -> Tensor:
        if self._aligned:
            return self._scorer.aligned(self._rows(masks, "right"))
        return self._scorer.plain(self._rows(masks, "left"))

    def _rows(self, masks: Masks, align: Align) -> Rows:
        prompts = self._prompts(masks)
        lengths = np.asarray([len(prompt) for prompt in prompts])
        return filled_up(np.concatenate(prompts), lengths, fill=filler(self._wrapper.model), align=align)

    def _prompts(self, masks: Masks) -> list[NDArray[np.int64]]:
        """Return the tokens of every row, the answer at its end."""
        present = torch.from_numpy(masks).to(self._inp.to_tensor().dtype)
        if isinstance(self._inp, _captum.TextTokenInput):
            prompts = list(self._inp.to_model_input(present).cpu().numpy())
        else:
            texts = [self._inp.to_model_input(row[None]) for row in present]
            prompts = [np.asarray(self._wrapper.tokenizer.encode(text)) for text in texts]
        return [np.concatenate([prompt, self._answer]).astype(np.int64) for prompt in prompts]

    def _alignment_is_exact(self) -> bool:
        """Whether rows that end together get the values that they get alone."""
        some = np.ones((3, self.n_players), dtype=np.bool_)
        some[1], some[2, : self.n_players // 2] = False, False
        with torch.inference_mode():
            alone = [self._scorer.plain(self._rows(mask[None], "left")) for mask in some]
            return self._scorer.agrees(lambda: self._scorer.aligned(self._rows(some, "right")), torch.cat(alone))

    def _inputs(self, masks: Masks) -> list[Mapping[str, Any]]:
        """Return what the model receives for every mask, as Captum makes it."""
        present = torch.from_numpy(masks).to(self._inp.to_tensor().dtype)
        return [self._wrapper._format_model_input(self._inp.to_model_input(row[None])) for row in present]

    def _log_probs_of(self, inputs: list[Mapping[str, Any]]) -> Tensor:
        """Return the log-probabilities after inputs of any kind, together if they have one shape."""
        if not _alike(inputs):
            return torch.cat([self._log_probs_of([one]) for one in inputs])
        joined = {
            name: torch.cat([one[name] for one in inputs]) if isinstance(value, Tensor) else value
            for name, value in inputs[0].items()
        }
        answer = self._tensor(self._answer).expand(len(inputs), -1)
        ids = torch.cat([joined["input_ids"].to(self.device), answer], dim=1)
        joined |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        logits: Tensor = self._wrapper.model(**joined).logits
        logits = logits[:, 0] if logits.dim() == 4 else logits  # heads that return several rows, as Captum knows them
        log_probs = logits[:, -answer.shape[1] - 1 : -1].float().log_softmax(dim=2)
        return log_probs.gather(2, answer[:, :, None])[:, :, 0]

    def _show(self, masks: Masks, outputs: Tensor) -> None:
        decode = self._wrapper.tokenizer.decode
        n_answer = len(self._answer)
        prompts = [ids[:-n_answer] for ids in self._prompts(masks)] if self._is_text else None
        for row, values in enumerate(outputs.tolist()):
            one = self._inputs(masks[row : row + 1])[0]["input_ids"][0] if prompts is None else prompts[row]
            if self._inspect is not None:
                self._inspect(decode(one), decode(self._answer), values)


def _alike(inputs: list[Mapping[str, Any]]) -> bool:
    shapes = [{name: getattr(value, "shape", None) for name, value in one.items()} for one in inputs]
    return len(inputs) == 1 or all(shape == shapes[0] for shape in shapes)


def _names(inp: Any, tokenizer: Any) -> tuple[str, ...]:
    """Return the players as text: tokens without signs for spaces, values of a template, groups of them joined."""
    values = [str(value) for value in inp.values]
    if isinstance(inp, _captum.TextTokenInput):
        return tuple(tokenizer.convert_tokens_to_string([value]).strip() or value for value in values)
    groups = getattr(inp, "formatted_mask", None)
    if isinstance(inp, _captum.TextTemplateInput) and groups is not None:
        members = [
            [value for value, group in zip(values, groups, strict=True) if group == k]
            for k in range(inp.n_itp_features)
        ]
        return tuple(" + ".join(texts) for texts in members)
    return tuple(values) if len(values) == inp.n_itp_features else tuple(map(str, range(inp.n_itp_features)))
