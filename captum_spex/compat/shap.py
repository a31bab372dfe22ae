"""What the explainers and exports need of SHAP, and what differs between its versions, 0.46 to 0.54."""

from __future__ import annotations

from typing import Any

from captum_spex.compat.versions import SHAP, imported_for

with imported_for(SHAP):
    from shap import Explainer, Explanation, links, maskers, models
    from shap.utils import OpChain, sample

__all__ = [
    "Explainer",
    "Explanation",
    "OpChain",
    "is_identity",
    "links",
    "maskers",
    "models",
    "sample",
]


def is_identity(link: Any) -> bool:
    """Whether a link is ``shap.links.identity``, or a copy of it that was loaded from a file.

    SHAP's links are compiled by numba up to 0.51 (a loaded copy then is another object), plain functions from 0.52 on.
    """
    function = getattr(link, "py_func", link)  # what numba compiled
    return link is links.identity or (
        getattr(function, "__module__", None) == links.__name__ and getattr(function, "__name__", None) == "identity"
    )
