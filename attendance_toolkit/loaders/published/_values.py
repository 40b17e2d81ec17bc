"""Turn the text of published cells into numbers, with DfE's symbols beside the missing ones."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import duckdb

from attendance_toolkit.errors import UnreadableFileError, VocabularyError, did_you_mean
from attendance_toolkit.loaders.published._files import Source
from attendance_toolkit.vocabulary.areas import all_areas
from attendance_toolkit.vocabulary.symbols import SYMBOLS, read_value

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


def complain(source: Source, row: int, name: str, value: str, allowed: str) -> UnreadableFileError:
    """Return the error for one cell: file, row, column, value and what it may be."""
    return UnreadableFileError(f"{source.name}, row {row}, {name}: '{value}' is not allowed. Use {allowed}.")


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
            wrong = f"{number} < 0 OR " + (
                f"{number} <> floor({number})" if name in set(counts) else f"{number} > 100.0000001"
            )
            parts.append(f"list(DISTINCT {text_of(name)}) FILTER (WHERE {number} IS NULL)")
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
                    # Python reads some texts DuckDB does not, such as 'inf' and '1_000': not numbers here.
                    row = con.execute(f"SELECT min(source_row) FROM raw WHERE {text_of(name)} = ?", [text]).fetchone()
                    raise complain(
                        source,
                        row[0] if row else 0,
                        name,
                        text,
                        f"{allowed}, or one of the symbols {_SYMBOLS_TEXT}",
                    )
                self.symbols.setdefault(name, {})[text] = symbol
            if found[2 * i + 1] is not None:
                row_number = found[2 * i + 1]
                text = con.execute(f"SELECT {text_of(name)} FROM raw WHERE source_row = ?", [row_number]).fetchone()
                raise complain(source, row_number, name, text[0] if text else "", allowed)

    def symbol_of(self, name: str) -> str:
        """Return the SQL for the symbol of a cell, '' beside a number."""
        texts = self.symbols.get(name)
        if not texts:
            return "''"
        whens = " ".join(f"WHEN {quoted(text)} THEN {quoted(symbol)}" for text, symbol in texts.items())
        return f"(CASE {text_of(name)} {whens} ELSE '' END)"


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
    for text, row in found:
        if _plain(text) not in known:
            raise complain(source, row, what or name, text, "one of: " + "; ".join(levels) + did_you_mean(text, levels))
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
    for text, row in found:
        try:
            whens.append(f"WHEN {quoted(text)} THEN {read(text)}")
        except (VocabularyError, ValueError):
            raise complain(source, row, name, text, "an academic year, such as 202324") from None
    return f"(CASE {text_of(name)} {' '.join(whens)} END)" if whens else "NULL"


def _plain(text: str) -> str:
    return " ".join(text.replace("-", " ").split()).casefold()


LEVELS = {"National": "National", "Regional": "Regional", "Local authority": "Local authority"}
_REGION_NAMES = {"london (inner)": "Inner London", "london (outer)": "Outer London"}


def canonical_code(dfe_code: str, file_code: str = "") -> str:
    """Return the code by which all published rows of a local authority are found.

    ONS gives an authority a new nine-character code when its boundary or status changes; the
    three-digit DfE code changes only when it is another authority. So rows are known by the latest
    nine-character code of their DfE code, and a series is not cut in two. An authority this version does
    not know keeps the code of the file.

    >>> canonical_code("370", "E08000016"), canonical_code("358"), canonical_code("7", "E06000099")
    ('E08000038', 'E08000009', 'E06000099')
    """
    rows = [a for a in all_areas() if a.dfe_code == dfe_code and not a.is_synthetic]
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
    dfe_code: str,
    la_code: str | None,
    region: str | None,
    country: str | None,
) -> None:
    """Make the table ``places``: the texts of the area columns -> area_code and area_level.

    Every argument but the first two names a column of ``raw``. A row is joined by
    ``level`` and the concatenated codes, the column ``place`` of both tables.
    """
    names = [level, dfe_code, *(n for n in (la_code, region, country) if n)]
    con.execute("ALTER TABLE raw ADD COLUMN place VARCHAR")
    con.execute("UPDATE raw SET place = concat_ws('|', " + ", ".join(text_of(n) for n in names) + ")")
    chosen = ", ".join(f"{text_of(n) if n else quoted('')}" for n in (level, dfe_code, la_code, region, country))
    rows = con.execute(
        f"SELECT DISTINCT ON (place) place, {chosen}, source_row FROM raw ORDER BY place, source_row"
    ).fetchall()
    places = []
    for place, level_text, dfe, la, reg, nation, row in rows:
        known = {k.casefold(): v for k, v in LEVELS.items()}.get(level_text.casefold())
        if known is None:
            raise complain(source, row, level, level_text, "one of: " + "; ".join(LEVELS))
        code = (
            {"National": nation, "Regional": reg}.get(known) if known != "Local authority" else canonical_code(dfe, la)
        )
        if not code or len(code) != 9:
            raise complain(
                source,
                row,
                la_code or dfe_code,
                la or dfe or reg,
                "a nine-character area code or a known DfE code",
            )
        places.append((place, code, known))
    put_places(con, places)


def put_places(con: duckdb.DuckDBPyConnection, places: Sequence[tuple[str, str, str]]) -> None:
    """Write the table ``places`` (place, area_code, area_level)."""
    codes, areas, levels = ([row[i] for row in places] for i in range(3))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE places AS SELECT unnest(CAST(? AS VARCHAR[])) AS place,"
        " unnest(CAST(? AS VARCHAR[])) AS area_code, unnest(CAST(? AS VARCHAR[])) AS area_level",
        [codes, areas, levels],
    )
