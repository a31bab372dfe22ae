"""Captum attributions: drop-in replacements for ``captum.attr.KernelShap``; layers and training data too."""

from typing import TYPE_CHECKING

from captum_spex.attr.influence import ProxySpexInfluence
from captum_spex.attr.layer import LayerProxySpex
from captum_spex.attr.proxyspex import ProxySpex
from captum_spex.attr.spex import Spex
from captum_spex.lazy import lazily

if TYPE_CHECKING:
    from captum_spex.attr.llm import SpexLLMAttribution, SpexLLMAttributionResult

__all__ = [
    "LayerProxySpex",
    "ProxySpex",
    "ProxySpexInfluence",
    "Spex",
    "SpexLLMAttribution",
    "SpexLLMAttributionResult",
]

# These need more than the others: Captum 0.9, and what is made for texts, and so transformers.
__getattr__, __dir__ = lazily(__name__, {"SpexLLMAttribution": "llm", "SpexLLMAttributionResult": "llm"})
