"""Captum attributions: drop-in replacements for ``captum.attr.KernelShap``; layers and training data too."""

from captum_spex.attr.influence import ProxySpexInfluence
from captum_spex.attr.layer import LayerProxySpex
from captum_spex.attr.llm import SpexLLMAttribution, SpexLLMAttributionResult
from captum_spex.attr.proxyspex import ProxySpex
from captum_spex.attr.spex import Spex

__all__ = [
    "LayerProxySpex",
    "ProxySpex",
    "ProxySpexInfluence",
    "Spex",
    "SpexLLMAttribution",
    "SpexLLMAttributionResult",
]
