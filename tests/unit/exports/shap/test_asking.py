"""Who reads a property of an explanation: a plot of SHAP, its cohorts, or somebody else."""

from __future__ import annotations

from captum_spex.exports.shap.asking import asking


def read_by(module, function="draw", **known):
    """Return what `asking` says to a function of a module."""
    space = {"__name__": module, "asking": asking, "known": known}
    given = ", ".join(f"{name}={name}" for name in known)
    exec(f"def {function}(one, {', '.join(known) or 'unused=None'}):\n    return asking(one)", space)
    return eval(f"{function}(object(), {given})", {**space, **known})


def test_plots_are_told_from_users():
    assert read_by("__main__") is None
    assert read_by("shapely.plots") is None
    assert read_by("shap._explanation") is None
    found = read_by("shap.plots._violin", "violin", plot_type="layered_violin")
    assert found.is_plot
    assert (found.module, found.call) == ("plots._violin", 'violin(plot_type="layered_violin")')
    assert read_by("shap.plots._beeswarm", "summary_legacy").call == "summary_plot"


def test_cohorts_and_sorting_are_no_plots():
    assert not read_by("shap._explanation", "_auto_cohorts").is_plot
    assert not read_by("shap.utils._general").is_plot


def test_what_colours_a_scatter_plot():
    assert not read_by("shap.plots._scatter", shap_values2=3).is_colour
    space = {"__name__": "shap.plots._scatter", "asking": asking}
    exec("def scatter(shap_values2):\n    return asking(shap_values2)", space)
    assert space["scatter"](object()).is_colour
