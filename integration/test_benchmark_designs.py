"""With few masks of a game that is nearly a sum, masks alone tell more than pairs of complements."""

from __future__ import annotations

from benchmarks import designs as benchmark


def test_masks_alone_tell_more_of_a_game_that_is_nearly_a_sum(capsys):
    benchmark.main(["--games", "digits-64", "--multiples", "1.5", "--seeds", "2"])
    _, pairs, alone = (line.split() for line in capsys.readouterr().out.splitlines())
    assert [pairs[4], alone[4]] == ["pairs", "alone"]
    assert float(pairs[1]) < 0.1
    assert float(alone[-3]) > float(pairs[-3]) + 0.1
    assert float(alone[-1]) < 0.5 * float(pairs[-1])


def test_with_more_masks_levels_and_shares_are_compared(capsys):
    benchmark.main(["--games", "forest-30", "--multiples", "4", "--seeds", "1"])
    _, *lines = capsys.readouterr().out.splitlines()
    for name, line in zip(benchmark.ENUMERATED, lines, strict=True):
        assert f"  {name:9} " in line
