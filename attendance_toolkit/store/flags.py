"""Put what lists of pupil flags say, and PUPIL_TERM does not hold, beside the rows of PUPIL_TERM."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from attendance_toolkit.errors import UnknownColumnError, did_you_mean
from attendance_toolkit.store.parts import FLAG_COLUMNS
from attendance_toolkit.vocabulary.columns import PUPIL_TERM

#: Flags that are looked up by pupil and year where a figure asks for them.
FURTHER_FLAGS = tuple(name for name in FLAG_COLUMNS if name not in PUPIL_TERM)
_UNKNOWN = "Unknown"


def with_flags(
    pupil_terms: duckdb.DuckDBPyRelation, flags: duckdb.DuckDBPyRelation, names: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    """Return PUPIL_TERM rows with columns of the lists of flags; "Unknown" where a pupil is not listed in the year.

    Parameters
    ----------
    pupil_terms, flags
        ``Store.pupil_terms`` and ``Store.flags`` of one store.
    names
        Some of ``FURTHER_FLAGS``; none of them returns the rows as they are.

    Raises
    ------
    UnknownColumnError
        A name is not a flag that is looked up.
    """
    for name in names:
        if name not in FURTHER_FLAGS:
            raise UnknownColumnError(
                f"'{name}' is not a flag of pupils.{did_you_mean(name, FURTHER_FLAGS)}"
                f" There are: {', '.join(FURTHER_FLAGS)}."
            )
    if not names:
        return pupil_terms
    listed = ", ".join(f"coalesce(f.{name}, '{_UNKNOWN}') AS {name}" for name in names)
    joined = pupil_terms.set_alias("p").join(
        flags.set_alias("f"), "p.upn = f.upn AND p.academic_year = f.academic_year", how="left"
    )
    columns = ", ".join(f"p.{name}" for name in pupil_terms.columns)
    return joined.project(f"{columns}, {listed}")
