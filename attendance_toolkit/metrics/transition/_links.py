"""From PUPIL_TERM rows to cohorts: who was in a year group, and what became of each pupil a year later."""

# Names and levels in the SQL are the vocabulary's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.cells import DFE_RULES, InclusionRules, enrolment_years
from attendance_toolkit.metrics.packing import (
    LEVELS,
    SCHOOLS,
    Columns,
    checked_levels,
    columns_of,
    listed,
    packed_sql,
    unpacked,
)
from attendance_toolkit.metrics.transition.cohort import (
    CHARACTERISTICS,
    LAST_YEAR_GROUP,
    LEFT_OUT_YEARS,
    MAINSTREAM_CODES,
    MAINSTREAM_PHASES,
    Array,
    Later,
    StepCohort,
    next_year_group,
)
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS, TERMS, WHOLE_YEAR, academic_year_before
from attendance_toolkit.vocabulary.columns import NC_YEARS
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, NOT_KNOWN, OFFERED, ON_ROLL

Rows = pd.DataFrame | duckdb.DuckDBPyRelation

#: Cohorts there are at most: a model learns nothing of today's schools from older ones.
_MOST_COHORTS = 7
_HALF_TERMS = tuple(HALF_TERM_TERMS)
_LEVELS = {name: LEVELS[name] for name in ("phase", "nc_year", *CHARACTERISTICS)}
#: Rows an enrolment can have in a year, and plenty over: a school with more rows than its enrolments' is not small.
_ROWS_OF_AN_ENROLMENT = 40


def link_cohorts(
    pupil_terms: Rows,
    from_year: str = "6",
    *,
    until: int,
    rolls: Rows | None = None,
    destinations: Rows | None = None,
    rules: InclusionRules = DFE_RULES,
) -> tuple[StepCohort, ...]:
    """Return a year group's cohorts, oldest first, the last one of the academic year ``until``.

    A pupil is in the cohort of a year who is counted in the year group in a mainstream school of the store. The sessions of
    all schools of a pupil are added up, so that a rate of the cohort is not quite the published one, which is of enrolments.
    Earlier cohorts are those the store can follow into the next year, without ``LEFT_OUT_YEARS`` at either end.

    Parameters
    ----------
    pupil_terms
        PUPIL_TERM rows of all districts and years of the store: a pandas frame or a DuckDB relation.
    from_year
        Year group before the step.
    until
        Academic year of the last cohort, such as 202324.
    rolls
        Who is on the roll of which school in the year after ``until`` (``Store.rolls``), for its destinations.
    destinations
        Schools offered (``Store.destinations``), of any years.
    rules
        Whose sessions count, as in CELLS.

    Raises
    ------
    NoDataError
        Nobody of the year ``until`` is in the year group.
    ParameterError
        No year group follows ``from_year``.
    VocabularyError
        The rows have a level that is not in the vocabulary.
    """
    to_year = next_year_group(from_year)
    rows = _relation(pupil_terms).filter(f"academic_year <= {academic_year_before(until, -1)}")
    terms: dict[int, set[str]] = {}
    for year, term in rows.filter("sessions_possible > 0").aggregate("academic_year, term").fetchall():
        terms.setdefault(year, set()).add(term)
    if until not in terms:
        raise NoDataError("There is no session of the year asked for, so that nobody can be followed from it.")
    step = _Step(rows, from_year, to_year, checked_levels(rows, _LEVELS), terms, rules, _small_schools(rows, rules))
    offers = None if destinations is None else _relation(destinations)
    chosen = [year for year in sorted(terms) if year == until or (year < until and step.later_year(year))]
    cohorts = []
    for year in chosen[-_MOST_COHORTS:]:
        cohort = step.cohort(year)
        if year == until and not len(cohort.pupils):
            raise NoDataError(
                "Nobody in the mainstream schools of the data is in the year group before this step in the year asked for."
            )
        if len(cohort.pupils):
            on_roll = _relation(rolls) if rolls is not None and year == until else None
            cohorts.append(_with_destinations(cohort, offers, on_roll, step.other_schools))
    return tuple(cohorts)


def _relation(rows: Rows) -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_df(rows) if isinstance(rows, pd.DataFrame) else rows


# In what follows DuckDB finds an Arrow table that a query names by the name of its variable.


def _small_schools(rows: duckdb.DuckDBPyRelation, rules: InclusionRules) -> pa.Table:
    """Return the schools and years with too few enrolments to count: laestab, academic_year.

    Told from small schools' rows alone, which spares a count of every enrolment.
    """
    most = rules.min_school_enrolments * _ROWS_OF_AN_ENROLMENT
    likely = "sessions_possible > 0"
    for sign, limit in ((">=", rules.min_age), ("<=", rules.max_age)):
        likely += f" AND age {sign} {int(limit)}" if limit is not None else ""
    likely += " AND NOT is_boarder" if rules.exclude_boarders else ""
    few = rows.aggregate(f"laestab, academic_year, count(*) FILTER ({likely}) AS entries", "laestab, academic_year")
    few = few.filter(f"entries <= {most}").project("laestab, academic_year").to_arrow_table()
    inside = _select(rows.query("entries", "SELECT * FROM entries SEMI JOIN few USING (laestab, academic_year)"))
    large = enrolment_years(inside, rules=rules).to_native().aggregate("laestab, academic_year").to_arrow_table()
    held = {
        (school, year) for school, year in zip(*(large[name].to_pylist() for name in large.column_names), strict=True)
    }
    keys = zip(few["laestab"].to_pylist(), few["academic_year"].to_pylist(), strict=True)
    return few.filter(pa.array([key not in held for key in keys], pa.bool_()))


def _select(relation: duckdb.DuckDBPyRelation | None) -> duckdb.DuckDBPyRelation:
    assert relation is not None  # it is a SELECT
    return relation


@dataclass(frozen=True, eq=False)
class _Step:
    """What all cohorts of a step are made from."""

    rows: duckdb.DuckDBPyRelation
    from_year: str
    to_year: str
    la_codes: tuple[str, ...]
    terms: dict[int, set[str]]
    rules: InclusionRules
    small: pa.Table

    def later_year(self, year: int) -> int:
        """Return the year after, if the step can be followed into it; else 0."""
        later = academic_year_before(year, -1)
        return later if later in self.terms and not {year, later} & set(LEFT_OUT_YEARS) else 0

    @cached_property
    def other_schools(self) -> Array:
        """LAESTAB of the schools that are known not to be mainstream, sorted."""
        known = self.rows.filter("phase <> 'Unknown'")
        found = known.aggregate(f"laestab, bool_or({_is_mainstream()}) AS is_mainstream", "laestab")
        schools: Array = columns_of(found.filter("NOT is_mainstream").order("laestab").to_arrow_table())["laestab"]
        return schools

    def cohort(self, year: int) -> StepCohort:
        """Return the cohort of one year, without destinations."""
        later_year = self.later_year(year)
        data = _read(self, year, later_year)
        pupils, packed = data.schools("is_start", year)
        later = self._later(data, pupils, year, later_year) if later_year else None
        return self._of(data, pupils, packed, year, (self.from_year, self.to_year), later)

    def _of(
        self, data: _Entries, pupils: Array, packed: Array, year: int, years: tuple[str, str], later: Later | None
    ) -> StepCohort:
        terms, possible, missed = data.by_term(pupils, year, self.terms[year])
        before = academic_year_before(year)
        earlier_possible, earlier_missed = data.totals(pupils, before)
        codes, la, laestab, _ = unpacked(packed, _LEVELS, len(self.la_codes))
        none = np.zeros(len(pupils), np.int32)
        source = np.full(len(pupils), DESTINATION_SOURCES.index(NOT_KNOWN), np.int8)
        return StepCohort(
            year, *years, pupils, terms, possible, missed, earlier_possible, earlier_missed, laestab, la, self.la_codes,
            {name: codes[name] for name in CHARACTERISTICS}, {name: _LEVELS[name] for name in CHARACTERISTICS},
            none, source, none, later,
        )  # fmt: skip

    def _later(self, data: _Entries, pupils: Array, year: int, later_year: int) -> Later:
        packed = data.any_school(pupils, later_year)
        codes, la, laestab, _ = unpacked(packed, _LEVELS, len(self.la_codes))
        periods, possible, missed = data.by_half_term(pupils, later_year)
        usual = (self.terms[year] - {WHOLE_YEAR}) or set(TERMS)
        ends, end_packed = data.schools("is_end", later_year)
        is_new = ~np.isin(ends, pupils)
        joined = self._of(data, ends[is_new], end_packed[is_new], later_year, _after(self.to_year), None)
        totals = data.totals(pupils, later_year)
        return Later(
            later_year, *totals, periods, possible, missed, laestab, la, codes["phase"], codes["nc_year"],
            usual <= self.terms[later_year] or self.terms[later_year] == {WHOLE_YEAR}, joined,
        )  # fmt: skip


def _after(year_group: str) -> tuple[str, str]:
    """Return a year group and the next; of the last there is, itself."""
    return year_group, next_year_group(year_group) if year_group != LAST_YEAR_GROUP else year_group


def _is_mainstream() -> str:
    return f"list_contains({listed(MAINSTREAM_PHASES)}, phase)"


def _read(step: _Step, year: int, later_year: int) -> _Entries:
    """Return the rows of everybody who is in the year group before or after the step: counted, and not."""
    years = {academic_year_before(year), year, later_year} - set(LEFT_OUT_YEARS) | {year}
    start = f"academic_year = {year} AND nc_year = '{step.from_year}' AND {_is_mainstream()}"
    end = f"academic_year = {later_year} AND nc_year = '{step.to_year}' AND {_is_mainstream()}"
    rows = step.rows.filter(f"academic_year IN ({', '.join(map(str, sorted(years)))})")
    # DuckDB finds these two tables of the SQL below by the names of the variables.
    wanted = rows.filter(f"({start}) OR ({end})").aggregate("upn").to_arrow_table()  # noqa: F841
    small = step.small  # noqa: F841
    # Packed after the join, which leaves few of the rows.
    packed = f"{packed_sql(step.la_codes, _LEVELS)} AS packed"
    kept = _select(
        rows.query(
            "entries",
            f"SELECT *, {packed}, coalesce({start}, false) AS is_start, coalesce({end}, false) AS is_end"
            " FROM entries SEMI JOIN wanted USING (upn) ANTI JOIN small USING (laestab, academic_year)",
        )
    )
    rules = replace(step.rules, min_school_enrolments=0)
    place = f"list_position({listed(_HALF_TERMS)}, half_term)::TINYINT - 1"
    counted = (
        enrolment_years(kept, ["half_term", "packed", "is_start", "is_end"], rules=rules)
        .to_native()
        .project(
            f"upn, academic_year, {place} AS half_term, laestab, packed, is_start, is_end,"
            " possible::INTEGER AS possible, (authorised + unauthorised)::INTEGER AS missed"
        )
        .to_arrow_table()
    )
    uncounted = _select(
        rows.filter(f"academic_year = {later_year}").query(
            "entries",
            "SELECT upn, arg_min(packed, (half_term, packed)) AS packed FROM ("
            f" SELECT upn, half_term, {packed} FROM entries SEMI JOIN wanted USING (upn)"
            " ANTI JOIN (SELECT DISTINCT upn, academic_year FROM counted) USING (upn, academic_year)"
            ") GROUP BY upn",
        )
    ).to_arrow_table()
    return _Entries(step.rows, counted, columns_of(uncounted))


@dataclass(frozen=True, eq=False)
class _Entries:
    """Counted sessions of enrolments by half term, and the rolls of pupils of the later year without any."""

    rows: duckdb.DuckDBPyRelation
    counted: pa.Table
    uncounted: Columns

    def _query(self, sql: str) -> Columns:
        # A table of the SQL, which DuckDB finds by the name of the variable.
        counted = self.counted  # noqa: F841
        return columns_of(_select(self.rows.query("entries", sql)).to_arrow_table())

    def schools(self, which: str, year: int) -> tuple[Array, Array]:
        """Return pupils, sorted, and their packed school of a year: that with most possible sessions of those chosen."""
        found = self._query(
            f"SELECT upn, arg_max(packed, possible * {2 * SCHOOLS} - laestab) AS packed FROM ("
            " SELECT upn, laestab, sum(possible)::BIGINT AS possible, arg_min(packed, half_term) AS packed"
            f" FROM counted WHERE academic_year = {year} AND {which} GROUP BY upn, laestab"
            ") GROUP BY upn ORDER BY upn"
        )
        return found["upn"], found["packed"]

    def any_school(self, pupils: Array, year: int) -> Array:
        """Return (N,) packed school of a year, of any phase, counted or else on a roll; -1 for none."""
        packed = np.full(len(pupils), -1, np.int64)
        for upn, found in (tuple(self.uncounted.values()), self.schools("true", year)):
            row, is_there = _found(pupils, upn)
            packed[row[is_there]] = found[is_there]
        return packed

    @cached_property
    def _sessions(self) -> Columns:
        return self._query(
            "SELECT upn, academic_year, half_term, sum(possible)::INTEGER AS possible, sum(missed)::INTEGER AS missed"
            " FROM counted GROUP BY ALL"
        )

    def _wide(self, pupils: Array, year: int, places: Array, size: int) -> tuple[Array, Array]:
        """Return (N, ``size``) possible and missed sessions of a year; ``places``: column of each half term, -1 for none."""
        of = self._sessions
        row, is_there = _found(pupils, of["upn"])
        column = places[of["half_term"]]
        is_there &= (of["academic_year"] == year) & (column >= 0)
        cell = row[is_there] * size + column[is_there]
        sums = [
            np.bincount(cell, of[name][is_there], len(pupils) * size).astype(np.int32)
            for name in ("possible", "missed")
        ]
        return sums[0].reshape(len(pupils), size), sums[1].reshape(len(pupils), size)

    def totals(self, pupils: Array, year: int) -> tuple[Array, Array]:
        """Return (N,) possible and missed sessions of a year."""
        possible, missed = self._wide(pupils, year, np.zeros(len(_HALF_TERMS), np.int64), 1)
        return possible[:, 0], missed[:, 0]

    def by_term(self, pupils: Array, year: int, known: set[str]) -> tuple[tuple[str, ...], Array, Array]:
        """Return the terms of a year, and (N, T) possible and missed sessions."""
        terms = tuple(term for term in (*TERMS, WHOLE_YEAR) if term in known)
        place = {term: position for position, term in enumerate(terms)}
        places = np.array([place.get(HALF_TERM_TERMS[name], -1) for name in _HALF_TERMS])
        return terms, *self._wide(pupils, year, places, len(terms))

    def by_half_term(self, pupils: Array, year: int) -> tuple[tuple[str, ...], Array, Array]:
        """Return the half terms of a year, and (N, P) possible and missed sessions."""
        of = self._sessions
        there = np.unique(of["half_term"][of["academic_year"] == year])
        places = np.full(len(_HALF_TERMS), -1)
        places[there] = np.arange(len(there))
        return tuple(_HALF_TERMS[place] for place in there), *self._wide(pupils, year, places, len(there))


def _found(pupils: Array, upn: Array) -> tuple[Array, Array]:
    """Return the row of each pseudonym among sorted pupils, and whether it is one of them."""
    if not len(pupils):
        return np.zeros(len(upn), np.int64), np.zeros(len(upn), bool)
    row = np.minimum(np.searchsorted(pupils, upn), len(pupils) - 1)
    return row, pupils[row] == upn


def _with_destinations(
    cohort: StepCohort,
    offers: duckdb.DuckDBPyRelation | None,
    rolls: duckdb.DuckDBPyRelation | None,
    other_schools: Array,
) -> StepCohort:
    """Return the cohort with the schools after the step: from later sessions, else from a roll, else from an offer."""
    offered = np.zeros(len(cohort.pupils), np.int32)
    on_roll = offered.copy()
    if offers is not None:
        year = academic_year_before(cohort.academic_year, -1)
        chosen = offers.filter(f"academic_year = {year}")
        offered = _first(cohort.pupils, chosen.project("upn, laestab, '' AS census"), other_schools)
    if rolls is not None:
        chosen = rolls.filter(f"nc_year = '{cohort.to_year}'")
        on_roll = _first(cohort.pupils, chosen.project("upn, laestab, census"), other_schools)
    later = cohort.later
    if later is not None:
        went = (later.year_group == NC_YEARS.index(cohort.to_year)) & np.isin(later.phase, MAINSTREAM_CODES)
        on_roll = np.where(went, later.laestab, on_roll)
    known = [np.where(np.isin(school, other_schools), 0, school) for school in (on_roll, offered)]
    source = np.select(
        [known[0] > 0, known[1] > 0],
        [DESTINATION_SOURCES.index(ON_ROLL), DESTINATION_SOURCES.index(OFFERED)],
        DESTINATION_SOURCES.index(NOT_KNOWN),
    )
    return replace(
        cohort,
        destination=np.where(known[0] > 0, known[0], known[1]).astype(np.int32),
        destination_source=source.astype(np.int8),
        offered=offered,
    )


def _first(pupils: Array, entries: duckdb.DuckDBPyRelation, other_schools: Array) -> Array:
    """Return (N,) LAESTAB of each pupil: a mainstream school before others, the first census, the lowest number."""
    of = columns_of(entries.to_arrow_table())
    row, is_there = _found(pupils, of["upn"])
    row, laestab = row[is_there], of["laestab"][is_there]
    # Censuses are named by year and term, whose order is that of the alphabet: autumn, spring, summer.
    _, census = np.unique(of["census"][is_there].astype(str), return_inverse=True)
    order = np.lexsort((laestab, census, np.isin(laestab, other_schools), row))
    first = np.unique(row[order], return_index=True)[1]
    schools = np.zeros(len(pupils), np.int32)
    schools[row[order][first]] = laestab[order][first]
    return schools
