"""The benchmark of the pictures prints every line, and the gallery is what its script makes; times are no test."""

from __future__ import annotations

import pytest
from matplotlib import pyplot as plt

from benchmarks import plots as benchmark
from captum_spex import plots
from tools import make_gallery


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(benchmark, "N_PLAYERS", 20)
    monkeypatch.setattr(benchmark, "SPARSE_BUDGET", 2000)
    monkeypatch.setattr(benchmark, "FITTED_BUDGET", 150)
    monkeypatch.setattr(benchmark, "REPEATS", 1)


@pytest.mark.usefixtures("small")
def test_every_picture_is_timed(capsys):
    benchmark.main([])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {tuple(line[:2]) for line in lines} == {
        (name, picture) for name in ("sparse", "fitted") for picture in plots.__all__
    }
    assert {line[-1] for line in lines} == {"reached"}
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("small")
def test_the_results_find_the_planted_groups():
    for _, result in benchmark.results():
        assert result[(3, 8)] == pytest.approx(-1.5, abs=0.1)
        assert result[(7, 9)] == pytest.approx(0.5, abs=0.1)


def test_the_gallery_is_what_its_script_writes():
    make_gallery.main(["--check"])
    page = (make_gallery.DOCS / "gallery.md").read_text(encoding="utf-8")
    pictures = {part.picture for part in make_gallery.PARTS if part.picture}
    assert {path.stem for path in (make_gallery.DOCS / "gallery").glob("*.png")} == pictures
    for name in pictures:
        assert page.count(f"](gallery/{name}.png)") == 1
    for name in plots.__all__:
        assert f"plots.{name}(" in page


def test_a_page_that_is_not_up_to_date_is_noticed(monkeypatch):
    monkeypatch.setattr(make_gallery, "CLOSING", "another end")
    with pytest.raises(SystemExit, match="run it"):
        make_gallery.main(["--check"])


def test_pictures_that_are_too_large_are_refused():
    with pytest.raises(SystemExit, match=r"too large: {'a': 70001}"):
        make_gallery.check_sizes({"a": bytes(make_gallery.LARGEST + 1)})
    with pytest.raises(SystemExit, match="too large: 1050000"):
        make_gallery.check_sizes({str(k): bytes(70_000) for k in range(15)})
