"""What is behind the page on data quality: the screening report, coverage, verdicts and counts that may be shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import DeepDive, exact_table
from attendance_toolkit.deepdives.overview_data import OverviewData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.coverage import Coverage, screening_of, store_coverage, term_facts, term_name
from attendance_toolkit.metrics.reportable import reportable
from attendance_toolkit.presentation.blocks import Result
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.calendar import TERMS, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import number_text

#: What became of a term's pupils in the next term; "All" is all of them.
LOST = {
    ALL: "Pupils",
    "found": "Found in the next term",
    "left_year_11": "Left after Year 11",
    "moved": "Recorded as leaving",
    "school_missing": "School not received",
    "unknown": "Not known",
}
_PUPIL_TABLES = ("pupilonroll", "pupilnolongeronroll")
ALL_CENSUSES = ALL
#: Findings of one rule shown in full to those who hold the data.
MOST_OF_A_RULE = 5
#: Sessions from elsewhere than a census, in words.
COLLECTED = {"register": "Registers", "portal": "Portal lists", "transfer": "Transfer files"}


def table_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def with_store(method: Callable[..., Any]) -> Callable[..., Any]:
    """Show nothing where there is no pupil-level data: the verdict says so once."""

    @functools.wraps(method)
    def wrapped(self: DataQualityData, *args: Any) -> Any:
        return method(self, *args) if self.is_local else Result(())

    return wrapped


def counted(number: int, word: str, many: str = "") -> str:
    """Return a number of files or of what was found in them, with its noun. Never of pupils.

    >>> counted(1, "finding"), counted(2, "census", "censuses")
    ('1 finding', '2 censuses')
    """
    return phrase(f"{number_text(number)} {word if number == 1 else many or f'{word}s'}", "files")


class DataQualityData(DeepDive):
    """The facts of one area and year; counts of pupils only as a release has cleared them."""

    # -- what is known -------------------------------------------------------------------------------

    @property
    def is_internal(self) -> bool:
        """Whether the readers hold the data themselves."""
        return self.inputs.policy.threshold is None

    @cached_property
    def la_codes(self) -> tuple[str, ...]:
        """The authorities of the area that the store has."""
        return tuple(self.inputs.local_members[self.area.code]) if self.is_local else ()

    @cached_property
    def years(self) -> tuple[int, ...]:
        """The year and up to two before it."""
        return self.inputs.local_years

    @cached_property
    def report(self) -> Any:
        """The screening report the store keeps."""
        assert self.inputs.store is not None
        return screening_of(self.inputs.store.screening())

    @cached_property
    def coverage(self) -> Coverage:
        """Coverage as the last load found it; of a store that keeps none, worked out from its rows."""
        found: Coverage = self.report.coverage
        if len(found.areas):
            return found
        assert self.inputs.store is not None
        return store_coverage(self.inputs.store.pupil_terms(la_codes=list(self.la_codes)))

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """What can be reported: a row for each year, term (and "year"), phase and subject."""
        assert self.inputs.store is not None
        rows = self.inputs.store.pupil_terms(la_codes=list(self.la_codes), academic_years=list(self.years))
        facts = term_facts(rows, self.coverage, self.la_codes, threshold=self.inputs.policy.threshold)
        return reportable(facts)

    def verdict_on(self, year: int, term: str, phase: str, subject: str) -> Mapping[str, Any] | None:
        """Return one verdict, or None where there is no such phase."""
        return self._verdict_index.get((year, term, phase, subject))

    @cached_property
    def _verdict_index(self) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        return {
            (row["academic_year"], row["term"], row["phase"], row["subject"]): row
            for row in table_records(self.verdicts)
        }

    def _counts(self, rows: Iterable[tuple[str, str, int]], topic: str, area: str = ALL) -> ExactTable:
        """Return counts of pupils or of their rows (line, level, count). The level "All" is the total of its line."""
        if not self.is_local:
            raise NoDataError("There is no pupil-level data.")
        frame = pd.DataFrame(list(rows), columns=["line", "level", "numerator"]).astype({"numerator": "float64"})
        frame = frame.assign(area_code=area, measure="enrolments", rate=frame["numerator"], symbol="")
        frame["enrolments"] = frame["numerator"]
        for name in ("denominator", "lower", "upper"):
            frame[name] = float("nan")
        return self.inputs.local_table(frame, topic=topic)

    def derived(self) -> list[dict[str, Any]]:
        """Return the shares of pupils followed, which are made from cleared counts."""
        return [{"measure": "overall_absence_rate", "rate": share} for share in self.shares_followed]

    @cached_property
    def shares_followed(self) -> list[float]:
        """Share of each term's pupils found in the next, or known to have left, where the counts are shown."""
        pairs = [(self.lost[(line, "matched")], self.lost[(line, ALL)]) for line in self.lost_lines]
        return [
            matched["numerator"] / total["numerator"]
            for matched, total in pairs
            if is_shown(matched) and is_shown(total) and total["numerator"]
        ]

    # -- the figures of the overview this page holds against England's -------------------------------

    @cached_property
    def overview(self) -> OverviewData:
        """The overview's figures, as cleared for this page."""
        return OverviewData(self.inputs, self)

    def table(self, name: str) -> ProtectedTable:
        """Return a cleared table of this page to the overview within it."""
        return self.cleared(name)

    @exact_table
    def cards(self) -> ExactTable:
        """The area's own rates by phase."""
        return self.overview.exact("cards")

    @exact_table
    def published(self) -> ExactTable:
        """Published rates by phase."""
        return self.overview.exact("published")

    @exact_table
    def unknown(self) -> ExactTable:
        """Share of enrolments whose characteristic is not known."""
        return self.overview.exact("unknown")

    @staticmethod
    def by_line(table: ProtectedTable) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Return the counts by line and level."""
        return {(row["line"], row["level"]): row for row in records(table)}

    def loaded_on(self) -> str:
        """Return the day of the last load, or nothing."""
        if self.inputs.store is None:
            return ""
        return max((str(load["loaded_on"]) for load in self.inputs.store.manifest.get("loads", [])), default="")

    def phases(self) -> list[str]:
        """Return the phases of the year's schools."""
        here = set(self.verdicts.loc[self.verdicts["academic_year"] == self.year, "phase"])
        return [phase for phase in PHASES if phase in here]

    def area_rows(self, year: int | None = None, phase: str = ALL_SCHOOLS) -> pd.DataFrame:
        """Return coverage of the area's authorities for a phase, in one year or in all that are shown."""
        rows = self.coverage.areas
        rows = rows[rows["la_code"].isin(self.la_codes) & (rows["phase"] == phase)]
        return rows[rows["academic_year"].isin(self.years if year is None else [year])]

    @cached_property
    def _lost_frame(self) -> pd.DataFrame:
        rows = self.coverage.unmatched
        rows = rows[rows["la_code"].isin(self.la_codes) & rows["academic_year"].isin(self.years)]
        if rows.empty:
            return rows
        keys = ["academic_year", "term"]
        names = ["pupils", *(name for name in LOST if name != ALL)]
        sums = rows.groupby(keys, as_index=False)[names].sum()
        return sums.sort_values(keys, key=lambda c: c.map(TERMS.index) if c.name == "term" else c, ignore_index=True)

    @exact_table
    def lost_table(self) -> ExactTable:
        """Pupils of each term by what became of them in the next."""
        rows = []
        for row in table_records(self._lost_frame):
            line = f"{term_name(row['term'])} {show_academic_year(int(row['academic_year']))}"
            rows += [(line, ALL, row["pupils"]), *((line, level, row[level]) for level in LOST if level != ALL)]
        return self._counts(rows, "pupils_followed", self.area.code)

    @cached_property
    def lost_lines(self) -> list[str]:
        """The terms with a next one, in words."""
        return list(dict.fromkeys(self.lost_table.rows["line"])) if len(self._lost_frame) else []

    @cached_property
    def lost(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Cleared counts by line and level; "matched" is all but those lost, where what is shown says how many."""
        found = self.by_line(self.lost_table)
        for line in self.lost_lines:
            total, lost = found[(line, ALL)], [found[(line, name)] for name in ("unknown", "school_missing")]
            symbols = [str(row["symbol"]) for row in (total, *lost) if row["symbol"]]
            number = float("nan") if symbols else total["numerator"] - sum(row["numerator"] for row in lost)
            found[(line, "matched")] = {**total, "numerator": number, "rate": number, "symbol": "".join(symbols[:1])}
        return found

    @cached_property
    def rows_read(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Cleared counts of pupil rows by census: read ("All"), loaded and set aside."""
        return self.by_line(self.rows_read_table)

    @exact_table
    def finding_rows(self) -> ExactTable:
        """Rows of the files that broke each rule of screening."""
        sums: dict[str, int] = {}
        for finding in self.report.findings if self.is_local else ():
            sums[finding.rule] = sums.get(finding.rule, 0) + (finding.count if finding.row is not None else 0)
        return self._counts([(rule, ALL, count) for rule, count in sums.items()], "finding_rows")

    @exact_table
    def rows_read_table(self) -> ExactTable:
        """Rows of each census, of registers and the like, and of all: read ("All"), loaded and set aside."""
        if self.inputs.store is None:
            raise NoDataError("There is no pupil-level data.")
        sums: dict[str, list[int]] = {ALL_CENSUSES: [0, 0, 0]}
        for load in self.inputs.store.manifest.get("loads", []):
            if load["table"] not in _PUPIL_TABLES and load["census"] not in COLLECTED:
                continue
            for line in (ALL_CENSUSES, load["census"]):
                for place, name in enumerate(("rows_in", "rows_loaded", "rows_quarantined")):
                    sums.setdefault(line, [0, 0, 0])[place] += int(load[name])
        rows = [
            (line, level, count)
            for line, counts in sums.items()
            for level, count in zip((ALL, "loaded", "aside"), counts, strict=True)
        ]
        return self._counts(rows, "file_rows")
