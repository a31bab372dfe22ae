"""The explainers that a benchmark compares, each behind one small adapter."""

from __future__ import annotations

from captum_spex.benchmark._protocol import Method
from captum_spex.benchmark.methods import _captum, _ours, _shap, _shapiq, _sparse_transform
from captum_spex.errors import UnknownNameError

__all__ = ["all_methods", "method_named"]


def all_methods() -> list[Method]:
    """Return every method: of this package, Captum, SHAP, shapiq and sparse-transform, installed or not.

    Returns:
        The methods; `Method.missing` says which of them cannot be used here.

    Example:
        >>> [method.name for method in all_methods() if method.package == "captum-spex"][:2]
        ['Spex', 'ProxySpex']
    """
    packages = (_ours, _captum, _shap, _shapiq, _sparse_transform)
    return [method for package in packages for method in package.METHODS]


def method_named(name: str) -> Method:
    """Return the method of a name.

    Args:
        name: what the method is called in results.

    Returns:
        The method.

    Raises:
        UnknownNameError: if no method is called so.

    Example:
        >>> method_named("Captum KernelShap").package
        'captum'
    """
    methods = {method.name: method for method in all_methods()}
    if name not in methods:
        raise UnknownNameError("name", repr(name), ", ".join(map(repr, methods)))
    return methods[name]
