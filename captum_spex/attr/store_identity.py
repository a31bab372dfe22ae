"""What identifies a model of Captum, and the arguments that it is called with, to a store."""

from __future__ import annotations

from typing import Any

from captum_spex.compat import captum
from captum_spex.evaluation.fingerprint import digestible


def identity_of(model: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what identifies a model; of Captum's wrapper of a language model, that model and what is made of it."""
    if not isinstance(model, captum.BaseLLMAttribution):
        return (model,)
    texts = [argument.values for argument in arguments if isinstance(argument, captum.InterpretableInput)]
    tokens = [list(model.tokenizer.encode(str(text))) for values in texts for text in values]
    return getattr(model, "model", model), getattr(model, "attr_target", None), tokens


def content_of(argument: Any) -> Any:
    """Return what an argument of a model says; of Captum's interpretable inputs, what the model gets of them."""
    if not isinstance(argument, captum.InterpretableInput):
        return argument
    present = argument.to_tensor()
    ends = [argument.to_model_input(present), argument.to_model_input(0 * present)]
    return type(argument).__qualname__, ends, {key: digestible(value) for key, value in vars(argument).items()}
