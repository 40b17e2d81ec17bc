"""Charts from protected measure rows: each drawn wide and narrow, with its words and its figures.

Every function takes a ``ProtectedTable`` and gives a ``Figure`` block. Axis limits, order and text are made
from the shown values alone: a hidden value leaves a gap and is counted in the notes.
"""

from __future__ import annotations

from attendance_toolkit.presentation.flow_charts import flow_bars
from attendance_toolkit.presentation.funnel_charts import funnel_chart
from attendance_toolkit.presentation.limit_charts import control_chart
from attendance_toolkit.presentation.line_charts import line_by_level, line_by_year
from attendance_toolkit.presentation.panel_charts import dot_panels
from attendance_toolkit.presentation.row_charts import bars, dot_interval
from attendance_toolkit.presentation.small_charts import small_multiples_by_year
from attendance_toolkit.presentation.upset import Membership as Membership
from attendance_toolkit.presentation.upset import upset_rows

__all__ = [
    "bars",
    "control_chart",
    "dot_interval",
    "dot_panels",
    "flow_bars",
    "funnel_chart",
    "line_by_level",
    "line_by_year",
    "small_multiples_by_year",
    "upset_rows",
]
