"""Turn the text of published cells into numbers, with DfE's symbols beside the missing ones."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import duckdb

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.loaders.published._files import Source, complain, reject
from attendance_toolkit.vocabulary.areas import all_areas
from attendance_toolkit.vocabulary.symbols import SYMBOLS, read_value

__all__ = [
    "Cells",
    "area_join",
    "canonical_code",
    "column",
    "complain",
    "level_of",
    "number_of",
    "period_of",
    "put_places",
    "quoted",
    "region_code",
    "text_of",
    "year_of",
]

_SYMBOLS_TEXT = ", ".join(SYMBOLS)


def quoted(text: str) -> str:
    """Return text as an SQL literal.

    >>> quoted("St Helens' ")
    "'St Helens'' '"
    """
    return "'" + text.replace("'", "''") + "'"


def column(name: str) -> str:
    """Return a column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_of(name: str) -> str:
    """Return the SQL for the trimmed text of a cell; an empty cell is ''."""
    return f"trim(coalesce({column(name)}, ''))"


def number_of(name: str) -> str:
    """Return the SQL for the number in a cell, NULL for a symbol."""
    value = f"try_cast({text_of(name)} AS DOUBLE)"
    return f"(CASE WHEN isfinite({value}) THEN {value} END)"


class Cells:
    """The number columns of the table ``raw``, checked; gives SQL for values and symbols.

    Parameters
    ----------
    counts
        Columns of whole numbers, 0 or more.
    percents
        Columns of percentages, 0 to 100.

    Raises
    ------
    UnreadableFileError
        A cell is neither such a number nor a symbol: file, row, column, value, allowed values.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        source: Source,
        *,
        counts: Sequence[str] = (),
        percents: Sequence[str] = (),
    ) -> None:
        names = [*counts, *percents]
        parts = []
        for name in names:
            number = number_of(name)
            wrong = _out_of_range(name, is_count=name in set(counts))
            # DuckDB reads 1_0 as 10.
            odd = f"{number} IS NULL OR contains({column(name)}, '_')"
            parts.append(f"list(DISTINCT {text_of(name)}) FILTER (WHERE {odd})")
            parts.append(f"min(source_row) FILTER (WHERE {wrong})")
        found = con.execute(f"SELECT {', '.join(parts)} FROM raw").fetchone() if names else ()
        assert found is not None  # an aggregate without groups always gives a row
        #: column -> text -> symbol, for the columns that hold any.
        self.symbols: dict[str, dict[str, str]] = {}
        for i, name in enumerate(names):
            allowed = "a whole number of 0 or more" if name in set(counts) else "a percentage from 0 to 100"
            for text in sorted(found[2 * i] or []):
                try:
                    value, symbol = read_value(text)
                except ValueError:
                    value, symbol = 0.0, ""
                if value is not None:
                    # Neither a number nor a symbol.
                    reject(
                        con,
                        source,
                        "published_number",
                        f"{text_of(name)} = ?",
                        [text],
                        column=name,
                        value=text,
                        allowed=f"{allowed}, or one of the symbols {_SYMBOLS_TEXT}",
                    )
                    continue
                self.symbols.setdefault(name, {})[text] = symbol
            if found[2 * i + 1] is not None:
                where = _out_of_range(name, is_count=name in set(counts))
                row = con.execute(
                    f"SELECT {text_of(name)} FROM raw WHERE {where} ORDER BY source_row LIMIT 1"
                ).fetchone()
                if row is not None:  # else it was set aside for another cell
                    reject(con, source, "published_number", where, [], column=name, value=str(row[0]), allowed=allowed)

    def symbol_of(self, name: str) -> str:
        """Return the SQL for the symbol of a cell, '' beside a number."""
        texts = self.symbols.get(name)
        if not texts:
            return "''"
        whens = " ".join(f"WHEN {quoted(text)} THEN {quoted(symbol)}" for text, symbol in texts.items())
        return f"(CASE {text_of(name)} {whens} ELSE '' END)"


def _out_of_range(name: str, *, is_count: bool) -> str:
    number = number_of(name)
    return f"({number} < 0 OR " + (f"{number} <> floor({number}))" if is_count else f"{number} > 100.0000001)")


def level_of(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    levels: Mapping[str, str],
    *,
    what: str | None = None,
) -> str:
    """Return the SQL that names the levels of a column as the toolkit does.

    Spelling differs between years in capitals and in "State-funded" against "State funded"; nothing
    else is forgiven.

    Raises
    ------
    UnreadableFileError
        A value is not among ``levels``.
    """
    known = {_plain(key): level for key, level in levels.items()}
    found = con.execute(f"SELECT {text_of(name)} AS t, min(source_row) FROM raw GROUP BY t ORDER BY 2").fetchall()
    whens = []
    for text, _ in found:
        if _plain(text) not in known:
            allowed = "one of: " + "; ".join(levels) + did_you_mean(text, levels)
            where = f"{text_of(name)} = ?"
            reject(con, source, "published_level", where, [text], column=what or name, value=text, allowed=allowed)
            continue
        whens.append(f"WHEN {quoted(text)} THEN {quoted(known[_plain(text)])}")
    return f"(CASE {text_of(name)} {' '.join(whens)} END)" if whens else "NULL"


def year_of(con: duckdb.DuckDBPyConnection, source: Source, name: str, read: Callable[[str], int]) -> str:
    """Return the SQL for the academic year in six digits; ``read`` turns the file's text into it.

    Raises
    ------
    UnreadableFileError
        A value is not an academic year.
    """
    found = con.execute(f"SELECT {text_of(name)} AS t, min(source_row) FROM raw GROUP BY t ORDER BY 2").fetchall()
    whens = []
    for text, _ in found:
        try:
            whens.append(f"WHEN {quoted(text)} THEN {read(text)}")
        except (VocabularyError, ValueError):
            where, allowed = f"{text_of(name)} = ?", "an academic year, such as 202324"
            reject(con, source, "published_year", where, [text], column=name, value=text, allowed=allowed)
    return f"(CASE {text_of(name)} {' '.join(whens)} END)" if whens else "NULL"


def period_of(
    con: duckdb.DuckDBPyConnection, source: Source, names: Sequence[str], read: Callable[..., tuple[int, str]]
) -> tuple[str, str]:
    """Return the SQL for the academic year and for the period, of what several columns say together.

    Parameters
    ----------
    read
        Turns the texts of the columns into academic year and period; a ValueError means they are none.

    Raises
    ------
    UnreadableFileError
        The columns of a row name no period.
    """
    key = "concat_ws('|', " + ", ".join(text_of(name) for name in names) + ")"
    chosen = ", ".join(text_of(name) for name in names)
    years, periods = [], []
    for given, *texts in con.execute(f"SELECT {key} AS k, {chosen} FROM raw GROUP BY ALL ORDER BY k").fetchall():
        try:
            year, period = read(*texts)
        except (VocabularyError, ValueError, KeyError):
            allowed = "a year, term, week or day as in DfE's files"
            shown = " ".join(text for text in texts if text)
            reject(con, source, "published_year", f"{key} = ?", [given], column=names[0], value=shown, allowed=allowed)
            continue
        years.append(f"WHEN {quoted(given)} THEN {year}")
        periods.append(f"WHEN {quoted(given)} THEN {quoted(period)}")
    if not years:
        return "NULL", "NULL"
    return f"(CASE {key} {' '.join(years)} END)", f"(CASE {key} {' '.join(periods)} END)"


def _plain(text: str) -> str:
    return " ".join(text.replace("-", " ").split()).casefold()


LEVELS = {"National": "National", "Regional": "Regional", "Local authority": "Local authority", "School": "School"}
_REGION_NAMES = {"london (inner)": "Inner London", "london (outer)": "Outer London"}


def canonical_code(dfe_code: str, file_code: str = "") -> str:
    """Return the code by which all published rows of a local authority are found.

    ONS gives an authority a new nine-character code when its boundary or status changes; the
    three-digit DfE code changes only when it is another authority. So rows are known by the latest
    nine-character code of their DfE code, and a series is not cut in two. An authority this version does
    not know keeps the code of the file.

    >>> canonical_code("370", "E08000016"), canonical_code("358"), canonical_code("7", "E06000099")
    ('E08000038', 'E08000009', 'E06000099')
    >>> canonical_code(""), canonical_code("", "E08000009")
    ('', 'E08000009')
    """
    # Areas without a DfE code have "" for it, which a blank cell must not find.
    rows = [a for a in all_areas() if dfe_code and a.dfe_code == dfe_code and not a.is_synthetic]
    rows.sort(key=lambda a: (a.end_date == "", a.end_date))
    return rows[-1].code if rows else file_code


def region_code(name: str) -> str:
    """Return the code of a region or England by name, '' if it is not one.

    >>> region_code("London (Inner)"), region_code("Yorkshire and the Humber"), region_code("Narnia")
    ('E13000001', 'E12000003', '')
    """
    wanted = _REGION_NAMES.get(name.casefold(), name).casefold()
    for area in all_areas():
        if area.level in ("Regional", "National") and area.name.casefold() == wanted:
            return area.code
    return ""


def area_join(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    *,
    level: str,
    dfe_code: str | None,
    la_code: str | None,
    region: str | None,
    country: str | None,
) -> None:
    """Make the table ``places``: the texts of the area columns -> area_code and area_level.

    A school's area is its local authority. Every argument but the first two names a column of ``raw``. A row is joined by
    ``level`` and the concatenated codes, the column ``place`` of both tables.
    """
    names = [level, *(n for n in (dfe_code, la_code, region, country) if n)]
    con.execute("ALTER TABLE raw ADD COLUMN place VARCHAR")
    con.execute("UPDATE raw SET place = concat_ws('|', " + ", ".join(text_of(n) for n in names) + ")")
    chosen = ", ".join(f"{text_of(n) if n else quoted('')}" for n in (level, dfe_code, la_code, region, country))
    rows = con.execute(
        f"SELECT DISTINCT ON (place) place, {chosen}, source_row FROM raw ORDER BY place, source_row"
    ).fetchall()
    places = []
    for place, level_text, dfe, la, reg, nation, _ in rows:
        known = {k.casefold(): v for k, v in LEVELS.items()}.get(level_text.casefold())
        if known is None:
            allowed = "one of: " + "; ".join(LEVELS)
            reject(
                con, source, "published_level", "place = ?", [place], column=level, value=level_text, allowed=allowed
            )
            continue
        code = {"National": nation, "Regional": reg}.get(known) if known in _WIDE else canonical_code(dfe, la)
        if not code or len(code) != 9:
            allowed, at = "a nine-character area code or a known DfE code", la_code or dfe_code or region or level
            shown = la or dfe or reg
            reject(con, source, "published_area", "place = ?", [place], column=at, value=shown, allowed=allowed)
            continue
        places.append((place, code, known))
    put_places(con, places)


_WIDE = ("National", "Regional")


def put_places(con: duckdb.DuckDBPyConnection, places: Sequence[tuple[str, str, str]]) -> None:
    """Write the table ``places`` (place, area_code, area_level)."""
    codes, areas, levels = ([row[i] for row in places] for i in range(3))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE places AS SELECT unnest(CAST(? AS VARCHAR[])) AS place,"
        " unnest(CAST(? AS VARCHAR[])) AS area_code, unnest(CAST(? AS VARCHAR[])) AS area_level",
        [codes, areas, levels],
    )
