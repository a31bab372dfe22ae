"""Captum attributions: drop-in replacements for ``captum.attr.KernelShap``."""

from captum_spex.attr.proxyspex import ProxySpex

__all__ = ["ProxySpex"]
