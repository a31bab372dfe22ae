"""The approximators of shapiq: what is listed where a newer version, or another package, is needed."""

from __future__ import annotations

import sys
import types

import pytest

from captum_spex.benchmark.methods import adapter, all_methods
from captum_spex.benchmark.protocol import Request

METHODS = {method.name: method for method in all_methods() if method.package == "shapiq"}
NEWER = {
    "ProxySHAP": "1.5",
    "ProxySHAP unadjusted": "1.5",
    "RegressionMSR": "1.5",
    "OddSHAP": "1.6",
    "ShaplEIG": "1.6",
    "LeverageSHAP": "1.7",
    "PolySHAP": "1.8",
}


@pytest.fixture
def shapiq(monkeypatch):
    """A package that is called shapiq, and has what is put into it."""
    whole, approximators = types.ModuleType("shapiq"), types.ModuleType("shapiq.approximator")
    monkeypatch.setitem(sys.modules, "shapiq", whole)
    monkeypatch.setitem(sys.modules, "shapiq.approximator", approximators)
    monkeypatch.setattr(adapter, "version_of", lambda package: "1.4.1")
    return approximators


@pytest.mark.parametrize("name", NEWER)
def test_where_it_is_too_old_the_version_and_the_python_are_named(shapiq, name):
    said = f"not in shapiq 1.4.1: needs shapiq {NEWER[name]} or newer, on Python 3.12 or newer"
    assert METHODS[f"shapiq {name}"].missing() == said


def test_an_empty_class_in_place_of_an_extra_is_missing(shapiq):
    shapiq.ShaplEIG = type("ShaplEIG", (), {"_import_error": ImportError("no gpytorch")})
    assert METHODS["shapiq ShaplEIG"].missing() == "ShaplEIG of shapiq 1.4.1 cannot be imported: no gpytorch"


@pytest.mark.parametrize("name", ["ProxySHAP", "ProxySHAP unadjusted", "RegressionMSR"])
def test_without_xgboost_a_weaker_tree_is_no_rival(shapiq, monkeypatch, name):
    shapiq.ProxySHAP = shapiq.RegressionMSR = type("Any", (), {})
    monkeypatch.setitem(sys.modules, "xgboost", None)
    assert METHODS[f"shapiq {name}"].missing() == "needs xgboost, which is not installed"
    monkeypatch.setitem(sys.modules, "xgboost", types.ModuleType("xgboost"))
    assert METHODS[f"shapiq {name}"].missing() is None


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("OddSHAP", Request(60, 9, 0), "needs 10 evaluations"),
        ("OddSHAP", Request(10_000, 500, 0), "needs 47.7 GiB"),
        ("OddSHAP", Request(1, 100, 0), "needs two players"),
        ("ProxySHAP", Request(1000, 2048, 0), "GiB"),
        ("ProxySHAP", Request(1, 100, 0), "needs two players"),
        ("RegressionMSR", Request(10, 3, 0), "needs 4 evaluations"),
        ("ShaplEIG", Request(20, 21, 0), "needs 22 evaluations"),
        ("ShaplEIG", Request(20, 129, 0), "takes minutes beyond 64 evaluations"),
        ("LeverageSHAP", Request(1, 100, 0), "needs two players"),
        ("PolySHAP", Request(1000, 20_000, 0), "GiB"),
        ("KernelSHAPIQ", Request(200, 100, 0), "needs 6.1 GiB"),  # its equations for all pairs, however few evaluations
        ("RegressionFSII", Request(1000, 64, 0), "GiB"),
    ],
)
def test_a_refusal_says_why(name, request_, said):
    assert said in METHODS[f"shapiq {name}"].refusal(request_)


def test_what_makes_no_equations_for_all_pairs_is_asked_about_more_players():
    assert METHODS["shapiq KernelSHAPIQ"].refusal(Request(100, 2000, 0)) is None
    assert METHODS["shapiq ProxySHAP"].refusal(Request(200, 2000, 0)) is None


@pytest.mark.parametrize("name", sorted(NEWER))
def test_a_budget_of_a_few_masks_for_each_player_is_not_refused(name):
    assert METHODS[f"shapiq {name}"].refusal(Request(30, 60, 0)) is None
