"""Fixtures of the tests of Captum's adapters."""

from __future__ import annotations

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture
def rows_seen():
    """Rows of each call of the language model."""
    from language_cases import counted
    from text_models import causal_model

    rows, hook = counted(causal_model("gpt2"))
    yield rows
    hook.remove()


@pytest.fixture
def closing():
    """Pyplot; all its figures are closed."""
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")
