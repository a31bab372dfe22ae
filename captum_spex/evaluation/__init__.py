"""The only place where a game is called: the evaluator, its store, and games whose batches other processes evaluate."""

from typing import TYPE_CHECKING

from captum_spex.lazy import lazily

if TYPE_CHECKING:
    from captum_spex.evaluation.evaluator import Evaluator
    from captum_spex.evaluation.fingerprint import digest
    from captum_spex.evaluation.ray_game import RayGame
    from captum_spex.evaluation.store import Store

__all__ = ["Evaluator", "RayGame", "Store", "digest"]

__getattr__, __dir__ = lazily(
    __name__, {"Evaluator": "evaluator", "RayGame": "ray_game", "Store": "store", "digest": "fingerprint"}
)
