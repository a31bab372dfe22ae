"""Captum's private helpers, in one place because they may move between Captum's versions."""

from __future__ import annotations

from typing import Any

from captum._utils.common import (
    _expand_additional_forward_args as expand_additional_forward_args,
)
from captum._utils.common import _expand_target as expand_target
from captum._utils.common import _format_additional_forward_args as format_additional_forward_args
from captum._utils.common import _format_baseline as format_baseline
from captum._utils.common import _format_feature_mask as format_feature_mask
from captum._utils.common import _format_output as format_output
from captum._utils.common import _format_tensor_into_tuples as format_tensor_into_tuples
from captum._utils.common import _is_tuple as is_tuple
from captum._utils.common import _run_forward as run_forward
from captum.attr import (
    InterpretableInput,
    LayerAttribution,
    LLMAttribution,
    LLMAttributionResult,
    PerturbationAttribution,
    ShapleyValueSampling,
    TextTemplateInput,
    TextTokenInput,
)
from captum.attr._core.llm_attr import DEFAULT_GEN_ARGS, BaseLLMAttribution
from captum.attr._core.llm_attr import _convert_ids_to_pretty_tokens as pretty_tokens
from captum.influence import DataInfluence
from captum.influence._utils.common import KMostInfluentialResults
from captum.log import log_usage

from captum_spex.fingerprint import digestible

__all__ = [
    "DEFAULT_GEN_ARGS",
    "BaseLLMAttribution",
    "DataInfluence",
    "KMostInfluentialResults",
    "LLMAttribution",
    "LLMAttributionResult",
    "LayerAttribution",
    "PerturbationAttribution",
    "ShapleyValueSampling",
    "TextTemplateInput",
    "TextTokenInput",
    "content_of",
    "expand_additional_forward_args",
    "expand_target",
    "format_additional_forward_args",
    "format_baseline",
    "format_feature_mask",
    "format_output",
    "format_tensor_into_tuples",
    "identity_of",
    "is_tuple",
    "log_usage",
    "pretty_tokens",
    "run_forward",
]


def identity_of(model: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what identifies a model; of Captum's wrapper of a language model, that model and what is made of it."""
    if not isinstance(model, BaseLLMAttribution):
        return (model,)
    texts = [argument.values for argument in arguments if isinstance(argument, InterpretableInput)]
    tokens = [list(model.tokenizer.encode(str(text))) for values in texts for text in values]
    return getattr(model, "model", model), getattr(model, "attr_target", None), tokens


def content_of(argument: Any) -> Any:
    """Return what an argument of a model says; of Captum's interpretable inputs, what the model gets of them."""
    if not isinstance(argument, InterpretableInput):
        return argument
    present = argument.to_tensor()
    ends = [argument.to_model_input(present), argument.to_model_input(0 * present)]
    return type(argument).__qualname__, ends, {key: digestible(value) for key, value in vars(argument).items()}
