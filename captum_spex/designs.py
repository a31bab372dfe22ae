"""Mask designs: which coalitions to evaluate. Every design starts with the full and the empty mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import signs
from captum_spex.masks import Masks, all_masks, codes_to_masks, ends, first_rows, in_batches, mask_keys
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True)
class Settings:
    """How masks are spread; measured on games of the benchmark (`python -m benchmarks.designs`)."""

    binomial_share: float = 0.75  # of masks spread beside single players, or alone; others have sizes drawn uniformly
    pairs_binomial_share: float = 0.5  # beside all pairs of players, or beside nothing
    scarce: int = 64  # spread masks below which all have binomial sizes: faithfulness is measured there
    draws: int = 10  # candidates per chosen mask
    spread_players: int = 64  # beyond, random masks are far from each other anyway
    balanced_players: int = 200  # beyond, balancing unpaired masks takes seconds
    worth_a_swap: float = 1e-9  # rise of a mask's variance, above rounding
    sized_players: int = 4096  # beyond, a mask has the size drawn for it on average only: no sorting
    listed_players: int = 24  # up to which all masks that are not drawn yet are listed: 128 MiB
    block: int = 32  # pairs chosen per step
    attempts: int = 20  # of drawing distinct masks before the free ones are listed


SETTINGS = Settings()


@dataclass(frozen=True, eq=False)
class Design:
    """Distinct masks, the first two full and empty, and how each was chosen.

    ``odds`` ``(n_masks,)`` is 0 for a mask that was enumerated or chosen on purpose; for one that was drawn, how much
    likelier a uniformly random mask has its size than a mask of the design.
    """

    masks: Masks
    odds: Floats

    @property
    def weights(self) -> Floats:
        """The share of all uniformly random masks that each mask represents: they sum to 1.

        Faithfulness is defined on uniformly random masks, so it is measured as a mean with these weights. A mask that
        was not drawn represents itself, those that were drawn share the rest.
        """
        weights = np.full(len(self.masks), 0.5 ** self.masks.shape[1])
        if self.odds.any():
            drawn = self.odds > 0
            weights[drawn] = self.odds[drawn] / self.odds.sum() * max(0.0, 1 - weights[~drawn].sum())
        return np.asarray(weights / weights.sum()) if weights.any() else np.full(len(weights), 1 / len(weights))

    def extended(self, chosen: Masks) -> Design:
        """Return the design with masks that were chosen on purpose behind."""
        return Design(np.concatenate([self.masks, chosen]), np.concatenate([self.odds, np.zeros(len(chosen))]))


def exhaustive(n_players: int) -> Design:
    """All ``2**n_players`` masks."""
    masks = all_masks(n_players)
    masks[[0, -1]] = masks[[-1, 0]]
    masks[[1, -1]] = masks[[-1, 1]]  # full, empty, and the rest
    return Design(masks, np.zeros(len(masks)))


def bernoulli(n_players: int, n_masks: int, rng: np.random.Generator, *, taken: Design | None = None) -> Design:
    """Draw distinct uniformly random masks, behind those ``taken`` before: all players are present half of the time."""

    def draw(count: int) -> Masks:
        bits = rng.integers(0, 256, size=(count, -(-n_players // 8)), dtype=np.uint8)
        return np.unpackbits(bits, axis=1, count=n_players).astype(np.bool_)

    start = Design(ends(n_players), np.zeros(2)) if taken is None else taken
    masks = _fill(start.masks, n_masks, draw, rng)
    return Design(masks, np.concatenate([start.odds, np.ones(n_masks - len(start.masks))]))


def enumerate_and_spread(
    n_players: int,
    n_masks: int,
    rng: np.random.Generator,
    *,
    level: int,
    taken: Design | None = None,
    paired: bool = True,
    binomial_share: float | None = None,
) -> Design:
    """Take every coalition of at most ``level`` players present or absent, and spread the rest in pairs.

    The rest are complementary pairs, each the most distant of ten draws from the masks already chosen. Three quarters
    of them (``binomial_share``; half, if level is 0 or 2) have a binomial size, the others a size drawn uniformly; if
    they are few, all have a binomial one. The smallest and largest coalitions carry nearly all the weight of
    Shapley-type indices, the middle ones show interactions of high order. Masks that are ``taken`` already, by an
    earlier design, come first and count.

    A pair gives one number about the single players and one about the interactions of even order. With fewer masks
    than the enumeration of single players takes, all numbers are needed for single players: then unpaired masks
    (``paired=False``, three quarters of them of binomial size) have several times smaller errors where a game is
    nearly a sum, and up to two thirds larger ones where much of it is interactions. Of up to 200 players, they are
    balanced: chosen so that they tell main effects apart as well as masks of these sizes can.

    Raises:
        ValueError: if the masks to enumerate are more than ``n_masks`` (see `affordable_level`).
    """
    before = Design(np.zeros((0, n_players), dtype=np.bool_), np.zeros(0)) if taken is None else taken
    start = np.concatenate([before.masks, _enumerated(n_players, level)])
    start = start[first_rows(mask_keys(start))[0]]
    if len(start) > n_masks:
        raise ValueError(f"`level`: {level} enumerates {len(start)} masks, more than `n_masks` = {n_masks}")
    is_scarce = n_masks - len(start) < SETTINGS.scarce
    if binomial_share is None:
        own = SETTINGS.binomial_share if level == 1 or not paired else SETTINGS.pairs_binomial_share
        binomial_share = 1.0 if is_scarce and paired else own
    drawer = _PairDrawer(before.masks, level, binomial_share, rng, paired)
    if not paired and n_players <= SETTINGS.balanced_players:
        start_sizes = drawer.sizes(n_masks - len(start), evenly=True)
        masks = _fill(_balanced(start, start_sizes, rng), n_masks, drawer, rng)
    else:
        masks = _fill(start, n_masks, drawer, rng)
    sizes = masks.sum(axis=1)
    odds = drawer.odds()[sizes]
    odds[: len(before.odds)] = before.odds
    odds[len(before.odds) : len(start)] = 0
    odds[np.minimum(sizes, n_players - sizes) <= level] = 0  # enumerated now, even if drawn before
    return Design(masks, odds)


def affordable_level(n_players: int, n_masks: int, *, taken: Design | None = None) -> int:
    """Return the level of `enumerate_and_spread` that measurements recommend: 2, 1, or 0 when masks are scarce.

    Level 2 pays off once the enumeration of pairs leaves half of the masks for the rest, in which those that were
    ``taken`` before count; for Shapley values too.
    """
    before = 0 if taken is None else len(taken.masks)
    pairs, singles = 2 + 2 * n_players + n_players * (n_players - 1), 2 + 2 * n_players
    if n_masks >= max(2 * pairs, before + pairs) and n_players >= 5:
        return 2
    return 1 if n_masks >= max(1.33 * singles, before + singles) and n_players >= 3 else 0


def _enumerated(n_players: int, level: int) -> Masks:
    """The full and the empty mask, then all masks with at most ``level`` players present, or absent."""
    rows = [ends(n_players)]
    for order in range(1, level + 1):
        _, members = PlayerSets.all_of_order(order, n_players).of_order(order)
        small = np.zeros((len(members), n_players), dtype=np.bool_)
        np.put_along_axis(small, members, True, axis=1)
        rows += [small, ~small]
    masks = np.concatenate(rows)
    return masks[first_rows(mask_keys(masks))[0]]


def _fill(start: Masks, n_masks: int, draw: Callable[[int], Masks], rng: np.random.Generator) -> Masks:
    """Add drawn masks to ``start`` until there are ``n_masks`` distinct ones."""
    masks = start
    for _ in range(SETTINGS.attempts):
        missing = n_masks - len(masks)
        if missing <= 0:
            return masks[:n_masks]
        masks = np.concatenate([masks, draw(missing + missing // 8 + 2)])
        masks = masks[first_rows(mask_keys(masks))[0]]
    return masks[:n_masks] if len(masks) >= n_masks else _complete(masks, n_masks, rng)


def _complete(masks: Masks, n_masks: int, rng: np.random.Generator) -> Masks:
    """When drawing keeps repeating itself nearly all masks are taken: choose among the free ones."""
    n_players = masks.shape[1]
    if n_players > SETTINGS.listed_players:
        raise ValueError(f"could not draw {n_masks} distinct masks of {n_players} players")
    free = np.setdiff1d(np.arange(1 << n_players), mask_keys(masks).astype(np.int64))  # a key is the mask itself
    chosen = rng.choice(free, size=n_masks - len(masks), replace=False).astype(np.uint64)
    return np.concatenate([masks, codes_to_masks(chosen, n_players)])


def _balanced(start: Masks, sizes: Ints, rng: np.random.Generator) -> Masks:
    r"""Add distinct masks of given sizes that tell main effects apart: D-optimal, by exchanges.

    Every mask is drawn, then improved by swaps of a player present and one absent while that raises the determinant of
    :math:`1 + Z^T Z` with a row :math:`(1, x)` for every mask as signs; when all are there, each once more.

    References:
        Mitchell, "An algorithm for the construction of D-optimal experimental designs", Technometrics 1974.
        DuMouchel, Jones, "A simple Bayesian modification of D-optimal designs", Technometrics 1994.
    """
    n = start.shape[1]
    information = _Information.of(start)
    rows = np.ones((len(sizes), 1 + n))
    for row, size in zip(rows, sizes.tolist(), strict=True):
        row[1 + rng.permutation(n)[:size]] = -1.0  # the sign of a player that is present
        information.improve(row)
        information.change(row, 1)
    for row in rows:
        information.change(row, -1)
        information.improve(row)
        information.change(row, 1)
    masks = np.concatenate([start, rows[:, 1:] < 0])
    return masks[first_rows(mask_keys(masks))[0]]


@dataclass
class _Information:
    """The inverse of the information that masks give about a mean and main effects, with a prior."""

    inverse: Floats

    @classmethod
    def of(cls, masks: Masks) -> _Information:
        rows = np.concatenate([np.ones((len(masks), 1)), signs(masks)], axis=1)
        return cls(np.linalg.inv(np.eye(rows.shape[1]) + rows.T @ rows))

    def change(self, row: Floats, times: int) -> None:
        """Add a mask (1) or take it away (-1)."""
        direction = self.inverse @ row
        self.inverse -= np.outer(direction, direction) * (times / (1 + times * (row @ direction)))

    def improve(self, row: Floats) -> None:
        """Swap players in place, the best two at a time, while that makes the mask's variance larger."""
        slope, own = self.inverse @ row, np.diag(self.inverse)
        for _ in range(len(row)):
            gains = np.where(row < 0, slope, -slope) + own  # of a flip, over 4
            gains[0] = -np.inf
            one = int(np.where(row < 0, gains, -np.inf).argmax())
            other = int(np.where(row > 0, gains, -np.inf).argmax())
            if not gains[one] + gains[other] - 2 * self.inverse[one, other] > SETTINGS.worth_a_swap:
                return
            row[one], row[other] = 1.0, -1.0
            slope += 2 * (self.inverse[:, one] - self.inverse[:, other])


@dataclass
class _PairDrawer:
    """Draws complementary pairs for `enumerate_and_spread`, or unpaired masks."""

    chosen: Masks  # so far
    level: int
    binomial_share: float
    rng: np.random.Generator
    paired: bool

    @property
    def n_players(self) -> int:
        return self.chosen.shape[1]

    @property
    def smallest(self) -> int:
        return min(self.level + 1, self.n_players // 2)

    def __call__(self, count: int) -> Masks:
        n_pairs = -(-count // 2) if self.paired else count
        draws = SETTINGS.draws if self.n_players <= SETTINGS.spread_players else 1
        blocks = in_batches(n_pairs, SETTINGS.block)
        return np.concatenate([self._block(len(rows), draws) for rows in blocks])

    def odds(self) -> Floats:
        """Return for every size how much likelier a uniformly random mask has it than a mask drawn here."""
        sizes = np.arange(self.n_players + 1)
        inside = (sizes >= self.smallest) & (sizes <= self.n_players - self.smallest)
        uniform = np.where(inside, binom.pmf(sizes, self.n_players, 0.5), 0.0)
        tails = (1 - uniform.sum()) / 2  # what is clipped comes to the two ends
        drawn = uniform.copy()
        drawn[[self.smallest, self.n_players - self.smallest]] += tails
        mixed = self.binomial_share * drawn + (1 - self.binomial_share) * inside / inside.sum()
        return np.divide(uniform, mixed, out=np.zeros_like(uniform), where=mixed > 0)

    def sizes(self, count: int, *, evenly: bool = False) -> Ints:
        """Draw sizes independently, or ``evenly``: those of a kind one from each of equally likely parts."""
        n, low, high = self.n_players, self.smallest, self.n_players - self.smallest
        if not evenly:
            return np.where(
                self.rng.random(count) < self.binomial_share,
                np.clip(self.rng.binomial(n, 0.5, count), low, high),
                self.rng.integers(low, high + 1, count),
            )
        n_binomial = round(self.binomial_share * count)
        first, second = (
            (np.arange(some) + self.rng.random(some)) / max(some, 1) for some in (n_binomial, count - n_binomial)
        )
        binomial = np.clip(binom.ppf(first, n, 0.5), low, high)
        uniform = low + np.floor(second * (high - low + 1))
        return self.rng.permutation(np.concatenate([binomial, uniform])).astype(np.int64)

    def _block(self, n_pairs: int, draws: int) -> Masks:
        n, sizes = self.n_players, self.sizes(n_pairs)
        if n > SETTINGS.sized_players:
            picked = self.rng.random((n_pairs, n), dtype=np.float32) < (sizes / n)[:, None]
        else:
            ranks = self.rng.random((n_pairs, draws, n)).argsort(axis=2)
            candidates = ranks < sizes[:, None, None]
            picked = candidates[np.arange(n_pairs), self._loneliest(candidates)]
        if draws > 1:
            self.chosen = np.concatenate([self.chosen, picked])
        return np.stack([picked, ~picked], axis=1).reshape(-1, n) if self.paired else picked

    def _loneliest(self, candidates: Masks) -> np.ndarray:
        """For every pair, the draw that is farthest from the masks chosen so far and their complements."""
        if candidates.shape[1] == 1 or not len(self.chosen):
            return np.zeros(len(candidates), dtype=np.intp)
        # The signs' products are n - 2 d for masks at distance d, and min(d, n - d) = (n - |n - 2 d|) / 2.
        agreement = np.abs(signs(candidates.reshape(-1, self.n_players)) @ signs(self.chosen).T)
        crowding = np.exp((agreement - self.n_players) / 2).sum(axis=1)
        return crowding.reshape(candidates.shape[:2]).argmin(axis=1)
