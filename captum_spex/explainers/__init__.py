"""SHAP explainers: any model and masker in, ``shap.Explanation`` objects and interactions out."""

from captum_spex.explainers.groups import Windows
from captum_spex.explainers.proxyspex import ProxySpexExplainer
from captum_spex.explainers.spex import SpexExplainer
from captum_spex.exports.shap import to_shap

__all__ = ["ProxySpexExplainer", "SpexExplainer", "Windows", "to_shap"]
