"""The answer of a language model to a query, as a game whose players are the sources of its context."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.context.answers import Spans, check_spans
from captum_spex.context.chat import ChatRendering
from captum_spex.context.chat import is_chat as is_chat_of
from captum_spex.context.chat_texts import PromptTexts
from captum_spex.context.local_model import LocalAnswers
from captum_spex.context.rendering import (
    TEMPLATE,
    Removal,
    RemovalName,
    Rendering,
    TextRendering,
    checked_query,
)
from captum_spex.context.servers import ScoredSpans, Server, SimilarSpans, answers_of
from captum_spex.context.sources import Split, as_sources, warn_of_repetition
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest, game_identity
from captum_spex.exports.result import clipped
from captum_spex.masks import Masks

_IMPROBABLE = math.log(1e-4)  # of a token that the model would not say
_CLOSE = 0.5  # the least similarity of an answer that the model would give
_NAME = 60  # characters of an answer in a message


class ContextGame:
    """How probable an answer stays, span by span, when sources of its context are left out.

    The outputs are the log-probabilities of the spans of the answer, each given all of the answer before it; together
    they are that of the answer. Of a server without log-probabilities: how close the answer comes to each span.

    Args:
        model: a transformers causal language model in evaluation mode, or a `Server`, or its address.
        context: a text, or a list of texts or documents: see `captum_spex.context.as_sources`; or the messages of a
            chat, with tool calls and their results, of which system messages are always there.
        query: the question; never left out. Of a chat, default: the last message of the user.
        tokenizer: the fast tokenizer of a model in this process.
        answer: the answer; default: what the model generates with all sources, by greedy decoding.
        split: ``"sentence"`` or ``"paragraph"``: what a source is. Default: sentences of a text, documents of a list.
        spans: how the answer is divided: ``"sentence"``, ``"answer"`` (not at all), or a list of (first character, one
            after the last).
        removal: ``"leave out"``, with numbers and separators mended, or ``"replace"``.
        placeholder: what replaces a source.
        template: a text with ``{context}`` and ``{query}``.
        numbered: whether documents are numbered, "[1] ..."; default: if one has a title.
        system: a system prompt, of a chat.
        chat: whether the prompt is the user's message in the tokenizer's chat template; default: if it has one.
        chat_template_kwargs: variables of that template, such as ``{"enable_thinking": False}``.
        max_new_tokens: the most tokens of a generated answer.
        tokens_per_batch: see `captum_spex.games.text.AnswerGame`.
        prefix_cache: whether tokens with which all prompts begin may be encoded once.

    Attributes:
        sources, n_players, names: the players: the sources, their number, and each in one line.
        query, answer, spans, span_texts: the question, the answer, where its spans are, and their texts.
        value_name: what an output is.

    Raises:
        ArgumentError: for an invalid argument: an empty context, one source, a context that is longer than the model
            reads, spans outside of the answer.

    Example:
        >>> def game_of(model, tokenizer):  # of transformers
        ...     return ContextGame(model, "The key is red. The door is blue.", "Which key?", tokenizer=tokenizer)
    """

    def __init__(
        self,
        model: Any,
        context: Any,
        query: str | None = None,
        *,
        tokenizer: Any = None,
        answer: str | None = None,
        split: Split | None = None,
        spans: Spans = "sentence",
        removal: RemovalName = "leave out",
        placeholder: str = "[...]",
        template: str | None = None,
        numbered: bool | None = None,
        system: str | None = None,
        chat: bool | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        max_new_tokens: int = 128,
        tokens_per_batch: int | None = None,
        prefix_cache: bool = True,
    ) -> None:
        check_spans(spans)
        if answer is not None and (not isinstance(answer, str) or not answer.strip()):
            raise ArgumentError("answer", repr(answer), "a text, or None for a generated one")
        absent = Removal.checked(removal, placeholder)
        of_text: dict[str, Any] = {"split": split, "template": template, "numbered": numbered, "system": system}
        server = _server_of(model, context, tokenizer=tokenizer, chat=chat, tokens_per_batch=tokens_per_batch)
        has_template = getattr(tokenizer, "chat_template", None) is not None if server is None else server.is_chat
        is_chat = is_chat_of(context) or has_template if chat is None else checks.flag("chat", chat)
        self._rendering = rendering_of(context, query, absent, is_chat=is_chat, **of_text)
        self.sources, self.query = self._rendering.sources, self._rendering.query
        self.n_players, self.names = len(self.sources), tuple(source.name for source in self.sources)
        warn_of_repetition(self.sources, self.query)
        shared: dict[str, Any] = {"answer": answer, "spans": spans, "max_new_tokens": max_new_tokens}
        if server is not None:
            shared |= {"system": system, "chat_template_kwargs": chat_template_kwargs}
            self._answers: LocalAnswers | ScoredSpans | SimilarSpans = answers_of(self._rendering, server, **shared)
            self.answer = self._answers.shown
            self.answer_each, self.noisy = self._answers.answer_each, getattr(self._answers, "noisy", False)
        else:
            texts = PromptTexts(tokenizer, self._rendering, chat=is_chat, system=system, variables=chat_template_kwargs)
            shared |= {"tokens_per_batch": tokens_per_batch, "prefix_cache": prefix_cache}
            self._answers = LocalAnswers(model, tokenizer, self._rendering, texts, **shared)
            self.answer, self.batch_argument = self._answers.answer, self._answers.batch_argument
            self.rounding, self.plan_batches = self._answers.rounding, self._answers.plan_batches
        self.spans, self.keeps_budget = tuple(self._answers.parts), True
        self.span_texts = tuple(self.answer[start:end] for start, end in self.spans)
        self.value_name = "similarity" if isinstance(self._answers, SimilarSpans) else "log-probability"
        self._warn_of_improbable_answer()

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``, or ``(n_masks, n_spans)`` where there are several spans."""
        values = self._answers(np.asarray(masks, dtype=np.bool_))
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values

    @property
    def diagnostics(self) -> dict[str, Any]:
        """What a server's answers are known to be, see `captum_spex.games.remote`; part of the results'."""
        return {} if isinstance(self._answers, LocalAnswers) else self._answers.diagnostics

    @property
    def fingerprint(self) -> dict[str, str]:
        """The identity of this game: the model, the sources, the query, how they are removed, the answer's spans."""
        parts = {
            "sources": digest(*((source.text, source.title, source.role) for source in self.sources)),
            "removal": repr(self._rendering.removal.placeholder),
            "query": self.query,
            **(self._answers.identity() if isinstance(self._answers, LocalAnswers) else self._answers.fingerprint),
        }
        return game_identity(self, parts)

    def _warn_of_improbable_answer(self) -> None:
        """Warn of an answer that the model would not give after this context."""
        if isinstance(self._answers, SimilarSpans):
            own = self._answers.own
            if own is not None and own.min() < _CLOSE:
                shown = repr(clipped(self.span_texts[int(own.argmin())], _NAME))
                message = f"With all sources, the model's own answer is close to the part {shown} of the given one by"
                warnings.warn(f"{message} {own.min():.2g} only.", stacklevel=3)
            return
        tokens, without = self._answers.token_values
        with_all, with_none, least = float(tokens.sum()), float(without.sum()), float(tokens.min())
        shown = repr(clipped(self.answer, _NAME))
        if least < _IMPROBABLE:
            message = f"The model would not give the answer {shown}: a token of it has the probability"
            warnings.warn(f"{message} {math.exp(least):.1g} with all sources.", stacklevel=3)
        elif with_all <= with_none:
            message = f"The answer {shown} is no more probable with the context ({with_all:.3g})"
            warnings.warn(f"{message} than without any source ({with_none:.3g}).", stacklevel=3)


def rendering_of(
    context: Any,
    query: str | None,
    removal: Removal,
    *,
    is_chat: bool,
    split: Split | None,
    template: str | None,
    numbered: bool | None,
    system: str | None,
) -> Rendering:
    """Return how a context is put into prompts: as the messages that it is, or in a template."""
    if is_chat_of(context):
        for name, value in (("split", split), ("template", template), ("numbered", numbered), ("system", system)):
            if value is not None:
                raise ArgumentError(name, repr(value), "None for a chat, whose messages are sent as they are")
        if not is_chat:
            raise ArgumentError("chat", "False", "True, or None, for a context of chat messages")
        return ChatRendering(context, query if query is None else checked_query(query), removal)
    if system is not None and not is_chat:
        raise ArgumentError("system", repr(system), "None without a chat", "Put it into `template`.")
    if template is None:
        template = TEMPLATE + ("" if is_chat else "\nAnswer:")
    return TextRendering(
        as_sources(context, split), checked_query(query), removal, template=template, numbered=numbered
    )


def _server_of(
    model: Any, context: Any, *, tokenizer: Any, chat: bool | None, tokens_per_batch: int | None
) -> Server | None:
    """Return the server that is asked, if it is one."""
    if isinstance(model, str) and "://" not in model:
        expected = "a model of transformers, a `Server`, or the address of one"
        raise ArgumentError("model", repr(model), expected, "`AutoModelForCausalLM.from_pretrained` loads a model.")
    server = Server(model) if isinstance(model, str) else model if isinstance(model, Server) else None
    if server is not None and tokenizer is not None:
        raise ArgumentError("tokenizer", "one beside a server", "None: a server has its own")
    if server is not None and chat is not None:
        raise ArgumentError("chat", repr(chat), "None: the `endpoint` of `Server` says so")
    if server is not None and is_chat_of(context) and not server.is_chat:
        raise ArgumentError("endpoint", repr(server.endpoint), "'chat' for a context of chat messages")
    if server is not None and tokens_per_batch is not None:
        raise ArgumentError("tokens_per_batch", repr(tokens_per_batch), "None for a server")
    return server
