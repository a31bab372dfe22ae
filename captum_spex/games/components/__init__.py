"""Games over the components of a model: attention heads, MLP blocks, neurons, layers, any modules."""

from captum_spex.games.components.autoencoders import with_autoencoder
from captum_spex.games.components.component import Component, Place
from captum_spex.games.components.component_game import ComponentGame
from captum_spex.games.components.find import heads, layers, mlps, modules, neurons
from captum_spex.games.components.value_functions import accuracy, log_prob, logit_difference, loss

__all__ = [
    "Component", "ComponentGame", "Place", "accuracy", "heads", "layers", "log_prob", "logit_difference", "loss",
    "mlps", "modules", "neurons", "with_autoencoder",
]  # fmt: skip
