"""The recovered game: a sum of parts, each of which knows its interaction indices in closed form."""

from captum_spex.model.among_others import AmongOthers, RecoveredGame, recovered_game
from captum_spex.model.game_model import GameModel
from captum_spex.model.kernel_expansion import KernelExpansion
from captum_spex.model.linked_expansion import Link, LinkedExpansion
from captum_spex.model.part import Part
from captum_spex.model.posterior import Posterior
from captum_spex.model.product_kernel import ProductKernel
from captum_spex.model.residuals import Residuals
from captum_spex.model.spectrum import Spectrum
from captum_spex.model.trees import TreeEnsemble

__all__ = [
    "AmongOthers",
    "GameModel",
    "KernelExpansion",
    "Link",
    "LinkedExpansion",
    "Part",
    "Posterior",
    "ProductKernel",
    "RecoveredGame",
    "Residuals",
    "Spectrum",
    "TreeEnsemble",
    "recovered_game",
]
