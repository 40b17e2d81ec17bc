"""The national figure each group of a school is held against, by phase: which source, which series, which year."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pandas as pd

from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.comparators import comparators
from attendance_toolkit.vocabulary.group_comparators import (
    OWN_DATASET,
    OWN_SERIES,
    PUPIL_BASED,
    RATING_GROUPS,
    national_attendance,
)
from attendance_toolkit.vocabulary.rule_schemes import ALL_PUPILS
from attendance_toolkit.vocabulary.series_breaks import series_breaks

#: Series of full-year national figures, the one local figures are comparable with first.
_SERIES = ("census", "attendance")
#: Measure asked for -> measures of published rates that give it.
_PUBLISHED_MEASURES = {
    "attendance_rate": ("overall_absence_rate", "attendance_rate"),
    "persistent_absence_rate": ("persistent_absence_rate",),
    "severe_absence_rate": ("severe_absence_rate",),
}
#: Measure asked for -> counts of published cells: what is counted, and of what; attendance is what absence leaves.
_COUNTS_OF = {
    "attendance_rate": (("sessions_authorised", "sessions_unauthorised"), "sessions_possible"),
    "persistent_absence_rate": (("persistent_absentees",), "enrolments"),
    "severe_absence_rate": (("severe_absentees",), "enrolments"),
}
#: Datasets whose national rows are full-year counts of all pupils, or of the pupils of one group.
_COUNTED = ("annual_geography", "absence_by_characteristic")
_TOOLKIT, _RATES, _COUNTS, _OWN = range(4)
_ALL = next(group for group, about in RATING_GROUPS.items() if about is None)
#: Group columns of a published row: those a group is told by, and those that must be of all pupils.
_COLUMNS = ("fsm_eligible", "sen_provision")
_OTHERS = ("nc_year", "sex")


@dataclass(frozen=True)
class Comparator:
    """National attendance of one group in one phase, or its persistent or severe absence if that was asked for.

    Attributes
    ----------
    group
        The group it is of, as rule schemes name it.
    academic_year
        Its own year, which may be another than the one asked for (``nearest_year``).
    share
        The figure, 0 to 1, exact: from counts where they are published, else the percentage as printed.
    series
        "census", "attendance" or "own" (the authority's own file).
    decimals
        Decimals of the printed percentage; None if it is not rounded.
    asked_year
        The academic year asked for.
    """

    phase: str
    group: str
    academic_year: int
    share: Fraction
    series: str
    source: str
    decimals: int | None = None
    asked_year: int = 0

    @property
    def rounding(self) -> Fraction:
        """How far the true share may lie from ``share`` by rounding; 0 if it is not rounded."""
        return Fraction(0) if self.decimals is None else Fraction(1, 200 * 10**self.decimals)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What must stand beside a comparison with a figure worked out from the authority's own data."""
        says = [known.says for known in series_breaks() if known.id == f"series_local_{self.series}"]
        if self.group in PUPIL_BASED:
            says.append(next(known.says for known in series_breaks() if known.id == "series_social_care_census"))
        if self.asked_year and self.academic_year != self.asked_year:
            shown = show_academic_year(self.academic_year)
            says.append(
                f"The national figure is that of {shown}: none of {show_academic_year(self.asked_year)} is known."
            )
        if self.decimals is not None and self.decimals < 2:
            places = "one decimal" if self.decimals == 1 else "a whole number"
            says.append(f"The national figure is rounded to {places}.")
        return tuple(says)


Comparators = dict[tuple[str, str], Comparator]


def comparators_for(
    academic_year: int,
    *,
    rates: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
    measure: str = "attendance_rate",
    groups: Sequence[str] = tuple(RATING_GROUPS),
    phases: Sequence[str] = MAIN_PHASES,
    one_series: bool = False,
    nearest_year: bool = False,
) -> Comparators:
    """Return the national attendance (or another measure) of each phase and group for a year, of those that have one.

    An authority's own file comes first, then published files (counts before percentages), then the toolkit's reference
    values. Of the two series the census is taken where it has the group: local figures are made by its rules. A group that
    only the attendance series has keeps it, named in ``series`` and ``cautions``. No other year is used unasked.

    Parameters
    ----------
    rates, cells
        Rows of published files (``Published.rates``, ``Published.cells``) with those of England, and of the authority's
        own file of national figures; None for none.
    measure
        "attendance_rate", "persistent_absence_rate" or "severe_absence_rate".
    phases
        Of the three school types, and "All schools", of these together.
    one_series
        All groups of a phase in one series: the first that has all the groups any series has; where none does, each its own.
    nearest_year
        Where a group has no figure of the year, take that of the nearest year (the earlier of two).

    Returns
    -------
    (phase, group) -> comparator.

    Notes
    -----
    DfE advises against comparing absence of children with a social worker, which counts matched pupils, with that of
    enrolments: a figure of them comes from the authority's own file alone.

    >>> found = comparators_for(202324)
    >>> {group: (found["Primary", group].series, float(found["Primary", group].share)) for group in ("All pupils", "FSM")}
    {'All pupils': ('census', 0.9447), 'FSM': ('attendance', 0.919)}
    >>> ("Special", "EHCP") in found, ("Primary", "Children with a social worker") in found
    (False, False)
    """
    known: dict[tuple[str, str, str, int], tuple[int, Comparator]] = {}
    for rank, one in _candidates(rates, cells, measure):
        if one.phase in phases and one.group in groups:
            key = (one.phase, one.group, one.series, one.academic_year)
            if key not in known or rank > known[key][0]:
                known[key] = (rank, one)
    every = [one for _, one in known.values()]
    found: Comparators = {}
    for phase in phases:
        of_phase = [one for one in every if one.phase == phase]
        series = _one_series(of_phase, academic_year, nearest_year) if one_series else ""
        for group in groups:
            chosen = _choose([one for one in of_phase if one.group == group], academic_year, nearest_year, series)
            if chosen is not None:
                found[phase, group] = replace(chosen, asked_year=academic_year)
    return found


def comparator_of(comparators: Comparators, phase: str, group: str, against: str) -> Comparator | None:
    """Return what a group is held against: its own national figure, or that of all pupils of the phase."""
    return comparators.get((phase, _ALL if against == ALL_PUPILS else group))


def _choose(known: Sequence[Comparator], year: int, nearest_year: bool, first: str) -> Comparator | None:
    years = {one.academic_year for one in known}
    if year not in years and not (nearest_year and years):
        return None
    taken = min(years, key=lambda other: (abs(other - year), other))
    order = [OWN_SERIES, *([first] if first else []), *_SERIES]
    return min((one for one in known if one.academic_year == taken), key=lambda one: order.index(one.series))


def _one_series(known: Sequence[Comparator], year: int, nearest_year: bool) -> str:
    wanted = {one.group for one in known if one.series in _SERIES and (nearest_year or one.academic_year == year)}
    for series in _SERIES:
        has = {one.group for one in known if one.series == series and (nearest_year or one.academic_year == year)}
        if wanted and wanted <= has:
            return series
    return ""


# --- where figures come from ---------------------------------------------------------------------------


def _candidates(
    rates: pd.DataFrame | None, cells: pd.DataFrame | None, measure: str
) -> Iterator[tuple[int, Comparator]]:
    yield from _of_toolkit(measure)
    yield from _of_rates(comparators([ENGLAND]), measure, _TOOLKIT, "source")
    if rates is not None and len(rates):
        yield from _of_rates(rates[rates["dataset"] != OWN_DATASET], measure, _RATES, "source_file")
        yield from _of_own(rates[rates["dataset"] == OWN_DATASET], measure)
    if cells is not None and len(cells):
        yield from _of_cells(cells, measure)


def _of_toolkit(measure: str) -> Iterator[tuple[int, Comparator]]:
    for row in national_attendance():
        share = {"attendance_rate": row.attendance, "persistent_absence_rate": row.persistent_absence}.get(measure)
        if share is not None:
            yield (
                _TOOLKIT,
                Comparator(row.phase, row.group, row.academic_year, share, row.series, row.source, row.decimals),
            )


def _national(rows: pd.DataFrame) -> pd.DataFrame:
    keep = (rows["area_code"] == ENGLAND) & (rows["period"] == "year") & rows["phase"].isin([*MAIN_PHASES, ALL_SCHOOLS])
    for name in _OTHERS:
        keep &= rows[name] == ALL
    return rows[keep]


def _group_of(row: dict[str, Any]) -> str | None:
    """Return the group of a published row: all pupils, or those of one level of one characteristic."""
    own = {name: row[name] for name in _COLUMNS if row[name] != ALL}
    if row["characteristic"] != ALL:
        own[row["characteristic"]] = row["characteristic_level"]
    for group, about in RATING_GROUPS.items():
        if group not in PUPIL_BASED and own == ({} if about is None else {about[0]: about[1]}):
            return group
    return None


def _of_rates(rows: pd.DataFrame, measure: str, rank: int, source: str) -> Iterator[tuple[int, Comparator]]:
    rows = _national(rows)
    keep = rows["series"].isin(_SERIES) & rows["measure"].isin(_PUBLISHED_MEASURES[measure])
    # Attendance of the attendance series is a figure of its own; elsewhere it is what absence leaves.
    rows = rows[keep & rows["rate"].notna()].sort_values("measure", kind="stable")
    for row in _records(rows):
        group = _group_of(row)
        if group is not None:
            yield rank, _comparator(row, group, _figure(row), row["series"], str(row[source]))


def _of_cells(cells: pd.DataFrame, measure: str) -> Iterator[tuple[int, Comparator]]:
    parts, whole = _COUNTS_OF[measure]
    if not {*parts, whole} <= set(cells.columns):
        return
    rows = _national(cells[cells["dataset"].isin(_COUNTED)])
    for row in _records(rows[rows[[*parts, whole]].notna().all(axis=1)]):
        of, counted = int(row[whole]), sum(int(row[name]) for name in parts)
        group = _group_of(row)
        if group is not None and of:
            share = Fraction(counted, of)
            share = 1 - share if measure == "attendance_rate" else share
            yield _COUNTS, _comparator(row | {"decimals": None}, group, share, row["series"], str(row["source_file"]))


def _of_own(rows: pd.DataFrame, measure: str) -> Iterator[tuple[int, Comparator]]:
    rows = rows[rows["measure"].isin(_PUBLISHED_MEASURES[measure])]
    for row in _records(rows[rows["rate"].notna()]):
        yield _OWN, _comparator(row, row["characteristic_level"], _figure(row), OWN_SERIES, str(row["source_file"]))


def _comparator(row: dict[str, Any], group: str, share: Fraction, series: str, source: str) -> Comparator:
    decimals = row.get("decimals")
    places = None if decimals is None or pd.isna(decimals) else int(decimals)
    return Comparator(row["phase"], group, int(row["academic_year"]), share, series, source, places)


def _figure(row: dict[str, Any]) -> Fraction:
    """Return the exact share of a rate; of overall absence what it leaves, which is attendance."""
    return 1 - _share(row) if row["measure"] == "overall_absence_rate" else _share(row)


def _share(row: dict[str, Any]) -> Fraction:
    """Return the exact share of a rate: of its counts, else of the percentage as printed."""
    if not pd.isna(row["numerator"]) and not pd.isna(row["denominator"]) and row["denominator"]:
        return Fraction(int(row["numerator"]), int(row["denominator"]))
    try:
        return Fraction(str(row["printed"]).strip()) / 100
    except ValueError:
        return Fraction(repr(float(row["rate"])))


def _records(rows: pd.DataFrame) -> Iterable[dict[str, Any]]:
    return ({str(name): value for name, value in record.items()} for record in rows.to_dict("records"))
