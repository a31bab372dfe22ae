"""The hooks of a game, looked up in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import captum_spex
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.game import GameHooks
from captum_spex.masks import DenseMasks, PackedMasks, all_masks

HOOKS = {*GameHooks.__annotations__, *(name for name in vars(GameHooks) if not name.startswith("_"))}
MASKS = all_masks(3)


class Everything:
    n_players = 3
    names = ("a", "b", "c")
    output_layout = "none yet"

    @property
    def fingerprint(self):
        raise RuntimeError("looked up before it is needed")

    def __call__(self, masks):
        return masks.sum(axis=1)

    def evaluate_packed(self, masks):
        return -1.0 * masks.unpack().sum(axis=1)

    def plan_batches(self, masks):
        return [np.arange(len(masks))]

    def answer_each(self, masks):
        yield from enumerate(self(masks))

    def make_executor(self, batch_size):
        raise NotImplementedError


def test_hooks_are_looked_up_once():
    game = Everything()
    adapter = GameAdapter.of(game)
    assert GameAdapter.of(adapter) is adapter
    assert (adapter.n_players, adapter.names, adapter.layout) == (3, ("a", "b", "c"), "none yet")
    for name in ("plan_batches", "answer_each", "evaluate_packed", "make_executor"):
        assert getattr(adapter, name) == getattr(game, name)
    assert adapter.table is None
    with pytest.raises(RuntimeError, match="looked up"):
        _ = adapter.fingerprint


def test_a_plain_function_has_no_hooks():
    adapter = GameAdapter.of(lambda masks: masks.sum(axis=1))
    hooks = [getattr(adapter, name) for name in HOOKS - {"output_layout"}]
    assert hooks == [None] * len(hooks)
    adapter.set_layout("known")
    assert adapter.layout is None
    with pytest.raises(ArgumentError, match="`game`: expected a callable from masks to values, got a list"):
        GameAdapter.of([1.0])


def test_masks_go_packed_to_games_that_take_them_so():
    adapter = GameAdapter.of(Everything())
    assert_array_equal(adapter.values(DenseMasks(MASKS)), MASKS.sum(axis=1))
    assert_array_equal(adapter.values(PackedMasks.of(MASKS)), -1.0 * MASKS.sum(axis=1))
    plain = GameAdapter.of(lambda masks: masks.sum(axis=1))
    assert_array_equal(plain.values(PackedMasks.of(MASKS)), MASKS.sum(axis=1))
    with pytest.raises(GameError, match="`game`: expected real numbers, got a list"):
        GameAdapter.of(lambda masks: ["a"] * len(masks)).values(DenseMasks(MASKS))


def test_a_layout_is_set_on_the_game():
    game = Everything()
    GameAdapter.of(game).set_layout(None)
    assert game.output_layout == "none yet"
    GameAdapter.of(game).set_layout("known")
    assert game.output_layout == "known"


def test_nothing_else_looks_a_hook_up():
    package = Path(captum_spex.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
                owner, *name = node.args[:2]
                if "game" in ast.unparse(owner) and name and ast.unparse(name[0]).strip("'") in HOOKS:
                    found.add(str(path.relative_to(package)))
    assert found == {"evaluation/game_adapter.py"}
