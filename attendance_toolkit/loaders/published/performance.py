"""School performance tables: absence of each school (england_abs) and its pupils on roll (england_census).

Until 2014/15 a persistent absentee was one who missed 15% or more of sessions. That measure has a name of its
own here, ``persistent_absence_rate_15``, and never meets the one of 10%.
"""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass text_of() and quoted().

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa

from attendance_toolkit.errors import ParameterError, UnreadableFileError
from attendance_toolkit.loaders.published._files import UnknownEditionError, look_at, read_raw, reject
from attendance_toolkit.loaders.published._parts import Part, groups, rate_select, rates_table
from attendance_toolkit.loaders.published._values import Cells, canonical_code, number_of, put_places, quoted, text_of
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS
from attendance_toolkit.vocabulary.symbols import read_value

if TYPE_CHECKING:
    from attendance_toolkit.loaders.published._files import Source
    from attendance_toolkit.loaders.published._layouts import Layout

#: Performance tables hold the first two terms: their 2012/13 national rates (4.8, 5.8) are those of autumn and
#: spring, while the full year has 4.7 and 5.9.
PERIOD = "autumn and spring"
MEASURES_15 = {"perctot": "overall_absence_rate", "ppersabs15": "persistent_absence_rate_15"}
#: Arguments of the layouts by which the files are recognised.
LAYOUTS: tuple[dict[str, Any], ...] = (
    {
        "name": "performance_absence",
        "title": "school performance table of absence (PERCTOT, PPERSABS15)",
        "needs": frozenset({"la", "estab", "urn", "perctot", "ppersabs15"}),
        "feeds": "rates of schools before 2015/16 (persistent absence at 15%), for own analyses",
    },
)
#: The file does not say its year. Editions known by their national rows: (row, overall, persistent) -> year.
EDITIONS = {frozenset({("PRI", "4.8", "3.6"), ("SEC", "5.8", "6.5")}): 201213}
_PHASES = {"PRI": "Primary", "SEC": "Secondary", "SPE": "Special", "": ALL_SCHOOLS}
_LEVEL_SCHOOL = "School"
_DECIMALS = 1
SCHOOL_RATE_COLUMNS = (
    "la_code", "laestab", "urn", "academic_year", "period", "measure", "rate", "symbol", "printed", "decimals",
    "source_file", "source_row",
)  # fmt: skip

#: england_census: our column -> the file's.
PUPIL_COLUMNS = {
    "pupils": "nor",
    "girls": "norg",
    "boys": "norb",
    "sen_ehc_plan": "tsenelse",
    "sen_support": "tsenelk",
    "english_additional": "numeal",
    "english_first": "numengfl",
    "language_unknown": "numuncfl",
    "fsm_eligible": "numfsm",
    "fsm6": "numfsmever",
}


@dataclass(frozen=True, eq=False)
class PerformanceAbsence:
    """A performance table of absence.

    Attributes
    ----------
    schools
        SCHOOL_RATE_COLUMNS: two rows for each school, overall absence and persistent absence at 15%; rate 0 to
        1, missing beside a symbol (c: suppressed).
    part
        The rows of England and of authorities as MEASURE rows, in the shape of the other published files.
    rows
        Rows of the file: schools, areas and what was set aside.
    """

    schools: pd.DataFrame
    part: Part
    rows: int


def read_performance_absence(path: Path | str, academic_year: int | str | None = None) -> PerformanceAbsence:
    """Read a performance table of absence with its schools.

    Parameters
    ----------
    path
        The file (england_abs).
    academic_year
        Its year, which the file does not say; not needed for an edition known by its national rows.

    Raises
    ------
    UnreadableFileError
        The file is no such table, or a cell is neither a percentage nor a symbol.
    ParameterError
        The year is not given and the edition is not known.
    """
    source = look_at(Path(path))
    if not LAYOUTS[0]["needs"] <= set(source.first):
        raise UnreadableFileError(
            f"{source.name} is not a performance table of absence: it needs LA, ESTAB, URN, PERCTOT and PPERSABS15."
        )
    with duckdb.connect() as con:
        year = None if academic_year is None else parse_academic_year(academic_year)
        select, cells, rows = _prepare(con, source, year)
        part = Part(rates=_area_rates(con, source, select, cells), rows=rows)
        return PerformanceAbsence(_schools(con, source, select, cells), part, rows)


def read_performance(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the rows of England and of authorities of a performance table of absence as rates.

    Schools have rates and no counts here: ``read_performance_absence`` gives them.

    Raises
    ------
    UnreadableFileError
        A cell cannot be read, or the file is not an edition known by its national rows, so that its year is not
        known.
    """
    try:
        select, cells, rows = _prepare(con, source, None)
    except ParameterError as error:
        raise UnknownEditionError(str(error)) from None
    found = con.execute("SELECT count(*) FROM raw JOIN places USING (place) WHERE area_level = 'School'").fetchall()
    left = {"rates of single schools (read_performance_absence gives them)": int(found[0][0])}
    return Part(rates=_area_rates(con, source, select, cells), rows=rows, left_out=left)


READERS = {"performance_absence": read_performance}


def _prepare(con: duckdb.DuckDBPyConnection, source: Source, year: int | None) -> tuple[str, Cells, int]:
    """Read the file into ``raw`` and ``places``; return the groups, the checked cells and the rows."""
    rows, _ = read_raw(con, source, source.first, has_header=True)
    cells = Cells(con, source, percents=list(MEASURES_15))
    national = con.execute(
        f"SELECT {text_of('estab')}, {text_of('perctot')}, {text_of('ppersabs15')} FROM raw"
        f" WHERE {text_of('la')} = 'NAT'"
    ).fetchall()
    year = year or EDITIONS.get(frozenset(national))
    if year is None:
        raise ParameterError(
            f"{source.name} does not say its academic year, and its national rows are not those of an edition this"
            " toolkit knows. Give the year: read_performance_absence(file, '2013/14')."
        )
    _places(con, source)
    phases = " ".join(f"WHEN {quoted(text)} THEN {quoted(phase)}" for text, phase in _PHASES.items())
    select = groups(
        series="'census'",
        dataset="'performance_absence'",
        academic_year=str(year),
        period=quoted(PERIOD),
        area_code="area_code",
        area_level="area_level",
        phase=f"(CASE {text_of('estab')} {phases} END)",
    )
    return select, cells, rows


def _places(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Make ``places``: a row with a URN or establishment number is a school, others are of its area."""
    urn, estab, la = text_of("urn"), text_of("estab"), text_of("la")
    known = ", ".join(quoted(text) for text in _PHASES)
    is_area = f"({urn} IN ('', 'NAT') AND {estab} IN ({known}))"
    con.execute("ALTER TABLE raw ADD COLUMN place VARCHAR")
    con.execute(f"UPDATE raw SET place = concat(CASE WHEN {is_area} THEN 'area|' ELSE 'school|' END, {la})")
    bad = f"NOT {is_area} AND NOT (regexp_full_match({urn}, '[1-9][0-9]{{5}}') AND regexp_full_match({estab}, '[0-9]{{4}}'))"
    for (text,) in con.execute(f"SELECT DISTINCT {urn} FROM raw WHERE {bad} ORDER BY 1").fetchall():
        where, allowed = f"({bad}) AND {urn} = ?", "a URN of six digits with an establishment number of four"
        reject(con, source, "published_area", where, [text], column="URN", value=text, allowed=allowed)
    places = []
    for place, code in con.execute(f"SELECT DISTINCT place, {la} FROM raw ORDER BY 1").fetchall():
        area = ENGLAND if code == "NAT" else canonical_code(code)
        if not area:
            allowed = "the DfE code of a local authority or NAT"
            reject(con, source, "published_area", "place = ?", [place], column="LA", value=code, allowed=allowed)
            continue
        is_school = place.startswith("school|")
        level = _LEVEL_SCHOOL if is_school else "National" if area == ENGLAND else "Local authority"
        places.append((place, area, level))
    put_places(con, places)


def _selects(select: str, cells: Cells, where: str) -> list[str]:
    return [
        rate_select(
            select,
            measure,
            percent=number_of(column),
            symbol=cells.symbol_of(column),
            printed=text_of(column),
            decimals=_DECIMALS,
            where=where,
        )
        for column, measure in MEASURES_15.items()
    ]


def _area_rates(con: duckdb.DuckDBPyConnection, source: Source, select: str, cells: Cells) -> pa.Table:
    return rates_table(con, _selects(select, cells, f"area_level <> '{_LEVEL_SCHOOL}'"), source)


def _schools(con: duckdb.DuckDBPyConnection, source: Source, select: str, cells: Cells) -> pd.DataFrame:
    names = (
        f"{select}, CAST({text_of('la')} || lpad({text_of('estab')}, 4, '0') AS BIGINT) AS laestab,"
        f" CAST({text_of('urn')} AS BIGINT) AS urn"
    )
    table = rates_table(con, _selects(names, cells, f"area_level = '{_LEVEL_SCHOOL}'"), source)
    frame = table.rename_columns({"area_code": "la_code"}).select(list(SCHOOL_RATE_COLUMNS)).to_pandas()
    return frame.sort_values(["source_row", "measure"], ignore_index=True)


# --- pupils on roll ------------------------------------------------------------------------------------


def read_performance_pupils(path: Path | str) -> pd.DataFrame:
    """Read a performance table of pupils on roll, special needs, language and free school meals.

    The schools themselves (name, phase, roll) are read by ``loaders.schools.read_schools``, with findings.

    Returns
    -------
    One row for each row of the file: la_code, laestab, urn, school_type (DfE's word), the counts of
    PUPIL_COLUMNS (<NA> beside a symbol) and ``symbols`` (column -> symbol of the counts that are missing, as
    "fsm6 x"), ``source_row``. Rows of England have la_code "E92000001" and neither LAESTAB nor URN.

    Raises
    ------
    UnreadableFileError
        The file is no such table, or a count is neither a whole number nor a symbol.
    """
    source = look_at(Path(path))
    wanted = {"urn", "la", "estab", "schooltype", *PUPIL_COLUMNS.values()}
    if not wanted <= set(source.first):
        lacking = ", ".join(sorted(wanted - set(source.first)))
        raise UnreadableFileError(f"{source.name} is not a performance table of pupils: it has no column {lacking}.")
    with duckdb.connect() as con:
        read_raw(con, source, source.first, has_header=True)
        Cells(con, source, counts=list(PUPIL_COLUMNS.values()))
        chosen = ", ".join(text_of(name) for name in PUPIL_COLUMNS.values())
        found = con.execute(
            f"SELECT {text_of('la')}, {text_of('estab')}, {text_of('urn')}, {text_of('schooltype')}, {chosen},"
            " source_row FROM raw ORDER BY source_row"
        ).fetchall()
    names = ["la", "estab", "urn", "school_type", *PUPIL_COLUMNS, "source_row"]
    frame = pd.DataFrame(found, columns=names)
    is_national = frame["urn"].eq("NAT") | frame["la"].eq("NAT")
    result = pd.DataFrame(
        {
            "la_code": frame["la"]
            .map({la: canonical_code(la) for la in frame["la"].unique()})
            .mask(is_national, ENGLAND),
            "laestab": _whole(frame["la"] + frame["estab"].str.zfill(4), ~is_national),
            "urn": _whole(frame["urn"], ~is_national),
            "school_type": frame["school_type"],
        }
    )
    symbols = pd.Series("", index=frame.index)
    for name in PUPIL_COLUMNS:
        known = _symbols_of(frame[name])
        missing = frame[name].map(known).fillna("")
        result[name] = _whole(frame[name], missing.eq(""))
        symbols = symbols.mask(missing.ne(""), symbols + " " + name + " " + missing)
    return result.assign(symbols=symbols.str.strip(), source_row=frame["source_row"])


def _symbols_of(column: pd.Series) -> Mapping[str, str]:
    return {text: read_value(text)[1] for text in column.unique() if read_value(text)[0] is None}


def _whole(texts: pd.Series, is_number: pd.Series) -> pd.Series:
    return pd.to_numeric(texts.where(is_number), errors="coerce").astype("Int64")
