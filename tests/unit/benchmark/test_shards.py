"""A part of a benchmark: its text, its folder, and what is in it."""

from __future__ import annotations

from captum_spex.benchmark.shards import Shard


def test_a_part_is_written_as_a_fraction():
    assert Shard.of(" 3/12 ") == Shard(3, 12)
    assert Shard(3, 12).folder == "shard-3-of-12"


def test_the_share_of_a_part_stays_the_same_if_there_are_more_seeds_or_cases():
    part = Shard(2, 5)
    few = [(case, seed) for case in range(7) for seed in range(2) if part.has(case, seed)]
    many = [(case, seed) for case in range(9) for seed in range(4) if part.has(case, seed)]
    assert set(few) <= set(many)
