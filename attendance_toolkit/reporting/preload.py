"""Imported once in the process that kernels are forked from: most of a notebook's time is these imports.

Nothing here may start a thread or open a connection, and pyplot must not be imported: it registers display
hooks that are lost in a forked kernel, and every figure with them.
"""

import duckdb  # noqa: F401
import ipykernel.ipkernel  # noqa: F401
import ipykernel.kernelapp  # noqa: F401
import matplotlib.backends.backend_agg  # noqa: F401
import matplotlib.backends.backend_svg  # noqa: F401
import narwhals  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401

import attendance_toolkit.notebook  # noqa: F401
