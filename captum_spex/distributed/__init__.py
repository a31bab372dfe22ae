"""Games evaluated by several processes or machines."""

from captum_spex.distributed.ray_game import RayGame

__all__ = ["RayGame"]
