"""What single marks of registers add to packs, worked out once for all schools of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pandas as pd

from attendance_toolkit.metrics.marks import (
    AUTHORISED,
    INSUFFICIENT,
    UNAUTHORISED,
    WEEKDAYS,
    MarkTable,
    graduated_response,
    movement,
    patterns,
    penalty_windows,
    spells,
    weekday_counts,
)
from attendance_toolkit.reporting.casework_marks import pattern_words
from attendance_toolkit.reporting.list_writing import Names, pupil_cells, pupil_headers
from attendance_toolkit.reporting.school_pack.counts import percent_text
from attendance_toolkit.reporting.school_pack.data import PackData
from attendance_toolkit.reporting.school_pack.drawing import Line, line_chart
from attendance_toolkit.reporting.school_pack.parts import NO_FIGURE, Drawing, PackTable, Part, Text, part
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.meeting_questions import Figure
from attendance_toolkit.vocabulary.rounding import number_text
from attendance_toolkit.vocabulary.rule_schemes import Scheme

SCHEME = "graduated_response"
#: The move to a level of more need.
_WORSE = "up"
#: Pupils at levels of this rank and beyond are named: before it the school does what it does for everybody.
_NAMED_FROM = 2
_FEWEST_SPELLS = 1
#: Authorised and unauthorised absence in a ``MarkTable``.
_MISSED = f"kind IN ({AUTHORISED}, {UNAUTHORISED})"
Row = Mapping[str, Any]


class MarkFacts:
    """What the marks of the year say of each school; empty where there are no marks."""

    def __init__(self, data: PackData) -> None:
        self.scheme: Scheme = data.inputs.scheme(SCHEME)
        self._year, store = data.year, data.inputs.store
        assert store is not None
        has = {year for code, year in store.marked() if code in data.members}
        self.is_there = self._year in has
        if not self.is_there:
            return
        table = MarkTable(data.inputs.marks())
        settings: dict[str, Any] = {"school_days": self.scheme.window, "fewest_sessions": self.scheme.possible}
        self._weeks = _weekly(table)
        self._days = _by_school(weekday_counts(table))
        self._spells = _by_school(_spell_counts(table))
        self._levels = _by_school(graduated_response(table, self.scheme, **settings))
        self._moves = _by_school(movement(table, self.scheme, **settings).pupils)
        self._patterns = {(int(row["upn"]), int(row["laestab"])): row for row in _records(patterns(table))}
        self.last_day = table.last_day
        self._windows = _by_school(self._penalties(data, table, academic_year_before(self._year) in has))

    def _penalties(self, data: PackData, table: MarkTable, has_before: bool) -> pd.DataFrame:
        """Return the thresholds met this year; a window may begin in the year before."""
        given = MarkTable(data.inputs.marks([academic_year_before(self._year), self._year])) if has_before else table
        events = penalty_windows(given)
        begins = date(self._year // 100, 8, 1)
        return events[pd.to_datetime(events["last_day"]) >= pd.Timestamp(begins)]

    def data_until(self, laestab: int) -> date | None:
        """Return the Friday of the last week of a school with marks, no later than the last day of all."""
        weeks = self._weeks.get(laestab) if self.is_there else None
        return min(max(weeks) + timedelta(days=4), self.last_day) if weeks else None

    # --- sections -----------------------------------------------------------------------------------------------

    def pattern_part(self, laestab: int) -> Part | None:
        """Return the section about weeks, weekdays and spells."""
        if not self.is_there or laestab not in self._weeks:
            return None
        return part(
            "patterns", "When absence happens", [self._chart(laestab), self._weekdays(laestab), self._runs(laestab)]
        )

    def _chart(self, laestab: int) -> Drawing | None:
        weeks = sorted(self._weeks[laestab].items())
        shares = [100 * (possible - missed) / possible for _, (possible, missed) in weeks]
        places = [f"{monday.day} {monday:%b}" for monday, _ in weeks]
        lowest = min(range(len(shares)), key=lambda place: shares[place])
        said = (
            f"{len(weeks)} school weeks. The lowest is that from {places[lowest]}, {number_text(shares[lowest], 1)}%; the last"
            f" {number_text(shares[-1], 1)}%."
        )
        svg = line_chart([Line("Attendance", tuple(shares))], places, "Attendance by school week", said)
        return Drawing("weeks-chart", "Attendance by school week", svg, f"{said} From register marks.") if svg else None

    def _weekdays(self, laestab: int) -> PackTable | None:
        rows = pd.DataFrame(self._days.get(laestab, []))
        if rows.empty:
            return None
        found = []
        for weekday, of_day in rows.groupby("weekday"):
            sessions = {row["session"]: row for row in _records(of_day)}
            both = {name: int(of_day[name].sum()) for name in ("possible", "missed")}
            found.append(
                (
                    WEEKDAYS[int(str(weekday))],
                    _share(sessions.get("AM")),
                    _share(sessions.get("PM")),
                    _share(both),
                    f"{both['missed']:,}",
                )
            )
        columns = ("Weekday", "Missed, morning (%)", "Missed, afternoon (%)", "Missed, both (%)", "Sessions missed")
        return PackTable("weekdays", "Sessions missed by day of the week", columns, tuple(found))

    def _runs(self, laestab: int) -> PackTable | None:
        rows = tuple(
            (str(row["length"]), f"{int(row['spells']):,}", f"{int(row['sessions']):,}", f"{int(row['pupils']):,}")
            for row in self._spells.get(laestab, [])
        )
        columns = ("Length of spell", "Spells", "Sessions missed", "Pupils")
        note = "A spell is a run of possible sessions missed one after the other; weekends and holidays do not end it."
        return PackTable("spells", "Spells of absence by length", columns, rows, note=note) if rows else None

    def response_part(self, laestab: int, names: Names) -> Part | None:
        """Return the section about the graduated response: how many pupils have each level, and who moved."""
        if not self.is_there or laestab not in self._levels:
            return None
        levels = [int(row["level"]) for row in self._levels[laestab] if int(row["possible"]) > 0]
        rows = [(level.name, f"{levels.count(number):,}") for number, level in enumerate(self.scheme.levels)]
        rows.append((f"Fewer than {self.scheme.possible} sessions", f"{levels.count(INSUFFICIENT):,}"))
        note = f"The school's last {self.scheme.window} school days with marks. {self.scheme.name}: {self.scheme.quantity}."
        table = PackTable(
            "levels", "Pupils by level of the graduated response", ("Level", "Pupils"), tuple(rows), note=note
        )
        return part(
            "graduated-response", "Graduated response", [table, self._moves_table(laestab), self._worse(laestab, names)]
        )

    def _moves_table(self, laestab: int) -> PackTable | None:
        """Return how many pupils were at which level before and are now."""
        count: dict[tuple[str, str], int] = {}
        for row in self._moves.get(laestab, []):
            key = tuple("None" if pd.isna(row[name]) else self._level(row[name]) for name in ("level_before", "level"))
            count[key[0], key[1]] = count.get((key[0], key[1]), 0) + 1
        names = [level.name for level in self.scheme.levels]
        rows = tuple((before, *(f"{count.get((before, now), 0):,}" for now in names)) for before in names)
        columns = ("Level before", *(f"Now {name}" for name in names))
        before = f"the {self.scheme.window} school days before"
        note = "Only pupils with a level both times."
        title = f"Levels now and in {before}"
        return PackTable("levels-moved", title, columns, rows, note=note) if count else None

    def _worse(self, laestab: int, names: Names) -> PackTable | Text:
        """Return the pupils who moved to a worse level that needs more than the school's own first steps."""
        moved = [
            row for row in self._moved(laestab) if (self.scheme.levels[int(row["level"])].rank or 0) >= _NAMED_FROM
        ]
        if not moved:
            return Text("Nobody moved to a worse level that needs a plan or a referral.")
        moved.sort(key=lambda row: (-(self.scheme.levels[int(row["level"])].rank or 0), int(row["upn"])))
        rows = tuple(
            (*pupil_cells(int(row["upn"]), names), self._level(row["level_before"]), self._level(row["level"]))
            for row in moved
        )
        columns = (*pupil_headers(names), "Level before", "Level now")
        title = f"Pupils who moved to a worse level that needs a plan or a referral: {len(rows):,}"
        return PackTable("moved-worse", title, columns, rows, frozenset(columns))

    def _moved(self, laestab: int) -> list[dict[str, Any]]:
        return [row for row in self._moves.get(laestab, []) if row["moved"] == _WORSE]

    def _level(self, number: Any) -> str:
        return NO_FIGURE if int(number) < 0 else self.scheme.levels[int(number)].name

    def penalty_table(self, laestab: int, names: Names) -> PackTable | Text | None:
        """Return the pupils who met the threshold of a penalty notice this year."""
        if not self.is_there:
            return None
        events = self._windows.get(laestab, [])
        if not events:
            return Text("No pupil has met the threshold of a penalty notice this year.")
        met: dict[int, list[dict[str, Any]]] = {}
        for row in events:
            met.setdefault(int(row["upn"]), []).append(row)
        rows = tuple(
            (
                *pupil_cells(upn, names),
                _day(of[0]["last_day"]),
                _day(of[-1]["last_day"]),
                f"{len(of)}",
                f"{of[-1]['ordinal']}",
            )
            for upn, of in sorted(met.items(), key=lambda item: (item[1][-1]["last_day"], -item[0]), reverse=True)
        )
        columns = (*pupil_headers(names), "First met", "Last met", "Times this year", "Times in three years")
        note = (
            "10 unauthorised sessions (codes G, N, O and U) within 10 school weeks; they are not counted again after that. Each"
            " time within three years is counted as if a notice had been given: which were is not in the registers."
        )
        title = f"Pupils who met the threshold of a penalty notice: {len(rows):,}"
        return PackTable("penalties", title, columns, rows, frozenset(columns[:-2]), note)

    # --- pupils and figures -------------------------------------------------------------------------------------

    def pattern_of(self, upn: int, laestab: int) -> str:
        """Return a pupil's pattern in words; "" where there are no marks."""
        row = self._patterns.get((upn, laestab)) if self.is_there else None
        if row is None or int(row["spells"]) < _FEWEST_SPELLS:
            return ""
        return pattern_words(row)

    def pupils_named(self, laestab: int) -> set[int]:
        """Return the pupils that the sections of marks name."""
        if not self.is_there:
            return set()
        moved = {int(row["upn"]) for row in self._moved(laestab)}
        return moved | {int(row["upn"]) for row in self._windows.get(laestab, [])}

    def figures(self, laestab: int) -> dict[str, Figure]:
        """Return the figures that questions may be tied to."""
        if not self.is_there:
            return {}
        met = {int(row["upn"]) for row in self._windows.get(laestab, [])}
        worse = len(self._moved(laestab))
        found = {"penalty_windows": Figure(Fraction(len(met))), "pupils_to_a_worse_level": Figure(Fraction(worse))}
        return found | self._worst_weekday(laestab)

    def _worst_weekday(self, laestab: int) -> dict[str, Figure]:
        rows = pd.DataFrame(self._days.get(laestab, []))
        if rows.empty or rows["weekday"].nunique() < 2:
            return {}
        days = rows.groupby("weekday")[["possible", "missed"]].sum()
        shares = {int(str(day)): Fraction(100 * int(of["missed"]), int(of["possible"])) for day, of in days.iterrows()}
        worst = max(shares, key=lambda day: (shares[day], -day))
        others = days.drop(index=worst)
        gap = shares[worst] - Fraction(100 * int(others["missed"].sum()), int(others["possible"].sum()))
        return {"weekday_absence_gap": Figure(gap, WEEKDAYS[worst])}


# --- tables by school ----------------------------------------------------------------------------------------------


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _by_school(frame: pd.DataFrame) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in _records(frame):
        found.setdefault(int(row["laestab"]), []).append(row)
    return found


def _weekly(table: MarkTable) -> dict[int, dict[date, tuple[int, int]]]:
    """Return LAESTAB -> Monday -> sessions possible and missed."""
    rows = table.con.sql(
        f"""
        SELECT laestab, DATE '1970-01-01' + ((slot // 2 + 3) // 7) * 7 - 3 AS monday, count(*) AS possible,
               count(*) FILTER ({_MISSED}) AS missed
        FROM mark WHERE kind > 0 GROUP BY ALL ORDER BY ALL
        """  # noqa: S608 - the condition is the toolkit's own
    ).fetchall()
    found: dict[int, dict[date, tuple[int, int]]] = {}
    for laestab, monday, possible, missed in rows:
        found.setdefault(int(laestab), {})[monday] = (int(possible), int(missed))
    return found


def _spell_counts(table: MarkTable) -> pd.DataFrame:
    """Return spells, sessions and pupils by school and length of the spell, the shortest first."""
    runs = spells(table)
    lengths = ["1 session", "1 day", "2 to 5 days", "6 to 10 days", "More than 10 days"]
    place = pd.cut(runs["days"], [0, 1, 5, 10, float("inf")], labels=[1, 2, 3, 4]).astype("int64")
    runs["place"] = place.where(runs["sessions"] > 1, 0)
    counted = runs.groupby(["laestab", "place"], as_index=False).agg(
        spells=("sessions", "size"), sessions=("sessions", "sum"), pupils=("upn", "nunique")
    )
    return counted.assign(length=[lengths[int(number)] for number in counted["place"]])


def _share(row: Row | None) -> str:
    if row is None or not int(row["possible"]):
        return NO_FIGURE
    return percent_text(Fraction(100 * int(row["missed"]), int(row["possible"])))


def _day(value: Any) -> str:
    return pd.Timestamp(value).date().isoformat()
