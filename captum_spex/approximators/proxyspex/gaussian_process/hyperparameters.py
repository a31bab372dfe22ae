"""The kernel of the Gaussian process on masks, in torch, and its hyper-parameters, by a few steps up the evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from captum_spex.approximators.proxyspex.settings import SETTINGS


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    r"""What the kernel of the Gaussian process is made of.

    .. math:: k(x, x') = a_1 e^{-d} + a_2 e^{-g d} + \sum_i l_i x_i x'_i + s^2 [x = x'],
              \qquad d = \sum_i w_i [x_i \ne x'_i]

    on masks as signs :math:`x_i = \pm 1`. All are stored as logarithms: ``shared`` holds :math:`a_1, a_2, g, s^2`,
    ``decays`` the :math:`w_i`, ``linear`` the :math:`l_i`.
    """

    shared: Tensor
    decays: Tensor
    linear: Tensor

    @classmethod
    def initial(cls, signs: Tensor, targets: Tensor) -> Hyperparameters:
        """Return where the search starts: decays alike, linear variances from the correlations with the targets."""
        n_masks, n_players = signs.shape
        correlations = ((signs.T @ targets / n_masks) ** 2).mean(dim=1) + 1e-4
        shared = signs.new_tensor([0.0, -1.5, 1.5, -3.0])
        return cls(shared, signs.new_full((n_players,), math.log(0.5 / n_players)), correlations.log())

    @property
    def nugget(self) -> float:
        """The variance of what is different in every mask."""
        return float(self.shared[3].exp())

    def to(self, like: Tensor) -> Hyperparameters:
        """Return them in the precision and on the device of a tensor."""
        return Hyperparameters(self.shared.to(like), self.decays.to(like), self.linear.to(like))

    def decaying(self, signs: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weighted Hamming distance of every pair of masks, and the two kernels that decay with it."""
        w = self.decays.exp()
        a1, a2, g, _ = self.shared.exp()
        distances = torch.addmm(w.sum() / 2, signs * w, others.T, alpha=-0.5).clamp_min_(0)
        return distances, distances.neg().exp_().mul_(a1), (distances * -g).exp_().mul_(a2)

    def kernel(self, signs: Tensor, others: Tensor) -> Tensor:
        """Return the kernel without its nugget, ``(n_masks, n_others)``."""
        _, near, far = self.decaying(signs, others)
        return near.add_(far).addmm_(signs * self.linear.exp(), others.T)

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
    first, second = SETTINGS.betas
    for step in range(1, n_steps + 1):
        now = _unflatten(flat, signs.shape[1])
        gradient = evidence_gradient(now, signs, targets, extra) + prior_gradient(now, start)
        # Adam by hand: importing `torch.optim` takes a second, as long as all the rest.
        slope = torch.lerp(gradient, slope, first)
        size = torch.lerp(gradient**2, size, second)
        rate = learning_rate * (SETTINGS.late_factor if step > SETTINGS.late_steps * n_steps else 1.0)
        scaled = (size / (1 - second**step)).sqrt() + 1e-8
        flat = flat - rate * slope / (1 - first**step) / scaled
    return _unflatten(flat, signs.shape[1])


def _unflatten(flat: Tensor, n_players: int) -> Hyperparameters:
    return Hyperparameters(flat[:4], flat[4 : 4 + n_players], flat[4 + n_players :])


def evidence_gradient(now: Hyperparameters, signs: Tensor, targets: Tensor, extra: Tensor | None) -> Tensor:
    r"""Return the gradient of the mean negative log-evidence of an output, for all logarithms at once.

    With :math:`W = K^{-1} - \alpha \alpha^T` the derivative for any parameter is :math:`\tfrac12 \sum W \circ dK`.
    """
    distances, near, far = now.decaying(signs, signs)
    ratio, nugget = now.shared[2:].exp()
    linear = now.linear.exp()
    covariance = torch.addmm(near + far, signs * linear, signs.T)
    if extra is not None:
        covariance += extra
    covariance.diagonal().add_(nugget + SETTINGS.jitter)
    weights = torch.cholesky_inverse(factorised(covariance))
    solved = weights @ targets
    weights = torch.addmm(weights, solved, solved.T, alpha=-1.0 / targets.shape[1])
    # Distances and linear kernel are bilinear in the signs: sums over pairs of masks become products with them.
    slopes = weights * (near + ratio * far)
    by_decay = -0.25 * now.decays.exp() * (slopes.sum() - (signs * (slopes @ signs)).sum(dim=0))
    by_linear = 0.5 * linear * (signs * (weights @ signs)).sum(dim=0)
    far *= weights
    by_ratio, by_nugget = -ratio * (far * distances).sum(), nugget * weights.diagonal().sum()
    by_shared = torch.stack([(weights * near).sum(), far.sum(), by_ratio, by_nugget])
    return torch.cat([0.5 * by_shared, by_decay, by_linear])


def prior_gradient(now: Hyperparameters, prior: Hyperparameters) -> Tensor:
    """Return the gradient of the negative log-prior, whose means are those of ``prior``."""
    parts = [torch.zeros_like(now.shared)]
    for values, first in ((now.decays, prior.decays), (now.linear, prior.linear)):
        mean = values.mean()
        to_mean = (values - mean) / SETTINGS.prior_deviation**2
        parts.append(to_mean + (mean - first.mean()) / SETTINGS.mean_deviation**2 / len(values))
    return torch.cat(parts)


def factorised(covariance: Tensor) -> Tensor:
    """Return the Cholesky factor; what rounding makes necessary is added to the diagonal, in tenfold steps."""
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
