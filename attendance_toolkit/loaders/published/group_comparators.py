"""An authority's own file of national attendance of groups, such as children with a social worker, by phase and year."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders.published._files import read_raw, reject
from attendance_toolkit.loaders.published._parts import PHASES, Part, groups, rate_select, rates_table
from attendance_toolkit.loaders.published._periods import PERIOD_YEAR
from attendance_toolkit.loaders.published._values import Cells, level_of, number_of, quoted, text_of, year_of
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.group_comparators import COMPARED_GROUPS, OWN_DATASET, OWN_SERIES

if TYPE_CHECKING:
    import duckdb

    from attendance_toolkit.loaders.published._files import Source
    from attendance_toolkit.loaders.published._layouts import Layout

#: Arguments of the layout by which the file is recognised.
LAYOUTS: tuple[dict[str, Any], ...] = (
    {
        "name": OWN_DATASET,
        "title": "the authority's own national figures of groups (academic_year, phase, group, attendance or absence, source;"
        " persistent_absence and severe_absence if known)",
        "needs": frozenset({"academic_year", "phase", "group", "source"}),
        "one_of": frozenset({"attendance", "absence"}),
        "feeds": "what schools and vulnerable groups are held against",
    },
)
#: Names of the groups that are taken for one of the toolkit's.
_GROUPS = {name: name for name in COMPARED_GROUPS} | {
    "All": "All pupils",
    "EHC": "EHCP",
    "EHC plan": "EHCP",
    "FSM eligible": "FSM",
    "CSW": "Children with a social worker",
    "CLA": "Looked-after children",
    "CPP": "Children on a child protection plan",
}
#: Column -> the measure it is: one of the first, and the others beside it if they are known.
_MEASURES = {"attendance": "attendance_rate", "absence": "overall_absence_rate"}
_BESIDE = {"persistent_absence": "persistent_absence_rate", "severe_absence": "severe_absence_rate"}


def read_group_comparators(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read national attendance (or overall absence) of groups, in percent, persistent and severe absence beside it if given.

    The group is ``characteristic_level`` of the characteristic "rating_group" in a series of their own, so that they never
    stand for published figures. ``decimals`` are those of each text; ``source_file`` ends with the row's ``source``.

    Raises
    ------
    UnreadableFileError
        A cell is not a year, a phase, a group or a percentage, a source is missing, or both columns are there.
    """
    names = source.first
    given = [name for name in _MEASURES if name in names]
    if len(given) > 1:
        raise UnreadableFileError(
            f"{source.name} has both a column 'attendance' and a column 'absence'. Keep the one that was published."
        )
    rows, _ = read_raw(con, source, names, has_header=True)
    beside = [name for name in _BESIDE if name in names]
    cells = Cells(con, source, percents=[*given, *beside])
    _check_source(con, source)
    for name in (*given, *(name for name in beside if name != "severe_absence")):
        _refuse_shares(con, source, name)
    select = groups(
        series=quoted(OWN_SERIES),
        dataset=quoted(OWN_DATASET),
        academic_year=year_of(con, source, "academic_year", parse_academic_year),
        period=quoted(PERIOD_YEAR),
        area_code=quoted(ENGLAND),
        area_level="'National'",
        phase=level_of(con, source, "phase", PHASES),
        characteristic="'rating_group'",
        characteristic_level=level_of(con, source, "group", _GROUPS),
    )
    rates = [
        rate_select(
            select,
            (_MEASURES | _BESIDE)[name],
            percent=number_of(name),
            symbol=cells.symbol_of(name),
            printed=text_of(name),
            decimals=f"len(split_part({text_of(name)}, '.', 2))",
            table="raw",
            # A figure beside attendance may be left out.
            where="TRUE" if name in _MEASURES else f"{text_of(name)} <> ''",
        )
        for name in (*given, *beside)
    ]
    return Part(rates=_with_source(con, rates_table(con, rates, source), source), rows=rows)


def _check_source(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Refuse rows without a source."""
    blank = f"{text_of('source')} = ''"
    if con.execute(f"SELECT count(*) FROM raw WHERE {blank}").fetchall()[0][0]:
        allowed = "the publication and date the figure is from"
        reject(con, source, "published_level", blank, [], column="source", value="", allowed=allowed)


def _refuse_shares(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> None:
    """Refuse shares of 1 in place of percentages; of severe absence they cannot be told apart."""
    share = f"{number_of(name)} <= 1"
    row = con.execute(f"SELECT {text_of(name)} FROM raw WHERE {share} ORDER BY source_row LIMIT 1").fetchall()
    if row:
        allowed = "a percentage above 1, such as 94.5, never a share of 1"
        reject(con, source, "published_number", share, [], column=name, value=str(row[0][0]), allowed=allowed)


def _with_source(con: duckdb.DuckDBPyConnection, table: pa.Table, source: Source) -> pa.Table:
    """Return the rows with their source beside the name of the file."""
    said = dict(con.execute(f"SELECT source_row, {text_of('source')} FROM raw").fetchall())
    texts = [f"{source.name}: {said[row]}" for row in table["source_row"].to_pylist()]
    return table.set_column(table.column_names.index("source_file"), "source_file", pa.array(texts, pa.string()))


READERS = {OWN_DATASET: read_group_comparators}
