"""With few masks, against methods of other packages that are hard to beat there."""

from __future__ import annotations

from benchmarks import small_budgets as benchmark


def test_results_are_kept_and_compared(capsys, tmp_path):
    out = tmp_path / "found.csv"
    run = ["--multiples", "0.5", "1.5", "--seeds", "2", "--out", str(out)]
    benchmark.main(["--cases", "network-30", "digits-16", "--label", "now", *run])
    first = capsys.readouterr().out
    benchmark.main(["--read", str(out)])
    assert capsys.readouterr().out == first
    found = benchmark.means(benchmark.read(out))
    assert len(found) == 4
    assert set(found["network-30", 1.5]) == {"now", *benchmark.RIVALS}
    assert "Captum FeatureAblation" not in found["network-30", 0.5]  # it needs a mask for every player
    for game in ("network-30", "digits-16"):
        at_half = found[game, 0.5]["now"]
        assert at_half[0] > 0.2  # a sum of half as many masks as players, not nothing
        later = found[game, 1.5]
        assert later["now"][2] < 0.5 * later["SHAP PartitionExplainer"][2]
    assert "lost" in first


def test_every_evaluation_is_counted(tmp_path):
    (source,) = benchmark.sources(["digits-16"], None)
    for cell in benchmark.cells(source, ["ProxySpex", "Captum Lime"], [0.5, 1.0], 1, "now"):
        assert cell.n_evaluations <= benchmark.budget_of(16, cell.multiple)
