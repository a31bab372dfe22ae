"""Nodes and links are as large as values and interactions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pictures import hue_of, links_of, made, nodes_of, of_spectrum

from captum_spex import plots
from captum_spex.errors import ArgumentError


def test_links_are_as_wide_as_interactions_are_large():
    ax = plots.network(made())
    links = links_of(ax)  # the strongest is drawn last, above the others
    widths = np.array(links.get_linewidths())
    assert_allclose(widths / widths.max(), [0.5, 1.0])
    assert [hue_of(colour) for colour in links.get_colors()] == ["blue", "red"]
    nodes = nodes_of(ax).get_offsets()
    assert_allclose(links.get_segments()[1], nodes[[0, 1]])
    assert_allclose(links.get_segments()[0], nodes[[2, 3]])


def test_nodes_are_as_large_as_values():
    nodes = nodes_of(plots.network(made()))
    assert_allclose(nodes.get_sizes()[:3] / nodes.get_sizes()[0], [1.0, 0.5, 0.25])
    assert 0 < nodes.get_sizes()[3] < 0.1 * nodes.get_sizes()[0]
    assert [hue_of(colour) for colour in nodes.get_facecolors()[:2]] == ["red", "blue"]
    assert_allclose(nodes.get_facecolors()[3][:3], 1, atol=0.01)


def test_players_stand_on_a_circle_from_the_top():
    nodes = np.asarray(nodes_of(plots.network(made())).get_offsets())
    assert_allclose(nodes, [[0, 1], [1, 0], [0, -1], [-1, 0]], atol=1e-12)


def test_given_positions():
    places = [[0, 0], [5, 1], [2, 2], [-3, 4]]
    ax = plots.network(made(), positions=places)
    assert_allclose(nodes_of(ax).get_offsets(), places)
    assert_allclose(links_of(ax).get_segments()[1], [places[0], places[1]])


def test_larger_groups_are_stars():
    ax = plots.network(made(), order=3)
    middle = np.asarray(nodes_of(ax).get_offsets())[:3].mean(axis=0)
    segments = links_of(ax).get_segments()
    assert len(segments) == 3
    assert_allclose([segment[1] for segment in segments], [middle] * 3)


def test_a_network_of_many_players_says_what_it_leaves_out():
    result = of_spectrum({(k, (k + 1) % 100): 1.0 + k for k in range(100)}, 100)
    ax = plots.network(result, max_display=10)
    assert len(nodes_of(ax).get_offsets()) == 10
    assert "the 10 most involved of 100 players" in ax.get_xlabel()
    assert {text.get_text() for text in ax.texts} == {str(k) for k in range(90, 100)}


def test_labels_on_the_circle_do_not_overlap():
    names = tuple(f"the word number {k}" for k in range(40))
    ax = plots.network(of_spectrum({(k,): 1.0 for k in range(40)}, 40, names=names))
    ax.figure.canvas.draw()
    labels = [text for text in ax.texts if text.get_text() != "no interactions"]
    bases = ax.transData.transform([label.xy for label in labels])
    steps = np.linalg.norm(np.diff(bases, axis=0), axis=1) * 72 / ax.figure.dpi
    assert steps.min() > labels[0].get_fontsize()
    assert len(labels) == 40


def test_labels_at_positions_are_left_out_where_they_would_cover_each_other():
    places = np.stack(np.divmod(np.arange(36), 6), axis=1)
    result = of_spectrum({(k,): 1.0 for k in range(36)}, 36)
    assert len(plots.network(result, positions=places).texts) == 1  # "no interactions"
    assert len(plots.network(result, positions=places, labels=True).texts) == 37


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        ([[0, 0]] * 3, r"finite numbers \(4, 2\), a place for each player, got shape \(3, 2\)"),
        ([[0, 0, 0]] * 4, r"shape \(4, 3\)"),
        ([[0, np.nan]] * 4, "not finite"),
        ([[0, 0], [1]], "`positions`: expected real numbers, got a list"),
        ("circle", "`positions`: expected real numbers, got a str"),
    ],
)
def test_positions_that_do_not_fit(positions, said):
    with pytest.raises(ArgumentError, match=said):
        plots.network(made(), positions=positions)
