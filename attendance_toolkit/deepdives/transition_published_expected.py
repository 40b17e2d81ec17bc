"""How well a model of groups foretold the last step, and what it expects of the coming one: tables and sentences."""

from __future__ import annotations

from attendance_toolkit.deepdives._shared import (
    SHORT,
    level_words,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.transition_data import year_after
from attendance_toolkit.deepdives.transition_published_data import EXPECTED
from attendance_toolkit.deepdives.transition_published_model import (
    ABOUT_ALL,
    ABOUT_AREAS,
    ABOUT_GROUPS,
    METHODS,
    TransitionPublishedModel,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.models.transition.cohort_model import CARRIED, MODEL, PLUS_CHANGE
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import is_shown, points, said, sentence_list
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import round_half_up

#: Share of authorities that should lie inside their intervals.
_NOMINAL = 0.95
_SCOPE_WORDS = {
    ABOUT_GROUPS: "groups of pupils in each authority",
    ABOUT_AREAS: "authorities",
    ABOUT_ALL: "all authorities together",
}
_HOW = (
    "The model takes England's rate of each group in Year 6 as it stands, adds the rise at the step that the group (free school"
    " meals, SEN, sex) had in earlier years, and keeps part of an authority's difference from England. Years with closed"
    " schools are left out."
)
_AS_BEFORE = "Groups are added up as many as they were in Year 6, so that the mix of pupils is that of the year before."


class TransitionPublishedExpected(TransitionPublishedModel):
    """Blocks on what was and what is expected after the step, from published figures."""

    # -- the last step, as a test --------------------------------------------------------------------

    @or_nothing
    def published_test_sentences(self) -> Findings | Result:
        """Return how far off the model was where it was tested, and the simpler rules beside it."""
        sentences = [self._published_test_head()]
        for about in EXPECTED:
            sentences += self._published_error_sentences(about)
            sentences += self._published_own_sentences(about)
        return Findings(tuple(sentences), "How well the model does")

    def _published_test_head(self) -> str:
        was, now = (
            show_academic_year(year) for year in (academic_year_before(self.published_year), self.published_year)
        )
        earlier = [
            f"{show_academic_year(academic_year_before(year))} to {show_academic_year(year)}"
            for year in self.published_pairs
            if year < self.published_year
        ]
        steps = "step" if len(earlier) == 1 else "steps"
        record = self.published_error("persistent_absence_rate", MODEL, ABOUT_AREAS, "prediction_mae")
        if record is None:
            raise NoDataError("There is no test to tell of.")
        tested = phrase(f"{int(record['units'])} local authorities", "districts")
        return (
            f"The model learnt from the {steps} of {sentence_list(earlier)} and was tested on the step of {was} to {now},"
            f" which it had not seen, in {tested}."
        )

    def _published_error_sentences(self, about: str) -> list[str]:
        errors = {method: self.published_error(about, method, ABOUT_AREAS, "prediction_mae") for method in METHODS}
        own, carried, plus = errors[MODEL], errors[CARRIED], errors[PLUS_CHANGE]
        if not (is_shown(own) and is_shown(carried) and is_shown(plus)):
            return []
        decimals = 2
        size, simple, shifted = (points(record["rate"], decimals) for record in (own, carried, plus))
        text = (
            f"{SHORT[about]} of an authority's Year 7: the model was off by {size} on average; carrying the rate of Year 6"
            f" forward by {simple}, and adding the mean change of earlier steps by {shifted}."
        )
        best = min(carried["rate"], plus["rate"])
        worse = [
            name for name, record in (("the first", carried), ("the second", plus)) if record["rate"] <= own["rate"]
        ]
        preferred = "which is" if len(worse) == 1 else "which are"
        verdict = (
            "It did better than both rules."
            if own["rate"] < best
            else f"It did not do better than {sentence_list(worse)} of these rules, {preferred} to be preferred."
        )
        return [f"{text} {verdict} {self._published_bias_words(about)}"]

    def _published_bias_words(self, about: str) -> str:
        """Say whether the model expected too much or too little over all authorities, and how wide its intervals are."""
        bias = self.published_error(about, MODEL, ABOUT_ALL, "rate_gap")
        inside = self.published_error(about, MODEL, ABOUT_AREAS, "interval_coverage")
        words = []
        if is_shown(bias):
            if round_half_up(abs(bias["rate"]) * 100, 1) == 0:
                words.append(
                    "Over all authorities together it was right to a tenth of a percentage point, closer than its interval"
                    " promised."
                )
            else:
                side = "too much" if bias["rate"] > 0 else "too little"
                words.append(f"Over all authorities together it expected {points(bias['rate'])} {side}.")
        if is_shown(inside):
            units = int(inside["units"])
            low, high = wilson_interval(round(inside["rate"] * units), units)
            verdict = (
                "as many as should"
                if low <= _NOMINAL <= high
                else "fewer than should: the intervals are too narrow"
                if high < _NOMINAL
                else "more than should: the intervals are wider than they need be"
            )
            words.append(f"{figure_words(inside)} of authorities lie inside their 95% intervals, {verdict}.")
        return " ".join(words)

    def _published_own_sentences(self, about: str) -> list[str]:
        """Say what was expected and found of the area, and of how many districts the rate lies inside the interval."""
        sentences = []
        for code in dict.fromkeys((self.area.code, ENGLAND)):
            expected, found = self.published_expected(about, MODEL, code), self.published_found(about, code)
            if not (is_shown(expected) and is_shown(found)):
                continue
            inside = expected["lower"] <= found["rate"] <= expected["upper"]
            side = "inside" if inside else "below" if found["rate"] < expected["lower"] else "above"
            place = the_area(self.area) if code == self.area.code else "England"
            sentences.append(
                f"in {place} {said(expected)} was expected ({interval_words(expected)}) and {said(found)} was found,"
                f" {side} the interval"
            )
        if not sentences:
            return []
        return [f"{SHORT[about]}: {'; '.join(sentences)}. {self._published_district_words(about)}".strip()]

    def _published_district_words(self, about: str) -> str:
        pairs = [
            (self.published_expected(about, MODEL, area.code), self.published_found(about, area.code))
            for area in self.inputs.districts
        ]
        told = [(one, two) for one, two in pairs if is_shown(one) and is_shown(two)]
        if len(told) < 2:
            return ""
        inside = sum(one["lower"] <= two["rate"] <= one["upper"] for one, two in told)
        return (
            f"The rate found lies inside the interval in {phrase(f'{inside} of {len(told)} districts', 'districts')}."
        )

    @or_nothing
    def published_test_table(self) -> Table | Result:
        """Return expected and found rates of the last step by place, and by how much each method was off."""
        rows = [
            Row(area.name, self._published_test_cells(about, area.code), SHORT[about], area.code == self.area.code)
            for about in EXPECTED
            for area in self.published_places
            if self.published_found(about, area.code) is not None
        ]
        return self._published_test("places", "by place, by name", Column("Place", align="left"), rows)

    @or_nothing
    def published_test_groups(self) -> Table | Result:
        """Return expected and found rates of the area's pupil groups, as ``published_test_table`` does those of places."""
        rows = [
            Row(
                level_words(characteristic, level),
                self._published_test_cells(about, characteristic=characteristic, level=level),
                SHORT[about],
                level == ALL,
            )
            for about in EXPECTED
            for characteristic, level in self.published_levels()
            if self.published_found(about, characteristic=characteristic, level=level) is not None
        ]
        about_whom = f"pupil groups in {self.area.name}"
        return self._published_test("groups", about_whom, Column("Pupils", align="left"), rows)

    def _published_test_cells(self, about: str, code: str = "", **group: str) -> tuple[Cell, ...]:
        expected = self.published_expected(about, MODEL, code, **group)
        return (
            rate_of(self.published_expected(about, CARRIED, code, **group)), rate_of(expected), interval_cell(expected),
            rate_of(self.published_found(about, code, **group)), rate_of(self.published_miss(about, MODEL, code, **group)),
            rate_of(self.published_miss(about, CARRIED, code, **group)),
        )  # fmt: skip

    def _published_test(self, name: str, of_whom: str, first: Column, rows: list[Row]) -> Table:
        was, now = (
            show_academic_year(year) for year in (academic_year_before(self.published_year), self.published_year)
        )
        return Table(
            f"published-test-{name}",
            f"Expected and found after the step to secondary school, {was} to {now}: {of_whom.split(',')[0]}",
            f"Persistent and severe absence, {of_whom}; the model had not seen this step",
            (
                first, Column(f"Year 6 in {was}", "", "%"),
                Column("Rate", f"Expected for Year 7 in {now}", "%"),
                Column("95% interval", f"Expected for Year 7 in {now}", "%"),
                Column(f"Found in {now}", "", "%"), Column("Model", "Expected less found", "percentage points"),
                Column("Year 6 carried forward", "Expected less found", "percentage points"),
            ),
            tuple(rows),
            source_of(self.published_tests),
            (
                _HOW, _AS_BEFORE,
                "A plus sign says that more was expected than was found. The interval is for the rate that will be found: it"
                " holds chance, what is an authority's own in a year, and how much all authorities moved together in the"
                " years learnt from.",
            ),
        )  # fmt: skip

    @or_notice
    def published_error_table(self) -> Table | Notice | Result:
        """Return the errors of the model and of simpler rules over all authorities of the files."""
        if self.is_local:
            return Result(())
        rows = []
        for about in EXPECTED:
            for scope, words in _SCOPE_WORDS.items():
                for method in METHODS:
                    found = [
                        self.published_error(about, method, scope, measure)
                        for measure in ("prediction_mae", "prediction_rmse", "rate_gap")
                    ]
                    cells = (rate_of(found[0]), rate_of(found[1]), rate_of(found[2]))
                    rows.append(Row(method, cells, f"{SHORT[about]}, {words}", method == MODEL))
        was, now = (
            show_academic_year(year) for year in (academic_year_before(self.published_year), self.published_year)
        )
        return Table(
            "published-test-errors",
            f"How far off: the model and simpler rules, {was} to {now}",
            "Percentage points, over all local authorities of the file, weighted by enrolments",
            (
                Column("Method", align="left"), Column("Mean error, without sign"), Column("Root mean squared error"),
                Column("Mean error, with sign"),
            ),
            tuple(rows),
            source_of(self.published_tests),
            (
                "Carried forward: the rate of Year 6 is expected of Year 7. Groups of pupils are crossed by free school meals,"
                " SEN and sex. A plus sign says that too much was expected.",
            ),
        )  # fmt: skip

    # -- the coming step -----------------------------------------------------------------------------

    @or_nothing
    def published_outlook_sentences(self) -> Findings | Result:
        """Return what is expected of the area's coming Year 7, and what that rests on."""
        sentences = []
        was, now = show_academic_year(self.year), show_academic_year(year_after(self.year))
        for about in EXPECTED:
            expected, before = self.published_coming(about), self.published_coming(about, CARRIED)
            if not (is_shown(expected) and is_shown(before)):
                continue
            sentences.append(
                f"{SHORT[about]} of Year 7 pupils in {the_area(self.area)} in {now} is expected to be {said(expected)}"
                f" ({interval_words(expected)}), after {said(before)} of Year 6 pupils in {was}.{self._published_caution(about)}"
            )
        if not sentences:
            raise NoDataError("Nothing is expected of the area's coming year group.")
        return Findings(tuple(sentences), "The coming Year 7, expected")

    def _published_caution(self, about: str) -> str:
        """Say what the last test means for a forecast: of a model that did not do, or whose intervals were too narrow."""
        try:
            inside = self.published_error(about, MODEL, ABOUT_AREAS, "interval_coverage")
        except NoDataError:
            return " This has not been tested: there is one step alone to learn from."
        if is_shown(inside):
            _, high = wilson_interval(round(inside["rate"] * int(inside["units"])), int(inside["units"]))
            if high < _NOMINAL:
                return " At the last step more authorities than should lay outside their intervals: take this as a rough guide."
        return ""

    @or_nothing
    def published_outlook_table(self) -> Table | Result:
        """Return the rates expected after the coming step by place."""
        was, now = show_academic_year(self.year), show_academic_year(year_after(self.year))
        rows = []
        for about in EXPECTED:
            for area in self.published_places:
                expected = self.published_coming(about, MODEL, area.code)
                if expected is None:
                    continue
                before = self.published_coming(about, CARRIED, area.code)
                cells = (rate_of(before), rate_of(expected), interval_cell(expected))
                rows.append(Row(area.name, cells, SHORT[about], area.code == self.area.code))
        return Table(
            "published-outlook",
            f"Year 7 in {now}: persistent and severe absence expected",
            f"By place, by name; from Year 6 in {was} and all earlier steps that are known",
            (
                Column("Place", align="left"), Column(f"Year 6 in {was}", "", "%"),
                Column("Rate", f"Expected for Year 7 in {now}", "%"),
                Column("95% interval", f"Expected for Year 7 in {now}", "%"),
            ),
            tuple(rows),
            source_of(self.published_outlook),
            (_HOW, _AS_BEFORE),
        )  # fmt: skip
