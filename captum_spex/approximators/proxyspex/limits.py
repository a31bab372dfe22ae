"""Where memory and time make ProxySPEX compute in another way."""

from __future__ import annotations

from dataclasses import dataclass

from captum_spex.errors import BudgetError


@dataclass(frozen=True)
class FitLimits:
    """Bounds of memory and time; beyond them ProxySPEX computes in another way.

    Attributes:
        dense_players: players of a game up to which masks are bool arrays; beyond, they are packed, uniformly random,
            and players are screened.
        table_players: players of a table up to which none is screened out.
        proxy_masks: masks of a table, or of a game with packed masks, up to which proxies are fitted; beyond, a
            regression is.
        direct_players: players up to which a regression solves its normal equations at once; beyond, step by step.
        block_cells: entries of masks that are unpacked at once: 128 MiB in single precision.
        pair_cells: pairs of players that are scored at once: 256 MiB.
        pair_work: multiplications that may be spent on pairs, over all outputs.
        packed_bytes: of all packed masks of a run.
    """

    dense_players: int = 5_000
    table_players: int = 1_000
    proxy_masks: int = 10_000
    direct_players: int = 4_096
    block_cells: int = 1 << 25
    pair_cells: int = 1 << 26
    pair_work: float = 1e12
    packed_bytes: int = 8 << 30

    def check_memory(self, n_players: int, n_masks: int) -> None:
        """Check that so many masks fit into memory, eight players to a byte.

        Raises:
            BudgetError: if they do not.
        """
        width = -(-n_players // 8)
        if n_masks * width > self.packed_bytes:
            got = f"{n_masks:,} masks of {n_players:,} players, {n_masks * width / 2**30:.0f} GiB even if packed"
            expected = f"at most {self.packed_bytes // width:,}, which take {self.packed_bytes >> 30} GiB"
            raise BudgetError("budget", got, expected)
