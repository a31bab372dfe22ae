"""The kernel of the Gaussian process on masks, in torch, and its hyper-parameters, by a few steps up the evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.linalg import lapack
from torch import Tensor

from captum_spex.approximators.proxyspex.settings import SETTINGS


@dataclass(frozen=True, eq=False)
class End:
    """One end of the lattice, seen from masks in the order of their sizes: the few near it, and its kernel there.

    Attributes:
        block: the masks near the end, a run of them, in both directions of a matrix of all masks.
        sizes: players by which each differs from the end, ``(n_near,)``.
        kernel: of every pair of them.
    """

    block: tuple[slice, slice]
    sizes: Tensor
    kernel: Tensor


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    r"""What the kernel of the Gaussian process is made of.

    .. math:: k(x, x') = a_1 e^{-d} + a_2 e^{-g d} + \sum_i l_i x_i x'_i + s^2 [x = x']
              + \sum_{e} a_e e^{-h d - r_e (|x - e| + |x' - e|)},
              \qquad d = \sum_i w_i [x_i \ne x'_i]

    on masks as signs :math:`x_i = \pm 1`, with the two ends e of the lattice, the empty and the full mask, and the
    number :math:`|x - e|` of players by which a mask differs from an end. A single word says something that has little
    to do with the middle of the lattice: without the last sum, one length scale would have to explain both.

    All are stored as logarithms: ``shared`` holds :math:`a_1, a_2, g, s^2, a_{empty}, a_{full}, h, r_{empty},
    r_{full}`, ``decays`` the :math:`w_i`, ``linear`` the :math:`l_i`.
    """

    shared: Tensor
    decays: Tensor
    linear: Tensor

    @classmethod
    def initial(cls, signs: Tensor, targets: Tensor) -> Hyperparameters:
        """Return where the search starts: decays alike, linear variances from the correlations with the targets.

        An end of the lattice where targets vary more than in the middle starts with half of their variance there.
        """
        n_masks, n_players = signs.shape
        correlations = ((signs.T @ targets / n_masks) ** 2).mean(dim=1) + 1e-4
        shared = signs.new_tensor([0.0, -1.5, 1.5, -3.0, *SETTINGS.end_means])
        shared[4:6] = _amplitudes_of_ends(signs, targets).clamp(min=shared[4:6])
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
        a1, a2, g = self.shared[:3].exp()
        distances = torch.addmm(w.sum() / 2, signs * w, others.T, alpha=-0.5).clamp_min_(0)
        return distances, distances.neg().exp_().mul_(a1), (distances * -g).exp_().mul_(a2)

    def kernel(self, signs: Tensor, others: Tensor) -> Tensor:
        """Return the kernel without its nugget, ``(n_masks, n_others)``."""
        distances, near, far = self.decaying(signs, others)
        total = near.add_(far).addmm_(signs * self.linear.exp(), others.T)
        for end, (sizes, others_sizes) in enumerate(zip(_sizes(signs), _sizes(others), strict=True)):
            total += self._fading(end, distances, sizes, others_sizes)
        return total

    def ends(self, sizes: tuple[Tensor, Tensor], distances: Tensor) -> tuple[End, End]:
        """Return both ends of the lattice, as far as they matter to a search, for masks in the order of their sizes."""
        found = []
        for end, of_all in enumerate(sizes):
            n_near = int((self.shared[7 + end].exp() * of_all <= SETTINGS.end_reach).sum())
            near = slice(len(of_all) - n_near, None) if end else slice(n_near)
            own = of_all[near]
            found.append(End((near, near), own, self._fading(end, distances[near, near], own, own)))
        return found[0], found[1]

    def _fading(self, end: int, distances: Tensor, sizes: Tensor, others: Tensor) -> Tensor:
        """The kernel of an end between masks that differ from it by ``sizes`` and ``others`` players."""
        amplitude, h, rate = self.shared[4 + end].exp(), self.shared[6].exp(), self.shared[7 + end].exp()
        return (distances * -h).sub_(rate * sizes[:, None]).sub_(rate * others).exp_().mul_(amplitude)


def _sizes(signs: Tensor) -> tuple[Tensor, Tensor]:
    """By how many players every mask differs from the empty mask, and from the full one."""
    absent = (signs.shape[1] + signs.sum(dim=1)) / 2  # a player that is present has the sign -1
    return signs.shape[1] - absent, absent


def _amplitudes_of_ends(signs: Tensor, targets: Tensor) -> Tensor:
    """Logarithms of half of the targets' variance near both ends, where it exceeds that in the middle, else -inf."""
    sizes = _sizes(signs)
    reach = SETTINGS.end_share * signs.shape[1]

    def variance(rows: Tensor) -> float:
        return float(targets[rows].var(dim=0, unbiased=False).mean()) if int(rows.sum()) > 1 else 0.0

    middle = variance((sizes[0] >= reach) & (sizes[1] >= reach))
    own = [variance((of_all > 0) & (of_all < reach)) for of_all in sizes]
    return targets.new_tensor([math.log(one / 2) if one > middle > 0 else -math.inf for one in own])


def in_order_of_size(signs: Tensor) -> Tensor:
    """Return the order of masks by the number of their players: those near an end of the lattice are together."""
    return signs.sum(dim=1).argsort(descending=True, stable=True)


def maximise_evidence(
    start: Hyperparameters,
    signs: Tensor,
    targets: Tensor,
    *,
    n_steps: int,
    learning_rate: float,
    extra: Tensor | None = None,
    draws: Sequence[Tensor] | None = None,
) -> Hyperparameters:
    r"""Take a few Adam steps up the evidence of standardised targets ``(n_masks, n_outputs)`` plus the log-prior.

    The outputs share the kernel. Stopping early is deliberate: at the maximum the evidence is over-fitted. The prior
    is hierarchical: log-decays and log-variances lie about their own mean with a standard deviation of 1.5. What the
    ends are made of has a prior of its own.
    ``extra`` is a further covariance that stays as it is (sparse terms). With ``draws``, rows for each step, every step
    looks at these masks alone.

    References:
        Kingma, Ba, "Adam", ICLR 2015, algorithm 1.
    """
    order = in_order_of_size(signs)
    parts = [_some(order, signs, targets, extra)]
    if draws is not None:
        rank = order.argsort()
        parts = [_some(order[rank[rows].sort().values], signs, targets, extra) for rows in draws]
    flat = torch.cat([start.shared, start.decays, start.linear])
    slope, size = torch.zeros_like(flat), torch.zeros_like(flat)
    first, second = SETTINGS.betas
    for step in range(1, n_steps + 1):
        now = _unflatten(flat, signs.shape[1])
        gradient = evidence_gradient(now, *parts[(step - 1) % len(parts)]) + prior_gradient(now, start)
        # Adam by hand: importing `torch.optim` takes a second, as long as all the rest.
        slope = torch.lerp(gradient, slope, first)
        size = torch.lerp(gradient**2, size, second)
        rate = learning_rate * (SETTINGS.late_factor if step > SETTINGS.late_steps * n_steps else 1.0)
        scaled = (size / (1 - second**step)).sqrt() + 1e-8
        flat = flat - rate * slope / (1 - first**step) / scaled
    return _unflatten(flat, signs.shape[1])


def _some(rows: Tensor, signs: Tensor, targets: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    return signs[rows], targets[rows], None if extra is None else extra[rows[:, None], rows]


def _unflatten(flat: Tensor, n_players: int) -> Hyperparameters:
    first = len(flat) - 2 * n_players
    return Hyperparameters(flat[:first], flat[first:-n_players], flat[-n_players:])


def evidence_gradient(now: Hyperparameters, signs: Tensor, targets: Tensor, extra: Tensor | None) -> Tensor:
    r"""Return the gradient of the mean negative log-evidence of an output, for all logarithms at once.

    With :math:`W = K^{-1} - \alpha \alpha^T` the derivative for any parameter is :math:`\tfrac12 \sum W \circ dK`.
    The masks are in the order of their sizes (`in_order_of_size`).
    """
    distances, near, far = now.decaying(signs, signs)
    ratio, nugget = now.shared[2:4].exp()
    linear, ends = now.linear.exp(), now.ends(_sizes(signs), distances)
    covariance = (near + far).addmm_(signs * linear, signs.T)
    for end in ends:
        covariance[end.block] += end.kernel
    if extra is not None:
        covariance += extra
    covariance.diagonal().add_(nugget + SETTINGS.jitter)
    weights = inverse_of(covariance)
    solved = weights @ targets
    weights.addmm_(solved, solved.T, alpha=-1.0 / targets.shape[1])
    # Distances and linear kernel are bilinear in the signs: sums over pairs of masks become products with them.
    far *= weights
    slopes = near.mul_(weights).add(far, alpha=float(ratio))
    by_end = _gradient_of_ends(now, ends, weights, distances, slopes)
    by_decay = -0.25 * now.decays.exp() * (slopes.sum() - (signs * (slopes @ signs)).sum(dim=0))
    by_linear = 0.5 * linear * (signs * (weights @ signs)).sum(dim=0)
    by_ratio, by_nugget = -ratio * far.ravel().dot(distances.ravel()), nugget * weights.diagonal().sum()
    by_shared = torch.stack([near.sum(), far.sum(), by_ratio, by_nugget])
    return torch.cat([0.5 * by_shared, 0.5 * by_end, by_decay, by_linear])


def _gradient_of_ends(
    now: Hyperparameters, ends: tuple[End, End], weights: Tensor, distances: Tensor, slopes: Tensor
) -> Tensor:
    """Return twice the gradient for what the ends are made of, and add to ``slopes``, those by the distances."""
    h, rates = now.shared[6].exp(), now.shared[7:].exp()
    by_amplitude, by_rate, by_h = [], [], torch.zeros_like(h)
    for end, rate in zip(ends, rates, strict=True):
        weighted = weights[end.block] * end.kernel
        slopes[end.block].add_(weighted, alpha=float(h))
        by_mask = weighted.sum(dim=1)
        by_amplitude.append(by_mask.sum())
        by_rate.append(-2 * rate * (by_mask @ end.sizes))
        by_h -= h * weighted.mul_(distances[end.block]).sum()
    return torch.stack([*by_amplitude, by_h, *by_rate])


def prior_gradient(now: Hyperparameters, prior: Hyperparameters) -> Tensor:
    """Return the gradient of the negative log-prior, whose means are those of ``prior``."""
    means, deviations = (now.shared.new_tensor(some) for some in (SETTINGS.end_means, SETTINGS.end_deviations))
    parts = [torch.zeros_like(now.shared[:4]), (now.shared[4:] - means) / deviations**2]
    for values, first in ((now.decays, prior.decays), (now.linear, prior.linear)):
        mean = values.mean()
        to_mean = (values - mean) / SETTINGS.prior_deviation**2
        parts.append(to_mean + (mean - first.mean()) / SETTINGS.mean_deviation**2 / len(values))
    return torch.cat(parts)


def inverse_of(covariance: Tensor) -> Tensor:
    """Return the inverse of a covariance, by its Cholesky factor."""
    if covariance.device.type != "cpu":
        return torch.cholesky_inverse(factorised(covariance))
    # torch clears a triangle of the factor entry by entry, and copies: twice the time of LAPACK itself.
    copy = covariance.numpy().copy()
    factorise, invert = lapack.get_lapack_funcs(("potrf", "potri"), (copy,))
    factor, failed = factorise(copy.T, lower=False, clean=False, overwrite_a=True)
    if failed:
        return torch.cholesky_inverse(factorised(covariance))
    inverse = torch.from_numpy(invert(factor, lower=False, overwrite_c=True)[0].T).tril_()
    return inverse.add_(inverse.tril(-1).mT)


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
