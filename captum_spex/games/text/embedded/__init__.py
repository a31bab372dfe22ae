"""The embedded model, a tiny classifier of review sentences; README.md in this folder is its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

EMBEDDED_MODEL = Path(__file__).parent
"""Folder of the model, for everything in transformers that takes a path."""


def embedded_model() -> tuple[nn.Module, Any]:
    """Return the embedded classifier of review sentences and its tokenizer; works offline.

    Labels are ``"negative"`` and ``"positive"``. It was trained on generated sentences only and knows a few hundred
    words: it is for trying things out.

    Example:
        >>> model, tokenizer = embedded_model()
        >>> logits = model(**tokenizer("A good film.", return_tensors="pt")).logits
        >>> model.config.id2label[int(logits.argmax())]
        'positive'
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(EMBEDDED_MODEL, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(EMBEDDED_MODEL, local_files_only=True)
