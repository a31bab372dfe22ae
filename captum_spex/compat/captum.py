"""What the adapters import from Captum. Its private helpers stand here only, as they may move between versions.

Captum 0.8 and 0.9 agree in all of this; `SpexLLMAttribution` also needs what is new in 0.9.
"""

from __future__ import annotations

from captum_spex.compat.versions import CAPTUM, imported_for

with imported_for(CAPTUM):
    from captum._utils.common import (
        _expand_additional_forward_args as expand_additional_forward_args,
    )
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

__all__ = [
    "DEFAULT_GEN_ARGS",
    "BaseLLMAttribution",
    "DataInfluence",
    "InterpretableInput",
    "KMostInfluentialResults",
    "LLMAttribution",
    "LLMAttributionResult",
    "LayerAttribution",
    "PerturbationAttribution",
    "ShapleyValueSampling",
    "TextTemplateInput",
    "TextTokenInput",
    "expand_additional_forward_args",
    "format_additional_forward_args",
    "format_baseline",
    "format_feature_mask",
    "format_output",
    "format_tensor_into_tuples",
    "is_tuple",
    "log_usage",
    "pretty_tokens",
    "run_forward",
]
