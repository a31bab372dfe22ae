"""The model that the package brings along: a tiny classifier of review sentences (its card: README.md beside this)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

EMBEDDED_MODEL = Path(__file__).parent
"""Folder of the model, to be given wherever the library transformers takes a path."""


def embedded_model() -> tuple[nn.Module, Any]:
    """Return the embedded classifier of review sentences and its tokenizer; works offline.

    Labels are ``"negative"`` and ``"positive"``. It was trained on generated sentences only, and knows some hundreds of
    words; it is there to try things out.

    Example:
        >>> model, tokenizer = embedded_model()
        >>> logits = model(**tokenizer("A good film.", return_tensors="pt")).logits
        >>> model.config.id2label[int(logits.argmax())]
        'positive'
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(EMBEDDED_MODEL, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(EMBEDDED_MODEL, local_files_only=True)
