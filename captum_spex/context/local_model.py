"""The log-probabilities of the spans of an answer, by a language model of transformers in this process."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.context.answers import Spans, answer_spans, membership
from captum_spex.context.chat_texts import PromptTexts
from captum_spex.context.rendering import Rendering
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.text.answer_game import check_causal
from captum_spex.games.text.answer_modes import AnswerModes, generated_ids
from captum_spex.games.text.answer_scorer import AnswerScorer, padding_token
from captum_spex.games.text.length_limit import token_limit
from captum_spex.games.text.prompts import Prompt, encoded, kept, n_added
from captum_spex.games.text.text_game import checked_model, configuration_of
from captum_spex.games.text.token_batches import BatchedGame
from captum_spex.games.text.tokens import Align, Rows, padded, places_in_text
from captum_spex.masks import Masks, ends


class LocalAnswers(BatchedGame):
    """The log-probability of every span of an answer under masks, each prompt tokenized as it would be sent.

    Args:
        model: a transformers causal language model.
        tokenizer: its fast tokenizer.
        rendering: makes the prompts.
        texts: makes texts of them.
        answer: the answer; default: what the model generates.
        spans: how it is divided.
        max_new_tokens: the most tokens of a generated answer.
        tokens_per_batch: how many tokens the model receives at once.
        prefix_cache: whether tokens with which every prompt begins may be encoded once.

    Attributes:
        answer, parts: the answer, and the spans in it.
        token_values: the log-probability of every token of the answer, with all sources and with none, float64
            ``(2, n_tokens)``.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        rendering: Rendering,
        texts: PromptTexts,
        *,
        answer: str | None,
        spans: Spans,
        max_new_tokens: int,
        tokens_per_batch: int | None = None,
        prefix_cache: bool = True,
    ) -> None:
        checked_model(model, tokenizer)
        check_causal(model)
        super().__init__(model, tokens_per_batch)
        self._model, self._tokenizer, self._texts, self._rendering = model, tokenizer, texts, rendering
        self._last: tuple[bytes, list[NDArray[np.int64]]] = b"", []
        self._added = (0, 0) if texts.is_chat else n_added(tokenizer)
        n_players = len(rendering.sources)
        full, empty = self._prompts(ends(n_players))
        limit = token_limit(model, tokenizer)
        _check_room(self, n_players, 1, limit)
        room = checks.integer("max_new_tokens", max_new_tokens)
        room = room if limit is None else min(room, limit - len(full))
        self._lead, self.answer = self._generated(full, room) if answer is None else self._led(answer)
        self.parts = answer_spans(self.answer, spans)
        self._ids, self._membership = self._answer_tokens()
        _check_room(self, n_players, len(self._ids), limit)
        self._count_tokens(len(empty))
        n_common = int(np.argmin(np.append(full[: len(empty)] == empty[: len(full)], False)))
        self._first = full[: max(0, n_common - 1) if checks.flag("prefix_cache", prefix_cache) else 0]
        scorer = AnswerScorer(model, self._ids)
        self._modes = AnswerModes(scorer, self._rows, ends(n_players), self._first)
        with torch.inference_mode():
            self.token_values: Floats = self._modes.log_probs(ends(n_players)).double().cpu().numpy()

    def identity(self) -> dict[str, str]:
        """Return what tells this model and what it is asked from others."""
        return {
            "model": f"{type(self._model).__name__} {digest(self._model, configuration_of(self._model))}",
            "prompt": digest(*self._texts(ends(len(self._rendering.sources)))),
            "answer": digest(self._ids, self._membership),
        }

    def n_tokens(self, mask: Masks) -> int:
        """Return how many tokens the prompt has under a mask."""
        return len(self._prompts(mask[None])[0])

    def _prompts(self, masks: Masks) -> list[NDArray[np.int64]]:
        """Return the tokens of every prompt; those of the last masks are kept, as they are asked for again at once."""
        key = masks.tobytes()
        if self._last[0] != key:
            self._last = key, self._tokenized(masks)
        return self._last[1]

    def _tokenized(self, masks: Masks) -> list[NDArray[np.int64]]:
        # A chat template has the special tokens.
        wants = not self._texts.is_chat
        found = self._tokenizer(self._texts(masks), add_special_tokens=wants, truncation=False, verbose=False)
        choice = None if wants else False
        rows = found["input_ids"]
        return [np.asarray(ids[kept(ids, *self._added, choice, answered=True)], dtype=np.int64) for ids in rows]

    def _led(self, answer: str) -> tuple[str, str]:
        """Return the space that stands before an answer where the prompt does not end with white space, and both."""
        before = self._texts(ends(len(self._rendering.sources))[:1])[0]
        needs = not self._texts.is_chat and not before[-1:].isspace() and not answer[:1].isspace()
        return " " if needs else "", answer

    def _generated(self, ids: NDArray[np.int64], max_new_tokens: int) -> tuple[str, str]:
        """Return the white space before the answer that the model generates, and the answer."""
        row = self._tensor(ids[None])
        tensors = {"input_ids": row, "attention_mask": torch.ones_like(row)}
        new = generated_ids(self._model, tensors, max_new_tokens)
        own, whole = (self._tokenizer.decode(tokens, skip_special_tokens=True) for tokens in (ids, [*ids, *new]))
        # Alone, the first token of an answer may be decoded without the space before it.
        text = whole[len(own) :] if whole.startswith(own) else self._tokenizer.decode(new, skip_special_tokens=True)
        answer = text.strip()
        if not answer:
            raise ArgumentError("answer", "None, and the model generates no answer", "the answer to explain")
        return text[: len(text) - len(text.lstrip())], answer

    def _answer_tokens(self) -> tuple[NDArray[np.int64], Floats]:
        """Return the answer's tokens as they follow the prompt, and which span each belongs to."""
        before = self._texts(ends(len(self._rendering.sources))[:1])[0]
        special = False if self._texts.is_chat else None
        own = encoded(self._tokenizer, Prompt("", before, "", special_tokens=special, answered=True)).ids
        prompt = Prompt(before + self._lead, self.answer, "", special_tokens=special, answered=True)
        found, n_own = encoded(self._tokenizer, prompt), len(own)
        if found.ids[:n_own] != own:  # the prompt's last token would change: the answer alone
            prompt = Prompt(self._lead, self.answer, "", special_tokens=False, answered=True)
            found, n_own = encoded(self._tokenizer, prompt), 0
        ids = np.asarray(found.ids[n_own:], dtype=np.int64)
        if not len(ids) or getattr(self._tokenizer, "unk_token_id", None) in ids:
            raise ArgumentError("answer", repr(self.answer), "a text that the tokenizer can encode")
        places = [place or (0, 0) for place in places_in_text(prompt, found)[n_own:]]
        return ids, membership(self.answer, places, self.parts)

    def _count_tokens(self, n_empty: int) -> None:
        """Count, about, how many tokens each source adds to the prompt without any."""
        texts = [source.text for source in self._rendering.sources]  # of calls: about
        placeholder = self._rendering.removal.placeholder
        rows = self._tokenizer([*texts, placeholder or ""], add_special_tokens=False, verbose=False)["input_ids"]
        *own, instead = map(len, rows)
        self._n_empty, self._n_added = n_empty + len(self._ids), np.array(own) - instead

    def _lengths(self, masks: Masks) -> NDArray[np.int64]:
        return self._modes.cost(self._n_empty + masks @ self._n_added)

    def _rows(self, masks: Masks, n_skipped: int, align: Align) -> Rows:
        rows = [np.concatenate([ids[n_skipped:], self._ids]) for ids in self._prompts(masks)]
        lengths = np.array([len(row) for row in rows])
        return padded(np.concatenate(rows), lengths, fill=padding_token(self._model), align=align)

    def _values(self, masks: Masks) -> Tensor:
        log_probs = self._modes.log_probs(masks, may_cache=self._begin_alike(masks))
        return log_probs.double() @ torch.tensor(self._membership, device=log_probs.device)

    def _begin_alike(self, masks: Masks) -> bool:
        """Whether all prompts begin with the tokens that are encoded once."""
        n_first = len(self._first)
        return all(np.array_equal(ids[:n_first], self._first) for ids in self._prompts(masks))


def _check_room(answers: LocalAnswers, n_players: int, n_answer: int, limit: int | None) -> None:
    """Refuse a context that is longer than the model reads, and say which sources fit."""
    if limit is None:
        return
    full = np.ones(n_players, dtype=np.bool_)
    n_tokens = answers.n_tokens(full) + n_answer
    if n_tokens <= limit:
        return
    low, high = 0, n_players  # as many of the first sources fit as `low`, not as many as `high`
    while high - low > 1:
        middle = (low + high) // 2
        fits = answers.n_tokens(np.arange(n_players) < middle) + n_answer <= limit
        low, high = (middle, high) if fits else (low, middle)
    got = f"{n_tokens:,} tokens with the query and the answer"
    hint = f"The first {low} of its {n_players} sources fit." if low else "Not even its first source fits."
    raise ArgumentError("context", got, f"at most {limit:,} tokens, the limit of the model", hint)
