"""A text classifier as a game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.games.class_scores import OUTPUTS, class_values, targets_of
from captum_spex.games.text.ablation import Ablation, Template
from captum_spex.games.text.answer_scorer import filler
from captum_spex.games.text.prompt import Prompt, prompt_of
from captum_spex.games.text.text_game import TextGame, checked_model
from captum_spex.games.text.tokens import FIXED
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks


class ClassificationGame(TextGame):
    """What a classifier says of a text when parts of it are removed.

    Args:
        model: a model for sequence classification of the library transformers, in evaluation mode, on any device and
            in any precision.
        tokenizer: its fast tokenizer.
        text: the text to explain.
        target: label or number of the class, or several; default: the class that the model predicts for the text.
        output: ``"logit"`` of the class; ``"margin"``: logit minus the largest of the other classes; ``"log_prob"``.
        unit: players: ``"word"`` (what white space separates), ``"token"``, ``"sentence"``, or a list of
            (first character, one after the last); what lies between given spans is never removed.
        ablation: what stands in place of absent players: for each of their tokens the tokenizer's ``"mask"``,
            ``"pad"`` or ``"unk"`` token; for each player ``replacement`` (``"string"``); nothing (``"delete"``); or
            their tokens, at which the model may not look (``"hide"``, by the attention mask). Default: ``"mask"`` if
            the tokenizer has that token, else ``"delete"``.
        replacement: a text for ``ablation="string"``.
        prefix, suffix: texts before and after that are never removed.
        second_text: the second text of a pair classifier, never removed.
        tokens_per_batch: the most tokens that the model receives at once; default 2,048 on a CPU, else 65,536.
        compile: whether to compile the model by ``torch.compile``.

    Attributes:
        targets: the numbers of the classes that are explained, one for each output.
        labels: their names.

    Raises:
        ArgumentError: an argument that cannot be used, among them a text that is longer than the model reads.

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
        unit: str | Sequence[Span] = "word",
        ablation: Ablation | None = None,
        replacement: str | None = None,
        prefix: str = "",
        suffix: str = "",
        second_text: str | None = None,
        tokens_per_batch: int | None = None,
        compile: bool = False,  # noqa: A002  # torch's own word
    ) -> None:
        checked_model(model, tokenizer)
        _check_last_word_is_found(model)
        self.output = checks.choice("output", output, OUTPUTS)
        laid_out = prompt_of(tokenizer, text, prefix=prefix, suffix=suffix)
        prompt = Prompt(laid_out.before, laid_out.text, laid_out.after, second_text)
        super().__init__(
            model,
            tokenizer,
            prompt,
            unit=unit,
            ablation=ablation,
            replacement=replacement,
            tokens_per_batch=tokens_per_batch,
            compile=compile,
        )
        _check_last_word_stays(model, self._template)
        names = _labels(model.config)
        if len(names) == 1 and output != "logit":
            raise ArgumentError("output", repr(output), "'logit' for a model with a single output")
        self._n_classes = len(names)
        self.targets = (self._predicted(),) if target is None else targets_of(target, names)
        self.labels = tuple(names[number] for number in self.targets)

    @classmethod
    def from_pipeline(cls, pipeline: Any, text: str, **settings: Any) -> ClassificationGame:
        """Return the game of a ``transformers.pipeline("text-classification")``.

        Args:
            pipeline: the pipeline.
            text: the text to explain.
            settings: see `ClassificationGame`.
        """
        if getattr(pipeline, "task", None) not in ("text-classification", "sentiment-analysis"):
            came = f"a {type(pipeline).__name__} for {getattr(pipeline, 'task', 'no task')!r}"
            raise ArgumentError("pipeline", came, 'a `transformers.pipeline("text-classification")`')
        return cls(pipeline.model, pipeline.tokenizer, text, **settings)

    def _question(self) -> Mapping[str, str]:
        return {"target": ", ".join(map(str, self.targets)), "output": self.output}

    def _predicted(self) -> int:
        with torch.inference_mode():
            return int(self._logits(np.ones((1, self.n_players), dtype=np.bool_))[0].argmax())

    def _logits(self, masks: Masks) -> Tensor:
        rows = self._template.rows(masks, fill=filler(self._model))
        logits: Tensor = getattr(self._forward(**self._tensors(rows)), "logits", torch.zeros(0))
        if logits.shape != (len(masks), self._n_classes):
            allowed = "a model for sequence classification, as `AutoModelForSequenceClassification` loads them"
            raise ArgumentError("model", f"a {type(self._model).__name__}", allowed)
        return logits.float()

    def _values(self, masks: Masks) -> Tensor:
        return class_values(self._logits(masks), self.targets, self.output)


def _labels(config: Any) -> list[str]:
    names = dict(config.id2label or {})
    return [str(names.get(number, number)) for number in range(int(config.num_labels))]


def _check_last_word_stays(model: Any, template: Template) -> None:
    """A decoder's classifier reads the last token even where the attention mask hides it."""
    if template.hides and template.players[-1] != FIXED and isinstance(getattr(model, "score", None), nn.Linear):
        came = "'hide' for a decoder, which reads the class from the last token, hidden or not"
        raise ArgumentError("ablation", came, "another ablation, or a `suffix`")


def _check_last_word_is_found(model: Any) -> None:
    """A decoder's classifier reads the last token that is no padding, and so must know its padding token."""
    if isinstance(getattr(model, "score", None), nn.Linear) and model.config.pad_token_id is None:
        hint = "Set `model.config.pad_token_id`, for instance to the tokenizer's `eos_token_id`."
        raise ArgumentError("model", "a decoder without `config.pad_token_id`", "one that has it", hint)
