"""What a model of groups expects after the step, from published figures: tested on the last step, then for the coming one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives.transition_data import EVERYBODY, year_after
from attendance_toolkit.deepdives.transition_published_data import (
    EXPECTED,
    PUBLISHED_GROUPS,
    TransitionPublishedData,
    of_both_years,
)
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.transition.cohort import LEFT_OUT_YEARS
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.transition.cohort_model import (
    CARRIED,
    MODEL,
    PLUS_CHANGE,
    CohortModel,
    compare_with_carry_forward,
    fit_cohort_step,
    found_and_expected,
)
from attendance_toolkit.models.transition.cohort_pairs import AFTER, PAIR_COUNTS, cohort_pairs
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.areas import ENGLAND, find_area, local_authorities_in
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.steps import TRANSITION

METHODS = (MODEL, CARRIED, PLUS_CHANGE)
#: What errors are averaged over.
ABOUT_GROUPS, ABOUT_AREAS, ABOUT_ALL = "Groups", "Local authorities", "All together"
#: The columns of ``found_and_expected`` that hold what each method expects.
_COLUMNS = {MODEL: "expected", CARRIED: "before", PLUS_CHANGE: "plus_change"}
_MEASURES = {measure: count for count, measure in PAIR_COUNTS.items()}
_NOTHING_EARLIER = (
    "A model of groups needs earlier steps to learn from: pairs of years before the last one, with figures by year group of"
    " many authorities."
)


class TransitionPublishedModel(TransitionPublishedData):
    """Expected rates after the step of every authority shown, beside the rate carried forward."""

    # -- exact tables: public, fitted where tables are made ------------------------------------------

    @cached_property
    def _pairs(self) -> pd.DataFrame:
        """Groups of all authorities of the files in both years; the last pair has no later year yet."""
        if self.is_local or self.inputs.published is None:
            raise NoDataError(_NOTHING_EARLIER)
        cells = self.inputs.published.select().cells
        known = (cells["dataset"] == "absence_bands") & (cells["academic_year"] <= self.year)
        return cohort_pairs(of_both_years(cells[known & (cells["period"] == "year")]), *TRANSITION)

    @exact_table
    def published_tests(self) -> ExactTable:
        """Rates expected after the last step by a model of the steps before it, by area and method; errors of each method.

        Errors are over all authorities of the files: column ``scope`` says whether of groups of pupils in each authority, of
        authorities, or of all of them together.
        """
        pairs = self._pairs
        own = pairs["area_code"].isin([la.code for la in local_authorities_in(self.area)])
        years = pairs.loc[own & pairs[f"enrolments{AFTER}"].notna(), "academic_year"]
        if years.empty:
            raise NoDataError(_NOTHING_EARLIER)
        before = int(years.max())
        earlier, tested = pairs[pairs["academic_year"] < before], pairs[pairs["academic_year"] == before]
        if earlier.empty or tested.empty:
            raise NoDataError(_NOTHING_EARLIER)
        rows: list[dict[str, Any]] = []
        for about, count in _MEASURES.items():
            model = fit_cohort_step(earlier, count)
            rows += self._published_places_rows(model, tested, about)
            rows += _error_rows(model, tested, about)
        # ``about`` is no part of what a release takes as a figure's name; a column of its own keeps errors of two rates apart.
        frame = pd.DataFrame(rows).assign(academic_year=year_after(before))
        return self._as_published_table(frame.assign(rate_about=frame["about"]))

    @exact_table
    def published_outlook(self) -> ExactTable:
        """Rates expected after the coming step, by a model of all steps known."""
        pairs = self._pairs
        known, coming = pairs[pairs[f"enrolments{AFTER}"] > 0], pairs[pairs["academic_year"] == self.year]
        if coming.empty or known.empty or self.year in LEFT_OUT_YEARS:
            raise NoDataError(_NOTHING_EARLIER)
        rows: list[dict[str, Any]] = []
        for about, count in _MEASURES.items():
            model = fit_cohort_step(known[known["academic_year"] < self.year], count)
            rows += self._published_places_rows(model, coming, about, methods=(MODEL, CARRIED))
        return self._as_published_table(pd.DataFrame(rows).assign(academic_year=year_after(self.year)))

    def _published_places_rows(
        self, model: CohortModel, pairs: pd.DataFrame, about: str, methods: Sequence[str] = METHODS
    ) -> Iterator[dict[str, Any]]:
        """Yield what each method expects of each place shown, and what was found where it is known."""
        has_later = bool(pairs[f"enrolments{AFTER}"].notna().any())
        for area in dict.fromkeys([*self.inputs.districts, self.area, find_area(ENGLAND)]):
            here = pairs[pairs["area_code"].isin([la.code for la in local_authorities_in(area)])]
            if here.empty:
                continue
            found = [(EVERYBODY, found_and_expected(model, here, ()) if has_later else model.predict(here, ()))]
            if has_later and area.code in (self.area.code, ENGLAND):
                found += [
                    ({"characteristic": name, "level": str(level)}, part)
                    for name in PUBLISHED_GROUPS
                    for level, part in found_and_expected(model, here, (name,)).groupby(name, observed=True)
                ]
            for group, part in found:
                yield from _expected_rows(part, about, methods, area_code=area.code, scope="", **group)

    # -- which figures are held against each other ---------------------------------------------------

    @cached_property
    def _published_tests_lookup(self) -> Lookup:
        return Lookup(
            self.published_tests, ["area_code", "scope", "characteristic", "level", "model", "about", "measure"]
        )

    @cached_property
    def _published_outlook_lookup(self) -> Lookup:
        return Lookup(self.published_outlook, ["area_code", "model", "about"])

    def published_expected(
        self, about: str, method: str = MODEL, code: str = "", *, characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return the rate expected after the last step, by default by the model and of all the area's pupils."""
        return self._published_tests_lookup(
            area_code=code or self.area.code, scope="", characteristic=characteristic, level=level, model=method,
            about=about, measure=EXPECTED[about],
        )  # fmt: skip

    def published_found(
        self, about: str, code: str = "", *, characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return the rate that was found after the last step, as the expected ones are added up."""
        return self._published_tests_lookup(
            area_code=code or self.area.code, scope="", characteristic=characteristic, level=level, model="",
            about=about, measure=about,
        )  # fmt: skip

    def published_error(self, about: str, method: str, scope: str, measure: str) -> Record | None:
        """Return a mean error of a method over all authorities of the files."""
        return self._published_tests_lookup(
            area_code=ALL, scope=scope, **EVERYBODY, model=method, about=about, measure=measure
        )

    def published_coming(self, about: str, method: str = MODEL, code: str = "") -> Record | None:
        """Return the rate expected after the coming step."""
        return self._published_outlook_lookup(area_code=code or self.area.code, model=method, about=about)

    # -- derived tables ------------------------------------------------------------------------------

    @derived_table
    def published_misses(self) -> ProtectedTable:
        """Rate expected less rate found after the last step, by area, group, method (``model``) and measure (``about``)."""
        return derived_from(self._published_miss_rows(), self.published_tests, nothing=_NOTHING_EARLIER)

    def _published_miss_rows(self) -> Iterable[dict[str, Any]]:
        rows = self.published_tests.rows
        keys = ["area_code", "characteristic", "level", "about"]
        for code, characteristic, level, about in rows.loc[rows["model"] == "", keys].itertuples(index=False):
            group = {"characteristic": characteristic, "level": level}
            found = self.published_found(about, code, **group)
            for method in METHODS:
                expected = self.published_expected(about, method, code, **group)
                groups = {"area_code": code, **group, "model": method, "about": about}
                if is_shown(found) and is_shown(expected):
                    yield statistic_row("rate_gap", Estimate(expected["rate"] - found["rate"]), **groups)
                else:
                    yield statistic_row("rate_gap", None, symbol_of(found, expected), **groups)

    @cached_property
    def _published_misses_lookup(self) -> Lookup:
        return Lookup(self.published_misses, ["area_code", "characteristic", "level", "model", "about"])

    def published_miss(
        self, about: str, method: str = MODEL, code: str = "", *, characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return by how much the expected rate was off: a plus sign says that too much was expected."""
        return self._published_misses_lookup(
            area_code=code or self.area.code, characteristic=characteristic, level=level, model=method, about=about
        )


def _expected_rows(found: pd.DataFrame, about: str, methods: Sequence[str], **groups: Any) -> Iterator[dict[str, Any]]:
    """Yield what each method expects of one group, and what was found where it is known."""
    groups = {**groups, "about": about, "decimals": 1}
    for method in methods:
        ends = ("lower", "upper") if method == MODEL else ()
        numbers = [float(found[name].iloc[0]) for name in (_COLUMNS[method], *ends)]
        yield statistic_row(EXPECTED[about], Estimate(*numbers), model=method, **groups)
    if "found" in found.columns:
        # What authorities add up to: of England it may be a few pupils less than the national row.
        yield statistic_row(about, Estimate(float(found["found"].iloc[0])), model="", **groups)


def _error_rows(model: CohortModel, tested: pd.DataFrame, about: str) -> Iterator[dict[str, Any]]:
    """Yield the errors of each method over all authorities, and the share of these that lie inside the model's interval."""
    for row in compare_with_carry_forward(model, tested).to_dict("records"):
        groups: dict[str, Any] = {
            "area_code": ALL, "scope": row["about"], **EVERYBODY, "model": row["method"], "about": about,
            "units": int(row["units"]),
        }  # fmt: skip
        for measure, name in (("prediction_mae", "mae"), ("prediction_rmse", "rmse"), ("rate_gap", "bias")):
            yield statistic_row(measure, Estimate(float(row[name])), **groups)
    found = found_and_expected(model, tested)
    inside = float(found["found"].between(found["lower"], found["upper"]).mean())
    yield statistic_row(
        "interval_coverage", Estimate(inside), area_code=ALL, scope=ABOUT_AREAS, **EVERYBODY, model=MODEL,
        about=about, units=len(found),
    )  # fmt: skip
