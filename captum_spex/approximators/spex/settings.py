"""The constants of SPEX in one record, with where each comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What `Spex` leaves no choice about."""

    # The design.
    degrees: tuple[int, ...] = (5, 4, 3, 2, 1)  # tried in this order if none is given; the paper decodes degree 5
    fewest_bits: int = 3
    comfortable_bits: int = 4  # a lower degree is tried before a group has fewer than 2**4 bins
    groups: tuple[int, ...] = (3, 4, 5)  # the paper takes 3; six would be three of twice the bins
    most_bytes: int = 8 << 30  # of all bins: memory of a usual machine
    fewest_extra: int = 16  # masks without which nothing decides between the answers
    extra_bits: int = 30  # the extra masks are random combinations of this many random masks
    extra_rounds: int = 20  # of drawing extra masks until all are new
    # Decoding.
    chase_bits: int = 10  # least reliable bits that are flipped, at most two at a time
    words: int = 1 << 10  # bins decoded at once: bounds memory
    decoding_rounds: int = 40  # a bound: decoding ends when a round finds nothing
    false_terms: float = 0.01  # expected number of false terms that a round may accept
    negligible: float = 9.0  # squared standard errors within which the joint fit drops a term
    # Growing and choosing.
    growing_rounds: int = 12  # a bound: growing ends when the residual shows nothing
    pool: int = 60_000  # supersets of found terms looked at in a round: bounds memory
    paired_players: int = 200  # up to which all pairs are candidates: 19,900 of them
    fitted_players: int = 4000  # up to which all main effects are fitted: a system of 128 MiB
    penalties: tuple[float, ...] = (1e-6, 1e-2, 1e-1, 1.0, 4.0)  # on main effects, relative to the number of samples
    folds: int = 5
    jitter: float = 1e-12  # on the diagonal of normal equations, relative to the number of samples
    # The result.
    interpolated_players: int = 20  # up to which residuals of all masks are kept: they carry weight in an index
    cells: int = 1 << 22  # of a block of products: 32 MiB


SETTINGS = Settings()
