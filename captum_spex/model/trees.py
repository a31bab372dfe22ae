"""Decision trees over binary masks, as flat arrays, and their exact Fourier spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from captum_spex.arrays import Floats, Ints
from captum_spex.masks import player_keys
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets

_LARGEST_EXPANSION = 1 << 26  # subsets of paths in memory at once: 1 GiB of keys and values


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """A sum of decision trees that test one player per node; node 0 of every tree is its root.

    One table holds the nodes of all trees: ``player`` is the tested player, or -1 in a leaf; ``absent`` and
    ``present`` the rows of the children taken when it is absent or present; ``value`` the leaf values; ``roots`` the
    rows of the roots.
    """

    n_players: int
    player: Ints
    absent: Ints
    present: Ints
    value: Floats
    roots: Ints

    @classmethod
    def from_lightgbm(cls, model_text: str, n_players: int) -> TreeEnsemble:
        """Read the trees of ``Booster.model_to_string()`` that was trained on 0/1 columns, one per player."""
        n_leaves = _column(model_text, "num_leaves", np.int64)
        n_inner = n_leaves - 1
        first = np.concatenate([[0], np.cumsum(n_leaves + n_inner)])[:-1]  # inner nodes first, then leaves
        inner_offset = np.repeat(first, n_inner)
        is_inner = np.zeros(int((n_leaves + n_inner).sum()), dtype=bool)
        is_inner[inner_offset + np.concatenate([np.arange(count) for count in (0, *n_inner)])] = True

        def child_rows(name: str) -> Ints:
            child = _column(model_text, name, np.int64)  # >= 0: an inner node, < 0: leaf ~child
            return np.where(child >= 0, child, np.repeat(n_inner, n_inner) + ~child) + inner_offset

        table = {name: np.full(len(is_inner), -1, dtype=np.int64) for name in ("player", "absent", "present")}
        table["player"][is_inner] = _column(model_text, "split_feature", np.int64)
        table["absent"][is_inner] = child_rows("left_child")
        table["present"][is_inner] = child_rows("right_child")
        value = np.zeros(len(is_inner))
        value[~is_inner] = _column(model_text, "leaf_value", np.float64)
        return cls(n_players, value=value, roots=first.astype(np.int64), **table)

    def spectrum(self) -> Spectrum:
        r"""Return the exact Fourier spectrum of the sum of the trees.

        A leaf of value v below the tests of players A is :math:`v \prod_{i \in A} (1 + \sigma_i \chi_i) / 2` with
        :math:`\sigma_i = 1` on the absent side and -1 on the present side, so each subset of its path adds
        :math:`\pm v / 2^{|A|}`. Leaves of equal depth are expanded together.

        Raises:
            MemoryError: if the paths have more than 2**26 subsets in all (trees deeper than about 20).

        References:
            Gorji, Amrollahi, Krause, "FourierSHAP", NeurIPS 2025, section 4.
        """
        paths, signs, values = self._leaf_paths()
        depths = (paths >= 0).sum(axis=1)
        n_subsets = float((2.0**depths).sum())
        if n_subsets > _LARGEST_EXPANSION:
            raise MemoryError(
                f"the paths of these trees have {n_subsets:.3g} subsets, more than {_LARGEST_EXPANSION}; "
                "train shallower trees (`max_depth`)"
            )
        groups = [
            _Expansion.of_paths(paths[rows, :depth], signs[rows, :depth], values[rows], self.n_players)
            for depth in np.unique(depths)
            for rows in [np.flatnonzero(depths == depth)]
        ]
        return _merge(groups, self.n_players)

    def _leaf_paths(self) -> tuple[Ints, Ints, Floats]:
        """Return the distinct players on the way to every reachable leaf, their signs, and the leaf values.

        Arrays ``(n_leaves, max_depth)``, padded with -1 (players) and 0 (signs).
        """
        node = self.roots.copy()
        paths = np.full((len(node), 0), -1, dtype=np.int64)
        signs = np.zeros((len(node), 0), dtype=np.int64)
        done: list[tuple[Ints, Ints, Floats]] = []
        while len(node):
            leaf = self.player[node] < 0
            done.append((paths[leaf], signs[leaf], self.value[node[leaf]]))
            node, paths, signs = node[~leaf], paths[~leaf], signs[~leaf]
            tested = np.tile(self.player[node], 2)
            sign = np.repeat([1, -1], len(node))
            node = np.concatenate([self.absent[node], self.present[node]])
            paths, signs = np.tile(paths, (2, 1)), np.tile(signs, (2, 1))
            # A player tested before on the path: its column stays, and the other side is never reached.
            before = np.where(paths == tested[:, None], signs, 0).sum(axis=1)
            paths = np.column_stack([paths, np.where(before == 0, tested, -1)])
            signs = np.column_stack([signs, np.where(before == 0, sign, 0)])
            reached = (before == 0) | (before == sign)
            node, paths, signs = node[reached], paths[reached], signs[reached]
        return _stack_paths(done)


@dataclass(frozen=True, eq=False)
class _Expansion:
    """All subsets of a group of equally long paths: key and value of each, in rows of ``2**depth``."""

    paths: Ints
    keys: np.ndarray
    values: Floats

    @classmethod
    def of_paths(cls, paths: Ints, signs: Ints, values: Floats, n_players: int) -> _Expansion:
        depth = paths.shape[1]
        keys = np.zeros((len(paths), 1), dtype=np.uint64)
        weights = (values / 2.0**depth)[:, None]
        player = player_keys(paths, n_players)
        for step in range(depth):  # bit ``step`` of a column says whether player ``step`` of the path is in the subset
            keys = np.concatenate([keys, keys ^ player[:, step, None]], axis=1)
            weights = np.concatenate([weights, weights * signs[:, step, None]], axis=1)
        return cls(paths, keys, weights)

    def sets(self, flat: Ints, n_players: int) -> PlayerSets:
        """The sets at flat positions of the rows of subsets."""
        depth = self.paths.shape[1]
        leaf, subset = np.divmod(flat, 1 << depth)
        is_in = ((subset[:, None] >> np.arange(depth)) & 1).astype(np.bool_)
        return PlayerSets.from_padded(np.where(is_in, self.paths[leaf], -1), n_players)


def _merge(groups: list[_Expansion], n_players: int) -> Spectrum:
    """Add up the values of equal sets over all groups."""
    keys = np.concatenate([group.keys.ravel() for group in groups])
    values = np.concatenate([group.values.ravel() for group in groups])
    distinct, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights=values, minlength=len(distinct)).astype(np.float64)
    bounds = np.concatenate([[0], np.cumsum([group.keys.size for group in groups])])
    rows = [np.flatnonzero((first >= a) & (first < b) & (sums != 0)) for a, b in pairwise(bounds)]
    sets = [group.sets(first[own] - a, n_players) for group, own, a in zip(groups, rows, bounds, strict=False)]
    return Spectrum(PlayerSets.concatenate(sets), sums[np.concatenate(rows)])


def _stack_paths(done: list[tuple[Ints, Ints, Floats]]) -> tuple[Ints, Ints, Floats]:
    """Stack paths of different lengths, the players of each moved to the front in the order of the path."""
    width = max(paths.shape[1] for paths, _, _ in done)

    def pad(array: Ints, fill: int) -> Ints:
        return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=fill)

    paths = np.concatenate([pad(paths, -1) for paths, _, _ in done])
    signs = np.concatenate([pad(signs, 0) for _, signs, _ in done])
    front = np.argsort(paths < 0, axis=1, kind="stable")
    values = np.concatenate([values for _, _, values in done])
    return np.take_along_axis(paths, front, axis=1), np.take_along_axis(signs, front, axis=1), values


def _column(model_text: str, name: str, dtype: type) -> np.ndarray:
    """Read one array of every tree from LightGBM's text format, joined over the trees."""
    lines = (rest[: rest.index("\n")] for rest in model_text.split(f"\n{name}=")[1:])
    return np.fromstring(" ".join(lines).strip(), dtype=dtype, sep=" ")  # a tenth of the time of a string a number
