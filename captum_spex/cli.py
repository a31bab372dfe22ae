"""The command line: ``captum-spex demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from captum_spex import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="captum-spex", description="Find the interactions that matter, from few model evaluations."
    )
    parser.add_argument("--version", action="version", version=f"captum-spex {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train a small network on real data and explain one prediction")
    demo.add_argument("--budget", type=int, default=512, help="model evaluations for each explainer (default: 512)")
    demo.add_argument("--seed", type=int, default=0, help="seed of the training and of the masks (default: 0)")
    chosen = parser.parse_args(arguments)
    from captum_spex.demo import run_demo

    print(run_demo(budget=chosen.budget, seed=chosen.seed))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
