"""The results of the benchmark on the pages are those of its file, and what is said of them is their definition."""

from __future__ import annotations

import re
from dataclasses import replace
from math import nan

import numpy as np
import pytest
from benchmark_rows import curve, many_rows, row

from captum_spex.benchmark import Row, merge_shards, run_benchmark
from captum_spex.benchmark.protocol import OURS, PUBLISHED, row_of
from captum_spex.benchmark.report import NO_RIVALS, NOTHING
from tools import benchmark_page
from tools.benchmark_page import FOLDER, PAGE, README, RESULTS, filled, pictures_of
from tools.benchmark_tables import Results, section, summary

FACTS = {
    "command": ["/somewhere/bin/captum-spex", "benchmark", "--out", "/somewhere/else/results", "--seeds", "5"],
    "date": "2026-11-30T12:00:00+00:00", "processor": "x86_64", "cpu_count": 2, "python": "3.13.0",
    "versions": {"captum-spex": "9.8.7", "shapiq": "1.8.0", "captum": ""},
}  # fmt: skip


def page_of(rows, facts=FACTS):
    found = Results(rows, facts)
    return summary(found), section(found)


def cells_of(text, first):
    """The cells of the first line of a table that begins with a text."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.skipif(not RESULTS.exists(), reason="no results of the full benchmark are in this checkout")
def test_the_pages_and_the_pictures_are_what_the_file_gives():
    assert benchmark_page.update(check=True) == []


def test_the_pages_have_a_place_for_results_and_pictures_exist():
    for path in (PAGE, README):
        text = path.read_text(encoding="utf-8")
        assert "\n\nnew\n\n<!-- end of results -->" in filled(text, "new")
    shown = pictures_of(PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.stem for path in FOLDER.glob("*.png"))


def test_a_page_without_its_comments_is_refused():
    with pytest.raises(ValueError, match="0 places for results"):
        filled("# A page\n", "new")


def two_families():
    """Cells of two games, where ours has half and twice the error; 20 players, so budgets from 20 to 400 count."""
    rows = []
    for case, family, factor in (("good", "text", 0.5), ("bad", "heads", 2.0)):
        for method, error in ((OURS, factor), ("rival", 1.0), ("weak", 3.0), (PUBLISHED, 4.0)):
            values = [0.1 * error, 0.05 * error, 0.02 * error, 1e-3 * error]
            rows += curve(method, values, case, "shapley_error", family=family)
    return [replace(one, n_players=20, r2=1 - one.shapley_error, own_seconds=0.5) for one in rows]


def test_the_numbers_are_of_the_definitions():
    short, full = page_of(two_families())
    assert "beside 2 other explainers" in short
    assert "2 games of 20 players" in short
    ratio, published = cells_of(short, "squared error of Shapley values (2 games)")[1:]
    assert (ratio, published) == ("1.00 (0.50 to 2.00)", "0.25 (0.12 to 0.50)")
    assert cells_of(full, "text")[:3] == ["text", "1", "0.50"]
    assert cells_of(full, "heads | 1")[:3] == ["heads", "1", "**2.00**"]
    assert cells_of(full, "17 to 64 players | 2 |")[2] == ratio
    assert cells_of(full, "rival")[:4] == ["rival", "2", "6", "1.00 (0.50 to 2.00)"]
    assert cells_of(full, "weak")[:4] == ["weak", "2", "0", "0.33 (0.17 to 0.67)"]
    assert cells_of(full, "Shapley values")[1:] == ["6", "3", "0", "0", "0", "0", "1.00", "1.00", "1.00"]
    assert cells_of(full, "bad")[:2] == ["bad", "error × 2"]  # noqa: RUF001
    assert "By the error of Shapley values, 1 lost, 0 tied, 1 won of 2 cases." in full
    assert cells_of(full, f"**{OURS}**")[1] == "0.5"


def test_means_over_other_games_than_those_of_the_line_say_so():
    """The published ProxySPEX answers one game, at the least budget: ours is larger at the others."""
    rows = [
        replace(one, precision=0.2 if one.method == PUBLISHED else 1.0 - one.shapley_error)
        for one in two_families()
        if one.method != PUBLISHED or (one.case == "good" and one.budget == 100)
    ]
    short, full = page_of(rows)
    published = cells_of(short, "squared error of Shapley values (2 games)")[2]
    assert published.endswith(", 1 game")
    assert cells_of(full, "17 to 64 players | 2 | 0.9")[-1] == "0.20 (0.97)"


def test_games_without_a_result_of_ours_are_not_counted_but_named():
    rows = [row for row in two_families() if (row.case, row.method) != ("bad", OURS)]
    outside = [replace(one, case="wide", n_players=10_000) for one in rows]
    short, full = page_of(
        [*rows, *outside], {**FACTS, "settings": {"cases": dict.fromkeys(["good", "bad", "new"], 20)}}
    )
    assert "on 1 game of 20 players" in short
    assert f"`{OURS}` has no results in 2 of 3 games: bad, new." in full
    _, full = page_of([*two_families(), replace(rows[0], case="third", family="heads", shapley_error=nan)])
    assert cells_of(full, "heads | 2")[:3] == ["heads", "2", "**2.00**, 1 game"]


def test_losses_come_first():
    _, full = page_of(two_families())
    lost = full[full.index("### Where it loses") :]
    assert cells_of(lost, "heads")[:4] == ["heads", "error of Shapley values", "**2.00**", "1"]
    table = full[full.index("### By number of players") :]
    assert table.index("| heads") < table.index("| text")
    alone = full[full.index("### Relative to each method") :]
    assert alone.index("| rival") < alone.index("| weak") < alone.index(f"| {PUBLISHED}")


def test_nothing_lost_is_said():
    _, full = page_of([one for one in two_families() if one.case == "good"])
    assert "No family and no class of games is lost in the mean." in full


def test_the_command_and_the_machine_are_told_without_folders():
    _, full = page_of(two_families())
    assert "```bash\ncaptum-spex benchmark --out results --seeds 5\n```" in full
    assert "x86_64, 2 cores; Python 3.13.0; captum-spex 9.8.7, shapiq 1.8.0; 2026-11-30." in full
    assert "/somewhere" not in full
    assert "```" not in page_of(two_families(), {})[1]


def test_parts_are_told():
    part = {"begun": "2026-11-30T12:00:00+00:00", "finished": "2026-11-30T13:30:00+00:00"}
    command = [*FACTS["command"], "--shard", "1/2"]
    _, full = page_of(two_families(), {**FACTS, "command": command, "shards": [part, part]})
    assert "2 parts, each on one thread, 3.0 hours together" in full
    assert (
        "--out results --seeds 5 --shard 1/2  # and all other parts\ncaptum-spex benchmark --out results --merge\n"
        in full
    )


def test_games_without_a_cell_are_named():
    rows = [replace(one, case="wide", n_players=10_000) for one in two_families() if one.case == "good"]
    _, full = page_of(rows + two_families())
    assert "All budgets of wide are outside of that range" in full
    assert cells_of(full, "text | 2")[2] == "0.50, 1 game"
    assert "No budget is from one to twenty evaluations for each player" in page_of(rows)[0]


def test_the_results_of_parts_are_read_before_they_are_merged(tmp_path):
    settings = {"cases": ["planted-10"], "methods": ["Captum Lime"], "budgets": [32], "seeds": 2}
    for shard in ("1/2", "2/2"):
        run_benchmark(tmp_path, **settings, shard=shard)
    rows, facts, identity = benchmark_page.read(tmp_path)
    assert [row.seed for row in rows] == [0, 1]
    assert facts["settings"]["seeds"] == 2
    merge_shards(tmp_path)
    assert benchmark_page.read(tmp_path)[2] == identity


def test_pictures_of_other_results_are_stale(tmp_path):
    paths = benchmark_page.draw(two_families(), tmp_path, "one")
    names = [path.stem for path in paths]
    assert benchmark_page.stale_pictures(tmp_path, "one", [*names, "gone"]) == ["gone"]
    assert benchmark_page.stale_pictures(tmp_path, "other", names) == names


def test_a_folder_is_shown_beside(tmp_path, monkeypatch, capsys):
    run_benchmark(tmp_path, cases=["planted-10"], methods=["ProxySpex", "Captum Lime"], budgets=[20, 40], seeds=1)
    out = tmp_path / "shown"
    monkeypatch.setattr("sys.argv", ["page", "--results", str(tmp_path), "--out", str(out)])
    assert benchmark_page.main() == 0
    text = (out / "page.md").read_text(encoding="utf-8")
    assert set(pictures_of(text)) <= {path.stem for path in (out / "benchmark").glob("*.png")}
    monkeypatch.setattr("sys.argv", ["page", "--results", str(tmp_path / "nowhere")])
    assert benchmark_page.main() == 2
    assert "`out`: expected the folder of a benchmark" in capsys.readouterr().err


def test_fewer_seeds_and_runs_without_a_result_are_told():
    rows = [one for one in many_rows(2) if one.method != "rival one" or one.seed == 0]
    rows += [row("broken", "case 0", status="failed", message="OSError: /home/me/x | 7 `y`", n_evaluations=nan)] * 3
    rows.append(replace(row("many", "case 0", status="refused"), message="needs 7"))
    rows += [Row("", "", 0, "gone", "shapiq", "", 0, 0, "missing", "needs shapiq 1.8")] * 2
    _, full = page_of(rows)
    assert cells_of(full, "missing") == ["missing", "gone", "all", "\N{EN DASH}", "`needs shapiq 1.8`"]
    assert "2 seeds" in full
    assert "Methods that are slow have fewer seeds: 1 for rival one." in full
    assert cells_of(full, "failed") == ["failed", "broken", "case 0", "3", "`OSError: x / 7 'y'`"]
    assert cells_of(full, "refused") == ["refused", "many", "case 0", "1", "`needs 7`"]


def test_exact_answers_are_counted():
    rows = [*curve(OURS, (1e-14,) * 2, column="shapley_error"), *curve("rival", (1e-12, 0.1), column="shapley_error")]
    _, full = page_of([replace(one, n_players=50) for one in rows])
    assert cells_of(full, "Shapley values")[1:] == ["2", "0", "0", "2", "1", "1", "0.10", "0.32", "0.00010"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], NOTHING),
        ([row_of("missing", "not here", None, None)], NOTHING),
        ([row(OURS, status="failed", message="x", n_evaluations=nan)], NOTHING),
        (curve(OURS, (0.1, 0.2)), NO_RIVALS),
        (curve("rival", (0.1, 0.2)), NO_RIVALS),
        ([row(OURS, r2=nan, n_evaluations=nan), row("rival", r2=nan, n_evaluations=nan)], NO_RIVALS),
    ],
    ids=["empty", "missing", "failed", "no rivals", "no ours", "all NaN"],
)
def test_nothing_to_compare_is_said(rows, sentence):
    assert page_of(rows) == (sentence, f"## Results\n\n{sentence}")


def test_a_single_game_has_no_interval():
    short, full = page_of(curve(OURS, (0.5, 0.6), own_seconds=nan) + curve("rival", (0.4, 0.5)))
    assert "(1 game) | ≤ 1.00 |" in short
    assert "nan" not in full


def test_a_family_that_is_called_as_a_class_is_no_trouble():
    rows = [replace(one, family="up to 16 players") for one in many_rows(2)]
    assert "| up to 16 players | 2 |" in page_of(rows)[1]


def test_every_number_is_finite():
    _, full = page_of(many_rows(3, seed=4))
    assert not re.search(r"\b(nan|inf)\b", full)
    assert np.all([line.count("|") > 2 for line in full.splitlines() if line.startswith("|")])
