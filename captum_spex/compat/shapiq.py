"""What is imported from shapiq, 1.4 to 1.8; an optional library, imported when it is used."""

from __future__ import annotations

from typing import Any

from captum_spex.compat.versions import SHAPIQ, imported_for

__all__ = ["interaction_values"]


def interaction_values() -> Any:
    """Return the class ``shapiq.InteractionValues``."""
    with imported_for(SHAPIQ):
        from shapiq import InteractionValues
    return InteractionValues
