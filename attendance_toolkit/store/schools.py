"""The schools a store knows: what every list said of them, and one row for each of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from attendance_toolkit.errors import StoreError
from attendance_toolkit.vocabulary.columns import SCHOOL_COLUMNS

SCHOOLS = Path("parts", "schools.parquet")
#: How the source of a row begins that a census return gave: a return holds some schools, a list all of its own.
CENSUS_SOURCE = "school census"

_ARROW = {
    "INTEGER": pa.int32(),
    "SMALLINT": pa.int16(),
    "VARCHAR": pa.string(),
    "DATE": pa.date32(),
    "DOUBLE": pa.float64(),
}
_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in SCHOOL_COLUMNS.items()])
_WHOLE = {pa.int32(): pd.Int32Dtype(), pa.int16(): pd.Int16Dtype()}


def school_frame(columns: dict[str, list] | None = None) -> pd.DataFrame:
    """Return a frame with SCHOOL_COLUMNS from columns of plain values; a column not given is missing.

    >>> frame = school_frame({"urn": [106283], "school_name": ["Navigation Primary School"]})
    >>> len(frame.columns), frame.loc[0, "urn"], frame["laestab"].isna().item(), len(school_frame())
    (19, np.int32(106283), True, 0)
    """
    given = columns or {}
    rows = len(next(iter(given.values()), []))
    arrays = [pa.array(given.get(f.name, [None] * rows), f.type) for f in _SCHEMA]
    return _to_pandas(pa.Table.from_arrays(arrays, schema=_SCHEMA))


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas(types_mapper=_WHOLE.get, date_as_object=False)
    # A column without a single text has no type of its own in pandas.
    return frame.astype(dict.fromkeys((n for n, kind in SCHOOL_COLUMNS.items() if kind == "VARCHAR"), "str"))


def merge_schools(prepared: Path, root: Path, frame: pd.DataFrame) -> None:
    """Write the schools of a load beside the store, with those the store already has.

    A list replaces all rows of a list of the same name; a census return those of its own schools.

    Parameters
    ----------
    prepared
        Folder of the contents that will be exchanged with the store's.
    root
        The store as it is.
    frame
        Rows of SCHOOL_COLUMNS; nothing is written for an empty one.

    Raises
    ------
    StoreError
        The store's schools cannot be read.
    """
    if frame.empty:
        return
    new = frame[list(SCHOOL_COLUMNS)]
    old = read_school_rows(root)
    from_census = old["source"].str.startswith(CENSUS_SOURCE)
    again = pd.MultiIndex.from_frame(old[["source", "laestab"]]).isin(
        pd.MultiIndex.from_frame(new[["source", "laestab"]])
    )
    kept = old[~(old["source"].isin(set(new["source"])) & (~from_census | again))]
    both = pd.concat([kept, new], ignore_index=True) if len(kept) else new.reset_index(drop=True)
    both = both.sort_values(["source", "urn", "laestab"], kind="stable")
    target = prepared / SCHOOLS
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    pq.write_table(pa.Table.from_pandas(both, schema=_SCHEMA, preserve_index=False), part, compression="zstd")
    # Never into the file itself: it may be a link to the old store's.
    part.replace(target)


def read_school_rows(root: Path) -> pd.DataFrame:
    """Return what every list said, one row for each list and school; no rows if no list was loaded.

    Raises
    ------
    StoreError
        The file is damaged.
    """
    path = root / SCHOOLS
    if not path.is_file():
        return school_frame()
    try:
        # ParquetFile, not read_table: the latter loads pyarrow's dataset machinery for most of a second.
        return _to_pandas(pq.ParquetFile(path).read().cast(_SCHEMA))
    except (pa.ArrowException, OSError, ValueError, KeyError):
        raise StoreError(
            f"The store '{root.name}' is damaged: its list of schools cannot be read. Load the lists again."
        ) from None


def settle_schools(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each school from what several lists say of it.

    A school is its URN; a row without one belongs to the school that is open, or opened last, under its
    LAESTAB. For each column the latest list that says anything is believed; pupils on roll, free school meals
    and their day are taken together, and so are the phase and the words it was told from. A list that knows a
    school as special or as alternative provision is believed before one that has it as primary or secondary,
    since short lists give the ages of such schools for their phase.

    Parameters
    ----------
    rows
        SCHOOL_COLUMNS, as ``read_school_rows`` gives them.

    Returns
    -------
    SCHOOL_COLUMNS; by LAESTAB, and of one LAESTAB the school that is open or opened last first.
    """
    if rows.empty:
        return rows.reset_index(drop=True)
    frame = rows.sort_values(["as_at", "source"], na_position="first", kind="stable", ignore_index=True)
    frame["laestab"] = frame["laestab"].fillna(frame["urn"].map(_last(frame, "urn", "laestab")))
    frame["urn"] = frame["urn"].fillna(frame["laestab"].map(_last(_newest_last(frame), "laestab", "urn")))
    # Numbers of URNs and LAESTABs do not meet: six digits and seven.
    key = frame["urn"].fillna(frame["laestab"]).rename("school")
    together: dict[str, tuple[str, ...]] = {
        "number_of_pupils": ("number_of_pupils", "percent_fsm", "pupils_at"),
        "phase": ("phase", "phase_source"),
    }
    inside = {name for names in together.values() for name in names}
    settled = frame.drop(columns=[*inside, "source"]).groupby(key).last()
    for leader, names in together.items():
        there = frame[leader].notna() & (frame[leader] != "Unknown").fillna(value=False)
        rank = frame[there].assign(_particular=frame["phase"].isin(["Special", "Pupil referral unit"]))
        by = ["pupils_at", "as_at"] if leader == "number_of_pupils" else ["_particular"]
        rank = rank.sort_values(by, na_position="first", kind="stable")
        picked = rank.groupby(key[rank.index]).tail(1)
        for name in names:
            settled[name] = picked.set_index(key[picked.index])[name]
    settled["phase"] = settled["phase"].fillna("Unknown")
    settled["source"] = frame.groupby(key)["source"].agg(lambda s: "; ".join(dict.fromkeys(s)))
    settled = settled.reset_index(drop=True)[list(SCHOOL_COLUMNS)]
    # Newest first within an LAESTAB: reverse the order of opening, then put LAESTABs in order, stably.
    ordered = _newest_last(settled).iloc[::-1].sort_values("laestab", kind="stable")
    return ordered.reset_index(drop=True)


def _newest_last(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order of opening, those of closed schools before all others."""
    closed = frame["close_date"].notna() | frame["status"].str.lower().isin(["closed"])
    order = frame.assign(_open=~closed).sort_values(["_open", "open_date", "urn"], na_position="first", kind="stable")
    return order.drop(columns="_open")


def _last(frame: pd.DataFrame, key: str, value: str) -> pd.Series:
    both = frame[[key, value]].dropna().drop_duplicates(key, keep="last")
    return both.set_index(key)[value]


def schools_open_on(schools: pd.DataFrame, day: pd.Timestamp | str) -> pd.DataFrame:
    """Return the schools that had opened and not closed on a day; a date that is not known does not shut one out.

    >>> frame = school_frame({"urn": [1, 2], "close_date": [pd.Timestamp(2023, 8, 31).date(), None]})
    >>> schools_open_on(frame, "2024-01-01")["urn"].tolist()
    [2]
    """
    at = pd.Timestamp(day)
    opened = schools["open_date"].isna() | (schools["open_date"] <= at)
    still = schools["close_date"].isna() | (schools["close_date"] > at)
    return schools[opened & still].reset_index(drop=True)
