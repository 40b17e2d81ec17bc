"""Imported once in the process that kernels are forked from: most of a notebook's time is these imports.

Nothing here may start a thread or open a connection, and pyplot must not be imported: it registers display
hooks that are lost in a forked kernel, and every figure with them.
"""

import duckdb
import ipykernel.ipkernel
import ipykernel.kernelapp
import matplotlib.backends.backend_agg
import matplotlib.backends.backend_svg
import narwhals
import pandas
import pyarrow.parquet

import attendance_toolkit.notebook

# Each fork first imports the main module of the process that asked for it, and that imports the runner.
import attendance_toolkit.reporting.run
