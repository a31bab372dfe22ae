"""Maskers in the form that SHAP's explainers use, and what is known about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from captum_spex.compat.shap import maskers, models
from captum_spex.errors import ArgumentError
from captum_spex.explainers.background import Background, Sampling, background_from, described
from captum_spex.explainers.shap_models import TorchModel

_TEXT_MODELS = (models.TransformersPipeline, models.TeacherForcing, models.TopKLM)
_TABLES = (maskers.Independent, maskers.Partition, Background)


def as_masker(masker: Any, sampling: Sampling) -> Any:
    """Return a masker as the explainers use it: tables become a `Background`.

    Args:
        masker: what the caller gave: a masker of SHAP, a table with or without weights, a tokenizer, a function, or a
            list of these, one for each argument of the model.
        sampling: how many rows of tables are used.

    Raises:
        ArgumentError: if it cannot be a masker.
    """
    if isinstance(masker, list | tuple) and masker and all(isinstance(part, maskers.Masker) for part in masker):
        return maskers.Composite(*masker)
    if isinstance(masker, dict) and "mean" in masker:
        return maskers.Independent(masker)
    if isinstance(masker, maskers.Masker):
        return masker
    background = background_from(masker, sampling)
    if background is not None:
        return background
    if isinstance(masker, list) and masker and not any(np.isscalar(part) for part in masker):
        return maskers.Composite(*(as_masker(part, sampling) for part in masker))
    if masker is None or callable(masker):
        return masker
    expected = "a masker of `shap.maskers`, a table of background rows, a tokenizer, or a function `masker(mask, *row)`"
    raise ArgumentError("masker", described(masker), expected)


def check_together(model: Any, masker: Any) -> None:
    """Raise for a model and a masker that cannot belong together."""
    if masker is None:
        expected = "a masker of `shap.maskers`, a table of background rows, a tokenizer, or a function"
        hint = "The masker cannot be None: only pipelines of transformers bring their own."
        raise ArgumentError("masker", "None", expected, hint)
    if isinstance(model, TorchModel) and isinstance(masker, maskers.Text):
        hint = 'Pass `transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)`.'
        raise ArgumentError("model", "a torch module", "a pipeline, or a function of texts, for a text masker", hint)
    if isinstance(model, _TEXT_MODELS) and isinstance(masker, _TABLES):
        expected = "a tokenizer, or a `shap.maskers.Text`, for a model of texts"
        raise ArgumentError("masker", "background rows of a table", expected)


def without_answers(masker: Any) -> Any:
    """Return the masker inside one that also gives the answers of a language model."""
    return masker.masker if isinstance(masker, maskers.OutputComposite | maskers.FixedComposite) else masker


def hides_texts(masker: Any) -> bool:
    """Whether a masker, or a part of it, hides parts of texts."""
    return any(isinstance(without_answers(part), maskers.Text) for part, _ in parts_of(masker, 1))


def n_arguments(masker: Any) -> int | None:
    """Return how many arguments of the model a masker takes; ``None`` if it is not known."""
    if isinstance(masker, maskers.Composite):
        return int(masker.total_args)
    return 1 if isinstance(without_answers(masker), (*_TABLES, maskers.Text, maskers.Image)) else None


def shown(masker: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a row as the masker shows them, texts as tokens."""
    if hasattr(masker, "data_transform"):
        return tuple(np.asarray(part) for part in masker.data_transform(*arguments))
    return arguments


def parts_of(masker: Any, n_given: int) -> list[tuple[Any, slice]]:
    """Return the maskers inside a composite one, or the masker itself, each with its arguments of the model."""
    if not isinstance(masker, maskers.Composite):
        return [(masker, slice(0, n_given))]
    stops = np.cumsum(masker.arg_counts).tolist()
    starts = [0, *stops[:-1]]
    return [(part, slice(start, stop)) for part, start, stop in zip(masker.maskers, starts, stops, strict=True)]
