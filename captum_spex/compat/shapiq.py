"""What is needed of shapiq, and what differs between its versions, 1.4 to 1.8."""

from __future__ import annotations

from captum_spex.compat.versions import SHAPIQ, imported_for

with imported_for(SHAPIQ):
    from shapiq import InteractionValues

__all__ = ["InteractionValues"]
