"""Published files of any layout: everything that does not agree, and the frames of ``Published`` as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from attendance_toolkit.metrics.reconciliation._printed_digits import Numbers
from attendance_toolkit.metrics.reconciliation.columns import joined, reconcile_columns
from attendance_toolkit.metrics.reconciliation.rows import check_areas, check_phases, check_pooled, check_weighted
from attendance_toolkit.metrics.reconciliation.times import check_copies, check_steps
from attendance_toolkit.schema.column_table import ColumnTable
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.columns import ALL, CELL_COUNTS, MEASURE_CORE
from attendance_toolkit.vocabulary.identities import identities

#: Columns of ``Published`` that are no breakdown of the pupils.
_OTHERS = frozenset(
    {"series", "dataset", "academic_year", "period", "area_code", "area_level", "phase", "reason", "printed"}
    | {"decimals", "source", "source_file", "source_row", *MEASURE_CORE, *CELL_COUNTS}
)


def reconcile_tables(tables: Sequence[ColumnTable]) -> pd.DataFrame:
    """Return everything that does not agree in published files, each by itself and one with another.

    Parameters
    ----------
    tables
        Files read by ``loaders.column_table.read_column_table``, or frames brought to that shape.

    Returns
    -------
    FINDING_COLUMNS. ``is_certain`` is False for steps from year to year, which are only worth a look.
    """
    known = identities()
    parts = []
    for table in tables:
        parts.append(reconcile_columns(table))
        parts += [*check_phases(table, known), *check_areas(table, known), *check_pooled(table, known)]
        parts += check_weighted(table, known)
    parts += check_copies(tables, known)
    parts += check_steps(tables, known)
    return joined(parts)


def _groups_of(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if name not in _OTHERS]


def _published_keys(frame: pd.DataFrame) -> pd.DataFrame:
    # Joined once for each combination that occurs: a file has few of them and many rows.
    named = frame[_groups_of(frame)].astype("str")
    kinds = named.drop_duplicates()
    words = [" | ".join(text for text in texts if text not in (ALL, "nan", "<NA>")) for texts in kinds.to_numpy()]
    group = named.merge(kinds.assign(_words=words), how="left")["_words"].to_numpy() if len(named.columns) else ""
    return pd.DataFrame(
        {
            "row": frame["source_row"].to_numpy(),
            "series": frame["series"].to_numpy(),
            "level": frame["area_level"].to_numpy(),
            "area": frame["area_code"].to_numpy(),
            "region": "",
            "nation": ENGLAND,
            "phase": frame["phase"].to_numpy(),
            "year": frame["academic_year"].astype(str).to_numpy(),
            "period": frame["period"].to_numpy(),
            "group": group,
        }
    )


def cells_table(cells: pd.DataFrame, name: str = "") -> ColumnTable:
    """Return the counts of ``Published.cells`` (or of any CELLS with those groups) as a table."""
    numbers: dict[str, Numbers] = {
        count: np.asarray(cells[count].astype("Float64").to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)
        for count in CELL_COUNTS
        if count in cells and not count.startswith(("square_", "cross_"))
    }
    return ColumnTable(name or _file_of(cells), _published_keys(cells), numbers)


def rates_table(rates: pd.DataFrame, name: str = "") -> ColumnTable:
    """Return ``Published.rates`` as a table: one row per area, time and group, one column per measure."""
    rows = rates[rates["reason"].eq(ALL)] if "reason" in rates else rates
    by = ["series", "dataset", "academic_year", "period", "area_code", "area_level", "phase", *_groups_of(rows)]
    rows = rows.drop_duplicates([*by, "measure"])
    first = rows.drop_duplicates(by).reset_index(drop=True)
    number = rows[by].merge(first[by].assign(_at=range(len(first))), on=by, how="left")["_at"].to_numpy()
    numbers: dict[str, Numbers] = {}
    decimals: dict[str, npt.NDArray[np.int64]] = {}
    for measure, part in pd.Series(range(len(rows))).groupby(rows["measure"].to_numpy()):
        at, chosen = number[part.to_numpy()], rows.iloc[part.to_numpy()]
        values = np.full(len(first), np.nan)
        values[at] = np.round(100 * chosen["rate"].to_numpy(dtype="float64"), 12)
        digits = np.full(len(first), -1, dtype="int64")
        digits[at] = _decimals_of(chosen)
        numbers[str(measure)], decimals[str(measure)] = values, digits
    return ColumnTable(name or _file_of(first), _published_keys(first), numbers, decimals)


def _decimals_of(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the decimals each rate is printed to: of its text where there is one, -1 for an unrounded number.

    One file may round groups in different ways, so the text says more than what is known of the file.
    """
    said = rows["decimals"].astype("Int64").fillna(-1).to_numpy(dtype="int64")
    if "printed" not in rows:
        return np.asarray(said)
    text = rows["printed"].astype("str").str.lower().str.partition("e")[0].str.partition(".")[2].str.len()
    seen = text.fillna(0).to_numpy(dtype="int64")
    return np.where(said >= 0, np.minimum(said, seen), np.where(rows["printed"].eq(""), -1, seen))


def _file_of(frame: pd.DataFrame) -> str:
    names = list(dict.fromkeys(frame["source_file"])) if "source_file" in frame else []
    return names[0] if len(names) == 1 else f"{len(names)} files"
