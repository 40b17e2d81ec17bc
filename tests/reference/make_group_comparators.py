"""Make ``attendance_toolkit/vocabulary/reference/group_comparators.csv`` from a published file and a printed table.

    python tests/reference/make_group_comparators.py ../shared [OUTPUT]

Census years come from DfE's national file by characteristic (2014/15 to 2016/17), read with the csv module alone;
2023/24 from the national columns of Trafford's printed Table 2, which are the attendance series at 19 July 2024 to one
decimal. ``test_school_rating_real.py`` checks that this script gives the committed bytes, and the rows against the
published percentages.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

COLUMNS = (
    "series",
    "academic_year",
    "phase",
    "group",
    "sessions_possible",
    "sessions_missed",
    "attendance",
    "persistent_absence",
    "decimals",
    "source",
)
FILE = "data/real/absence_annual_characteristics/absence_natcharacteristics_201617_layout2019.csv"
TABLE = "golden/trafford_table2_as_printed.csv"
PHASES = {"State-funded primary": "Primary", "State-funded secondary": "Secondary", "Special": "Special"}
#: Before it, statements and School Action are other groups than EHC plans and SEN support.
FIRST_YEAR = 201415
GROUPS = {
    "Total": "All pupils",
    "FSM_eligible": "FSM",
    "SEN_provision_Statement_or_EHCP": "EHCP",
    "SEN_provision_SEN_Support": "SEN Support",
}
#: All pupils of 2023/24 are among the toolkit's other reference values, unrounded.
PRINTED = {"FSM": "FSM", "EHC": "EHCP", "SEN Support": "SEN Support"}
CENSUS_SOURCE = "DfE Pupil absence in schools in England 2016/17, national by characteristic, six half terms, OGL v3.0"
PRINTED_SOURCE = (
    "DfE Pupil attendance in schools, year to 19 July 2024, to one decimal, as printed by Trafford Council, Overview of"
    " Persistent and Severe Absence in Trafford, January 2025, Table 2"
)


def rows(shared: Path) -> list[tuple[object, ...]]:
    """Return the rows of the table, in its order."""
    found: list[tuple[object, ...]] = []
    with (shared / FILE).open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            group, phase = GROUPS.get(row["characteristic_breakdown"]), PHASES.get(row["school_type"])
            if group and phase and int(row["time_period"]) >= FIRST_YEAR:
                counts = (int(row["sess_possible"]), int(row["sess_overall"]))
                found.append(("census", int(row["time_period"]), phase, group, *counts, "", "", "", CENSUS_SOURCE))
    with (shared / TABLE).open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            group, text = PRINTED.get(row["characteristic"]), row["national_attendance_2023_24"]
            if group and text and row["phase"] in list(PHASES.values()):
                shown = (_as_printed(text), _as_printed(row["national_pa_2023_24"]))
                found.append(("attendance", 202324, row["phase"], group, "", "", *shown, 1, PRINTED_SOURCE))
    order = list(GROUPS.values())
    return sorted(found, key=lambda row: (row[1], str(row[2]), order.index(str(row[3]))))


def _as_printed(text: str) -> str:
    """Return a percentage with its one decimal: the table of the shared folder pads it."""
    return text.removesuffix("0") if len(text.partition(".")[2]) == 2 else text


def table(shared: Path) -> str:
    """Return the bytes of the table as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(shared))
    return out.getvalue()


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    text = table(Path(sys.argv[1]))
    if target is None:
        sys.stdout.write(text)
    else:
        target.write_text(text, encoding="utf-8")
