"""Make ``attendance_toolkit/vocabulary/reference/comparators.csv`` from the published files.

    python tests/reference/make_comparators.py ../shared [OUTPUT]

The folder holds ``data/real`` (the LA time series and the attendance series) and ``domain.md``, whose
tables 6c and 6d give the attendance series to 10 July 2026 to one decimal. ``test_published_real.py``
checks that this script gives the committed bytes.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path

from attendance_toolkit.loaders.published import read_published
from attendance_toolkit.vocabulary.areas import ENGLAND, find_area, local_authorities_in
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES

COLUMNS = ("series", "academic_year", "area_code", "phase", "measure", "percent", "decimals", "source")
CENSUS_SOURCE = "DfE LA time series of pupil absence, OGL v3.0"
ATTENDANCE_SOURCE = "DfE Pupil attendance in schools, year to date, OGL v3.0"
ROUNDED_SOURCE = "DfE Pupil attendance in schools, year to 10 July 2026, rounded, OGL v3.0"
ROUNDED_YEAR = 202526
_MEASURES = (
    "attendance_rate",
    "overall_absence_rate",
    "authorised_absence_rate",
    "unauthorised_absence_rate",
    "persistent_absence_rate",
    "severe_absence_rate",
)


def _areas() -> list[str]:
    greater_manchester = local_authorities_in(find_area("Greater Manchester"))
    return [ENGLAND, find_area("North West").code, *(area.code for area in greater_manchester)]


def _from_files(shared: Path) -> list[tuple]:
    folder = shared / "data" / "real"
    published = read_published([folder / "lait_la_timeseries", folder / "attendance_fortnightly"], areas=_areas())
    rates = published.rates
    keep = rates["rate"].notna() & (rates["reason"] == ALL) & (rates["period"] == "year")
    keep &= rates["characteristic"] == ALL
    rows = []
    for row in rates[keep].itertuples():
        source = CENSUS_SOURCE if row.series == "census" else ATTENDANCE_SOURCE
        decimals = str(row.decimals).replace("<NA>", "")
        rows.append(
            (
                row.series,
                row.academic_year,
                row.area_code,
                row.phase,
                row.measure,
                row.printed,
                decimals,
                source,
            )
        )
    return rows


def _from_tables(shared: Path) -> list[tuple]:
    text = (shared / "domain.md").read_text(encoding="utf-8")

    def row(area: str, phase: str, measure: str, percent: str) -> tuple:
        return ("attendance", ROUNDED_YEAR, area, phase, measure, percent, "1", ROUNDED_SOURCE)

    rows = []
    england = re.search(r"^\| 2025/26 \(10 Jul\) \|(.+)\|$", text, re.MULTILINE)
    assert england is not None, "table 6c is not as expected"
    measures = (
        "attendance_rate",
        "authorised_absence_rate",
        "unauthorised_absence_rate",
        "persistent_absence_rate",
    )
    for phase, cell in zip((*MAIN_PHASES, ALL_SCHOOLS), england[1].split("|"), strict=True):
        for measure, percent in zip(measures, cell.split("/"), strict=True):
            rows.append(row(ENGLAND, phase, measure, percent.strip()))
    start = text.index("### 6d.")
    table = text[start : text.index("### 6e.")]
    for line in re.findall(r"^\| (?!Area|-)(.+) \|$", table, re.MULTILINE):
        cells = [cell.strip() for cell in line.split("|")]
        if set(cells[0]) <= {"-"}:
            continue
        area = find_area(cells[0]).code
        for phase, pair in zip(MAIN_PHASES, cells[3].split(";"), strict=True):
            attendance, persistent = pair.split("/")
            rows.append(row(area, phase, "attendance_rate", attendance.strip()))
            rows.append(row(area, phase, "persistent_absence_rate", persistent.strip()))
    return rows


def make_comparators(shared: Path) -> str:
    """Return the text of comparators.csv."""
    areas = {code: i for i, code in enumerate(_areas())}
    phases = {phase: i for i, phase in enumerate((*MAIN_PHASES, ALL_SCHOOLS))}
    rows = [*_from_files(shared), *_from_tables(shared)]
    rows.sort(key=lambda r: (r[0] != "census", r[1], areas[r[2]], phases[r[3]], _MEASURES.index(r[4])))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[2] / "attendance_toolkit/vocabulary/reference/comparators.csv"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    target.write_text(make_comparators(Path(sys.argv[1])), encoding="utf-8", newline="")
