"""Make ``attendance_toolkit/vocabulary/reference/statistical_neighbours.csv`` from DfE's workbook.

    python tests/reference/make_neighbours.py WORKBOOK "May 2025" [OUTPUT]

The workbook does not say its edition, so it is given. Ended authorities stand in it with the neighbours of
earlier editions. ``test_lookups_real.py`` checks that this script gives the committed bytes.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

from attendance_toolkit.loaders.lookups import read_lookup
from attendance_toolkit.vocabulary.areas import find_area

COLUMNS = ("la_code", "neighbour_code", "rank", "closeness", "edition", "source")
SOURCE = "DfE local authority interactive tool, statistical neighbour model ({}), OGL v3.0"


def make_neighbours(workbook: Path, edition: str) -> str:
    """Return the text of statistical_neighbours.csv."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    frame = read_lookup(workbook).frame.sort_values(["dfe_code", "rank"])
    for row in frame.itertuples():
        of = f"before {edition}" if row.is_old else edition
        codes = (find_area(row.dfe_code).code, find_area(row.neighbour_dfe_code).code)
        writer.writerow((*codes, row.rank, row.closeness, of, SOURCE.format(edition)))
    return out.getvalue()


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[2] / "attendance_toolkit/vocabulary/reference/statistical_neighbours.csv"
    target = Path(sys.argv[3]) if len(sys.argv) > 3 else default
    target.write_text(make_neighbours(Path(sys.argv[1]), sys.argv[2]), encoding="utf-8", newline="")
