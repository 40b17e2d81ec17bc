"""Screen a published file: what its reader sets aside, and figures that do not fit each other."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders.published._files import Source
from attendance_toolkit.loaders.published._layouts import layout_of
from attendance_toolkit.loaders.published._parts import phase_column
from attendance_toolkit.loaders.published._published import open_source, read_part
from attendance_toolkit.loaders.published._values import number_of, text_of
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding

#: Percentage -> numerator, denominator, as census files name them.
_RATES = {
    "sess_overall_percent": ("sess_overall", "sess_possible"),
    "sess_authorised_percent": ("sess_authorised", "sess_possible"),
    "sess_unauthorised_percent": ("sess_unauthorised", "sess_possible"),
    "enrolments_pa_10_exact_percent": ("enrolments_pa_10_exact", "enrolments"),
    "enrolments_pa_50_exact_percent": ("enrolments_pa_50_exact", "enrolments"),
    "sess_overall_percent_pa_10_exact": ("sess_overall_pa_10_exact", "sess_possible_pa_10_exact"),
    # The attendance series; its totals are weighted, see _weighted.
    "attendance_perc": ("overall_attendance", "possible_sessions"),
    "overall_absence_perc": ("overall_absence", "possible_sessions"),
    "authorised_absence_perc": ("authorised_absence", "possible_sessions"),
    "unauthorised_absence_perc": ("unauthorised_absence", "possible_sessions"),
    "illness_perc": ("reason_i_authorised_illness", "possible_sessions"),
}
#: Smaller, larger.
_ORDERS = (
    ("enrolments_pa_50_exact", "enrolments_pa_10_exact"),
    ("enrolments_pa_10_exact", "enrolments"),
    ("sess_overall", "sess_possible"),
    ("sess_overall_pa_10_exact", "sess_overall"),
    ("sess_possible_pa_10_exact", "sess_possible"),
    ("enrol_overall", "enrolments"),
    ("enrol_authorised", "enrol_overall"),
    ("enrol_unauthorised", "enrol_overall"),
)


def screen_published(path: Path | str) -> list[Finding]:
    """Return what is wrong with a published file; an empty list if nothing is.

    Rows that cannot be read are found one rule at a time, never only the first; figures that do not fit each other
    (a rate that is not its numerator over its denominator at its printed precision, more severe than persistent
    absentees) are warnings. A file that describes data files has nothing to screen.
    """
    file = Path(path)
    found: list[Finding] = []
    try:
        look(file)
    except NotReadableError as error:
        return [finding(error.rule, file.name, error.says, fix=error.fix)]
    con = duckdb.connect()
    with con, tempfile.TemporaryDirectory(prefix="attendance-") as private:
        try:
            source = open_source(file, Path(private), found)
            layout = layout_of(source)
            if layout is None:
                return [finding("file_unknown", file.name, "it is no published file this toolkit knows.")]
            if layout.describes:
                return []
            read_part(con, source, layout)
        except UnreadableFileError as error:
            says = str(error).removeprefix(file.name).lstrip(":, ")
            return [*found, finding(_rule_of(says), file.name, says)]
        found += _rates(con, source) + _orders(con, source)
    return found


def _rule_of(says: str) -> str:
    """Return the rule of the file stage that an error of the reader breaks."""
    for word, rule in (
        ("not text", "file_not_csv"),
        ("is empty", "file_empty"),
        ("more than once", "column_repeated"),
        ("no rows", "file_no_rows"),
        ("fields", "file_ragged"),
        ("separated by", "file_delimiter"),
        ("UTF", "file_encoding"),
        ("known", "file_unknown"),
        ("knows", "file_unknown"),
    ):
        if word in says:
            return rule
    return "file_damaged"


def _weighted(source: Source) -> str:
    """Return the SQL condition of rows whose rate is not its own counts: totals of the attendance series."""
    name = phase_column(source)
    if name is None or "attendance_perc" not in source.first:
        return "FALSE"
    return f"lower({text_of(name)}) IN ('total', 'all schools')"


def _rates(con: duckdb.DuckDBPyConnection, source: Source) -> list[Finding]:
    """Compare each printed percentage with its counts at its own precision.

    Trailing zeros are dropped in DfE's files, so a value is held to at most the decimals it shows, and to one
    where the column has any. Some columns were rounded twice (24.206349 to 24.20635 to 24.2064), which moves a
    value by up to 0.55 of its last place. Enrolments of England and the regions are rounded to 5 and their rates
    are not.
    """
    found = []
    columns = _columns(con)
    for percent, (numerator, denominator) in _RATES.items():
        if not {percent, numerator, denominator} <= columns:
            continue
        printed, top, bottom = number_of(percent), number_of(numerator), number_of(denominator)
        places = f"len(split_part({text_of(percent)}, '.', 2))"
        half = f"0.5 * pow(10, -greatest({places}, least(1, (SELECT max({places}) FROM raw))))"
        slack = _slack(source, percent, top, bottom)
        where = (
            f"NOT ({_weighted(source)}) AND {bottom} > 0 AND"
            f" abs(100 * {top} / {bottom} - {printed}) > {half} * 1.1 + {slack} + 1e-9"
        )
        row = con.execute(
            f"SELECT min(source_row), count(*), arg_min({text_of(percent)}, source_row),"
            f" arg_min(100 * {top} / nullif({bottom}, 0), source_row) FROM raw WHERE {where}"
        ).fetchone()
        if row and row[1]:
            says = f"the counts give {row[3]:.5f}%: {numerator} over {denominator}."
            found.append(
                finding(
                    "published_rate",
                    source.name,
                    says,
                    row=int(row[0]),
                    column=percent,
                    value=str(row[2]),
                    fix="Use the counts, or ask the publisher.",
                    count=int(row[1]),
                )
            )
    return found


def _slack(source: Source, percent: str, top: str, bottom: str) -> str:
    """Return the SQL of how far a rate may be from its counts because these are rounded to the nearest 5."""
    level = next((name for name in ("geographic_level", "level") if name in source.first), "")
    if not level or not percent.startswith("enrolments"):
        return "0"
    return (
        f"(CASE WHEN lower({text_of(level)}) IN ('national', 'regional') AND {top} % 5 = 0 AND {bottom} % 5 = 0"
        f" THEN 250 / {bottom} * (1 + {top} / {bottom}) ELSE 0 END)"
    )


def _orders(con: duckdb.DuckDBPyConnection, source: Source) -> list[Finding]:
    found = []
    columns = _columns(con)
    for smaller, larger in _ORDERS:
        if not {smaller, larger} <= columns:
            continue
        row = con.execute(
            f"SELECT min(source_row), count(*), arg_min({text_of(smaller)}, source_row),"
            f" arg_min({text_of(larger)}, source_row) FROM raw WHERE {number_of(smaller)} > {number_of(larger)}"
        ).fetchone()
        if row and row[1]:
            found.append(
                finding(
                    "published_order",
                    source.name,
                    f"it is more than {larger}, {row[3]}, of which it is a part.",
                    row=int(row[0]),
                    column=smaller,
                    value=str(row[2]),
                    fix="Ask the publisher; use neither figure.",
                    count=int(row[1]),
                )
            )
    return found


def _columns(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {str(row[0]) for row in con.execute("DESCRIBE raw").fetchall()}
