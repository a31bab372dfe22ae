"""Arguments and attributes of SHAP's older interface: what stands in their place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from captum_spex.errors import UnexpectedArgumentError

_LARGEST = "`outputs=shap.Explanation.argsort.flip[:k]` of a call in its place, the k largest outputs of each row"
_NO_TREE = "no such argument, as the model is any function"
_SEED = "the explainer's `seed` in its place"
_ARGUMENTS = {
    "nsamples": "`max_evals` of a call in its place, the number of masks for each row",
    "npermutations": "`max_evals` of a call in its place, the number of masks for each row",
    "batch_evals": "`batch_size` of a call in its place, the number of masks per call of the model",
    "data": "`masker` in its place, such as a table of background rows",
    "ranked_outputs": _LARGEST,
    "output_rank_order": _LARGEST,
    "rseed": _SEED,
    "random_state": _SEED,
    "l1_reg": "no such argument, as no value is cut to 0",
    "check_additivity": "no such argument, as the values always add up to the prediction",
    "approximate": _NO_TREE,
    "tree_limit": _NO_TREE,
    "from_call": _NO_TREE,
    "feature_perturbation": _NO_TREE,
    "model_output": "no such argument, as a model that returns this output is explained, or one with a `link`",
    "y": "no such argument; a loss is explained as a model of two inputs: `explainer(X, y)` with the masker "
    "`[background, shap.maskers.Fixed()]`",
    "gc_collect": "no such argument, as no memory is kept",
    "keep_index": "no such argument, as data frames always keep their index",
    "keep_index_ordered": "no such argument, as data frames always keep their index",
    "fixed_context": "no such argument, as these are Shapley values, not Owen values",
}
_ATTRIBUTES = {
    "expected_value": "`explainer(X).base_values`, the value without any feature, for each row",
    "shap_interaction_values": "`explainer(X, interactions=True).values`",
    "explain": "`explainer(X)` with one row or many",
    "data": "`explainer.masker`, which holds the background",
    "nsamples": "the argument `max_evals` of a call",
}


def refuse(others: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Raise if there are other keyword arguments than a function knows.

    Raises:
        UnexpectedArgumentError: that says what stands in the place of an argument of the older interface, else which
            arguments there are.
    """
    for name, value in others.items():
        if name in _ARGUMENTS:
            raise UnexpectedArgumentError(name, repr(value)[:60], _ARGUMENTS[name])
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        known = [one.name for one in inspect.signature(function).parameters.values() if one.kind in kinds]
        known = [one for one in known if one != "self"]
        alike = get_close_matches(name, known, 1)
        hint = f"Did you mean `{alike[0]}`?" if alike else ""
        expected = ", ".join(f"`{one}`" for one in known)
        raise UnexpectedArgumentError(name, f"an unexpected keyword argument {name!r}", f"one of {expected}", hint)


def missing(explainer: object, name: str) -> AttributeError:
    """Return the error about an attribute that an explainer lacks."""
    kind = type(explainer).__name__
    if name in _ATTRIBUTES:
        return AttributeError(f"`{kind}` has no `{name}`, as SHAP's older explainers have; use {_ATTRIBUTES[name]}.")
    return AttributeError(f"{kind!r} object has no attribute {name!r}")
