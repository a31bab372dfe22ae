"""Data frames of pandas, and of polars, pyarrow and others through narwhals: column by column, in their own dtypes."""

from captum_spex.frames.base import Frame, Pool
from captum_spex.frames.cells import cells_of, codes_of, holds
from captum_spex.frames.pandas_frame import PandasFrame, labels_of
from captum_spex.frames.reading import frame_of, values_of

__all__ = ["Frame", "PandasFrame", "Pool", "cells_of", "codes_of", "frame_of", "holds", "labels_of", "values_of"]
