"""What accelerate leaves of a model: parameters on the meta device, and hooks that load them for a call."""

from __future__ import annotations

from copy import deepcopy
from functools import wraps

import torch


class LoadsWhenCalled:
    """A hook as accelerate's: it knows where the numbers are, and where the module computes."""

    def __init__(self, weights_map, execution_device="cpu"):
        self.weights_map = weights_map
        self.execution_device = execution_device


def offloaded(model, *parts):
    """A copy of a model, of which the named parts (default: all) are loaded when they are called, and then dropped."""
    model = deepcopy(model)
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if own and (not parts or name.startswith(parts)):
            _offload(module, own)
    return model


def _offload(module, own):
    weights = {key: parameter.detach().clone() for key, parameter in own.items()}
    module._hf_hook = LoadsWhenCalled(weights)
    module._old_forward = module.forward

    def place(tensors):
        for key, tensor in tensors.items():
            setattr(module, key, torch.nn.Parameter(tensor, requires_grad=False))

    @wraps(module._old_forward)
    def forward(*args, **named):
        place(weights)
        try:
            return module._old_forward(*args, **named)
        finally:
            place({key: tensor.to("meta") for key, tensor in weights.items()})

    module.forward = forward
    place({key: tensor.to("meta") for key, tensor in weights.items()})
