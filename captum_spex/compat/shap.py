"""What the explainers and exports need of SHAP, and what differs between its versions, 0.46 to 0.54."""

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

    SHAP's links are compiled by numba up to 0.51 (a loaded copy then is another object), plain functions from 0.52 on.
    """
    function = getattr(link, "py_func", link)  # what numba compiled
    return link is links.identity or (
        getattr(function, "__module__", None) == links.__name__ and getattr(function, "__name__", None) == "identity"
    )


class Operation(NamedTuple):
    """Something that was done to an explanation.

    Attributes:
        name: of the method.
        prev_shape: the shape of the values before.
        args: what it was given.
        collapsed_instances: whether rows were put together.
    """

    name: str
    prev_shape: tuple[int, ...]
    args: tuple[Any, ...]
    collapsed_instances: bool


def operations(explanation: Any) -> list[Operation]:
    """Return what was done to an explanation; its history holds dictionaries in 0.46, records by 0.51."""
    facts = [one if isinstance(one, dict) else vars(one) for one in explanation.op_history]
    nothing = {"args": (), "collapsed_instances": False}
    return [Operation(*({**nothing, **one}[name] for name in Operation._fields)) for one in facts]


def generating(model: Any, masker: Any) -> tuple[Any, Any]:
    """Return a language model, and its tokenizer or masker, as SHAP itself wraps those that it knows.

    SHAP 0.46 knows those of a list of classes, 0.51 all.
    """
    is_masker = isinstance(masker, maskers.Text)
    text = masker if is_masker else maskers.Text(masker, mask_token="...", collapse_mask_token=True)
    forced = models.TeacherForcing(model, text.tokenizer)
    return forced, maskers.OutputComposite(text, forced.text_generate)
