"""The games of the benchmark: models trained here or carried by a package, planted spectra, a folder of tables."""

from captum_spex.benchmark.cases._catalogue import catalogue
from captum_spex.benchmark.cases._folder import from_folder
from captum_spex.benchmark.cases._source import CaseSource

__all__ = ["CaseSource", "catalogue", "from_folder"]
