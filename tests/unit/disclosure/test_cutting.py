"""The id of a figure: the same for the same figure, and never the same for two."""

from __future__ import annotations

import re

import pandas as pd

from attendance_toolkit.disclosure.cutting import row_ids, row_keys


def test_rows_with_missing_columns_have_ids_of_their_own():
    # Columns that a source does not have are missing in added-up rows: None, NaN and pandas' NA alike.
    rows = pd.DataFrame(
        {
            "measure": "severe_absence_rate",
            "area_code": "E47000001",
            "academic_year": [202122, 202223, 202223],
            "phase": ["Primary", "Primary", "Secondary"],
            "series": "census",
            "dataset": "absence_bands",
            "area_level": None,
            "source_row": float("nan"),
            "sex": pd.array([pd.NA] * 3, dtype="string"),
        }
    )
    ids = row_ids(row_keys(rows, pd.Series(["absence"] * 3), is_published=True))
    assert len(set(ids)) == 3


def test_no_id_reads_as_a_date():
    # Of 60,000 plain digests some dozens have six digits in a row; a page with a pupil's date of birth is refused.
    ids = row_ids(pd.Series([f"absence|{number}" for number in range(60_000)]))
    assert not any(re.search(r"\d{6}", name) for name in ids)
    assert len(set(ids)) == len(ids)
