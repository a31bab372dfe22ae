"""A text classifier as a game."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.games.class_scores import OUTPUTS, Function, class_labels, class_numbers, class_values, function_of
from captum_spex.games.text.ablation import Ablation, Template
from captum_spex.games.text.answer_scorer import padding_token
from captum_spex.games.text.prompts import prompt_of
from captum_spex.games.text.text_game import TextGame, TextSettings, checked_model, unknown_in_words
from captum_spex.games.text.tokens import FIXED
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks, ends


class ClassificationGame(TextGame):
    """The scores of a classifier for a text with parts removed.

    Args:
        model: a transformers model for sequence classification in evaluation mode, on any device and in any precision.
        tokenizer: its fast tokenizer.
        text: the text to explain.
        target: the label or number of the class, or several; default: the class that the model predicts for the text.
        output: ``"logit"`` of the class; ``"margin"``: logit minus the largest of the other classes; ``"log_prob"``.
        function_to_apply: what makes probabilities of logits: ``"softmax"`` where one label is true, ``"sigmoid"``
            where each may be, ``"none"``; default: by the ``problem_type`` in the model's configuration, else softmax.
        unit: the players: ``"word"`` (separated by white space), ``"token"``, ``"sentence"``, or a list of
            (first character, one after the last); text between given spans is never removed.
        ablation: what replaces absent players: the tokenizer's ``"mask"``, ``"pad"`` or ``"unk"`` token for each of
            their tokens; ``replacement`` for each player (``"string"``); nothing (``"delete"``); or nothing, the tokens
            staying in place, excluded by the attention mask (``"hide"``). Default: ``"mask"`` if the tokenizer has that
            token, else ``"delete"``.
        replacement: the text of ``ablation="string"``.
        prefix, suffix: texts before and after, never removed.
        special_tokens: whether the tokenizer's special tokens stand around the prompt; default: yes, except for those
            at the beginning where the prompt itself begins with them.
        second_text: the second text of a pair classifier, never removed.
        tokens_per_batch: the most tokens that the model receives at once; default 2,048 on a CPU, else 65,536.
        compile: whether to compile the model by ``torch.compile``.

    Attributes:
        targets, labels: the numbers and names of the explained classes, one per output.

    Raises:
        ArgumentError: for an invalid argument, for instance a text that is longer than the model reads.

    Warns:
        UserWarning: where words of the text are unknown to the tokenizer: the model cannot tell them apart.

    Example:
        >>> import captum_spex
        >>> from captum_spex.games.text import ClassificationGame, embedded_model
        >>> game = ClassificationGame(*embedded_model(), "Her acting never fails to impress", target="positive")
        >>> result = captum_spex.explain(game, budget=64)
        >>> result.name_of(next(iter(result.top(1, order=2))))
        'never x fails'
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        text: str,
        *,
        target: str | int | Sequence[str | int] | None = None,
        output: Literal["logit", "margin", "log_prob"] = "logit",
        function_to_apply: Function | None = None,
        unit: str | Sequence[Span] = "word",
        ablation: Ablation | None = None,
        replacement: str | None = None,
        prefix: str = "",
        suffix: str = "",
        special_tokens: bool | None = None,
        second_text: str | None = None,
        tokens_per_batch: int | None = None,
        compile: bool = False,  # noqa: A002  # torch's own word
    ) -> None:
        checked_model(model, tokenizer)
        _check_padding_token(model)
        self.output = checks.choice("output", output, OUTPUTS)
        prompt = prompt_of(tokenizer, text, prefix=prefix, suffix=suffix, special_tokens=special_tokens)
        prompt = replace(prompt, second=second_text)
        settings = TextSettings(unit, ablation, replacement, tokens_per_batch, compile)
        super().__init__(model, tokenizer, prompt, settings)
        _check_last_token_stays(model, self._template)
        if self.n_unknown:
            warnings.warn(unknown_in_words(self, unit), stacklevel=2)
        config: Any = model.config
        names = class_labels(config, int(config.num_labels))
        self._function = function_of(function_to_apply, config, self.output, len(names))
        self._n_classes = len(names)
        self.targets = (self._predicted(),) if target is None else class_numbers(target, names)
        self.labels = tuple(names[number] for number in self.targets)

    @classmethod
    def from_pipeline(cls, pipeline: Any, text: str, **settings: Any) -> ClassificationGame:
        """Return the game of a ``transformers.pipeline("text-classification")``.

        The exponential of ``output="log_prob"`` is the pipeline's score of the target.

        Args:
            pipeline: the pipeline.
            text: the text to explain.
            settings: see `ClassificationGame`.

        Raises:
            ArgumentError: for another pipeline, or one that reads something else of the text, as it truncates it.
        """
        if getattr(pipeline, "task", None) not in ("text-classification", "sentiment-analysis"):
            got = f"{type_of(pipeline)} for {getattr(pipeline, 'task', 'no task')!r}"
            raise ArgumentError("pipeline", got, 'a `transformers.pipeline("text-classification")`')
        settings = {"function_to_apply": _function_of_pipeline(pipeline), **settings}
        game = cls(pipeline.model, pipeline.tokenizer, text, **settings)
        if not {"prefix", "suffix", "second_text", "special_tokens"} & settings.keys():
            _check_read_by_pipeline(pipeline, text, game._template)
        return game

    def _question(self) -> Mapping[str, str]:
        function = f" by {self._function}" if self.output == "log_prob" else ""
        return {"target": ", ".join(map(str, self.targets)), "output": self.output + function}

    def _predicted(self) -> int:
        with torch.inference_mode():
            return int(self._logits(ends(self.n_players)[:1])[0].argmax())

    def _logits(self, masks: Masks) -> Tensor:
        rows = self._template.rows(masks, fill=padding_token(self._model))
        logits: Tensor = getattr(self._forward(**self._tensors(rows)), "logits", torch.zeros(0))
        if logits.shape != (len(masks), self._n_classes):
            expected = "a model for sequence classification, such as `AutoModelForSequenceClassification` loads"
            raise ArgumentError("model", type_of(self._model), expected)
        return logits.float()

    def _values(self, masks: Masks) -> Tensor:
        return class_values(self._logits(masks), self.targets, self.output, self._function)


def _function_of_pipeline(pipeline: Any) -> str | None:
    """Return the function that a pipeline was told to apply, or applies to a single score."""
    given = getattr(pipeline, "_postprocess_params", {}).get("function_to_apply")
    if given is not None:
        return str(getattr(given, "value", given))
    config = pipeline.model.config
    return "sigmoid" if config.num_labels == 1 and config.problem_type != "regression" else None


def _check_read_by_pipeline(pipeline: Any, text: str, template: Template) -> None:
    read = pipeline.preprocess(text, **getattr(pipeline, "_preprocess_params", {}))["input_ids"][0].tolist()
    own = template.ids[~template.if_absent].tolist()
    if read != own:
        got = f"one that reads {len(read)} tokens of this text, where the text has {len(own)}"
        raise ArgumentError("pipeline", got, "a pipeline that reads the complete text", "Explain a shorter text.")


def _check_last_token_stays(model: Any, template: Template) -> None:
    """A decoder's classifier reads the last token even if the attention mask hides it."""
    if template.hides and template.players[-1] != FIXED and isinstance(getattr(model, "score", None), nn.Linear):
        hint = "A decoder reads the class from the last token, hidden or not."
        raise ArgumentError("ablation", "'hide'", "another ablation, or a `suffix`", hint)


def _check_padding_token(model: Any) -> None:
    """A decoder's classifier reads the last token before the padding, and so must know the padding token."""
    if isinstance(getattr(model, "score", None), nn.Linear) and model.config.pad_token_id is None:
        hint = "Set it, for instance to the tokenizer's `eos_token_id`."
        raise ArgumentError("model", "None", "a decoder's `model.config.pad_token_id`", hint)
