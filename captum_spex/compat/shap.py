"""What the explainers and exports import from SHAP, and what differs between its versions 0.46 to 0.54."""

from __future__ import annotations

from typing import Any, NamedTuple

from captum_spex.compat.versions import SHAP, imported_for

with imported_for(SHAP):
    from shap import Explainer, Explanation, links, maskers, models
    from shap.utils import OpChain, sample

__all__ = [
    "Explainer",
    "Explanation",
    "OpChain",
    "Operation",
    "generating",
    "is_identity",
    "links",
    "maskers",
    "models",
    "operations",
    "sample",
]


def is_identity(link: Any) -> bool:
    """Whether a link is ``shap.links.identity``, or a copy of it that was loaded from a file.

    SHAP's links are compiled by numba up to 0.51 (a loaded copy is then another object), plain functions from 0.52 on.
    """
    function = getattr(link, "py_func", link)  # the function that numba compiled
    return link is links.identity or (
        getattr(function, "__module__", None) == links.__name__ and getattr(function, "__name__", None) == "identity"
    )


class Operation(NamedTuple):
    """A method that was applied to an explanation.

    Attributes:
        name: the method.
        prev_shape: the shape of the values before.
        args: its arguments.
        collapsed_instances: whether rows were aggregated.
    """

    name: str
    prev_shape: tuple[int, ...]
    args: tuple[Any, ...]
    collapsed_instances: bool


def operations(explanation: Any) -> list[Operation]:
    """Return the history of an explanation, which holds dictionaries in 0.46 and records by 0.51."""
    entries = [entry if isinstance(entry, dict) else vars(entry) for entry in explanation.op_history]
    defaults = {"args": (), "collapsed_instances": False}
    return [Operation(*({**defaults, **entry}[name] for name in Operation._fields)) for entry in entries]


def generating(model: Any, masker: Any) -> tuple[Any, Any]:
    """Return a language model, and its tokenizer or masker, wrapped as SHAP wraps those that it recognises.

    SHAP 0.46 recognises a list of classes, 0.51 all.
    """
    is_masker = isinstance(masker, maskers.Text)
    text = masker if is_masker else maskers.Text(masker, mask_token="...", collapse_mask_token=True)
    forced = models.TeacherForcing(model, text.tokenizer)
    return forced, maskers.OutputComposite(text, forced.text_generate)
