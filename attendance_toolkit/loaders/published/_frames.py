"""The tables of several files as one frame each, with one row per key."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders.published._files import Source
from attendance_toolkit.loaders.published._parts import SCHOOL_COUNTS, SCHOOL_NAMES, Part
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.vocabulary.columns import CELL_COUNTS, MEASURE_CORE, PUBLISHED_GROUPS

_FROM = ("source_file", "source_row")
#: Frame -> its columns.
COLUMNS: dict[str, tuple[str, ...]] = {
    "cells": (*PUBLISHED_GROUPS, *CELL_COUNTS, *_FROM),
    "rates": (*PUBLISHED_GROUPS, *MEASURE_CORE, "reason", "printed", "decimals", *_FROM),
    "symbols": (*PUBLISHED_GROUPS, "count", "symbol", *_FROM),
    "schools": (*PUBLISHED_GROUPS, *SCHOOL_NAMES, *SCHOOL_COUNTS, *_FROM),
    "school_symbols": (*PUBLISHED_GROUPS, *SCHOOL_NAMES, "count", "symbol", *_FROM),
}
#: Frame -> the columns that name a row.
KEYS: dict[str, list[str]] = {
    "cells": list(PUBLISHED_GROUPS),
    "rates": [*PUBLISHED_GROUPS, "measure", "reason"],
    "symbols": [*PUBLISHED_GROUPS, "count"],
    "schools": [*PUBLISHED_GROUPS, "laestab", "urn"],
    "school_symbols": [*PUBLISHED_GROUPS, "laestab", "urn", "count"],
}

_WHOLE = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype()}


def one_frame(tables: Sequence[pa.Table | None], name: str, codes: set[str] | None) -> pd.DataFrame:
    """Return the tables of a frame one under the other, in the order of the files, one row per key.

    Parameters
    ----------
    codes
        Areas to keep; None keeps all.
    """
    frame = _frame(tables, COLUMNS[name], codes)
    if name.endswith("symbols"):
        return frame.drop_duplicates(KEYS[name], keep="last", ignore_index=True)
    return _latest_edition(frame, KEYS[name])


_FLOATS = ("numerator", "denominator", "rate", "lower", "upper")
#: Types of the columns of a frame without rows, where they are not text.
_EMPTY = {
    **dict.fromkeys((*SCHOOL_COUNTS, "laestab", "urn", "decimals"), "Int64"),
    **dict.fromkeys(("academic_year", "source_row"), "int64"),
    **dict.fromkeys(_FLOATS, "float64"),
}


def _frame(tables: Sequence[pa.Table | None], columns: Sequence[str], codes: set[str] | None) -> pd.DataFrame:
    given = [table.select(list(columns)) for table in tables if table is not None and table.num_rows]
    if not given:
        return pd.DataFrame({name: pd.Series(dtype=_EMPTY.get(name, "str")) for name in columns})
    whole = pa.concat_tables(given, promote_options="permissive")
    if codes is not None:
        whole = whole.filter(pc.is_in(whole["area_code"], pa.array(sorted(codes))))
    frame = whole.to_pandas(types_mapper=_WHOLE.get)
    for name in ("academic_year", "source_row"):
        frame[name] = frame[name].astype("int64")
    for name in _FLOATS:
        if name in frame:
            frame[name] = frame[name].astype("float64")
    return frame


def _latest_edition(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the frame with one row per key: that of the file which reaches the later academic year.

    Raises
    ------
    UnreadableFileError
        A key is twice in one file, or two files that reach the same year give different figures.
    """
    twice = frame.duplicated(keys, keep=False)
    if not twice.any():
        return frame
    reach = frame.groupby(["dataset", "source_file"])["academic_year"].transform("max")
    several = frame[twice].assign(_reach=reach[twice])
    same_file = several.duplicated([*keys, "source_file"])
    if same_file.any():
        row = several[same_file].iloc[0]
        raise UnreadableFileError(
            f"{row['source_file']}, row {row['source_row']}: the same {row['dataset']} figure for"
            f" {row['area_code']}, {row['academic_year']}, {row['phase']} is there more than once. Keep the right"
            " row of it."
        )
    values = [name for name in frame.columns if name not in {*keys, "source_file", "source_row"}]
    ranked = several.sort_values("_reach", kind="stable")
    last = ranked.drop_duplicates(keys, keep="last")
    tied = ranked.merge(last[[*keys, "_reach"]], on=[*keys, "_reach"])
    distinct = tied.drop_duplicates([*keys, *values])
    conflict = distinct[distinct.duplicated(keys, keep=False)]
    if not conflict.empty:
        first, second = conflict.sort_values(keys, kind="stable").iloc[:2].to_dict("records")
        raise UnreadableFileError(
            f"{first['source_file']} (row {first['source_row']}) and {second['source_file']}"
            f" (row {second['source_row']}) give different figures for {first['area_code']},"
            f" {first['academic_year']}, {first['phase']}. Keep the later edition only."
        )
    dropped = several.index.difference(last.index)
    return frame.drop(index=dropped).reset_index(drop=True)


def set_repeated_aside(part: Part, source: Source) -> None:
    """Take repeated rows out of a part's frames but for the first of each key, with a finding."""
    for name in ("cells", "rates", "schools"):
        table = getattr(part, name)
        if table is None or not table.num_rows:
            continue
        keys = table.select([*KEYS[name], "source_row"]).to_pandas()
        twice = keys.duplicated(KEYS[name])
        if not twice.any() or source.findings is None:
            continue
        rows = sorted(set(keys.loc[twice, "source_row"]))
        setattr(part, name, table.filter(pa.array((~keys["source_row"].isin(rows)).to_numpy())))
        known = [f for f in source.findings if f.rule == "published_repeated" and f.row == rows[0]]
        if not known:
            source.findings.append(
                finding(
                    "published_repeated",
                    source.name,
                    "the figure is there already, in a row above.",
                    row=int(rows[0]),
                    fix="Keep one of the rows.",
                    count=len(rows),
                )
            )
