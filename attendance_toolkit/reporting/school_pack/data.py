"""What packs are made of, read once for all schools of a run: counts by school, similar schools, national figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TypeVar

import duckdb
import pandas as pd

from attendance_toolkit.inputs import Inputs
from attendance_toolkit.metrics.cells import DFE_RULES, absence_cells
from attendance_toolkit.reporting.list_writing import TERM_WORDS
from attendance_toolkit.reporting.school_pack.counts import CELL_NAMES, Counts
from attendance_toolkit.vocabulary.areas import ENGLAND, area_of_laestab
from attendance_toolkit.vocabulary.columns import NC_YEARS, REASON_COLUMNS

_Key = TypeVar("_Key", str, int)
#: Groups compared: column and level of PUPIL_TERM -> what a pack calls it. Those of the rating, and boys and girls.
GROUPS: Mapping[tuple[str, str], str] = {
    ("sen_provision", "EHC plan"): "EHCP",
    ("sen_provision", "SEN support"): "SEN Support",
    ("fsm_eligible", "FSM eligible"): "FSM",
    ("social_worker", "Yes"): "Children with a social worker",
    ("looked_after", "Yes"): "Looked-after children",
    ("sex", "Female"): "Girls",
    ("sex", "Male"): "Boys",
}
#: Schools a school is compared with, and the fewest.
MOST_SIMILAR, FEWEST_SIMILAR = 5, 2
#: Published series, the better one first: the census is of whole years, to two decimals.
_SERIES = ("census", "attendance")


@dataclass(frozen=True)
class National:
    """A published national figure in percent, and where it is printed."""

    value: Fraction
    series: str
    source: str


@dataclass(frozen=True, eq=False)
class SchoolCounts:
    """The counts of one school.

    Attributes
    ----------
    years
        Academic year -> counts.
    terms, year_groups, groups
        Of the year asked for, by what a pack calls them.
    reasons
        Column of sessions missed -> sessions.
    similar
        Schools it is compared with, by LAESTAB.
    """

    laestab: int
    phase: str
    la_code: str
    years: Mapping[int, Counts]
    terms: Mapping[str, Counts]
    year_groups: Mapping[str, Counts]
    groups: Mapping[str, Counts]
    reasons: Mapping[str, int]
    similar: tuple[int, ...]
    year: int

    @property
    def now(self) -> Counts:
        """The counts of the year asked for."""
        return self.years[self.year]


class PackData:
    """Counts of all schools of an area, for its year and up to two before it; each table is read once."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.year = inputs.academic_year
        self.members = list(inputs.local_members[inputs.area.code])

    def sessions(self, years: Sequence[int] | None = None) -> duckdb.DuckDBPyRelation:
        """Return PUPIL_TERM rows of the area: of the year asked for, or of some years."""
        assert self.inputs.store is not None
        return self.inputs.store.pupil_terms(la_codes=self.members, academic_years=list(years or [self.year]))

    @cached_property
    def schools(self) -> dict[int, SchoolCounts]:
        """The schools with pupils that count in the year asked for, by LAESTAB."""
        years = self._yearly
        of_year = years[years["academic_year"] == self.year]
        last = of_year.sort_values("enrolments", kind="stable").drop_duplicates("laestab", keep="last")
        phases = {int(laestab): str(phase) for laestab, phase in zip(last["laestab"], last["phase"], strict=True)}
        by_year = _by_school(years, "academic_year", {int(year): int(year) for year in years["academic_year"].unique()})
        terms, groups = self._terms, self._groups
        year_groups = _by_school(self._crossed, "nc_year", {name: _year_group(name) for name in NC_YEARS})
        sums = of_year.groupby("laestab")[list(REASON_COLUMNS)].sum()
        reasons = {
            int(str(laestab)): {name: int(row[name]) for name in REASON_COLUMNS} for laestab, row in sums.iterrows()
        }
        similar = _similar_schools(phases, by_year, groups, self.year)
        return {
            laestab: SchoolCounts(
                laestab,
                phase,
                _authority(laestab),
                by_year[laestab],
                terms.get(laestab, {}),
                year_groups.get(laestab, {}),
                groups.get(laestab, {}),
                {name: sessions for name, sessions in reasons[laestab].items() if sessions},
                similar[laestab],
                self.year,
            )
            for laestab, phase in phases.items()
        }

    @cached_property
    def _yearly(self) -> pd.DataFrame:
        counts = (*CELL_NAMES, *REASON_COLUMNS)
        relation = self.sessions(self.inputs.local_years)
        return absence_cells(relation, ["academic_year", "laestab", "phase"], counts=counts)

    @cached_property
    def _crossed(self) -> pd.DataFrame:
        """CELLS by school and all characteristics at once: one pass over the pupils serves year groups and groups."""
        columns = list(dict.fromkeys(["nc_year", *(column for column, _ in GROUPS)]))
        return absence_cells(self.sessions(), ["laestab", *columns], counts=CELL_NAMES)

    @cached_property
    def _terms(self) -> dict[int, dict[str, Counts]]:
        # The rule about small schools is about the year; a school whose pupils came one by one is not to lose a term.
        rules = replace(DFE_RULES, min_school_enrolments=0)
        cells = absence_cells(self.sessions(), ["laestab", "term"], rules=rules, counts=CELL_NAMES)
        return _by_school(cells, "term", TERM_WORDS)

    @cached_property
    def _groups(self) -> dict[int, dict[str, Counts]]:
        found: dict[int, dict[str, Counts]] = {}
        for column in dict.fromkeys(column for column, _ in GROUPS):
            levels = {level: label for (of, level), label in GROUPS.items() if of == column}
            for laestab, counts in _by_school(self._crossed, column, levels).items():
                found.setdefault(laestab, {}).update(counts)
        return {
            laestab: {label: of[label] for label in GROUPS.values() if label in of} for laestab, of in found.items()
        }

    # --- what a school is compared with ---------------------------------------------------------------------------

    def similar_total(self, school: SchoolCounts, year: int | None = None) -> Counts | None:
        """Return the counts of similar schools together; None where there are too few."""
        known = [self.schools[one].years.get(year or self.year) for one in school.similar]
        parts = [counts for counts in known if counts is not None]
        return Counts.total(parts) if len(parts) >= FEWEST_SIMILAR else None

    def similar_part(self, school: SchoolCounts, part: str, name: str) -> Counts | None:
        """Return the counts of a group, year group or term ("groups", "year_groups", "terms") of similar schools together."""
        known = [getattr(self.schools[one], part).get(name) for one in school.similar]
        parts = [counts for counts in known if counts is not None]
        return Counts.total(parts) if len(parts) >= FEWEST_SIMILAR else None

    def similar_reasons(self, school: SchoolCounts) -> Mapping[str, int]:
        """Return sessions missed by reason of similar schools together."""
        found: dict[str, int] = {}
        for one in school.similar:
            for name, sessions in self.schools[one].reasons.items():
                found[name] = found.get(name, 0) + sessions
        return found

    def national(self, phase: str, measure: str, year: int | None = None) -> National | None:
        """Return England's published figure of a phase; None where there is none, as for alternative provision."""
        return self._national.get((phase, measure, year or self.year))

    @cached_property
    def _national(self) -> dict[tuple[str, str, int], National]:
        rows = self.inputs.published_rates(areas=[ENGLAND])
        rows = rows[(rows["period"] == "year") & rows["rate"].notna()]
        found: dict[tuple[str, str, int], National] = {}
        for series in reversed(_SERIES):
            for row in rows[rows["series"] == series].to_dict("records"):
                key = (str(row["phase"]), str(row["measure"]), int(row["academic_year"]))
                value = _percent(float(row["rate"]))
                found[key] = National(value, series, str(row.get("source") or ""))
                if key[1] == "overall_absence_rate":
                    found[(key[0], "attendance_rate", key[2])] = National(100 - value, series, found[key].source)
        return found


def _percent(rate: float) -> Fraction:
    """Return a published rate in percent as it was printed: the nearest number with twelve decimals."""
    return Fraction(round(rate * 100, 12)).limit_denominator(10**9)


def _authority(laestab: int) -> str:
    area = area_of_laestab(laestab)
    return area.code if area is not None else ""


def _year_group(name: str) -> str:
    return {"R": "Reception", "X": "Not in a year group", "Unknown": "Not known"}.get(name, f"Year {name}")


def _by_school(cells: pd.DataFrame, column: str, labels: Mapping[_Key, _Key]) -> dict[int, dict[_Key, Counts]]:
    """Return LAESTAB -> label -> counts, labels in their order; a school's phases are added up."""
    found: dict[int, dict[_Key, Counts]] = {}
    rows = cells.groupby(["laestab", column], observed=True)[list(CELL_NAMES)].sum().reset_index()
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    for level, label in labels.items():
        for row in records:
            if row[column] == level:
                found.setdefault(int(row["laestab"]), {})[label] = Counts.of_row(row)
    return found


def _similar_schools(
    phases: Mapping[int, str],
    years: Mapping[int, Mapping[int, Counts]],
    groups: Mapping[int, Mapping[str, Counts]],
    year: int,
) -> dict[int, tuple[int, ...]]:
    """Return for each school those of its phase and authority that are nearest by share of FSM and size.

    Each distance is in standard deviations of the schools of that phase and authority; size counts as its logarithm.
    """
    kinds: dict[tuple[str, str], list[int]] = {}
    for laestab, phase in phases.items():
        kinds.setdefault((phase, _authority(laestab)), []).append(laestab)
    found: dict[int, tuple[int, ...]] = {}
    for alike in kinds.values():
        size = {one: years[one][year].enrolments for one in alike}
        free = {one: groups.get(one, {}).get("FSM", Counts()).enrolments / size[one] for one in alike}
        scales = [_spread(list(free.values())), _spread([math.log(of) for of in size.values()])]
        for one in alike:
            apart = {
                other: math.hypot((free[one] - free[other]) / scales[0], math.log(size[one] / size[other]) / scales[1])
                for other in alike
                if other != one
            }
            nearest = sorted(apart, key=lambda other: (round(apart[other], 9), other))[:MOST_SIMILAR]
            found[one] = tuple(nearest) if len(nearest) >= FEWEST_SIMILAR else ()
    return found


def _spread(values: list[float]) -> float:
    """Return the standard deviation; 1 where all are equal, since nothing tells them apart then."""
    return float(pd.Series(values).std(ddof=0)) or 1.0
