"""What is behind the page on data quality: the screening report, coverage, verdicts and counts that may be shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.inputs import Inputs
from attendance_toolkit.metrics.coverage import Coverage, screening_of, store_coverage, term_facts, term_name
from attendance_toolkit.metrics.reportable import reportable
from attendance_toolkit.presentation.blocks import Result
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.calendar import TERMS, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, PHASES
from attendance_toolkit.vocabulary.rounding import show_number

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
ALL_CENSUSES = "All files"
#: Sessions from elsewhere than a census, in words.
COLLECTED = {"register": "Registers", "portal": "Portal lists", "transfer": "Transfer files"}


def table_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def with_store(method: Callable[..., Any]) -> Callable[..., Any]:
    """Show nothing where there is no pupil-level data: the verdict says so once."""

    @functools.wraps(method)
    def wrapped(self: DataQualityData, *args: Any) -> Any:
        return method(self, *args) if self.has_store else Result(())

    return wrapped


def counted(number: int, word: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "finding"), counted(2, "census", "censuses")
    ('1 finding', '2 censuses')
    """
    return f"{show_number(number)} {word if number == 1 else many or f'{word}s'}"


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


class DataQualityData:
    """The facts of one area and year; counts of pupils only as this audience may see them."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.area = inputs.area
        self.year = inputs.academic_year
        self.shown_year = show_academic_year(self.year)

    # -- what is known -------------------------------------------------------------------------------

    @property
    def has_store(self) -> bool:
        """Whether there is pupil-level data."""
        return self.inputs.store is not None

    @property
    def is_internal(self) -> bool:
        """Whether the readers hold the data themselves."""
        return self.inputs.policy.threshold is None

    @cached_property
    def la_codes(self) -> tuple[str, ...]:
        """The authorities of the area that the store has."""
        return tuple(self.inputs.local_members[self.area.code]) if self.has_store else ()

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

    def protected(self, rows: Iterable[tuple[str, str, int]]) -> ProtectedTable:
        """Return counts of pupils (line, level, count) as this audience may see them.

        The level "All" is the total of its line. No line may be the sum of others.
        """
        frame = pd.DataFrame(list(rows), columns=["line", "level", "numerator"]).astype({"numerator": "float64"})
        frame = frame.assign(measure="enrolments", rate=frame["numerator"], symbol="", enrolments=frame["numerator"])
        for name in ("denominator", "lower", "upper"):
            frame[name] = float("nan")
        return self.inputs.protect_local(frame)

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

    @cached_property
    def lost_table(self) -> ProtectedTable:
        """Pupils of each term by what became of them in the next."""
        rows = []
        for row in table_records(self._lost_frame):
            line = f"{term_name(row['term'])} {show_academic_year(int(row['academic_year']))}"
            rows += [(line, ALL, row["pupils"]), *((line, level, row[level]) for level in LOST if level != ALL)]
        return self.protected(rows)

    @cached_property
    def lost_lines(self) -> list[str]:
        """The terms with a next one, in words."""
        return list(dict.fromkeys(self.lost_table.rows["line"])) if len(self._lost_frame) else []

    @cached_property
    def lost(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Protected counts by line and level; "matched" is made of what is shown: all but those lost."""
        found = self.by_line(self.lost_table)
        for line in self.lost_lines:
            total, lost = found[(line, ALL)], [found[(line, name)] for name in ("unknown", "school_missing")]
            # A hidden count is at most nine; it is left with the matched, and the share is rounded anyway.
            missing = sum(row["numerator"] for row in lost if is_shown(row) or not row["symbol"])
            number = total["numerator"] - missing if not total["symbol"] else float("nan")
            found[(line, "matched")] = {**total, "numerator": number, "rate": number}
        return found

    @cached_property
    def rows_read(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Protected pupil rows by census: read ("All"), loaded and set aside.

        Where a number of rows set aside is hidden, so are those of all censuses together, which would give it away.
        """
        found = self.by_line(self.rows_read_table)
        if any(row["symbol"] for (_, level), row in found.items() if level == "aside"):
            for level in ("loaded", "aside"):
                found[(ALL_CENSUSES, level)] = {**found[(ALL_CENSUSES, level)], "numerator": None, "symbol": "c"}
        return found

    @cached_property
    def rows_read_table(self) -> ProtectedTable:
        """Rows of each census, of registers and the like, and of all: read ("All"), loaded and set aside."""
        assert self.inputs.store is not None
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
        return self.protected(rows)
