"""The rating of each school as a pack shows it: the colour, which group set it, each group's exact difference."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pandas as pd

from attendance_toolkit.metrics.group_comparators import Comparators, comparator_of
from attendance_toolkit.metrics.rating import edge_in_words
from attendance_toolkit.metrics.rule_schemes import show_level
from attendance_toolkit.metrics.school_rating import (
    CELL_COLUMNS,
    SchoolRating,
    colour_changes,
    comparators_for,
    rate_schools,
)
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.school_pack.counts import percent_text, points_text
from attendance_toolkit.reporting.school_pack.data import PackData, SchoolCounts
from attendance_toolkit.reporting.school_pack.parts import NO_FIGURE, Badge, PackTable, Part, Points, Text, part
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.rule_schemes import Scheme
from attendance_toolkit.vocabulary.series import SERIES

SCHEME = "school_rag"
_ALL = "All pupils"
#: How far all differences are moved, to show how near the school is to another colour, in percentage points.
_NEARBY = Fraction(1, 2)


class Ratings:
    """The ratings of all schools of a run, by one scheme and one set of national figures."""

    def __init__(self, data: PackData) -> None:
        self.scheme: Scheme = data.inputs.scheme(SCHEME)
        files = data.inputs.published
        self.comparators: Comparators = comparators_for(
            data.year,
            rates=files.rates if files is not None else None,
            cells=files.cells if files is not None else None,
        )
        rated = rate_schools(_cells(data.schools), self.comparators, self.scheme)
        self.of: Mapping[int, SchoolRating] = {one.laestab: one for one in rated}
        self._nearby = {
            int(row["laestab"]): (str(row["lower"]), str(row["higher"]))
            for row in colour_changes(rated, self.scheme, by=_NEARBY).to_dict("records")
        }

    def part(self, school: SchoolCounts) -> Part:
        """Return the section about a school's rating."""
        rated = self.of[school.laestab]
        return part(
            "rating", "Rating", [self._badge(rated), self._sentences(rated), self._table(school, rated), self._note()]
        )

    def _badge(self, rated: SchoolRating) -> Badge | Text:
        if rated.rating is None:
            return Text("Not rated: no group of the school can be held against a national figure.")
        level = rated.rating.level
        who = sentence_list(list(rated.rating.set_by))
        return Badge(level.name, level.rank or 0, f"set by: {who}. The group that does worst sets the rating.")

    def _sentences(self, rated: SchoolRating) -> Points | None:
        if rated.rating is None:
            return None
        lower, higher = self._nearby[rated.laestab]
        said = [
            f"With attendance 0.5 percentage points lower in every group it would be {lower}; 0.5 higher, {higher}.",
            *(
                f"{group} is exactly on a limit: {edge_in_words(self.scheme, rated.differences[group])}."
                for group in rated.rating.on_edge
            ),
            *(
                f"{group}: the national figure is rounded, and another one within its rounding would give another level."
                for group in rated.by_rounding
            ),
            *self.scheme.actions_at(rated.level),
        ]
        return Points(tuple(said))

    def _table(self, school: SchoolCounts, rated: SchoolRating) -> PackTable:
        rows = tuple(self._row(school, rated, group) for group in self.scheme.groups)
        columns = (
            "Group",
            "Pupils",
            "Attendance (%)",
            "National (%)",
            "Difference (points)",
            "Level",
            "National figure from",
        )
        return PackTable(
            "rating-groups", "Each group of the rating against the national figure for its phase", columns, rows,
            frozenset(columns[-2:]), "Exact figures, shown with two decimals. Levels are told from the exact differences.",
        )  # fmt: skip

    def _row(self, school: SchoolCounts, rated: SchoolRating, group: str) -> tuple[str, ...]:
        if group not in rated.differences:
            # Sessions of a handful of pupils, next to a list of pupils with theirs, would say who is of the group.
            why = rated.untested.get(group, "not part of the rating")
            pupils = NO_FIGURE if why.startswith(("fewer", "no pupils")) else f"{_size(school, group):,}"
            return (group, pupils, NO_FIGURE, NO_FIGURE, NO_FIGURE, f"Not tested: {why}", NO_FIGURE)
        national = comparator_of(self.comparators, rated.phase, group, self.scheme.comparator)
        level = rated.rating.of_groups.get(group) if rated.rating is not None else None
        assert national is not None  # a group tested was held against it
        return (
            group,
            f"{rated.enrolments[group]:,}",
            percent_text(100 * rated.attendance[group], 2),
            percent_text(100 * national.share, 2),
            points_text(rated.differences[group], 2),
            level.name if level is not None else NO_FIGURE,
            f"{SERIES[national.series].label if national.series in SERIES else national.series},"
            f" {show_academic_year(national.academic_year)}",
        )

    def _note(self) -> Text:
        levels = "; ".join(show_level(level, self.scheme.unit) for level in self.scheme.levels)
        return Text(
            f"{self.scheme.name}: {self.scheme.quantity}. {levels}. A group needs {self.scheme.minimum_cohort} pupils to count."
            f" Source of the rule: {self.scheme.source}",
            is_note=True,
        )


def _size(school: SchoolCounts, group: str) -> int:
    counts = school.groups.get(group)
    return counts.enrolments if counts is not None else 0


def _cells(schools: Mapping[int, SchoolCounts]) -> pd.DataFrame:
    """Return the cells ratings are made from."""
    rows = []
    for laestab, school in schools.items():
        for group, counts in {_ALL: school.now, **school.groups}.items():
            rows.append((laestab, school.phase, group, counts.enrolments, counts.possible, counts.missed))
    return pd.DataFrame(rows, columns=list(CELL_COLUMNS))
