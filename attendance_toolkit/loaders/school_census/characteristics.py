"""Join the characteristics that come in a file of their own to the pupils on roll of the same census."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from dataclasses import replace

from attendance_toolkit.loaders._derived import Lines, MadeTable
from attendance_toolkit.loaders._return_files import FileCount, table_sql
from attendance_toolkit.loaders._text import TextFile
from attendance_toolkit.loaders.school_census.work import PUPIL_COLUMNS, Source, Work
from attendance_toolkit.schema.tables import CHARACTERISTICS

_JOINED = ("dob", "entrydate", "sex", "ncyear", "senprovision", "enrolstatus", "language", "ethnicity", "fsmday")
_SAME = "r.nativeid = c.nativeid AND upper(trim(r.upn)) = upper(trim(c.upn))"
_NOT_ON_ROLL = f"NOT EXISTS (SELECT 1 FROM raw_pupil r WHERE {_SAME})"


def join_characteristics(work: Work) -> None:
    """Fill in what the pupil rows do not say, by school and UPN; pupils of one file only are counted.

    A pupil who is in the characteristics alone is on roll without sessions: the row still describes the pupil.
    """
    files = {n: g.tables[CHARACTERISTICS] for n, g in enumerate(work.returns) if CHARACTERISTICS in g.tables}
    if not files:
        return
    work.con.execute("DROP TABLE IF EXISTS characteristics")
    for number, file in files.items():
        _read(work, number, file)
    # Each return may have a file of its own, or one file is for all: what is missing is missing from all of them.
    _report_without(work, " and ".join(file.name for file in files.values()))
    _fill(work)
    for number, file in files.items():
        _add_rest(work, number, file)


def _read(work: Work, number: int, file: TextFile) -> None:
    """Add a file to ``characteristics``, each row with its return and its record in the file."""
    where = work.where[number][CHARACTERISTICS]
    names = {column: PUPIL_COLUMNS[column][0] for column in ("nativeid", "upn", *_JOINED)}
    cells = [
        f"{where[name]} AS {column}" if name in where else f"NULL::VARCHAR AS {column}"
        for column, name in names.items()
    ]
    work.con.execute(f"CREATE OR REPLACE TEMP TABLE again AS {table_sql(file, ', '.join(cells))}")
    rows, marks = work.one("SELECT count(*), count(fsmday) FROM again")
    work.counts[(number, CHARACTERISTICS)] = FileCount(rows)
    # Blank means no where others say yes or no; a pupil who is not in the file at all stays Unknown.
    fsm = "coalesce(fsmday, 'N')" if marks else "fsmday"
    select = f"SELECT {number}::INTEGER AS number, rowid AS record, * REPLACE ({fsm} AS fsmday) FROM again"
    work.con.execute(f"CREATE TEMP TABLE IF NOT EXISTS characteristics AS {select} LIMIT 0")
    work.con.execute(f"INSERT INTO characteristics {select} ORDER BY rowid")
    work.con.execute("DROP TABLE again")


def _report_without(work: Work, names: str) -> None:
    """Report the pupils on roll in a file of one row a pupil who have no characteristics."""
    groups = ", ".join(
        str(s.group) for s in work.pupils.sources if s.on_roll and s.file.origin is not None and s.rows
    ) or "-1"  # fmt: skip
    for count, first in work.all(
        f"SELECT count(*), min(r.rowid) FROM raw_pupil r WHERE r.in_group IN ({groups})"
        f" AND NOT EXISTS (SELECT 1 FROM characteristics c WHERE {_SAME}) GROUP BY r.in_group ORDER BY 2"
    ):
        work.draft_at(
            "characteristics_unmatched", work.pupils, first,
            f"pupils on roll are not in {names}, so what only it says is Unknown for them.",
            column="upn", count=count, fix="Check that all files were taken from the same census.",
        )  # fmt: skip


def _fill(work: Work) -> None:
    """Make the pupil rows anew, in their order, with the blanks filled in."""
    columns = [c for (c,) in work.all("SELECT column_name FROM (DESCRIBE raw_pupil)")]
    cells = ", ".join(f"coalesce(r.{c}, c.{c}) AS {c}" if c in _JOINED else f"r.{c}" for c in columns)
    work.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE filled AS
        SELECT {cells} FROM (SELECT rowid AS place, * FROM raw_pupil) r
        LEFT JOIN (
            SELECT DISTINCT ON (nativeid, upper(trim(upn))) * FROM characteristics
            WHERE upn IS NOT NULL ORDER BY number, record
        ) c ON {_SAME}
        ORDER BY r.place
        """
    )
    work.con.execute("CREATE OR REPLACE TEMP TABLE raw_pupil AS SELECT * FROM filled")
    work.con.execute("DROP TABLE filled")


def _add_rest(work: Work, number: int, file: TextFile) -> None:
    """Add the pupils of the characteristics alone, and report them."""
    rest = work.all(f"SELECT c.record FROM characteristics c WHERE number = {number} AND {_NOT_ON_ROLL} ORDER BY 1")
    if not rest:
        return
    records = [record for (record,) in rest]
    start = work.one("SELECT count(*) FROM raw_pupil")[0]
    source = Source(_lines_of(file, records), CHARACTERISTICS, number, True, start, len(records))
    work.con.execute(
        f"""
        INSERT INTO raw_pupil BY NAME
        SELECT 0::INTEGER AS source, {source.group}::INTEGER AS in_group, 'characteristics ' || c.record AS key,
               c.* EXCLUDE (number, record)
        FROM characteristics c WHERE number = {number} AND {_NOT_ON_ROLL} ORDER BY c.record
        """
    )
    work.pupils.add(source)
    work.draft_at(
        "characteristics_unmatched", work.pupils, start,
        "pupils are in the characteristics and not on roll in the file of sessions: they are loaded without sessions.",
        column="upn", count=len(records), fix="Check that both files were taken from the same census.",
    )  # fmt: skip


def _lines_of(file: TextFile, records: list[int]) -> TextFile:
    """Return a file whose rows are some rows of another, so that they lead back to the user's lines."""
    origin = file.origin
    assert isinstance(origin, Lines)
    folder = origin.index.parent / "rest"
    folder.mkdir(mode=0o700, exist_ok=True)
    lines = origin.lines(records)
    made = MadeTable(folder, f"{origin.index.stem}-{len(list(folder.iterdir()))}", ("line",))
    for record in records:
        made.add((str(lines[record]),), lines[record])
    made.close()
    index = made.finish(file, origin.columns).origin
    assert isinstance(index, Lines)
    return replace(file, origin=replace(origin, index=index.index), line_count=len(records) + 1)
