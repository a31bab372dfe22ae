"""Where a search for hyper-parameters starts: alone at the usual place, among many outputs where these together led."""

from __future__ import annotations

from dataclasses import dataclass, replace

from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters


@dataclass(frozen=True, eq=False)
class Start:
    """The hyper-parameters that many outputs of one model share, from which each takes a few steps of its own.

    Attributes:
        plain: of the process of the values themselves.
        linked: of the process of latent scores; ``None``: no links were learnt.
        n_steps: how many steps an output takes; 0 where one kernel serves all.
    """

    plain: Hyperparameters
    linked: Hyperparameters | None
    n_steps: int

    def of(self, initial: Hyperparameters, *, linked: bool) -> Hyperparameters:
        """Return the start for outputs whose usual start is ``initial``: their correlations with the players stay."""
        shared = self.linked if linked and self.linked is not None else self.plain
        return replace(shared.to(initial.linear), linear=initial.linear)
