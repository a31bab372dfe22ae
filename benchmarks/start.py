"""How long the package takes to be there: CPU seconds of a process, as multiples of ``python -c "import numpy"``.

Usage: ``python -m benchmarks.start``. Targets: 6 for the command line, 10 for ``import captum_spex``.
"""

from __future__ import annotations

import resource
import subprocess
import sys

PROCESSES = 7  # of which the fastest counts: others were disturbed
COMMAND = [sys.executable, "-m", "captum_spex.cli"]
STARTS = {
    "import captum_spex": ([sys.executable, "-c", "import captum_spex"], 10),
    "captum-spex --version": ([*COMMAND, "--version"], 6),
    "captum-spex --help": ([*COMMAND, "--help"], 6),
    "captum-spex explain --help": ([*COMMAND, "explain", "--help"], 6),
    "captum-spex benchmark --help": ([*COMMAND, "benchmark", "--help"], 6),
    "captum-spex explian (a typo)": ([*COMMAND, "explian"], 6),
    "captum-spex explain --modle x": ([*COMMAND, "explain", "--modle", "x"], 6),
    "captum-spex explain --unit wrod": ([*COMMAND, "explain", "good", "--unit", "wrod"], 6),
}


def cpu_seconds(command: list[str]) -> float:
    """Return the CPU seconds of a process, user and system."""
    seconds = []
    for _ in range(PROCESSES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def main() -> None:
    """Print the table."""
    numpy = cpu_seconds([sys.executable, "-c", "import numpy"])
    print(f"{'import numpy':<32} {numpy:6.3f} s")
    for name, (command, most) in STARTS.items():
        seconds = cpu_seconds(command)
        print(f"{name:<32} {seconds:6.3f} s {seconds / numpy:6.1f} times (target {most})")


if __name__ == "__main__":
    main()
