"""Read a published CSV file a column at a time, for the checks of ``metrics.reconciliation.columns``."""

# ruff: noqa: S608 - SQL is put together from our own text; a file's values are bound, its names are quoted.

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import Head
from attendance_toolkit.schema.column_table import KEYS, ColumnTable
from attendance_toolkit.vocabulary.identities import identities


def has_identities(head: Head) -> bool:
    """Return whether the first row names columns of which something must hold."""
    names = set(head.names)
    known = identities()
    pairs = [{rate.percent, rate.count, rate.size} for rate in known.rates]
    pairs += [{total.total, *total.parts} for total in known.sums] + [set(chain) for chain in known.order]
    pairs += [{name} for name in known.bare_rates]
    return bool(names & {"time_period", "year"}) and any(pair <= names for pair in pairs)


def read_column_table(path: Path | str) -> ColumnTable:
    """Return the number columns a file shares with the identities, and what its rows are about.

    Raises
    ------
    UnreadableFileError
        The file cannot be read as comma-separated text.
    """
    source = Path(path)
    known = identities()
    con = duckdb.connect()
    try:
        con.execute(
            "CREATE TEMP TABLE raw AS SELECT row_number() OVER () + 1 AS source_row, * FROM read_csv(?,"
            " header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', null_padding = false,"
            " auto_detect = false, columns = ?)",
            [str(source), dict.fromkeys(_names_of(source), "VARCHAR")],
        )
    except duckdb.Error as error:
        line = str(error).splitlines()[0][:120]
        raise UnreadableFileError(f"{source.name} cannot be read as comma-separated text ({line}).") from None
    names = {name.strip().lower(): name for name, *_ in con.execute("DESCRIBE raw").fetchall()}
    percents = [name for name in names if name in known.percents]
    numbers = [name for name in names if name in known.counts or name in percents]
    numbers += [row.weight for row in known.weighted if row.weight in names and row.weight not in numbers]
    wanted = [f"{_number(names[name])} AS {_quoted(name)}" for name in numbers]
    wanted += [f"{_digits(names[name])} AS {_quoted('decimals of ' + name)}" for name in percents]
    found = con.execute(f"SELECT {', '.join(wanted) or 'NULL AS none'} FROM raw ORDER BY source_row").fetchnumpy()
    keys = con.execute(f"SELECT {_keys(names)} FROM raw ORDER BY source_row").df()
    con.close()
    held = frozenset(names)
    series = next((name for name, has in known.series if has <= held), "")
    keys["series"] = series
    return ColumnTable(
        source.name,
        keys[list(KEYS)],
        {name: _array(found[name], np.nan).astype("float64") for name in numbers},
        {name: _array(found["decimals of " + name], 0).astype("int64") for name in percents},
    )


def _names_of(source: Path) -> list[str]:
    """Return the column names; a name that is there twice gets a number, and only the first is used."""
    opener = gzip.open if source.name.lower().endswith(".gz") else open
    try:
        with opener(source, "rt", encoding="utf-8-sig", newline="") as handle:
            header = next(csv.reader(handle), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(
            f"{source.name} could not be opened as UTF-8 text ({type(error).__name__}). Save it as 'CSV UTF-8'."
            " Save it as 'CSV UTF-8 (comma delimited)'."
        ) from None
    seen: dict[str, int] = {}
    names = []
    for name in header:
        plain = name.strip().lower()
        seen[plain] = seen.get(plain, 0) + 1
        names.append(plain if seen[plain] == 1 else f"{plain} ({seen[plain]})")
    return names


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _number(name: str) -> str:
    value = f"try_cast(trim({_quoted(name)}) AS DOUBLE)"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _digits(name: str) -> str:
    """Return the SQL for the decimals of a printed number, without an exponent's."""
    return f"length(split_part(split_part(lower(trim(coalesce({_quoted(name)}, ''))), 'e', 1), '.', 2))"


def _array(values: object, missing: float) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype("float64"), missing)
    return np.asarray(pd.Series(values).astype("float64").fillna(missing))


def _keys(names: dict[str, str]) -> str:
    """Return the SQL select list of KEYS."""
    known = identities().keys

    def text(name: str) -> str:
        return f"trim(coalesce({_quoted(names[name])}, ''))"

    def first(key: str) -> str:
        given = [text(name) for name in known[key] if name in names]
        return "coalesce(" + ", ".join(f"nullif({t}, '')" for t in given) + ", '')" if given else "''"

    def joined(key: str) -> str:
        given = [text(name) for name in known[key] if name in names]
        return f"concat_ws(' | ', {', '.join(given)})" if given else "''"

    level = first("level")
    area = (
        f"CASE WHEN lower({level}) = 'school' THEN {first('school')} WHEN lower({level}) = 'local authority'"
        f" THEN {first('authority')} WHEN lower({level}) = 'regional' THEN {first('region')} ELSE {first('nation')} END"
    )
    parts = {
        "row": "source_row",
        "series": "''",
        "level": level,
        "area": area,
        "region": first("region"),
        "nation": first("nation"),
        "phase": first("phase"),
        "year": first("year"),
        "period": joined("period"),
        "group": joined("group"),
    }
    return ", ".join(f'{sql} AS "{name}"' for name, sql in parts.items())
