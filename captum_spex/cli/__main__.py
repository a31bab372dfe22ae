"""``python -m captum_spex.cli``."""

from captum_spex.cli import main

raise SystemExit(main())
