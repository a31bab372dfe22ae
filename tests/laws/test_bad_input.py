"""Bad input is refused in one grammar before anything is evaluated; numbers and flags may be of NumPy or torch."""

from __future__ import annotations

import re
import sys
from functools import cache

import numpy as np
import pytest
import torch
from games import smooth_game
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge

import captum_spex
from captum_spex.approximators import BoostedTrees, Exact, GaussianProcess, Spex
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.attr import ProxySpex
from captum_spex.errors import (
    ArgumentError,
    BudgetError,
    GameError,
    MaskError,
    OrderError,
    StoreError,
    UnknownNameError,
)
from captum_spex.evaluation import RayGame, Store
from captum_spex.explainers import ProxySpexExplainer
from captum_spex.games.image import ImageGame
from captum_spex.games.training import OnTest, TrainingGame, from_table

X = torch.ones(2, 4)
TABLE_MASKS = np.random.default_rng(0).random((80, 9)) < 0.5
TABLE = from_table(TABLE_MASKS, smooth_game(TABLE_MASKS))


def row_of(n_players=3, names=None, index="SII", max_order=2):
    game = lambda masks: masks.sum(axis=1)  # noqa: E731
    return captum_spex.explain(game, n_players, budget=64, names=names, index=index, max_order=max_order)


ROW = row_of()


class Counting:
    """A game or a model that counts its calls."""

    def __init__(self, game):
        self.game = game
        self.n_calls = 0

    def __call__(self, *inputs):
        self.n_calls += 1
        return self.game(*inputs)


def sums(x):
    return x.sum(dim=1)


def three_sums(x):
    return x.sum(dim=1, keepdim=True).expand(-1, 3)


# --- doors: each calls what it is given ---------------------------------------------------------------------


def explain(counting, game=smooth_game, n_players=9, **arguments):
    counting.game = game
    return captum_spex.explain(counting, n_players, **{"budget": 50, **arguments})


def attribute(counting, inputs=X, model=None, **arguments):
    if model is not None:
        counting.game = model
    return ProxySpex(counting).attribute(inputs, **arguments)


def shap_values(counting, **arguments):
    return ProxySpexExplainer(counting, np.zeros((1, 4)))(np.ones((1, 4)), **arguments)


DOORS = {
    "explain": (smooth_game, explain),
    "no game": (smooth_game, lambda _, game: captum_spex.explain(game, 9, budget=50)),
    "table": (smooth_game, lambda _, table=TABLE, **arguments: captum_spex.explain_table(table, **arguments)),
    "explain of a table": (smooth_game, lambda _, **arguments: captum_spex.explain(TABLE, **arguments)),
    "model of a result": (
        smooth_game,
        lambda _, masks: captum_spex.explain(smooth_game, 9, budget=5).model(masks),
    ),
    "attribute": (sums, attribute),
    "shap": (lambda rows: rows.sum(axis=1), shap_values),
    "summary": (smooth_game, lambda _, results, **settings: captum_spex.summary(results, **settings)),
    "compare": (smooth_game, lambda _, other: ROW.compare(other)),
    "ProxySpex": (smooth_game, lambda _, **settings: ProxySpexApproximator(**settings)),
    "GaussianProcess": (smooth_game, lambda _, **settings: GaussianProcess(**settings)),
    "BoostedTrees": (smooth_game, lambda _, **settings: BoostedTrees(**settings)),
    "Spex": (smooth_game, lambda _, **settings: Spex(**settings)),
}

AT_LEAST_1 = "an integer of at least 1"
AT_LEAST_2 = "an integer of at least 2"
NAMES = r"'SV', 'BV', 'SII', .*, 'Fourier', or 'BII\(p=0.3\)' with 0 < p < 1"
FINGERPRINT = r"a game with an attribute `fingerprint`, got a game without one\. Give `store=.*fingerprint="
GIVEN = "None for a table, as its values are given"
SHAPE = r"\(1, 4\) or \(2, 4\), or a shape that broadcasts to it"
BASELINE = r"a shape that broadcasts to the input's \(2, 4\)"
EXAMPLES = "at least one example with one feature"
ROWS = "a list of `Interactions`, one for each row"
TENSORS = "a tensor or a tuple of tensors"
PROXIES = r"a name, `GaussianProcess\(\)`, `BoostedTrees\(\)`, an object with a method `surrogates`, or a tuple"

PLACES = "None, an integer, a tuple of integers, or a list of these for the examples"

BAD = [
    *[
        ("attribute", {"target": wrong}, ArgumentError, f"`target`: expected {PLACES}, got {re.escape(repr(wrong))}")
        for wrong in ("cat", 1.0, True, (), (0, "cat"))
    ],
    *[
        ("attribute", {"target": wrong}, ArgumentError, f"`target`: expected {PLACES}, got {got}")
        for wrong, got in (
            (["cat", "dog"], "'cat'"),
            ([0, 1.5], "1.5"),
            (torch.zeros(2), "0.0"),
            (torch.zeros(2, 2, dtype=torch.int64), r"a tensor of shape \(2, 2\), torch.int64"),
        )
    ],
    ("attribute", {"target": [0]}, ArgumentError, "`target`: expected one for each of the 2 examples, got 1 targets"),
    (
        "attribute", {"target": torch.arange(3)}, ArgumentError,
        "`target`: expected one for each of the 2 examples, got 3 targets",
    ),
    (
        "attribute", {"target": [(0, 1), (0,)]}, ArgumentError,
        r"`target`: expected tuples of the same length, got \[\(0, 1\), \(0,\)\]",
    ),
    ("attribute", {"allow_training": "yes"}, ArgumentError, "`allow_training`: expected True or False, got 'yes'"),
    (
        "attribute", {"model": torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Dropout())}, ArgumentError,
        "`forward_func`: expected a model in evaluation mode, got '1', a Dropout, in training mode",
    ),
    *[
        ("explain", {"budget": wrong}, BudgetError, f"`budget`: expected {AT_LEAST_2}, got {wrong!r}")
        for wrong in (1, 0, -5, 100.0, True, "100", "all")
    ],
    *[
        ("explain", {"budget": wrong}, BudgetError, f"`budget`: expected {AT_LEAST_2}, got {got}")
        for wrong, got in ((np.array(1), "1"), (np.float64(50), "50.0"), (torch.tensor(True), "True"))
    ],
    ("explain", {"index": "Shapley"}, UnknownNameError, f"`index`: expected {NAMES}, got 'Shapley'"),
    ("explain", {"index": None}, UnknownNameError, f"`index`: expected {NAMES}, got None"),
    *[
        (
            "explain",
            {"max_order": wrong},
            OrderError,
            f"`max_order`: expected an integer from 1 to the number of players, 9, got {wrong!r}",
        )
        for wrong in (0, -2, 10, 1.5, True)
    ],
    ("explain", {"store": 3}, StoreError, "`store`: expected a path or a `captum_spex.evaluation.Store`, got an int"),
    ("explain", {"store": "masks.db"}, StoreError, f"`store`: expected {FINGERPRINT}"),
    (
        "explain",
        {"store": Store("missing/masks.db", "a")},
        StoreError,
        "`store`: expected a path where a file can be made, on a local disk, got missing",
    ),
    ("explain", {"max_terms": 0}, ArgumentError, f"`max_terms`: expected {AT_LEAST_1}, got 0"),
    ("explain", {"batch_size": 0}, ArgumentError, f"`batch_size`: expected {AT_LEAST_1}, got 0"),
    ("explain", {"batch_size": 2.5}, ArgumentError, f"`batch_size`: expected {AT_LEAST_1}, got 2.5"),
    ("explain", {"backend": "ray"}, UnknownNameError, "`backend`: expected None, 'joblib', got 'ray'. Dask and Ray:"),
    ("explain", {"names": ["a"]}, ArgumentError, "`names`: expected one for each of the 9 players, got 1 names"),
    ("explain", {"max_budget": 90}, ArgumentError, '`max_budget`: expected None, unless `budget="auto"`, got 90'),
    ("explain", {"budget": "auto", "max_budget": 1}, BudgetError, f"`max_budget`: expected {AT_LEAST_2}, got 1"),
    (
        "explain",
        {"budget": "auto", "max_budget": 63},
        BudgetError,
        "`max_budget`: expected at least 64, the size of the first round, got 63",
    ),
    *[
        (
            "explain",
            {"budget": "auto", "target_faithfulness": wrong},
            ArgumentError,
            f"`target_faithfulness`: expected a number between 0 and 1, got {wrong!r}",
        )
        for wrong in (0, 1.0, -0.5, 2, float("nan"), True, "0.9", None)
    ],
    (
        "explain",
        {"budget": "auto", "approximator": Spex(), "max_budget": 100},
        ArgumentError,
        '`budget`: expected a number of evaluations, unless the approximator is `ProxySpex`, got "auto"',
    ),
    (
        "explain",
        {"approximator": ProxySpexApproximator(rounds=3)},
        BudgetError,
        "`budget`: expected at least 96, 32 for each of `rounds`, got 50",
    ),
    *[
        (
            "explain",
            {"approximator": wrong},
            ArgumentError,
            r"`approximator`: expected an approximator such as `ProxySpex\(\)` or `Exact\(\)`, got ",
        )
        for wrong in ("proxyspex", ProxySpexApproximator)
    ],
    *[
        (
            "explain",
            {"random_state": wrong},
            ArgumentError,
            f"`random_state`: expected None, an integer of at least 0, .*, got {wrong!r}",
        )
        for wrong in ("x", -1, 0.5)
    ],
    *[
        ("explain", {"n_players": wrong}, ArgumentError, f"`n_players`: expected {AT_LEAST_1}, got {wrong!r}")
        for wrong in (0, -1, 3.0, True, "3", None)
    ],
    ("no game", {"game": [1, 2]}, ArgumentError, "`game`: expected a callable from masks to values, got a list"),
    *[
        ("model of a result", {"masks": wrong}, MaskError, rf"`masks`: expected \(n_masks, 9\).*, got shape {shape}")
        for wrong, shape in (
            (np.ones((2, 8), dtype=bool), r"\(2, 8\)"),
            (np.ones(9, dtype=bool), r"\(9,\)"),
            ([[True] * 10], r"\(1, 10\)"),
        )
    ],
    # --- tables
    *[
        ("table", {"table": wrong}, ArgumentError, f"`table`: expected a `ValueTable`, or a game .*, got {got}")
        for wrong, got in ((3, "an int"), (smooth_game, "a function"), (np.ones(3), "an ndarray"))
    ],
    *[
        ("table", {"budget": wrong}, BudgetError, f"`budget`: expected {AT_LEAST_2}, got {wrong!r}")
        for wrong in (1, 2.5, "auto")
    ],
    *[
        (door, {"approximator": wrong}, ArgumentError, r"`approximator`: expected .*a method `fit`.*, got \w+\(")
        for wrong in (Exact(), Spex())
        for door in ("table", "explain of a table")
    ],
    *[
        ("explain of a table", {name: wrong}, ArgumentError, f"`{name}`: expected {GIVEN}, got {wrong!r}")
        for name, wrong in (("store", "kept.db"), ("batch_size", 10), ("max_budget", 10), ("backend", "joblib"))
    ],
    ("explain of a table", {"budget": "auto"}, ArgumentError, '`budget`: expected a number of rows .*, got "auto"'),
    *[
        ("explain of a table", {"n_players": wrong}, ArgumentError, f"`n_players`: expected 9, .*, got {wrong}")
        for wrong in (5, 50)
    ],
    ("table", {"names": ["a"]}, ArgumentError, "`names`: expected one for each of the 9 players, got 1 names"),
    ("table", {"index": "SHAP"}, UnknownNameError, f"`index`: expected {NAMES}, got 'SHAP'"),
    ("table", {"max_order": 10}, OrderError, "`max_order`: expected an integer from 1 to .*, 9, got 10"),
    # --- many rows
    *[
        ("summary", {"results": wrong}, ArgumentError, f"`results`: expected {message}")
        for wrong, message in (
            ([], f"{ROWS}, got no results"),
            (ROW, f"{ROWS}, got one result"),
            (3, f"{ROWS}, got an int"),
            ([ROW, "row"], f"{ROWS}, got a str"),
            (captum_spex.explain(lambda m: m[:, :2], 3, budget=8), f"{ROWS}, got the 2 outputs of one row. Choose one"),
            ([[ROW, ROW]], "the results of one output, got rows with several outputs"),
            ([ROW, row_of(index="STII")], "the same index and order in every row, got rows in SII .* and STII"),
            ([ROW, row_of(max_order=3)], "the same index and order in every row, got rows in SII"),
            ([ROW, row_of(n_players=4)], "the same players in every row, or names, got rows of 3 and 4 players"),
            ([ROW, row_of(names="abc")], "names of the players in every row, or in none, got rows with names and"),
        )
    ],
    ("summary", {"results": [ROW], "max_terms": 0}, ArgumentError, f"`max_terms`: expected {AT_LEAST_1}, got 0"),
    *[
        ("compare", {"other": wrong}, ArgumentError, f"`other`: expected {message}")
        for wrong, message in (
            (None, "one `Interactions`, got None"),
            ([ROW], "one `Interactions`, got a list. Choose one of them"),
            (row_of(n_players=4), "the same 3 players, got a result of 4 players"),
            (row_of(names="abc"), "names in both results, or in neither, got a result with names"),
            (row_of(index="STII"), r'SII of order 2, .*, got STII of order 2. Use `other.to\("SII", max_order=2\)`'),
        )
    ],
    # --- approximators
    ("ProxySpex", {"design": "latin"}, UnknownNameError, "`design`: expected 'auto', .*'spread', got 'latin'"),
    ("ProxySpex", {"proxy": "lasso"}, UnknownNameError, "`proxy`: expected 'auto', .*'boosted-trees', got 'lasso'"),
    *[
        ("ProxySpex", {"proxy": wrong}, ArgumentError, f"`proxy`: expected {PROXIES}, got ")
        for wrong in ((), None, BoostedTrees, (BoostedTrees(), 3), (BoostedTrees(), "gaussian-process"))
    ],
    ("ProxySpex", {"rounds": 0}, ArgumentError, f"`rounds`: expected {AT_LEAST_1}, got 0"),
    ("ProxySpex", {"noisy": "yes"}, ArgumentError, "`noisy`: expected True or False, got 'yes'"),
    ("ProxySpex", {"interpolate": 1}, ArgumentError, "`interpolate`: expected True or False, got 1"),
    ("GaussianProcess", {"n_steps": 0}, ArgumentError, f"`n_steps`: expected {AT_LEAST_1}, got 0"),
    ("GaussianProcess", {"max_rows": 1.5}, ArgumentError, f"`max_rows`: expected {AT_LEAST_1}, got 1.5"),
    ("GaussianProcess", {"learning_rate": 0.0}, ArgumentError, "`learning_rate`: expected a positive number, got 0.0"),
    ("BoostedTrees", {"n_trees": 0}, ArgumentError, f"`n_trees`: expected {AT_LEAST_1}, got 0"),
    ("BoostedTrees", {"learning_rate": -1}, ArgumentError, "`learning_rate`: expected a positive number, got -1"),
    ("Spex", {"degree": 0}, ArgumentError, "`degree`: expected an integer .*, got 0"),
    # --- Captum
    *[
        ("attribute", {"n_samples": wrong}, BudgetError, f"`n_samples`: expected {AT_LEAST_2}, got {wrong!r}")
        for wrong in (1, 10.0, True, "10")
    ],
    *[
        (
            "attribute",
            {"perturbations_per_eval": wrong},
            ArgumentError,
            f"`perturbations_per_eval`: expected {AT_LEAST_1}, got {wrong!r}",
        )
        for wrong in (0, 1.0)
    ],
    (
        "attribute",
        {"interaction_index": "XII"},
        UnknownNameError,
        f"`interaction_index`: expected {NAMES}, got 'XII'",
    ),
    *[
        ("attribute", {"max_order": wrong}, OrderError, f"`max_order`: expected an integer from 1 .*, 4, got {wrong}")
        for wrong in (0, 5)
    ],
    ("attribute", {"store": 3}, StoreError, "`store`: expected a path or a `captum_spex.evaluation.Store`, got an int"),
    ("attribute", {"store": "masks.db"}, StoreError, f"`store`: expected {FINGERPRINT}"),
    ("attribute", {"feature_names": ["a", "b"]}, ArgumentError, "expected one for each of the 4 players, got 2 names"),
    *[
        ("attribute", {"feature_mask": wrong}, MaskError, f"`feature_mask`: expected {expected}, got {got}")
        for wrong, expected, got in (
            (torch.zeros(1, 3, dtype=torch.long), SHAPE, r"shape \(1, 3\)"),
            (torch.zeros(3, 4, dtype=torch.long), SHAPE, r"shape \(3, 4\)"),
            (torch.zeros(1, 4), "a tensor of integer group ids", "dtype torch.float32"),
            (torch.ones(1, 4, dtype=torch.bool), "a tensor of integer group ids", "dtype torch.bool"),
            ((torch.arange(4), torch.arange(4)), "one tensor for each of the 1 inputs", "2"),
        )
    ],
    (
        "attribute",
        {"inputs": (X, X), "feature_mask": (torch.arange(4)[None], torch.arange(3)[None])},
        MaskError,
        rf"`feature_mask\[1\]`: expected {SHAPE}, got shape \(1, 3\)",
    ),
    *[
        ("attribute", {"baselines": wrong}, ArgumentError, f"`baselines`: expected {expected}, got {got}")
        for wrong, expected, got in (
            (torch.zeros(3), BASELINE, r"shape \(3,\)"),
            (torch.zeros(3, 4), BASELINE, r"shape \(3, 4\)"),
            (torch.zeros(5, 2, 4), BASELINE, r"shape \(5, 2, 4\)"),
            ((0, 1), "one baseline for each of the 1 inputs", "2"),
            ("zero", "a tensor or a number for each input", "a str"),
        )
    ],
    *[
        ("attribute", {"inputs": wrong}, ArgumentError, f"`inputs`: expected {expected}, got {got}")
        for wrong, expected, got in (
            (torch.zeros(0, 4), EXAMPLES, r"shape \(0, 4\)"),
            (torch.zeros(2, 0), EXAMPLES, r"shape \(2, 0\)"),
            (torch.tensor(1.0), EXAMPLES, r"shape \(\)"),
            ([X], TENSORS, "a list"),
            (np.ones((2, 4)), TENSORS, "an ndarray"),
            ((X, 3), TENSORS, "a tuple"),
            ((), TENSORS, "an empty tuple"),
            ((X, torch.ones(3, 4)), "the same number of examples in each tensor", "2 and 3"),
        )
    ],
    # --- SHAP
    *[
        ("shap", {"max_evals": wrong}, BudgetError, f"`max_evals`: expected {AT_LEAST_2}, got {wrong!r}")
        for wrong in (1, 10.0, True, "x")
    ],
    *[
        ("shap", {name: 1}, ArgumentError, f"`{name}`: expected {instead}, got 1")
        for name, instead in (
            ("nsamples", "`max_evals` of a call in its place, the number of masks for each row"),
            ("l1_reg", "no such argument, as no value is cut to 0"),
            ("check_additivity", "no such argument, as the values always add up to the prediction"),
        )
    ],
    *[
        ("shap", {"batch_size": wrong}, ArgumentError, f"`batch_size`: expected {AT_LEAST_1}, got {wrong!r}")
        for wrong in (0, 2.5)
    ],
]  # fmt: skip

BAD_VALUES = [
    *[
        ("explain", {"game": game}, f"`game`: expected {message}")
        for game, message in (
            (lambda masks: np.zeros(3), r"values of shape \(50,\) or \(50, n_outputs\), got \(3,\) for 50 masks"),
            (lambda masks: np.zeros((2, 2, 2)), r"values of shape .*, got \(2, 2, 2\) for 50 masks"),
            (
                lambda masks: np.where(masks.all(axis=1), np.nan, 0.0),
                "finite values, got nan for the mask with all players present",
            ),
            (
                lambda masks: np.where(masks.any(axis=1), 0.0, np.inf),
                "finite values, got inf for the mask with no player present",
            ),
            (lambda masks: ["a"] * len(masks), "real numbers, got a list"),
            (lambda masks: None, "real numbers, got None"),
        )
    ],
    (
        "attribute",
        {"model": lambda x: torch.zeros(len(x) + 1)},
        r"`forward_func`: returned shape \(3,\) for 2 rows; its first dimension must be",
    ),
    (
        "attribute",
        {"model": lambda x: torch.full((len(x),), float("nan"))},
        "`game`: expected finite values, got nan for the mask with all players present",
    ),
]


def name_of(case):
    """The door and the arguments, without addresses: every process must collect the same names."""
    return re.sub(r" at 0x\w+", "", f"{case[0]} {case[1]}")[:60]


@pytest.mark.parametrize(("door", "arguments", "kind", "message"), BAD, ids=[name_of(case) for case in BAD])
def test_bad_input_is_refused_before_the_first_evaluation(door, arguments, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    game, call = DOORS[door]
    counting = Counting(game)
    with pytest.raises(kind, match=message) as caught:
        call(counting, **arguments)
    assert isinstance(caught.value, ValueError)
    assert counting.n_calls == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("door", "arguments", "message"), BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_values_that_cannot_be_used_end_the_run_after_one_call(door, arguments, message):
    game, call = DOORS[door]
    counting = Counting(game)
    with pytest.raises(GameError, match=message) as caught:
        call(counting, **arguments)
    assert isinstance(caught.value, ValueError)
    assert counting.n_calls == 1


@pytest.mark.parametrize(("rest", "got"), [(3, 3), (None, 1)])
def test_games_that_change_their_number_of_outputs(rest, got):
    def game(masks):
        shape = (2,) if masks.all(axis=1).any() else () if rest is None else (rest,)
        return np.zeros((len(masks), *shape))

    with pytest.raises(GameError, match=f"`game`: expected 2 outputs per mask, as in the batches before, got {got}"):
        captum_spex.explain(game, 9, budget=50, batch_size=10)


OF_13_TIMES_6_TIMES_8 = (
    r"`target`: expected a tuple \(channel, row, column\) from \(0, 0, 0\) to \(12, 5, 7\), got {} for a model with "
    r"outputs of shape \(13, 6, 8\)\. `multi_output=True` explains every output"
)


@pytest.mark.parametrize("target", [None, 12, 47, -14, (12,), (13, 0, 0), (0, 6, 0), (0, 0, 0, 0), [(0, 0), (12, 6)]])
@pytest.mark.parametrize("size", [1, 8])
def test_targets_that_a_model_of_several_dimensions_does_not_have(target, size):
    model = Counting(lambda x: x.sum(dim=1)[:, None, None, None].expand(-1, 13, 6, 8))
    with pytest.raises(ArgumentError, match=OF_13_TIMES_6_TIMES_8.format(re.escape(repr(target)))):
        ProxySpex(model).attribute(X, target=target, perturbations_per_eval=size)
    assert model.n_calls == 1


@pytest.mark.parametrize("target", [3, -4, (0, 0), [0, 3], torch.tensor([0, 3])])
def test_targets_that_a_model_does_not_have(target):
    for model, said in (
        (
            three_sums,
            rf"expected the output to explain, for instance 0 to 2, got {re.escape(repr(target))} for a model",
        ),
        (sums, "expected None for a model that returns one number for each row, got"),
    ):
        with pytest.raises(ArgumentError, match=f"`target`: {said}"):
            ProxySpex(model).attribute(X, target=target)


def test_a_target_is_missing():
    model = Counting(three_sums)
    with pytest.raises(ArgumentError, match=r"`target`: expected the output .* 0 to 2, got None .*`multi_output=True`"):
        ProxySpex(model).attribute(X)
    assert model.n_calls == 1


# --- scalars ----------------------------------------------------------------------------------------------------------


def of_numpy(value):
    kind = {bool: np.bool_, int: np.int32, float: np.float32}[type(value)]
    return kind(value)


SCALARS = {"NumPy scalars": of_numpy, "0-d arrays": np.array, "0-d tensors": torch.tensor}


QUICK = ProxySpexApproximator(GaussianProcess(n_steps=3))


def answer(approximator=QUICK, **arguments):
    settings = {"budget": 40, "random_state": 3, **arguments}
    return captum_spex.explain(smooth_game, 12, approximator=approximator, **settings).to_json()


def captum_answer(**arguments):
    inputs = torch.arange(24.0).reshape(2, 12)
    return ProxySpex(sums, QUICK).attribute(inputs, **arguments).tolist()


def shap_answer(seed, linearize_link, **arguments):
    explainer = ProxySpexExplainer(
        lambda rows: rows[:, 0] * rows[:, 1],
        np.zeros((1, 12)),
        seed=seed,
        linearize_link=linearize_link,
        approximator=QUICK,
    )
    return explainer(np.ones((2, 12)), **arguments).values.tolist()


def trained_game(**settings):
    points = np.random.default_rng(0).normal(size=(9, 2))
    return TrainingGame(Ridge(), OnTest(points[:2]), (points, points[:, 0]), **settings)(TABLE_MASKS[:5]).tolist()


def image_game(**settings):
    image = torch.arange(16.0).reshape(1, 4, 4)
    game = ImageGame(lambda images: images.flatten(1), image, (2, 2), fill="zero", **settings)
    return game(TABLE_MASKS[:5, :4]).tolist()


def ray_game(**settings):
    with pytest.raises(ImportError, match="pip install ray"):
        RayGame(lambda: smooth_game, **settings)


PLAIN = {
    "explain": (
        answer,
        {"budget": 40, "max_order": 2, "random_state": 3, "batch_size": 7, "show_progress": False, "max_terms": 5},
    ),
    "explain, every mask": (
        lambda n_players: captum_spex.explain(smooth_game, n_players, budget=256).to_json(),
        {"n_players": 8},
    ),
    "explain, automatic budget": (
        lambda **arguments: answer(budget="auto", **arguments),
        {"target_faithfulness": 0.5, "max_budget": 70},
    ),
    "explain_table": (
        lambda **arguments: captum_spex.explain_table(TABLE, approximator=QUICK, **arguments).to_json(),
        {"budget": 40, "max_order": 2, "random_state": 3, "max_terms": 5},
    ),
    "ProxySpex": (
        lambda **settings: answer(ProxySpexApproximator(GaussianProcess(n_steps=3), **settings), budget=80),
        {"rounds": 2, "noisy": True, "interpolate": False},
    ),
    "GaussianProcess": (
        lambda **settings: answer(ProxySpexApproximator(GaussianProcess(**settings))),
        {"n_steps": 3, "learning_rate": 0.25, "max_rows": 64, "terms": False, "links": True, "n_inducing": 64},
    ),
    "BoostedTrees": (
        lambda **settings: answer(ProxySpexApproximator(BoostedTrees(**settings))),
        {"n_trees": 9, "learning_rate": 0.25, "max_depth": 3, "num_leaves": 4, "subsample": 0.5},
    ),
    "Spex": (lambda **settings: answer(Spex(**settings), budget=2000), {"degree": 2, "bits": 3}),
    "Captum": (
        captum_answer,
        {"n_samples": 40, "perturbations_per_eval": 5, "max_order": 2, "random_state": 3, "return_input_shape": True},
    ),
    "SHAP": (
        shap_answer,
        {"seed": 3, "linearize_link": True, "max_evals": 40, "batch_size": 5, "silent": True, "interactions": True},
    ),
    "from_table": (
        lambda **settings: from_table(np.packbits(TABLE_MASKS, axis=1), np.arange(80), **settings)(
            TABLE_MASKS
        ).tolist(),
        {"n_players": 9},
    ),
    "TrainingGame": (trained_game, {"untrainable": 0.5, "closed_form": False, "n_jobs": 1, "batch_size": 2}),
    "ImageGame": (image_game, {"target": 1, "batch_size": 2}),
    "RayGame": (
        ray_game,
        {"n_workers": 1, "gpus_per_worker": 0.5, "cpus_per_worker": 2, "batch_size": 7, "max_retries": 0},
    ),
}


@cache
def plainly(name):
    """What plain numbers and flags give."""
    call, arguments = PLAIN[name]
    return call(**arguments)


@pytest.mark.parametrize("kind", SCALARS)
@pytest.mark.parametrize("name", PLAIN)
def test_scalars_of_numpy_and_torch_are_plain_numbers_and_flags(name, kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    call, arguments = PLAIN[name]
    wrapped = {argument: SCALARS[kind](value) for argument, value in arguments.items()}
    assert_array_equal(call(**wrapped), plainly(name))
