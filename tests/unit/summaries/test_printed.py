"""Summaries and comparisons in a terminal."""

from __future__ import annotations

from pictures import made, of_spectrum

import captum_spex

NAMES = ("a", "b", "a very long name of a column that goes on and on", "d")


def rows_of(*values, **settings):
    return [made({(0, 1): x, (2,): 1.0}, max_order=2, names=NAMES, **settings) for x in values]


def test_a_summary_as_a_table_for_each_order():
    lines = str(captum_spex.summary(rows_of(1.0, -3.0))).splitlines()
    assert lines[:5] == [
        "Moebius over 2 rows: 4 players, terms: 4 of order 1, 6 of order 2",
        "standard errors: of rows drawn from many, and of estimation; spread: standard deviation over the rows",
        "",
        "  order 1                               mean |Moebius|  mean  spread  rows",
        "  a very long name of a column that g…               1    +1       0     2",
    ]
    [pair] = [line for line in lines if line.startswith("  a x b")]
    assert pair.split() == ["a", "x", "b", "2", "±", "1", "-1", "±", "2", "2.83", "2"]
    assert max(map(len, lines)) <= 110


def test_one_row_and_rows_without_errors():
    text = str(captum_spex.summary([of_spectrum({(0,): 1.0}, 3), made({(0,): 1.0}, 3, index="SII", max_order=2)]))
    assert "over 2 rows: 3 players" in text
    assert "of rows drawn from many, those of estimation are known for 1 of them; spread" in text
    alone = str(captum_spex.summary([of_spectrum({(0,): 1.0}, 3)]))
    assert "those of estimation are not known; spread" in alone
    assert "±" not in str(captum_spex.summary(rows_of(1.0)))


def test_a_comparison_marks_differences_beyond_their_interval():
    one, other = rows_of(1.0, -3.0)
    lines = str(one.compare(other)).splitlines()
    assert lines[0] == "Moebius of two results, first minus second: 4 players, terms: 4 of order 1, 6 of order 2"
    [pair] = [line for line in lines if line.startswith("  a x b")]
    assert pair.split() == ["a", "x", "b", "+1", "-3", "+4", "*"]
    text = str(of_spectrum({(0,): 1.0}, 3).compare(of_spectrum({(1,): 1.0}, 3)))
    assert "standard errors of the differences: not known" in text
    assert "*" not in text
