"""Features of sparse autoencoders as players."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.games.components.component import checked_module, module_named
from captum_spex.games.components.hooks import change_first


def with_autoencoder(model: nn.Module, module: str, autoencoder: nn.Module) -> nn.Module:
    r"""Return the model with a sparse autoencoder at the output of a module, whose features are channels to ablate.

    .. math:: x' = x + \mathrm{decode}(f') - \mathrm{decode}(f), \quad f = \mathrm{encode}(x)

    With all features :math:`f' = f` the model is unchanged: what the autoencoder does not reconstruct always stays. The
    features are the output of the module ``f"{module}.features"``: ``neurons(model, f"{module}.features", units,
    width=...)``. The model itself is not changed; the new one shares its weights.

    Args:
        model: the model.
        module: name of the module; the first item counts if its output has several.
        autoencoder: a module with the methods ``encode`` and ``decode``, such as an ``SAE`` of sae-lens, in evaluation
            mode.

    Raises:
        UnknownNameError: for a module that the model does not have; the nearest names are listed.
        ArgumentError: if the autoencoder does not have these methods, or ``module`` is the whole model.
        GameError: in a call, if the reconstruction has another shape than the module's output.

    Example:
        >>> import torch
        >>> from captum_spex.games.components import ComponentGame, neurons
        >>> class Halves(nn.Module):
        ...     def encode(self, states):
        ...         return torch.cat([states.relu(), (-states).relu()], dim=-1)
        ...     def decode(self, features):
        ...         positive, negative = features.chunk(2, dim=-1)
        ...         return positive - negative
        >>> model = with_autoencoder(nn.Sequential(nn.Identity()).eval(), "0", Halves().eval())
        >>> features = neurons(model, "0.features", width=4)
        >>> game = ComponentGame(model, torch.tensor([[3.0, -2.0]]), features, value=lambda scores: scores[:, 0].sum(1))
        >>> game([[True, True, True, True], [True, True, True, False], [False, True, True, True]])
        array([ 1.,  3., -2.])

    References:
        Marks et al., "Sparse feature circuits", ICLR 2025, section 2 (the error of the autoencoder stays).
    """
    found = module_named(checked_module(model), module, "module")
    if not module:
        raise ArgumentError("module", "the whole model", "the name of a module inside")
    missing = [name for name in ("encode", "decode") if not callable(getattr(autoencoder, name, None))]
    if missing or not isinstance(autoencoder, nn.Module):
        expected = "a torch module with the methods `encode` and `decode`"
        raise ArgumentError("autoencoder", type_of(autoencoder), expected)
    changed = copied = _shallow(checked_module(model))
    *path, last = module.split(".")
    for step in path:
        copied._modules[step] = copied = _shallow(copied._modules[step])
    copied._modules[last] = _WithFeatures(found, autoencoder, module)
    return changed


def _shallow(module: Any) -> Any:
    """Return a copy of a module that shares weights and children; children can be replaced in it."""
    copied = copy.copy(module)
    copied._modules = dict(module._modules)
    return copied


class _WithFeatures(nn.Module):
    """A module with an autoencoder at its output."""

    def __init__(self, module: nn.Module, autoencoder: nn.Module, name: str) -> None:
        super().__init__()
        self.module, self.autoencoder, self.features = module, autoencoder, nn.Identity()
        self._name = name
        self.training = self.features.training = module.training or autoencoder.training

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # models read attributes of their layers
            return getattr(super().__getattr__("module"), name)

    def forward(self, *given: Any, **named: Any) -> Any:
        return change_first(self.module(*given, **named), self._changed, self._name)

    def _changed(self, states: Tensor) -> Tensor:
        features = self.autoencoder.encode(states)  # type: ignore[operator]
        before = self.autoencoder.decode(features)  # type: ignore[operator]
        if before.shape != states.shape:
            got = f"{tuple(before.shape)} for {tuple(states.shape)}"
            raise GameError(f"`autoencoder`: expected a reconstruction of the shape of {self._name!r}, got {got}.")
        self.autoencoder.encode(states)  # type: ignore[operator]  # sae-lens: decoding uses up the norms that encoding kept
        after = self.autoencoder.decode(self.features(features))  # type: ignore[operator]
        return states + (after - before).to(states)
