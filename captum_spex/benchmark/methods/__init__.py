"""The explainers that a benchmark compares, each behind one small adapter."""

from __future__ import annotations

from captum_spex.benchmark.methods import (
    captum_methods,
    lasso_method,
    own_methods,
    shap_methods,
    shapiq_methods,
    sparse_transform_method,
)
from captum_spex.benchmark.protocol import Method

__all__ = ["all_methods"]


def all_methods() -> list[Method]:
    """Return every method: of this package and of five others, installed or not.

    Returns:
        The methods; `Method.missing` says which of them cannot be used here.

    Example:
        >>> [method.name for method in all_methods() if method.package == "captum-spex"][:2]
        ['Spex', 'ProxySpex']
    """
    packages = own_methods, captum_methods, shap_methods, shapiq_methods, sparse_transform_method, lasso_method
    return [method for package in packages for method in package.METHODS]
