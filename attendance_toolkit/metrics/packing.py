"""School, authority, age and characteristics of a row in one whole number, so that one ``arg_max`` gives all of them."""

# Names and levels in the SQL are the vocabulary's own; values from files are never put into it.
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary import columns as c

Array = NDArray[Any]
Columns = dict[str, Array]

#: Characteristics that can be packed, and their levels as they are in the store.
LEVELS = {
    "phase": c.PHASES,
    "nc_year": c.NC_YEARS,
    "fsm_eligible": c.FSM_STATUSES,
    "sen_provision": c.SEN_PROVISIONS,
    "sex": c.SEXES,
    "fsm6": c.FSM6_STATUSES,
    "ethnicity_major": c.ETHNICITY_MAJOR,
    "first_language": c.LANGUAGES,
    "looked_after": c.YES_NO,
    "social_worker": c.YES_NO,
}
#: More than any LAESTAB, so that of two schools with equal sessions the one with the lower number is taken.
SCHOOLS = 10_000_000
_LA_CODE = re.compile(r"[A-Z]\d{8}")
_AGES = 128


def checked_levels(rows: duckdb.DuckDBPyRelation, levels: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the authorities of the rows, once they and all levels are known to be well-formed.

    Raises
    ------
    VocabularyError
        A level that is not in the vocabulary, or a code that is not a local authority's.
    """
    names = ["la_code", *levels]
    (lists,) = rows.aggregate(", ".join(f"list(DISTINCT {name})" for name in names)).fetchall()
    found = {
        name: {value for value in values or () if value is not None} for name, values in zip(names, lists, strict=True)
    }
    for name, allowed in levels.items():
        wrong = sorted(found[name].difference(allowed))
        if wrong:
            raise VocabularyError(f"'{wrong[0]}' is not a level of {name}. Use one of: {', '.join(allowed)}.")
    codes = sorted(found["la_code"])
    for code in codes:
        if not _LA_CODE.fullmatch(code):
            raise VocabularyError(f"'{code}' is not the nine-character code of a local authority, such as E08000009.")
    return tuple(codes)


def listed(values: Sequence[str]) -> str:
    """Return the toolkit's own names as a list of SQL."""
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def packed_sql(la_codes: Sequence[str], levels: Mapping[str, tuple[str, ...]]) -> str:
    """Return SQL for school, authority, the levels and age as one BIGINT; a missing level is "Unknown"."""
    packed = f"laestab::BIGINT * {len(la_codes)} + list_position({listed(la_codes)}, la_code) - 1"
    for name, allowed in levels.items():
        level = f"coalesce(list_position({listed(allowed)}, {name}), {allowed.index('Unknown') + 1}) - 1"
        packed = f"({packed}) * {len(allowed)} + {level}"
    return f"(({packed}) * {_AGES} + coalesce(age + 1, 0))::BIGINT"


def unpacked(
    packed: Array, levels: Mapping[str, tuple[str, ...]], authorities: int
) -> tuple[dict[str, Array], Array, Array, Array]:
    """Return the characteristics, authority, school and age that were packed into whole numbers; -1 where there are none."""
    is_there = packed >= 0

    def part(size: int, kind: type) -> Array:
        nonlocal packed
        packed, rest = np.divmod(packed, size)
        return np.where(is_there, rest, -1).astype(kind)

    age = part(_AGES, np.int16) - 1
    found = {name: part(len(allowed), np.int8) for name, allowed in reversed(list(levels.items()))}
    la = part(authorities, np.int16)
    laestab = np.where(is_there, packed, 0).astype(np.int32)
    return {name: found[name] for name in levels}, la, laestab, np.maximum(age, -1)


def columns_of(table: pa.Table) -> Columns:
    """Return the columns of an Arrow table as arrays."""
    return {name: table[name].to_numpy() for name in table.column_names}
