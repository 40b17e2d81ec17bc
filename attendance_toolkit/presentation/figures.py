"""Charts from protected measure rows: each drawn wide and narrow, with its words and its figures.

Every function takes a ``ProtectedTable`` and gives a ``Figure`` block. Axis limits, order and text are made
from the shown values alone: a hidden value leaves a gap and is counted in the notes.
"""

from __future__ import annotations

from attendance_toolkit.presentation.line_charts import line_by_year, small_multiples_by_year
from attendance_toolkit.presentation.row_charts import bars, dot_interval

__all__ = ["bars", "dot_interval", "line_by_year", "small_multiples_by_year"]
