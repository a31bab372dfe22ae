"""SHAP explainers: any model and masker in, ``shap.Explanation`` objects and interactions out."""

from captum_spex.explainers.proxyspex import ProxySpexExplainer
from captum_spex.explainers.spex import SpexExplainer
from captum_spex.shap_export import to_shap

__all__ = ["ProxySpexExplainer", "SpexExplainer", "to_shap"]
