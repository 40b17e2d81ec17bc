"""Rating of schools by a rule scheme: each group against the national figure of its phase, worst group first.

Everything is whole numbers and fractions: a school exactly 2 percentage points above the national figure is exactly there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from attendance_toolkit.errors import ParameterError, UnknownColumnError
from attendance_toolkit.metrics.group_comparators import Comparator, Comparators, comparator_of, comparators_for
from attendance_toolkit.metrics.rating import ALL_ONLY, RATING_GROUPS, Rating, level_of, rate_school
from attendance_toolkit.vocabulary.rule_schemes import Scheme, rule_scheme

__all__ = [
    "CELL_COLUMNS",
    "Comparator",
    "Comparators",
    "PrintedRating",
    "SchoolRating",
    "as_printed",
    "colour_changes",
    "comparators_for",
    "level_counts",
    "rate_schools",
    "rating_cells",
]

#: Columns of the cells a rating is made from: one row a school, phase and group; whole numbers, missing where hidden.
CELL_COLUMNS = ("laestab", "phase", "group", "enrolments", "sessions_possible", "sessions_missed")
_COUNTS = CELL_COLUMNS[3:]
#: Why a group of a school is not tested.
NO_PUPILS = "no pupils of the group"
HIDDEN = "its figure is not shown"
NO_NATIONAL = "no national figure"
NO_SESSIONS = "no possible sessions"


@dataclass(frozen=True)
class SchoolRating:
    """The rating of one school in one phase, and what it comes from. Shares are 0 to 1, differences percentage points.

    Attributes
    ----------
    rating
        Level, the groups that set it, the level of each group; None if no group could be tested.
    attendance
        Group -> attendance, a share, of the groups with counts, tested or not.
    enrolments
        Group -> enrolments, of the same.
    differences
        Group -> attendance of the school less the national figure, in percentage points, exact; of the groups tested.
    untested
        Group -> why it was not tested.
    lowest
        The tested groups furthest below (or least above) their national figure; ties are all named.
    by_rounding
        Groups that another national figure, within the rounding of the one used, would put in another level.
    """

    laestab: int
    phase: str
    rating: Rating | None
    attendance: Mapping[str, Fraction]
    enrolments: Mapping[str, int]
    differences: Mapping[str, Fraction]
    untested: Mapping[str, str]
    lowest: tuple[str, ...]
    by_rounding: tuple[str, ...]

    @property
    def level(self) -> str:
        """Name of the level; "" if no group could be tested."""
        return self.rating.level.name if self.rating else ""


@dataclass(frozen=True)
class PrintedRating:
    """What criteria read literally make of one school: every level that any of its groups meets.

    Attributes
    ----------
    levels
        Names of the levels met at once, in the order of the scheme.
    of_groups
        Group -> name of its level.
    differences
        Group -> absence of the school less the national figure, in percentage points, exact.
    """

    laestab: int
    phase: str
    levels: tuple[str, ...]
    of_groups: Mapping[str, str]
    differences: Mapping[str, Fraction]


def rating_cells(cells: pd.DataFrame, groups: Sequence[str] = tuple(RATING_GROUPS)) -> pd.DataFrame:
    """Return the cells a rating is made from, of CELLS by school, phase and the characteristics of the groups.

    Parameters
    ----------
    cells
        CELLS with ``laestab``, ``phase`` and, of each group, its characteristic as a column; one academic year.
        A characteristic that is no column leaves its group without rows.

    Returns
    -------
    CELL_COLUMNS: one row a school, phase and group with enrolments.

    >>> cells = pd.DataFrame({"laestab": 1, "phase": "Primary", "fsm_eligible": ["FSM eligible", "Unknown"], "enrolments": [2, 3],
    ...     "sessions_possible": [700, 1100], "sessions_authorised": [30, 20], "sessions_unauthorised": [4, 1]})
    >>> rating_cells(cells)[["group", "enrolments", "sessions_missed"]].values.tolist()
    [['All pupils', 5, 55], ['FSM', 2, 34]]
    """
    rows = cells.assign(sessions_missed=cells["sessions_authorised"] + cells["sessions_unauthorised"])
    parts = []
    for group in groups:
        about = RATING_GROUPS[group]
        if about is not None and about[0] not in rows:
            continue
        chosen = rows if about is None else rows[rows[about[0]] == about[1]]
        added = chosen.groupby(["laestab", "phase"], observed=True, as_index=False)[list(_COUNTS)].sum(min_count=1)
        parts.append(added.assign(group=group))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(CELL_COLUMNS))
    # In the order of the groups within a school.
    found = found.sort_values(["laestab", "phase"], kind="stable", ignore_index=True)
    return found[list(CELL_COLUMNS)]


def rate_schools(
    cells: pd.DataFrame,
    comparators: Comparators,
    scheme: Scheme,
    *,
    mode: str = "",
    minimum: int | None = None,
) -> list[SchoolRating]:
    """Return the rating of every school, by number.

    Parameters
    ----------
    cells
        CELL_COLUMNS; a count that is missing is one that may not be shown.
    comparators
        What ``comparators_for`` gives.
    scheme
        A scheme of differences in percentage points whose higher values are better.
    mode
        "worst" or "all only"; default: as the scheme says.
    minimum
        Enrolments a group needs to be tested; default: ``scheme.minimum_cohort``.

    Raises
    ------
    ParameterError
        The scheme is not of differences of attendance; there are two rows of one school and group.
    UnknownColumnError
        A column is missing.

    >>> cells = pd.DataFrame({"laestab": 3502001, "phase": "Primary", "group": ["All pupils", "FSM"], "enrolments": [100, 9],
    ...     "sessions_possible": [38_000, 3_400], "sessions_missed": [1_900, 300]})
    >>> national = {("Primary", "All pupils"): Comparator("Primary", "All pupils", 202324, Fraction("0.945"), "census", "DfE")}
    >>> school = rate_schools(cells, national, rule_scheme("school_rag"))[0]
    >>> school.level, float(school.differences["All pupils"]), school.untested["FSM"]
    ('Amber', 0.5, 'fewer than 10 enrolments')
    """
    if scheme.unit != "percentage points" or scheme.direction != "higher is better":
        raise ParameterError(
            f"'{scheme.name}' is in {scheme.unit}, {scheme.direction}: schools are rated by attendance less the national"
            " figure. Give a scheme in percentage points, higher is better."
        )
    floor = scheme.minimum_cohort if minimum is None else minimum
    wanted = scheme.groups[:1] if (mode or scheme.combine) == ALL_ONLY else scheme.groups
    return [
        _rate(school, phase, rows, comparators, scheme, wanted, floor, mode)
        for (school, phase), rows in _schools(cells).items()
    ]


def as_printed(
    cells: pd.DataFrame, comparators: Comparators, scheme: Scheme | None = None, *, minimum: int | None = None
) -> list[PrintedRating]:
    """Return what the criteria of the printed report, read literally, make of each school.

    As printed a school with *less absence* than nationally is Red, and a level applies if *any* group meets it, so that one
    school has several colours at once. It is here so that the printed table can be made again and seen to be wrong.

    Parameters
    ----------
    scheme
        A scheme of differences in absence; default ``school_rag_as_printed``.
    """
    scheme = scheme or rule_scheme("school_rag_as_printed")
    floor = scheme.minimum_cohort if minimum is None else minimum
    found = []
    for (school, phase), rows in _schools(cells).items():
        tested, _ = _differences(phase, rows, comparators, scheme, scheme.groups, floor)
        absence = {group: -difference for group, difference in tested.items()}
        levels = {group: level_of(scheme, value) for group, value in absence.items()}
        of_groups = {group: level.name for group, level in levels.items() if level is not None}
        met = tuple(level.name for level in scheme.levels if level.name in of_groups.values())
        found.append(PrintedRating(school, phase, met, of_groups, absence))
    return found


def colour_changes(
    ratings: Sequence[SchoolRating], scheme: Scheme, *, by: Fraction = Fraction(1, 2), mode: str = ""
) -> pd.DataFrame:
    """Return the level of each rated school, and what it would be with all its differences lower or higher by ``by``.

    Returns
    -------
    ``laestab``, ``phase``, ``level``, ``lower``, ``higher`` (names of levels) and ``changes`` (whether either differs).

    >>> colour_changes([], rule_scheme("school_rag")).columns.tolist()
    ['laestab', 'phase', 'level', 'lower', 'higher', 'changes']
    """
    rows = []
    for school in ratings:
        if school.rating is None:
            continue
        lower, higher = (
            _level_name(rate_school(scheme, {g: d + shift for g, d in school.differences.items()}, mode=mode))
            for shift in (-by, by)
        )
        changes = {school.level, lower, higher} != {school.level}
        rows.append((school.laestab, school.phase, school.level, lower, higher, changes))
    return pd.DataFrame(rows, columns=["laestab", "phase", "level", "lower", "higher", "changes"])


def level_counts(ratings: Sequence[SchoolRating], scheme: Scheme) -> pd.DataFrame:
    """Return how many schools have each level, a row a phase; ``untested`` counts those that could not be rated.

    >>> level_counts([], rule_scheme("school_rag")).columns.tolist()
    ['phase', 'Green', 'Amber', 'Red', 'untested', 'schools']
    """
    names = [level.name for level in scheme.levels]
    counted: dict[str, dict[str, int]] = {}
    for school in ratings:
        row = counted.setdefault(school.phase, dict.fromkeys([*names, "untested", "schools"], 0))
        row[school.level or "untested"] += 1
        row["schools"] += 1
    rows = [{"phase": phase, **row} for phase, row in sorted(counted.items())]
    return pd.DataFrame(rows, columns=["phase", *names, "untested", "schools"])


def _level_name(rating: Rating | None) -> str:
    return rating.level.name if rating else ""


def _schools(cells: pd.DataFrame) -> dict[tuple[int, str], dict[str, dict[str, Any]]]:
    """Return the rows of each school and phase by group, schools by number."""
    missing = [name for name in CELL_COLUMNS if name not in cells]
    if missing:
        raise UnknownColumnError(f"The cells have no column '{missing[0]}'. A rating needs: {', '.join(CELL_COLUMNS)}.")
    found: dict[tuple[int, str], dict[str, dict[str, Any]]] = {}
    ordered = cells[list(CELL_COLUMNS)].sort_values(["laestab", "phase"], kind="stable")
    for row in ordered.to_dict("records"):
        of_school = found.setdefault((int(row["laestab"]), str(row["phase"])), {})
        group = str(row["group"])
        if group in of_school:
            raise ParameterError(
                f"There are two rows of school {row['laestab']}, {row['phase']}, {group}. Give the cells of one year."
            )
        of_school[group] = {str(name): value for name, value in row.items()}
    return found


def _rate(
    school: int,
    phase: str,
    rows: Mapping[str, Mapping[str, Any]],
    comparators: Comparators,
    scheme: Scheme,
    groups: Sequence[str],
    floor: int,
    mode: str,
) -> SchoolRating:
    differences, untested = _differences(phase, rows, comparators, scheme, groups, floor)
    shown = {group: row for group, row in rows.items() if _is_whole(row) and int(row["sessions_possible"]) > 0}
    least = min(differences.values(), default=None)
    return SchoolRating(
        school,
        phase,
        rate_school(scheme, differences, mode=mode),
        {group: _attendance(row) for group, row in shown.items()},
        {group: int(row["enrolments"]) for group, row in shown.items()},
        differences,
        untested,
        tuple(group for group, difference in differences.items() if difference == least),
        tuple(
            group
            for group, value in differences.items()
            if _turns(scheme, value, _pp_rounding(comparators, phase, group, scheme))
        ),
    )


def _differences(
    phase: str,
    rows: Mapping[str, Mapping[str, Any]],
    comparators: Comparators,
    scheme: Scheme,
    groups: Sequence[str],
    floor: int,
) -> tuple[dict[str, Fraction], dict[str, str]]:
    """Return the differences of the groups that can be tested, and why the others cannot."""
    tested: dict[str, Fraction] = {}
    untested: dict[str, str] = {}
    for group in groups:
        row = rows.get(group)
        national = comparator_of(comparators, phase, group, scheme.comparator)
        if row is None or (_is_whole(row) and int(row["enrolments"]) == 0):
            untested[group] = NO_PUPILS
        elif not _is_whole(row):
            untested[group] = HIDDEN
        elif int(row["enrolments"]) < floor:
            untested[group] = f"fewer than {floor} enrolments"
        elif int(row["sessions_possible"]) <= 0:
            untested[group] = NO_SESSIONS
        elif national is None:
            untested[group] = NO_NATIONAL
        else:
            tested[group] = 100 * (_attendance(row) - national.share)
    return tested, untested


def _is_whole(row: Mapping[str, Any]) -> bool:
    return not any(pd.isna(row[name]) for name in _COUNTS)


def _attendance(row: Mapping[str, Any]) -> Fraction:
    return 1 - Fraction(int(row["sessions_missed"]), int(row["sessions_possible"]))


def _pp_rounding(comparators: Comparators, phase: str, group: str, scheme: Scheme) -> Fraction:
    national = comparator_of(comparators, phase, group, scheme.comparator)
    return 100 * national.rounding if national is not None else Fraction(0)


def _turns(scheme: Scheme, difference: Fraction, by: Fraction) -> bool:
    return len({level_of(scheme, difference + shift) for shift in (-by, Fraction(0), by)}) > 1
