"""Which versions of a library work, and the error for one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from captum_spex.errors import LibraryError

__all__ = [
    "CAPTUM",
    "CAPTUM_LLM",
    "LIBRARIES",
    "SHAP",
    "SHAPIQ",
    "TRANSFORMERS",
    "Library",
    "check_version",
    "imported_for",
]


@dataclass(frozen=True)
class Library:
    """A library and its tested versions; newer ones are used as long as they have what is imported.

    Attributes:
        package: its name on the package index.
        name: what people call it.
        oldest: the first version that works.
        newest: the last version that was tested, ``major.minor``.
        used_by: what needs it.
    """

    package: str
    name: str
    oldest: str
    newest: str
    used_by: str

    def installed(self) -> str | None:
        """Return the installed version, if any."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    def error(self, reason: str) -> LibraryError:
        """Return an error with the reason and the versions that work."""
        work = f"{self.oldest} to {self.newest} work" if self.oldest != self.newest else f"{self.newest} works"
        return LibraryError(
            f"{self.used_by}: {reason}; {self.name} {work}. Install it, for instance "
            f'by `pip install "{self.package}=={self.newest}.*"`. The other parts of captum_spex work without it.'
        )


# `tests/unit/compat/test_versions.py` compares these with pyproject.toml and the constraints files.
CAPTUM = Library("captum", "Captum", "0.8", "0.9", "captum_spex.attr")
CAPTUM_LLM = Library("captum", "Captum", "0.9", "0.9", "captum_spex.attr.SpexLLMAttribution")  # other results, inputs
SHAP = Library("shap", "SHAP", "0.46", "0.54", "captum_spex.explainers and to_shap")
SHAPIQ = Library("shapiq", "shapiq", "1.4", "1.8", "to_shapiq and from_shapiq")
TRANSFORMERS = Library("transformers", "transformers", "4.56", "5.24", "captum_spex.games.text")
LIBRARIES = (CAPTUM, SHAP, SHAPIQ, TRANSFORMERS)


def check_version(library: Library) -> None:
    """Raise a `LibraryError` if the installed version is too old; the library itself is not imported."""
    installed = library.installed()
    if installed is not None and Version(installed) < Version(library.oldest):
        raise library.error(f"{library.name} {installed} is installed, which is too old")


@contextmanager
def imported_for(library: Library) -> Iterator[None]:
    """Import from a library; raise a `LibraryError` if it is missing, too old, or lacks what is imported."""
    check_version(library)
    try:
        yield
    except (ImportError, AttributeError) as error:  # other libraries that do not fit it raise either
        installed = library.installed()
        if installed is None:
            raise library.error(f"{library.name} is not installed") from error
        raise library.error(f"{library.name} {installed} cannot be used here ({error})") from error
