"""Does a printed or published table agree with itself, with its own counts and with published figures?

Each check is a small function from printed cells (``loaders.printed.PRINTED_COLUMNS``) to findings. A finding is
made only where no rounding of the printed digits can explain the cell: a printed 15.2 stands for 15.15 to
15.25, both ends included. All arithmetic is exact. ``columns`` and ``rows`` hold the same checks for whole
published files, a column at a time.
"""

from attendance_toolkit.metrics.reconciliation._against_published import (
    check_against_published,
    check_series_mixed,
    column_series,
    column_sources,
    compare_with_published,
)
from attendance_toolkit.metrics.reconciliation._claims import (
    IN_LINE_PP,
    TRAFFORD_CLAIMS,
    GapClaim,
    check_gap_claims,
    check_lost_learning,
    check_sample,
    check_share,
    denominators_for,
    gap_comparison,
    sizes_for,
)
from attendance_toolkit.metrics.reconciliation._findings import Cell, PrintedFinding, rounding_interval
from attendance_toolkit.metrics.reconciliation._own_figures import (
    FAMILIES,
    IDENTITIES,
    check_between_groups,
    check_components,
    check_parts_add_up,
    check_rates_against_counts,
    check_severe_within_persistent,
)
from attendance_toolkit.metrics.reconciliation._statements import (
    EVENTS,
    check_change,
    check_claims,
    check_equivalent,
    check_start_date,
    check_sum,
    check_threshold,
    check_words,
)
from attendance_toolkit.metrics.reconciliation._together import printed_measure_rows, reconcile

__all__ = [
    "EVENTS",
    "FAMILIES",
    "IDENTITIES",
    "IN_LINE_PP",
    "TRAFFORD_CLAIMS",
    "Cell",
    "GapClaim",
    "PrintedFinding",
    "check_against_published",
    "check_between_groups",
    "check_change",
    "check_claims",
    "check_components",
    "check_equivalent",
    "check_gap_claims",
    "check_lost_learning",
    "check_parts_add_up",
    "check_rates_against_counts",
    "check_sample",
    "check_series_mixed",
    "check_severe_within_persistent",
    "check_share",
    "check_start_date",
    "check_sum",
    "check_threshold",
    "check_words",
    "column_series",
    "column_sources",
    "compare_with_published",
    "denominators_for",
    "gap_comparison",
    "printed_measure_rows",
    "reconcile",
    "rounding_interval",
    "sizes_for",
]
