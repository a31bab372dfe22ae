"""Maskers in the form that SHAP's explainers use, and what is known about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch

from captum_spex.arrays import type_of
from captum_spex.compat.shap import maskers, models, sample
from captum_spex.errors import ArgumentError
from captum_spex.explainers.shap_models import TorchModel

_TEXT_MODELS = (models.TransformersPipeline, models.TeacherForcing, models.TopKLM)
_TABLES = (maskers.Independent, maskers.Partition)


def as_masker(masker: Any, most_rows: int) -> Any:
    """Return a masker as SHAP's constructor takes it; sparse backgrounds are cut to ``most_rows`` rows here.

    Raises:
        ArgumentError: if it cannot be a masker.
    """
    if isinstance(masker, torch.Tensor):
        masker = masker.detach().cpu().numpy()
    if isinstance(masker, list | tuple) and masker and all(isinstance(part, maskers.Masker) for part in masker):
        return maskers.Composite(*masker)
    if isinstance(masker, dict) and "mean" in masker:
        return maskers.Independent(masker)
    if scipy.sparse.issparse(masker):
        rows = sample(masker, most_rows) if masker.shape[0] > most_rows else masker
        return maskers.Independent(rows.toarray())
    if masker is None or callable(masker):
        return masker
    if len(getattr(masker, "shape", ())) == 2 and masker.shape[0] > 0:
        return masker
    expected = "a masker of `shap.maskers`, a table of background rows, a tokenizer, or a function `masker(mask, *row)`"
    shape = f" of shape {masker.shape}" if hasattr(masker, "shape") else ""
    raise ArgumentError("masker", f"{type_of(masker)}{shape}", expected)


def check_together(model: Any, masker: Any) -> None:
    """Raise for a model and a masker that cannot belong together."""
    if masker is None:
        expected = "a masker of `shap.maskers`, a table of background rows, a tokenizer, or a function"
        raise ArgumentError("masker", "None", expected, "Only pipelines of transformers bring their own.")
    if isinstance(model, TorchModel) and isinstance(masker, maskers.Text):
        hint = 'Pass `transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)`.'
        raise ArgumentError("model", "a torch module", "a pipeline, or a function of texts, for a text masker", hint)
    if isinstance(model, _TEXT_MODELS) and isinstance(masker, _TABLES):
        expected = "a tokenizer, or a `shap.maskers.Text`, for a model of texts"
        raise ArgumentError("masker", f"a masker of tables, `{type(masker).__name__}`", expected)


def without_answers(masker: Any) -> Any:
    """Return the masker inside one that also gives the answers of a language model."""
    return masker.masker if isinstance(masker, maskers.OutputComposite | maskers.FixedComposite) else masker


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
