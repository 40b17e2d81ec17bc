"""Write the single marks that were added up, for the store: pupil, school, day, session and code.

What is written adds up to ``pupil_marks`` exactly: marks that cannot be used and blanks are left out, sessions that were
marked twice alike are written once, and of marks that differ none is. The rows go to a file of their own, so that their
number costs no memory.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from pathlib import Path

from attendance_toolkit.loaders.register_marks.marks import Marks, MarkSource
from attendance_toolkit.loaders.register_marks.reading import _quoted


def write_single_marks(marks: Marks, folder: Path) -> list[Path]:
    """Write the usable marks of every source into a private folder and return the files: MARK_COLUMNS, in no order.

    Needs ``settle_repeats`` and the table ``unit_names`` (``parts.write_sessions``).

    Parameters
    ----------
    folder
        A folder only the user can read.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    has_repeats = bool(marks.all("SELECT count(*) FROM repeated_units")[0][0])
    selects = [_marked_once(marks, source, has_repeats) for source in marks.sources]
    if has_repeats:
        selects.append(_settled(marks))
    files = [folder / f"marks-{place}.parquet" for place in range(len(selects))]
    marks.con.execute("SET preserve_insertion_order = false")
    for select, file in zip(selects, files, strict=True):
        marks.con.execute(f"COPY ({select}) TO {_quoted(file)} (FORMAT parquet, COMPRESSION snappy)")
    marks.con.execute("SET preserve_insertion_order = true")
    return files


def _marked_once(marks: Marks, source: MarkSource, has_repeats: bool) -> str:
    """Return SQL for the marks of a source, of all pupils without a session that was marked twice."""
    n = source.number
    # Each way to write a UPN is looked up once and not for each mark.
    marks.con.execute(
        f"CREATE OR REPLACE TEMP TABLE pupil_{n} AS SELECT DISTINCT g.upn AS raw, u.pseudonym AS upn FROM mark_groups g"
        f" JOIN map_upn u ON u.code = upper(trim(g.upn)) AND u.state = 0 WHERE g.source = {n}"
    )
    several = marks.all("SELECT count(DISTINCT breaks) FROM mark_calendar")[0][0] > 1
    breaks = "AND m.breaks = k.breaks" if several else ""
    repeated = "ANTI JOIN repeated_units r ON r.upn = u.upn AND r.laestab = k.laestab AND r.unit = m.unit"
    return f"""
        SELECT u.upn, k.la_code, k.laestab, t.year AS academic_year, t.half_term, m.day, m.session, m.code
        FROM {source.view} v JOIN mark_{n} m ON m.d = v.d AND m.s = v.s AND m.c = v.code
             AND m.fault = 0 AND m.outcome <> 'blank'
        JOIN school_{n} k ON k.raw = v.school AND k.laestab IS NOT NULL {breaks}
        JOIN pupil_{n} u ON u.raw = v.upn
        JOIN unit_names t ON t.unit = m.unit
        {repeated if has_repeats else ""}
        """


def _settled(marks: Marks) -> str:
    """Return SQL for the marks of the pupils that have sessions marked twice, as ``settle_repeats`` settled them."""
    las = " UNION ".join(
        f"SELECT laestab, la_code FROM school_{s.number} WHERE laestab IS NOT NULL" for s in marks.sources
    )
    return f"""
        SELECT s.upn, k.la_code, s.laestab, t.year AS academic_year, t.half_term, s.day, s.session, s.code
        FROM repeated_sessions s JOIN ({las}) k USING (laestab) JOIN unit_names t USING (unit) WHERE s.kinds = 1
        """
