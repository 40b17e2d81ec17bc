"""Read registers into the store's parts: stage after stage, each with its findings."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Unpack

import duckdb

from attendance_toolkit.loaders._entries import entry_of
from attendance_toolkit.loaders._head import Head
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import show
from attendance_toolkit.loaders.register_marks import faults, meanings, parts
from attendance_toolkit.loaders.register_marks.marks import Marks
from attendance_toolkit.loaders.register_marks.reading import (
    Source,
    is_damaged,
    make_view,
    names_school,
    note_pupils,
    open_sources,
    pupil_sql,
)
from attendance_toolkit.loaders.register_marks.school_weeks import stray_days, taught_weeks, weeks_without
from attendance_toolkit.loaders.register_marks.single import write_single_marks
from attendance_toolkit.schema.findings import FileInfo, Finding
from attendance_toolkit.schema.rules import Details, finding
from attendance_toolkit.store._files import sha256_of
from attendance_toolkit.store.marks import hand_over_marks
from attendance_toolkit.store.quarantine import AsideFile

LAYOUT = "register marks"
COLLECTION = "register"
#: A school with more blanks than this is named.
_BLANK_SHARE = 0.1
_MOST_SCHOOLS = 25


class RegisterReader:
    """Reads registers of marks into ``collected_parts`` and ``record_parts`` of the connection.

    The files of a call are read together: marks of one school may lie in several. A half term of a school is
    replaced by what a load brings for it, so that a file should hold whole half terms.

    Parameters
    ----------
    con
        Connection with the working tables of a call (``make_working_tables``).
    files
        Heads of the files.
    private
        A folder only the user can read, for copies.
    key
        The key of the pseudonyms; without one nothing is handed to the store.
    asked_year
        Academic year that the marks must be of; marks of other years are set aside.
    la
        DfE code of the authority of establishments given by four digits.
    school
        LAESTAB of the school of files that name none.
    by_urn
        URN -> LAESTAB, for files that give schools by URN only.

    Attributes
    ----------
    findings
        What screening found.
    sources
        The tables of marks, each with its ``count``.
    laestabs
        Schools with marks.
    replaced
        (academic year, half term, LAESTAB) that this load brings anew.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        files: Sequence[Head],
        private: Path,
        *,
        key: bytes | None = None,
        asked_year: int | None = None,
        la: str | None = None,
        school: int | None = None,
        by_urn: Mapping[int, int] | None = None,
    ) -> None:
        self.con, self.files, self.private, self.key = con, files, private, key
        self.asked_year, self.la, self.by_urn = asked_year, la or "", by_urn or {}
        self.school = str(school) if school else None
        self.findings: list[Finding] = []
        self.sources: list[Source] = []
        self.laestabs: set[int] = set()
        self.replaced: set[tuple[int, str, int]] = set()
        self.marks = Marks(con, [], key)

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding was made."""
        return any(f.severity == "blocking" for f in self.findings)

    def run(self) -> None:
        """Read, screen and add up the files. Stops after a stage with a blocking finding."""
        faults.make_table(self.con)
        for stage in (self._open, self._understand, self._add_up, self._check, self._hand_over):
            try:
                stage()
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error:
                # The foot of a Parquet file may be whole, and what it leads to not.
                damaged = [source for source in self.sources if is_damaged(source)]
                if not damaged:
                    raise
                for source in damaged:
                    self._report("file_damaged", source.name, "the Parquet file is damaged: its rows cannot be read.",
                                 fix="Export or fetch it again.")  # fmt: skip
            if self.is_blocked:
                return

    # -- stages --

    def _open(self) -> None:
        seen: dict[str, str] = {}
        for place, head in enumerate(self.files):
            try:
                sha256 = sha256_of(head.path)
                if sha256 in seen:
                    self._report("file_repeated", head.name, f"the same file as {seen[sha256]}; it is read once.")
                    continue
                seen[sha256] = head.name
                sources, found = open_sources(self.con, head, self.private, place * 1000, sha256)
            except NotReadableError as error:
                self._report(error.rule, head.name, error.says, fix=error.fix)
                continue
            self.findings += found
            self.sources += sources
        for source in self.sources:
            if not names_school(source) and not self.school:
                self._report(
                    "school_missing", source.name, "no column says which school the marks are of.", row=1,
                    allowed="a column 'laestab', or 'la' and 'estab', or 'urn'",
                    fix="Add the column, or give the LAESTAB of the school.",
                )  # fmt: skip
        self.marks.sources = self.sources

    def _understand(self, *, clean_upn: bool = False) -> None:
        for source in self.sources:
            make_view(self.con, source, given_school=self.school, clean_upn=clean_upn)
            meanings.tally(self.con, source)
            found = meanings.map_days(self.con, source, asked_year=self.asked_year, today=date.today())
            self.findings += found
            if any(f.severity == "blocking" for f in found):
                continue
            self.findings += meanings.map_sessions(self.con, source)
            meanings.map_schools(self.con, source, la=self.la, by_urn=self.by_urn)

    def _add_up(self) -> None:
        self.marks.make_mark_tables()
        self.marks.add_up()
        written, meant = self.marks.all(
            "SELECT count(DISTINCT upn), count(DISTINCT upper(trim(upn))) FROM mark_groups"
        )[0]
        if written > meant:
            # One pupil written in two ways: marks can only be told apart once they are written alike.
            for source in self.sources:
                make_view(self.con, source, given_school=self.school, clean_upn=True)
            self.marks.add_up()

    def _check(self) -> None:
        for source in self.sources:
            self.findings += faults.find_faults(self.marks, source)
        self._check_repeats()
        for source in self.sources:
            source.count.rows_quarantined = parts.count_aside(self.con, source)
        self._check_codes()
        self._check_blanks()
        self._check_schools()
        if not self.is_blocked and not self.marks.all("SELECT count(*) FROM pupil_marks")[0][0]:
            self._report("marks_none", self._names(), "no mark of it can be used.", fix="See the other findings.")

    def _hand_over(self) -> None:
        self.laestabs = {s for (s,) in self.marks.all("SELECT DISTINCT laestab FROM pupil_marks")}
        units = self.marks.units
        self.replaced = {
            (units[unit][0], units[unit][2], laestab)
            for unit, laestab in self.marks.all("SELECT DISTINCT unit, laestab FROM pupil_marks")
        }
        if self.key is None:
            return
        selects = [(s.number, sql) for s in self.sources if (sql := pupil_sql(self.con, s, self.school))]
        parts.make_details(self.con, selects)
        for source in self.sources:
            note_pupils(self.con, source)
        parts.write_sessions(self.marks, COLLECTION)
        parts.write_records(self.marks, COLLECTION)

    # -- checks --

    def _check_repeats(self) -> None:
        alike, differing = self.marks.settle_repeats()
        if alike:
            self._report("mark_repeated", self._names(), "sessions of pupils are marked more than once, alike.",
                         count=alike, fix="Each is counted once.")  # fmt: skip
        if differing:
            self.con.execute("INSERT INTO marks_aside SELECT source, rid, d, 'mark_conflict', NULL FROM conflicts")
            for source in self.sources:
                rows, first = self.marks.all(
                    f"SELECT count(*), min(rid) FROM conflicts WHERE source = {source.number}"
                )[0]
                if rows:
                    self._report(
                        "mark_conflict", source.name, "two marks of a pupil differ for the same session.",
                        row=source.first_line + first, column=source.column_of("code", _any_session(source)), count=rows,
                        fix="All of them are set aside; correct the register.",
                    )  # fmt: skip
        sessions, pupils = self.marks.at_two_schools()
        if sessions:
            self._report(
                "mark_two_schools", self._names(),
                f"{pupils} pupils have sessions that are possible at two schools at once; each school counts them.",
                count=sessions, fix="A school records code D for sessions due at the other one.",
            )  # fmt: skip

    def _check_codes(self) -> None:
        for source in self.sources:
            rows = self.marks.all(
                f"""
                SELECT m.c, count(*), min(v.rid), arg_min(v.d::VARCHAR, v.rid) FROM {source.view} v
                JOIN (SELECT DISTINCT d, s, c FROM mark_{source.number} k JOIN meaning m ON m.day = k.day AND m.is_old
                      AND m.code = upper(trim(k.c))) m ON m.d = v.d AND m.s = v.s AND m.c = v.code
                GROUP BY 1 ORDER BY 1
                """
            ) if self._has_old(source) else []  # fmt: skip
            for code, count, first, d in rows:
                self._report(
                    "register_code_old", source.name, f"'{show(code)}' had ended by then; it keeps its old meaning.",
                    row=source.first_line + first, column=source.column_of("code", d), value=show(code), count=count,
                )  # fmt: skip

    def _has_old(self, source: Source) -> bool:
        sql = f"SELECT count(*) FROM code_{source.number} c JOIN meaning m ON m.code = c.code AND m.is_old"
        return bool(self.marks.all(sql)[0][0])

    def _check_blanks(self) -> None:
        for source in self.sources:
            rows = self.marks.all(
                f"SELECT k.laestab, sum(g.marks), sum(g.blank) FROM mark_groups g"
                f" JOIN school_{source.number} k ON k.raw::VARCHAR = g.school WHERE g.source = {source.number}"
                " AND k.laestab IS NOT NULL GROUP BY 1 ORDER BY 1"
            )
            blank = sum(int(b or 0) for _, _, b in rows)
            if not blank:
                continue
            worst = [(s, int(b)) for s, n, b in rows if b and b > _BLANK_SHARE * n]
            named = "".join(f" {s}: {b:,}." for s, b in worst[:_MOST_SCHOOLS])
            self._report(
                "mark_missing", source.name,
                f"{blank:,} of {sum(n for _, n, _ in rows):,} sessions have no mark; they are not possible sessions here."
                + (f" Schools with more than one in ten:{named}" if named else ""),
                column=source.column_of("code", _any_session(source)), count=blank,
                fix="Ask the schools to complete their registers.",
            )  # fmt: skip

    def _check_schools(self) -> None:
        schools = self.marks.taught
        others = taught_weeks(schools)
        for laestab, taught in sorted(schools.items()):
            strays = stray_days(taught)
            if strays:
                day = next(iter(strays))
                self._report(
                    "mark_stray_day", self._names(),
                    f"school {laestab} has hardly any marks on {len(strays)} days with some, such as {day.isoformat()}.",
                    value=day.isoformat(), count=sum(strays.values()), fix="Check whether the school was open.",
                )  # fmt: skip
            days = [day for day in taught if day not in strays]
            for monday, weeks in weeks_without(days, others):
                self._report(
                    "school_no_marks", self._names(),
                    f"school {laestab} has no marks in {weeks} school weeks from {monday.isoformat()}.",
                    value=str(laestab), fix="Ask the school for the missing weeks.",
                )  # fmt: skip

    def _names(self) -> str:
        return self.sources[0].name if len(self.sources) == 1 else f"{len(self.sources)} registers"

    def _report(self, rule: str, file: str, says: str, **more: Unpack[Details]) -> None:
        self.findings.append(finding(rule, file, says, **more))

    # -- for the manifest --

    def files_info(self) -> list[FileInfo]:
        """Return what each table of marks is, for the report."""
        return [FileInfo(s.name, LAYOUT, s.table, "", s.count.rows_in, s.sha256) for s in self.sources]

    def entries(self) -> list[dict]:
        """Return an entry for the manifest for each table of marks."""
        return [
            entry_of(
                s.name, s.sha256, table=s.table, layout=LAYOUT, census=COLLECTION, count=s.count, schools=self.laestabs
            )
            for s in self.sources
        ]

    def write_aside(self, folder: Path) -> list[AsideFile]:
        """Write the marks that were set aside, as they were read, into a private folder."""
        return [
            parts.write_aside(self.con, source, COLLECTION, folder)
            for source in self.sources
            if source.count.rows_quarantined
        ]

    def keep_marks(self) -> None:
        """Hand the single usable marks over to the store: ``mark_parts`` of the connection."""
        hand_over_marks(self.con, write_single_marks(self.marks, self.private / "marks"))

    def drop(self) -> None:
        """Let go of the working tables."""
        drop_tables(self.con, (s.number for s in self.sources))


def drop_tables(con: duckdb.DuckDBPyConnection, numbers: Iterable[int]) -> None:
    """Drop the working tables of sources."""
    for n in numbers:
        con.execute(f"DROP VIEW IF EXISTS marks_{n}")
        for name in ("day", "day_text", "session", "code", "school", "school_text", "school_day", "mark", "pupil"):
            con.execute(f"DROP TABLE IF EXISTS {name}_{n}")
    for name in ("mark_groups", "pupil_marks", "repeated_marks", "repeated_sessions", "repeated_units", "conflicts", "moved",
                 "pupil_texts", "pupil_details", "marks_aside", "meaning", "mark_calendar"):  # fmt: skip
        con.execute(f"DROP TABLE IF EXISTS {name}")


def _any_session(source: Source) -> int | None:
    return next(iter(source.layout.sessions), None) if source.layout.is_wide else None
