"""Hyper-parameters of the Gaussian process on masks, by a few steps up the evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_PRIOR_SD = 1.5  # of a player's log-decay and log-variance about their own mean over players
_MEAN_SD = 3.0  # of that mean about where it starts
_JITTER = 1e-4  # single precision needs it; the exact solve does not
_BETAS = (0.9, 0.99)  # of Adam
_LATE = 0.7  # from this share of the steps on, the steps are shorter
_LATE_FACTOR = 0.4


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    r"""What the kernel of the Gaussian process is made of.

    .. math:: k(x, x') = a_1 e^{-d} + a_2 e^{-g d} + \sum_i l_i x_i x'_i + s^2 [x = x'],
              \qquad d = \sum_i w_i [x_i \ne x'_i]

    on masks as signs :math:`x_i = \pm 1`. All are kept as logarithms: ``shared`` holds :math:`a_1, a_2, g, s^2`,
    ``decays`` the :math:`w_i`, ``linear`` the :math:`l_i`.
    """

    shared: Tensor
    decays: Tensor
    linear: Tensor

    @classmethod
    def initial(cls, signs: Tensor, targets: Tensor) -> Hyperparameters:
        """Return where the search starts: decays alike, linear variances from the correlations with the targets."""
        n_masks, n_players = signs.shape
        seen = ((signs.T @ targets / n_masks) ** 2).mean(dim=1) + 1e-4
        shared = signs.new_tensor([0.0, -1.5, 1.5, -3.0])
        return cls(shared, signs.new_full((n_players,), math.log(0.5 / n_players)), seen.log())

    @property
    def nugget(self) -> float:
        """The variance of what is different in every mask."""
        return float(self.shared[3].exp())

    def to(self, like: Tensor) -> Hyperparameters:
        """Return them in the precision and on the device of a tensor."""
        return Hyperparameters(self.shared.to(like), self.decays.to(like), self.linear.to(like))

    def distances(self, signs: Tensor, others: Tensor) -> Tensor:
        """Return the weighted Hamming distance of every pair of masks."""
        w = self.decays.exp()
        return torch.addmm(w.sum() / 2, signs * w, others.T, alpha=-0.5).clamp_min_(0)

    def kernel(self, signs: Tensor, others: Tensor) -> Tensor:
        """Return the kernel without its nugget, ``(n_masks, n_others)``."""
        a1, a2, g, _ = self.shared.exp()
        distances = self.distances(signs, others)
        total = torch.addmm(torch.exp(-g * distances), signs * self.linear.exp(), others.T, beta=float(a2))
        return total.add_(distances.neg_().exp_(), alpha=float(a1))

    def prior_variance(self) -> float:
        """Return the kernel of a mask with itself."""
        return float(self.shared[:2].exp().sum() + self.linear.exp().sum())


def maximise_evidence(
    start: Hyperparameters,
    signs: Tensor,
    targets: Tensor,
    *,
    n_steps: int,
    learning_rate: float,
    extra: Tensor | None = None,
) -> Hyperparameters:
    r"""Take a few Adam steps up the evidence of standardised targets ``(n_masks, n_outputs)`` plus the log-prior.

    The outputs share the kernel. Stopping early is deliberate: at the maximum the evidence is over-fitted. The prior
    is hierarchical: log-decays and log-variances lie about their own mean with a standard deviation of 1.5.
    ``extra`` is a further covariance that stays as it is (sparse terms).

    References:
        Kingma, Ba, "Adam", ICLR 2015, algorithm 1.
    """
    flat = torch.cat([start.shared, start.decays, start.linear])
    slope, size = torch.zeros_like(flat), torch.zeros_like(flat)
    for step in range(1, n_steps + 1):
        now = _unflatten(flat, signs.shape[1])
        gradient = _gradient(now, signs, targets, extra) + _prior_gradient(now, start)
        # Adam by hand: importing `torch.optim` takes a second, as long as all the rest.
        slope = torch.lerp(gradient, slope, _BETAS[0])
        size = torch.lerp(gradient**2, size, _BETAS[1])
        rate = learning_rate * (_LATE_FACTOR if step > _LATE * n_steps else 1.0)
        scaled = (size / (1 - _BETAS[1] ** step)).sqrt() + 1e-8
        flat = flat - rate * slope / (1 - _BETAS[0] ** step) / scaled
    return _unflatten(flat, signs.shape[1])


def _unflatten(flat: Tensor, n_players: int) -> Hyperparameters:
    return Hyperparameters(flat[:4], flat[4 : 4 + n_players], flat[4 + n_players :])


def _gradient(now: Hyperparameters, signs: Tensor, targets: Tensor, extra: Tensor | None) -> Tensor:
    r"""Gradient of the mean negative log-evidence of an output, for all logarithms at once.

    With :math:`W = K^{-1} - \alpha \alpha^T` the derivative for any parameter is :math:`\tfrac12 \sum W \circ dK`.
    """
    a1, a2, g, nugget = now.shared.exp()
    distances = now.distances(signs, signs)
    near, far = a1 * torch.exp(-distances), a2 * torch.exp(-g * distances)
    linear = now.linear.exp()
    covariance = torch.addmm(near + far, signs * linear, signs.T)
    if extra is not None:
        covariance += extra
    covariance.diagonal().add_(nugget + _JITTER)
    weights = torch.cholesky_inverse(factorised(covariance))
    solved = weights @ targets
    weights = torch.addmm(weights, solved, solved.T, alpha=-1.0 / targets.shape[1])
    slopes = weights * (near + g * far)
    by_decay = -0.25 * now.decays.exp() * (slopes.sum() - (signs * (slopes @ signs)).sum(dim=0))
    by_linear = 0.5 * linear * (signs * (weights @ signs)).sum(dim=0)
    far *= weights
    by_shared = torch.stack(
        [
            0.5 * (weights * near).sum(),
            0.5 * far.sum(),
            -0.5 * g * (far * distances).sum(),
            0.5 * nugget * weights.diagonal().sum(),
        ]
    )
    return torch.cat([by_shared, by_decay, by_linear])


def _prior_gradient(now: Hyperparameters, prior: Hyperparameters) -> Tensor:
    parts = [torch.zeros_like(now.shared)]
    for values, first in ((now.decays, prior.decays), (now.linear, prior.linear)):
        middle = values.mean()
        parts.append((values - middle) / _PRIOR_SD**2 + (middle - first.mean()) / _MEAN_SD**2 / len(values))
    return torch.cat(parts)


def factorised(covariance: Tensor) -> Tensor:
    """Factorise; add to the diagonal what rounding makes necessary, in tenfold steps."""
    scale = float(covariance.diagonal().mean())
    jitter = 0.0
    for power in range(-6, 1):
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if not int(failed):
            return factor
        more = scale * 10.0**power
        covariance.diagonal().add_(more - jitter)
        jitter = more
    raise FloatingPointError("the covariance of the masks could not be factorised")
