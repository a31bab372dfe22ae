"""Captum attributions: drop-in replacements for ``captum.attr.KernelShap``."""

from captum_spex.attr.llm import SpexLLMAttribution, SpexLLMAttributionResult
from captum_spex.attr.proxyspex import ProxySpex
from captum_spex.attr.spex import Spex

__all__ = ["ProxySpex", "Spex", "SpexLLMAttribution", "SpexLLMAttributionResult"]
