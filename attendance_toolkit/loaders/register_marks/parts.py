"""Hand what was added up to the store, and write out the marks that are not used."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb

from attendance_toolkit.loaders._set_aside import reason_of
from attendance_toolkit.loaders._values import known, parse_date
from attendance_toolkit.loaders.register_marks.marks import Marks, put
from attendance_toolkit.loaders.register_marks.reading import Source, _quoted
from attendance_toolkit.schema.codes import level_of
from attendance_toolkit.store.identifiers import note_identifiers
from attendance_toolkit.store.parts import make_collected_tables, record_place
from attendance_toolkit.store.quarantine import AsideFile, write_csv
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, UNAUTHORISED_REASONS

_AT_ONCE = 20_000
_YES = frozenset({"Y", "YES", "TRUE", "T", "1", "FSM", "ELIGIBLE"})
_NO = frozenset({"N", "NO", "FALSE", "F", "0", "NOT ELIGIBLE"})


def write_sessions(marks: Marks, collection: str, *, by_pupil: bool = False) -> None:
    """Add ``pupil_marks`` to ``collected_parts``, with what it takes the place of in ``collected_scopes``.

    Parameters
    ----------
    collection
        "register" or "transfer".
    by_pupil
        Replace a pupil's year at a school, rather than a half term of a whole school.
    """
    con = marks.con
    make_collected_tables(con)
    put(con, "unit_names", {"unit": list(range(len(marks.units))), "year": [u[0] for u in marks.units],
                            "term": [u[1] for u in marks.units], "half_term": [u[2] for u in marks.units]},
        {"unit": "int", "year": "int", "term": "text", "half_term": "text"})  # fmt: skip
    authorised = " + ".join(f"n_{name}" for name in AUTHORISED_REASONS)
    unauthorised = " + ".join(f"n_{name}" for name in UNAUTHORISED_REASONS)
    reasons = ", ".join("n_" + name.removeprefix("sessions_") for name in REASON_COLUMNS)
    las = " UNION ".join(
        f"SELECT laestab, la_code FROM school_{s.number} WHERE laestab IS NOT NULL" for s in marks.sources
    )
    con.execute(
        f"""
        INSERT INTO collected_parts
        SELECT m.upn, k.la_code, m.laestab, NULL, t.year, t.term, t.half_term, 'Unknown',
               t.year // 100 - year(b.dob) - (month(b.dob) * 100 + day(b.dob) > 831)::INTEGER, 'Unknown', false, true,
               n_attended + n_covid + {authorised} + {unauthorised}, {authorised}, {unauthorised}, n_covid, {reasons},
               '{collection}'
        FROM pupil_marks m JOIN unit_names t USING (unit) JOIN ({las}) k USING (laestab)
        LEFT JOIN (SELECT upn, any_value(dob) AS dob FROM pupil_details GROUP BY upn) b ON b.upn = m.upn
        WHERE n_attended + n_covid + n_none + {authorised} + {unauthorised} > 0
        """
    )
    what = "NULL, laestab, upn" if by_pupil else "half_term, laestab, NULL"
    con.execute(
        f"INSERT INTO collected_scopes SELECT DISTINCT '{collection}', academic_year, {what} FROM collected_parts"
        f" WHERE collection = '{collection}'"
    )


# -- pupils --


def make_details(con: duckdb.DuckDBPyConnection, selects: list[tuple[int, str]]) -> None:
    """Make ``pupil_details``: what the sources say of pupils, as levels; null is not known.

    Parameters
    ----------
    selects
        Number of each source and SQL for upn, school, dob, sex, nc_year, fsm and sen, as texts.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE pupil_texts (source INTEGER, upn VARCHAR, school VARCHAR, dob VARCHAR, sex VARCHAR,"
        " nc_year VARCHAR, fsm VARCHAR, sen VARCHAR)"
    )
    for number, select in selects:
        con.execute(f"INSERT INTO pupil_texts SELECT {number}, * FROM ({select})")
    for column in ("sex", "nc_year", "fsm", "sen"):
        texts = [
            t
            for (t,) in con.execute(f"SELECT DISTINCT {column} FROM pupil_texts WHERE {column} IS NOT NULL").fetchall()
        ]
        put_levels(con, column, texts)
    texts = [t for (t,) in con.execute("SELECT DISTINCT dob FROM pupil_texts WHERE dob IS NOT NULL").fetchall()]
    days = [_birth(t) for t in texts]
    put(con, "level_dob", {"text": texts, "day": days}, {"text": "text", "day": "day"})
    note_identifiers(con, dates_of_birth={day.isoformat() for day in days if day})
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE pupil_details AS
        SELECT u.pseudonym AS upn, p.source, p.school, b.day AS dob, s.level AS sex, y.level AS nc_year, f.level AS fsm,
               n.level AS sen
        FROM pupil_texts p JOIN map_upn u ON u.code = p.upn AND u.state = 0
        LEFT JOIN level_dob b ON b.text = p.dob LEFT JOIN level_sex s ON s.text = p.sex
        LEFT JOIN level_nc_year y ON y.text = p.nc_year LEFT JOIN level_fsm f ON f.text = p.fsm
        LEFT JOIN level_sen n ON n.text = p.sen
        """
    )


def put_levels(con: duckdb.DuckDBPyConnection, column: str, texts: list[str]) -> None:
    """Make the table of what the texts of a pupil column mean."""
    put(con, f"level_{column}", {"text": texts, "level": [pupil_level(column, t) for t in texts]},
        {"text": "text", "level": "text"})  # fmt: skip


def pupil_level(column: str, text: str) -> str | None:
    """Return the level of a pupil column of a register, None when it is not known.

    >>> pupil_level("nc_year", "Year 7"), pupil_level("fsm", "Yes"), pupil_level("sen", "K"), pupil_level("sex", "F")
    ('7', 'FSM eligible', 'SEN support', 'Female')
    >>> pupil_level("nc_year", "Reception"), pupil_level("sex", "?")
    ('R', None)
    """
    code = text.strip().upper()
    if column == "fsm":
        answers = {**dict.fromkeys(_YES, "FSM eligible"), **dict.fromkeys(_NO, "Not known to be FSM eligible")}
        return answers.get(code)
    if column == "nc_year":
        code = code.removeprefix("YEAR").removeprefix("YR").strip()
        code = {"RECEPTION": "R", "NURSERY": "N2"}.get(code, code)
        return known(level_of("ncyearactual", code) or "Unknown")
    return known(level_of("senprovision" if column == "sen" else "sex", code) or "Unknown")


def _birth(text: str) -> date | None:
    day = parse_date(text.split(" ")[0] if text[:4].isdigit() else text)[0]
    return day if day and date(1990, 1, 1) <= day <= date.today() else None


def write_records(marks: Marks, collection: str) -> None:
    """Add what the sources say of pupils to ``record_parts``, for each academic year with marks."""
    schools = " UNION ALL ".join(
        f"SELECT {s.number} AS source, raw::VARCHAR AS school, laestab, la_code FROM school_{s.number}"
        for s in marks.sources
    )
    marks.con.execute(
        f"""
        INSERT INTO record_parts
        SELECT DISTINCT ON (p.upn, k.laestab, t.year) p.upn, k.la_code, k.laestab, (t.year // 100) || '-{collection}', t.year,
               {record_place("t.year", "k.laestab")}, p.nc_year, NULL, p.sex, p.fsm, NULL, p.sen, NULL, NULL, NULL
        FROM pupil_details p JOIN ({schools}) k ON k.source = p.source AND k.school = p.school AND k.laestab IS NOT NULL
        JOIN (SELECT DISTINCT upn, laestab, year FROM pupil_marks JOIN unit_names USING (unit)) t
            ON t.upn = p.upn AND t.laestab = k.laestab
        WHERE coalesce(p.nc_year, p.sex, p.fsm, p.sen) IS NOT NULL
        """
    )


def write_yearly_records(con: duckdb.DuckDBPyConnection, collection: str) -> None:
    """Add ``pupil_details`` with the year they are of to ``record_parts``."""
    con.execute(
        f"""
        INSERT INTO record_parts
        SELECT DISTINCT ON (p.upn, c.laestab, p.year) p.upn, c.la_code, c.laestab, (p.year // 100) || '-{collection}', p.year,
               {record_place("p.year", "c.laestab")}, p.nc_year, NULL, p.sex, p.fsm, NULL, p.sen, NULL, NULL, NULL
        FROM pupil_details p JOIN (SELECT DISTINCT laestab, la_code FROM collected_parts WHERE collection = '{collection}') c
            ON c.laestab::VARCHAR = p.school
        WHERE coalesce(p.nc_year, p.sex, p.fsm, p.sen) IS NOT NULL
        """
    )


# -- marks that are not used --


def count_aside(con: duckdb.DuckDBPyConnection, source: Source) -> int:
    """Return the marks of a source that are not used."""
    sql = f"SELECT count(*) FROM (SELECT DISTINCT rid, d FROM marks_aside WHERE source = {source.number})"
    return int(con.execute(_by_cell(source, sql)).fetchall()[0][0])


def _by_cell(source: Source, sql: str) -> str:
    # A row of a wide register is as many marks as it has columns of sessions; of a long one, a single mark.
    return sql if source.layout.is_wide else sql.replace("rid, d ", "rid ")


def write_aside(con: duckdb.DuckDBPyConnection, source: Source, collection: str, folder: Path) -> AsideFile:
    """Write the marks of a source that are not used, as they were read, into a private folder.

    Of a register with a column for each session, the cell is written with the header of its column.
    """
    layout = source.layout
    kept = [i for i in range(len(source.header)) if not (layout.is_wide and i in layout.sessions)]
    file = f"read_parquet({_quoted(source.parquet)}, file_row_number = true)"
    names = ['"' + row[0].replace('"', '""') + '"' for row in con.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()]
    cells = "".join(f"a.{names[i]}::VARCHAR, " for i in kept)
    marked = (
        f"JOIN (SELECT rid, d::VARCHAR AS d, code FROM {source.view}) v ON v.rid = m.rid AND v.d = m.d"
        if layout.is_wide
        else ""
    )
    cursor = con.execute(
        f"""
        SELECT {cells}{"v.d, v.code, " if layout.is_wide else ""}m.rid, m.rules
        FROM (SELECT rid, {"d, " if layout.is_wide else ""}string_agg(DISTINCT rule, ' ' ORDER BY rule) AS rules
              FROM marks_aside WHERE source = {source.number} GROUP BY ALL) m
        JOIN {file} a ON a.file_row_number = m.rid {marked} ORDER BY m.rid
        """
    )
    header = [source.header[i] for i in kept] + (["session", "code"] if layout.is_wide else [])

    def read() -> Iterator[tuple]:
        while found := cursor.fetchmany(_AT_ONCE):
            for *texts, rid, rules in found:
                if layout.is_wide:
                    texts[-2] = source.header[int(texts[-2])]
                yield (*texts, source.table, source.name, rid + source.first_line, "", rules, reason_of(rules))

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{len(list(folder.iterdir()))}.csv"
    counts = write_csv(target, header, read())
    return AsideFile(collection, source.table, source.name, source.sha256, target, counts)
