"""The files of the graduated response: one list for each school, and how many pupils each has at which level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.marks import (
    DOWN,
    INSUFFICIENT,
    LEAVE_SESSIONS,
    LEAVE_WEEKS,
    LEFT,
    NEW,
    SCHOOL_DAYS,
    UP,
    Movement,
)
from attendance_toolkit.metrics.rule_schemes import lint_scheme, show_level, show_value
from attendance_toolkit.reporting.casework_marks import DECIDED_BY_PEOPLE, AreaMarks, day_words
from attendance_toolkit.reporting.list_files import PupilList, Value
from attendance_toolkit.reporting.list_writing import (
    SUMMARY,
    Asked,
    ListFile,
    Names,
    Schools,
    about_rows,
    percent_of,
    pupil_cells,
    pupil_headers,
)
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.rule_schemes import Level, Scheme, rule_scheme

TOO_FEW, NONE_POSSIBLE, NOT_THERE = "Too few sessions", "No possible session", "None"
#: Levels from this rank on are listed: those below are met by what every school does.
_LISTED_FROM = 2
MOVED_WORDS = {
    UP: "Up: more need", DOWN: "Down: less need", "same": "Same", NEW: "New", LEFT: "Left",
    "too few sessions before": "Too few sessions before", "too few sessions now": "Too few sessions now",
    "too few sessions both times": "Too few sessions both times",
}  # fmt: skip
_LEAVE_FOLLOWS = "Refused leave: the head teacher may ask for a penalty notice"
_SAFEGUARDING_FOLLOWS = "Safeguarding: immediate referral to children's services"


@dataclass(frozen=True, eq=False)
class ResponseFiles:
    """Makes the files of one call.

    Attributes
    ----------
    rows, moved
        As ``metrics.marks`` gives them.
    flagged
        Pseudonyms of pupils flagged by hand.
    words
        (pseudonym, school) -> pattern of absence in words.
    """

    marks: AreaMarks
    asked: Asked
    scheme: Scheme
    rows: pd.DataFrame
    moved: Movement
    flagged: frozenset[int]
    as_of: date | None
    since: date | None
    window: str
    is_every_level: bool
    names: Names = None
    words: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @cached_property
    def schools(self) -> Schools:
        """The store's schools."""
        return Schools(self.marks.store)

    @cached_property
    def _ranks(self) -> np.ndarray:
        """Rank of each level by its place; the last one is of pupils without a level."""
        own = [place if level.rank is None else level.rank for place, level in enumerate(self.scheme.levels)]
        return np.array([*own, -1])

    @cached_property
    def listed(self) -> pd.DataFrame:
        """The rows listed: by school, most need first, then by the share attended and the pseudonym."""
        rows = self.rows.merge(
            self.moved.pupils[["upn", "laestab", "level_before", "moved"]], how="left", on=["upn", "laestab"]
        )
        rows["rank"] = self._ranks[rows["level"].to_numpy()]
        rows["is_flagged"] = rows["upn"].isin(self.flagged)
        rows["share"] = rows["attended"] / rows["possible"].where(rows["possible"] > 0)
        is_work = (
            (rows["rank"] >= _LISTED_FROM) | rows["is_leave"] | rows["is_flagged"] | (rows["level"] == INSUFFICIENT)
        )
        rows = rows[is_work | self.is_every_level]
        order = ["laestab", "is_flagged", "is_leave", "rank", "share", "upn"]
        return rows.sort_values(order, ascending=[True, False, False, False, True, True], ignore_index=True)

    @property
    def title(self) -> str:
        """What the lists are of."""
        return f"{self.scheme.name}, {show_academic_year(self.asked.academic_year)}"

    def level_name(self, level: Any, possible: int = 1) -> str:
        """Return a level in words; what is said of pupils without one."""
        if pd.isna(level):
            return NOT_THERE
        if level == INSUFFICIENT:
            return TOO_FEW if possible else NONE_POSSIBLE
        return self.scheme.levels[int(level)].name

    def level_counts(self, rows: pd.DataFrame) -> tuple[tuple[str, int], ...]:
        """Return how many rows are at each level, and how many at none."""
        none = rows["level"] == INSUFFICIENT
        return (
            *((level.name, int((rows["level"] == place).sum())) for place, level in enumerate(self.scheme.levels)),
            (TOO_FEW, int((none & (rows["possible"] > 0)).sum())),
            (NONE_POSSIBLE, int((none & (rows["possible"] == 0)).sum())),
        )

    # -- above the list --

    def _about(self, school: str, laestab: int | None, names: Names) -> tuple[tuple[str, str], ...]:
        levels = "; ".join(_level_words(level, self.scheme.unit) for level in self.scheme.levels)
        more = (
            ("Rule", f"{self.scheme.quantity}: {levels}. Source: {self.scheme.source or 'the rule scheme given'}."),
            ("Window", self._window_words(laestab)),
            ("On a limit", _on_limits(self.scheme)),
            ("The printed rule", self._gaps()),
            ("Refused leave", f"Flagged from {LEAVE_SESSIONS} sessions of code G within the school's last {LEAVE_WEEKS} school"
                              " weeks; the printed rule gives no time. Sessions of the window, and the longest run without"
                              " another session between, stand beside it."),
            ("Moved", self._moved_words()),
            ("What this is not", DECIDED_BY_PEOPLE),
        )  # fmt: skip
        counted = (
            "Single marks of the registers loaded: attendance is what was possible and not missed. Pupils of all ages, each"
            " school apart."
        )
        return about_rows(self.asked, self.marks.store, school, counted, names, more=more)

    def _window_words(self, laestab: int | None) -> str:
        rows = self.rows if laestab is None else self.rows[self.rows["laestab"] == laestab]
        first, last = rows["first_day"].min(), rows["last_day"].max()
        span = f"{day_words(first)} to {day_words(last)}" if len(rows) else "no day"
        long = self.scheme.window
        if self.window == SCHOOL_DAYS:
            return (
                f"{span}: each school's last {long} days with possible sessions, over holidays, not into the year before. Pupils"
                f" with fewer than {self.scheme.possible} possible sessions have no level."
            )
        return (
            f"{span}: {long * 7 // 5} days of the calendar. Pupils with fewer than {self.scheme.possible} possible sessions have"
            " no level."
        )

    def _gaps(self) -> str:
        if self.scheme is rule_scheme("graduated_response"):
            found = lint_scheme(rule_scheme("graduated_response_as_printed"))
            says = " ".join(finding.says for finding in found)
            closed = "A level for full attendance (Universal) is added, so that every pupil has one."
            return f"{says} {closed} It says 'four weeks' without saying of what, and names lateness without a number.".strip()
        found = lint_scheme(self.scheme)
        return " ".join(finding.says for finding in found) or "The authority's own scheme: no gap or overlap was found."

    @property
    def compared_with(self) -> str:
        """The last day of the window compared with; "" if there is none."""
        before = self.moved.pupils["last_day_before"].max()
        return "" if pd.isna(before) else day_words(before)

    def _moved_words(self) -> str:
        if not self.compared_with:
            return "There is no earlier window to compare with."
        how = "" if self.since else ", the window before this one"
        return (
            f"Compared with the level by the same rule up to {self.compared_with}{how}. Up is to a level of more need."
        )

    # -- the list --

    def lists(self) -> Iterator[ListFile]:
        """Yield the list of each school."""
        columns = (
            *pupil_headers(self.names), "Year group", "Sessions possible", "Sessions attended", "Attendance (%)", "Level",
            "Level before", "Moved", "Flags", "Refused leave, window", "Refused leave, ten weeks", "Refused leave, in a row",
            "Last mark", "What follows", "Pattern this year",
        )  # fmt: skip
        groups = self.marks.year_groups()
        for key, part in self.listed.groupby("laestab", sort=True):
            laestab = int(str(key))
            school = self.schools.in_words(laestab)
            rows = tuple(self._row(row, groups) for row in part.to_dict("records"))
            about = self._about(school, laestab, self.names)
            listed = PupilList(self.title, about, columns, rows, self.asked.made_on)
            yield ListFile(self.schools.stem(laestab), school, listed, len(rows))

    def _row(self, row: Mapping[Any, Any], groups: Mapping[int, str]) -> tuple[Value, ...]:
        upn, level = int(row["upn"]), self.level_name(row["level"], row["possible"])
        return (
            *pupil_cells(upn, self.names), groups.get(upn, ""), int(row["possible"]), int(row["attended"]),
            percent_of(float(row["share"])), level, self.level_name(row["level_before"]),
            MOVED_WORDS.get(row["moved"], ""), "; ".join(self._flags(row, level)), int(row["leave_refused"]),
            int(row["leave_recent"]), int(row["leave_in_a_row"]), day_words(row["last_mark"]),
            "; ".join(self._follows(row, level)), self.words.get((upn, int(row["laestab"])), ""),
        )  # fmt: skip

    def _flags(self, row: Mapping[Any, Any], level: str) -> Iterator[str]:
        if row["is_flagged"]:
            yield "Safeguarding, flagged by hand"
        if row["is_leave"]:
            yield f"Refused leave of {LEAVE_SESSIONS} sessions or more"
        if row["is_at_end"] and row["level"] != INSUFFICIENT:
            also = ", and persistently absent for DfE" if 10 * row["attended"] == 9 * row["possible"] else ""
            rate = show_value(Fraction(100 * int(row["attended"]), int(row["possible"])), "percent")
            yield f"Exactly {rate}: {level}{also}"

    def _follows(self, row: Mapping[Any, Any], level: str) -> Iterator[str]:
        if row["is_flagged"]:
            yield _SAFEGUARDING_FOLLOWS
        if row["is_leave"]:
            yield _LEAVE_FOLLOWS
        yield from self.scheme.actions_at(level)

    def summary(self) -> ListFile:
        """Return how many pupils of each school are at each level, and how many moved."""
        schools = sorted({*self.rows["laestab"].tolist(), *self.moved.pupils["laestab"].tolist()})
        rows = [self._summary_row(self.schools.in_words(int(school)), int(school)) for school in schools]
        rows.append(self._summary_row("All", None))
        names = [name for name, _ in self.level_counts(self.rows)]
        columns = ("School", "Pupils", *names, "Refused leave", "Safeguarding", "Exactly 90%", *MOVED_WORDS.values())
        about = self._about("All schools", None, {})
        listed = PupilList(f"{self.title}: pupils by level", about, columns, tuple(rows), self.asked.made_on)
        return ListFile(SUMMARY, "All schools", listed, 0)

    def _summary_row(self, label: str, laestab: int | None) -> tuple[Value, ...]:
        rows, moved = self.rows, self.moved.pupils
        if laestab is not None:
            rows, moved = rows[rows["laestab"] == laestab], moved[moved["laestab"] == laestab]
        at_90 = (10 * rows["attended"] == 9 * rows["possible"]) & (rows["level"] != INSUFFICIENT)
        return (
            label, len(rows), *(many for _, many in self.level_counts(rows)), int(rows["is_leave"].sum()),
            int(rows["upn"].isin(self.flagged).sum()), int(at_90.sum()),
            *(int((moved["moved"] == move).sum()) for move in MOVED_WORDS),
        )  # fmt: skip


def _level_words(level: Level, unit: str) -> str:
    """Return the values of a level in words.

    >>> scheme = rule_scheme("graduated_response")
    >>> _level_words(scheme.levels[0], "percent"), _level_words(scheme.levels[3], "percent")
    ('Universal (exactly 100%)', 'Level 3 (below 80%)')
    """
    if level.low is not None and level.low == level.high:
        return f"{level.name} (exactly {show_value(level.low, unit)})"
    return show_level(level, unit).replace("(to below", "(below")


def _on_limits(scheme: Scheme) -> str:
    """Return which level has a rate that is exactly on the limit between two.

    >>> _on_limits(rule_scheme("graduated_response")).partition(". ")[0]
    'Exactly 90% is Level 1; exactly 80% is Level 2'
    """
    said = [
        f"exactly {show_value(end, scheme.unit)} is {level.name}"
        for level in scheme.levels
        for end, has_end in ((level.low, level.has_low), (level.high, level.has_high))
        if end is not None and has_end and level.low != level.high and end not in (scheme.low, scheme.high)
    ]
    text = "; ".join(said)
    limits = f"{text[:1].upper()}{text[1:]}. " if said else ""
    return (
        f"{limits}Levels are by counts of sessions, before rounding. A pupil at exactly 90% is persistently absent in DfE's"
        " statistics, whatever the level here."
    )
