"""The tables of the forecast: pupils expected in the next year group by school, and what is expected of them."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives._step_models import fitted_steps
from attendance_toolkit.deepdives._step_rows import forecast_rows, tracked_rows
from attendance_toolkit.deepdives.transition_data import FIRST, NEEDS_PUPILS, SECOND, STEPS, TransitionData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.vocabulary.columns import ALL

#: Statistics of the forecast.
ABSENCE, DIP = "expected_absence", "expected_dip"
HIGHEST, LARGEST = "probability_highest_absence", "probability_largest_dip"


class TransitionForecastData(TransitionData):
    """Pupils expected in the year group after the step, and their rates as a model expects them.

    Columns beside the measure: ``laestab`` (empty: all pupils expected) and ``destination``, how the school is known. The
    academic year of a row is the one forecast.
    """

    # -- exact tables --------------------------------------------------------------------------------

    @exact_table
    def forecast(self) -> ExactTable:
        """Pupils expected in Year 7 of the area's schools, and the absence expected of them, by school."""
        return self._forecast(FIRST)

    @exact_table
    def forecast_second(self) -> ExactTable:
        """The same of the year group after it."""
        return self._forecast(SECOND)

    @exact_table
    def tracked(self) -> ExactTable:
        """What the year forecast has come to in the terms the store has of it, beside what the forecast leads to."""
        return self._tracked(FIRST)

    @exact_table
    def tracked_second(self) -> ExactTable:
        """The same of the year group after it."""
        return self._tracked(SECOND)

    def _forecast(self, from_year: str) -> ExactTable:
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)
        fitted = fitted_steps(self.inputs, from_year)
        rows = forecast_rows(fitted).assign(area_code=self.area.code, nc_year=STEPS[from_year])
        return self.inputs.local_table(rows, topic=self.intake_topic(from_year))

    def _tracked(self, from_year: str) -> ExactTable:
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)
        rows = tracked_rows(fitted_steps(self.inputs, from_year))
        topic = topic_of(f"pupils expected in Year {STEPS[from_year]} who have come", self.area)
        return self.inputs.local_table(rows.assign(area_code=self.area.code), topic=topic)

    # -- cleared figures -----------------------------------------------------------------------------

    def forecast_of(self, from_year: str = FIRST) -> ProtectedTable:
        """Return the cleared table of a step's forecast.

        Raises
        ------
        NoDataError
            There is none: the sentence says why.
        """
        return self.cleared("forecast" if from_year == FIRST else "forecast_second")

    @cached_property
    def _forecast_lookups(self) -> dict[str, Lookup]:
        return {}

    def _forecast_lookup(self, from_year: str) -> Lookup:
        if from_year not in self._forecast_lookups:
            keys = ["laestab", "destination", "measure"]
            self._forecast_lookups[from_year] = Lookup(self.forecast_of(from_year), keys)
        return self._forecast_lookups[from_year]

    def expected(self, measure: str, laestab: str = "", from_year: str = FIRST) -> Record | None:
        """Return a figure of the forecast: of a school, or of all pupils expected."""
        return self._forecast_lookup(from_year)(laestab=laestab, destination=ALL, measure=measure)

    def intake(self, laestab: str = "", source: str = ALL, from_year: str = FIRST) -> Record | None:
        """Return how many pupils are expected: at a school, or of those whose school is known in a way."""
        return self._forecast_lookup(from_year)(laestab=laestab, destination=source, measure="pupils")

    def forecast_schools(self, from_year: str = FIRST) -> list[str]:
        """Return the schools of the forecast, by name."""
        found = set(self.forecast_of(from_year).rows["laestab"]) - {""}
        return sorted((str(one) for one in found), key=lambda one: (self.names.listed.get(one, "~"), one))

    def forecast_year(self, from_year: str = FIRST) -> int:
        """Return the academic year that is forecast."""
        return int(self.forecast_of(from_year).rows["academic_year"].iloc[0])

    def forecast_terms(self, from_year: str = FIRST) -> list[str]:
        """Return the terms of the year before the step that the forecast is made from."""
        record = self.intake(from_year=from_year)
        return str(record["about"]).split() if record is not None else []

    def tracked_pair(self, from_year: str = FIRST) -> tuple[Record | None, Record | None]:
        """Return overall absence found so far and what the forecast leads to for the same terms."""
        table = self.tracked if from_year == FIRST else self.tracked_second
        lookup = Lookup(table, ["measure"])
        return lookup(measure="overall_absence_rate"), lookup(measure=ABSENCE)
