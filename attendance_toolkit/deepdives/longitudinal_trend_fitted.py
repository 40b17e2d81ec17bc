"""Has absence changed once the season and the same pupils are allowed for: models of pupils' terms and years."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from attendance_toolkit.deepdives._change_words import (
    UNCHANGED,
    course,
    decimals_in,
    higher_or_lower,
    in_brackets,
    is_moved,
    moved,
    pupils_in_text,
    rate_or_none,
    schools,
    untold,
)
from attendance_toolkit.deepdives._shared import (
    SHORT,
    Lookup,
    Record,
    level_words,
    or_nothing,
    or_notice,
    ordered_levels,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives._trend_models import (
    ADJUSTED,
    BROKEN_DOWN,
    SAME_PUPILS,
    SAME_YEAR_GROUP,
    SPRING_OTHERS,
)
from attendance_toolkit.deepdives.longitudinal_data import KEYS, PUBLISHED_GROUPS
from attendance_toolkit.deepdives.longitudinal_trend_data import (
    SHOWN_PHASES,
)
from attendance_toolkit.deepdives.longitudinal_trend_years import LongitudinalTrendYears
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    change_verb,
    has_interval,
    is_shown,
    points,
    sentence_list,
)
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES

STEMS = {"persistent": "persistent_absence_rate", "severe": "severe_absence_rate"}


class LongitudinalTrendFitted(LongitudinalTrendYears):
    """Blocks on the trend models, by school type and pupil group, and on what a year does to pupils."""

    # -- the trend model -----------------------------------------------------------------------------

    @cached_property
    def _trend_lookup(self) -> Lookup:
        return Lookup(self.trend, ["phase", "characteristic", "level", "measure", "model"])

    def fitted(
        self, measure: str, model: str = ADJUSTED, phase: str = ALL_SCHOOLS, characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return a statistic of the trend models."""
        return self._trend_lookup(phase=phase, characteristic=characteristic, level=level, measure=measure, model=model)

    @or_notice
    def trend_table(self) -> Table | Notice:
        """Return the change a year by school type: season taken out, in each term alone, and spring against the others."""
        rows = []
        for stem, measure in STEMS.items():
            for phase in (ALL_SCHOOLS, *MAIN_PHASES):
                change = self.fitted(f"{stem}_trend", phase=phase)
                if change is None:
                    continue
                spring = self.fitted(f"{stem}_term_effect", SPRING_OTHERS, phase)
                cells = [rate_of(change), interval_cell(change)]
                cells += [rate_or_none(self.fitted(f"{stem}_trend", term, phase)) for term in TERMS]
                cells += [rate_or_none(spring), interval_cell(spring) if spring is not None else Cell(symbol="z")]
                rows.append(Row(phase, tuple(cells), SHORT[measure]))
        columns = [
            Column("School type", align="left"),
            Column("Change", "A year, all terms"),
            Column("95% interval", "A year, all terms"),
            *(Column(label, "A year, the same term alone") for label in TERM_LABELS.values()),
            Column("Gap", "Spring less the other terms"),
            Column("95% interval", "Spring less the other terms"),
        ]
        first, last = self._fitted_years
        return Table(
            "trend",
            f"Change a year with the season taken out, {show_academic_year(first)} to {show_academic_year(last)}",
            f"{self.area.name}; pupils, each in each term; percentage points",
            tuple(columns),
            tuple(rows),
            source_of(self.trend),
            (
                "A logistic model of whether a pupil was at the threshold in a term, with the year and the term; its change is that"
                " of the fitted rates, a year. The intervals let the terms of one pupil go together. z: too few pupils at the"
                " threshold to tell.",
                *self._pandemic_notes(self.inputs.local_years),
            ),
        )

    @property
    def _fitted_years(self) -> tuple[int, int]:
        years = [int(year) for year in self.terms.rows["academic_year"].unique()]
        return min(years), max(years)

    @or_nothing
    def trend_sentences(self) -> Findings | Result:
        """Return the adjusted change of both measures, how the same pupils widen its interval, and whether spring is higher."""
        first, last = self._fitted_years
        years = f"from {show_academic_year(first)} to {show_academic_year(last)}"
        sentences = []
        for stem, measure in STEMS.items():
            subject, change = SHORT[measure], self.fitted(f"{stem}_trend")
            if not is_shown(change):
                sentences.append(untold(f"Whether {subject.lower()} changed once the season is taken out", change))
                continue
            parts = [
                f"in {phase.lower()} schools it {told}"
                for phase in SHOWN_PHASES[1:]
                if (told := course(self.fitted(f"{stem}_trend", phase=phase), " a year"))
            ]
            sentences.append(
                f"Term for term, {subject.lower()} in {the_area(self.area)} {moved(change, ' a year')}"
                f" {years}{in_brackets(change, ' a year')}"
                f"{'; ' if parts else ''}{'; '.join(parts)}."
            )
            sentences += self._widening_sentence(stem)
            sentences += self._spring_sentences(stem, measure)
        return Findings(tuple(sentences)) if sentences else Result(())

    def _widening_sentence(self, stem: str) -> Iterable[str]:
        widening = self.fitted(f"{stem}_design_effect")
        if not is_shown(widening):
            return
        start = f"Often the same pupils are {stem}ly absent term after term: allowing for this"
        if figure_words(widening) == "1.0":
            yield f"{start} does not widen the interval of the change here."
        else:
            yield f"{start} makes the interval of the change {figure_words(widening)} times as wide."

    def _spring_sentences(self, stem: str, measure: str) -> Iterable[str]:
        parts = []
        for phase in SHOWN_PHASES:
            gap = self.fitted(f"{stem}_term_effect", SPRING_OTHERS, phase)
            if is_shown(gap) and has_interval(gap):
                parts.append(f"in {schools(phase)} {higher_or_lower(gap)}")
        if parts:
            yield f"{SHORT[measure]} in the spring term against the mean of autumn and summer: {'; '.join(parts)}."

    @or_nothing
    def group_trend_table(self) -> Table | Result:
        """Return the change a year of each group of primary and secondary pupils, beside its rate."""
        rows = []
        for phase, name, level in self._shown_groups:
            cells: list[Cell] = []
            for stem, measure in STEMS.items():
                rate = self.fitted(measure, "", phase, name, level)
                change = self.fitted(f"{stem}_trend", ADJUSTED, phase, name, level)
                cells += [rate_of(rate), rate_of(change), interval_cell(change)]
            rows.append(Row(level_words(name, level), tuple(cells), f"{phase} schools"))
        columns = [Column("Pupils", align="left")]
        for measure in STEMS.values():
            columns += [
                Column(f"Rate, {self.shown_year}", SHORT[measure], "%"),
                Column("Change a year", SHORT[measure]),
                Column("95% interval", SHORT[measure]),
            ]
        if not rows:
            raise NoDataError("There is no trend of pupil groups.")
        first, last = self._fitted_years
        return Table(
            "group-trend",
            f"Change a year by pupil group, {show_academic_year(first)} to {show_academic_year(last)}",
            f"{self.area.name}; season taken out; changes in percentage points",
            tuple(columns),
            tuple(rows),
            source_of(self.trend),
            (
                "The same model as for all pupils, for each group by itself. The rate is of enrolments over the whole year, the"
                " change of pupils' terms. With this many rows, an interval or two may leave out 0 by chance alone. z: too few"
                " pupils at the threshold to tell.",
            ),
        )

    @property
    def _shown_groups(self) -> list[tuple[str, str, str]]:
        """Phase, characteristic and level of each group with a trend, in the order of the table."""
        rows = self.trend.rows
        return [
            (phase, name, level)
            for phase in BROKEN_DOWN
            for name in PUBLISHED_GROUPS
            for level in ordered_levels(
                name, rows.loc[(rows["characteristic"] == name) & (rows["phase"] == phase), "level"]
            )
        ]

    @or_nothing
    def group_trend_sentences(self) -> Findings | Result:
        """Return which groups' absence clearly rose or fell."""
        sentences = []
        for stem, measure in STEMS.items():
            found: dict[tuple[str, str], list[str]] = {}
            for phase, name, level in self._shown_groups:
                change = self.fitted(f"{stem}_trend", ADJUSTED, phase, name, level)
                if is_shown(change) and has_interval(change):
                    size = f" ({points(change['rate'], decimals_in(change))} a year)" if is_moved(change) else ""
                    words = f"{pupils_in_text(level_words(name, level))}{size}"
                    found.setdefault((change_verb(change), phase), []).append(words)
            clear = [
                f"{verb} in {schools(phase)} {self._among(words, [key for key in found if key[1] == phase])}"
                for (verb, phase), words in sorted(found.items())
                if verb != UNCHANGED
            ]
            if clear:
                sentences.append(f"Season taken out, {SHORT[measure].lower()} clearly {'; it '.join(clear)}.")
            elif found:
                sentences.append(
                    f"{SHORT[measure]} did not clearly change in any pupil group whose figures can be told."
                )
        return Findings(tuple(sentences)) if sentences else Result(())

    @staticmethod
    def _among(words: list[str], directions: list[tuple[str, str]]) -> str:
        """Name the groups of one direction; all groups of a phase need no names."""
        if len(words) > 2 and len(directions) == 1:
            return "in every pupil group whose figures can be told"
        return f"among {sentence_list(words)}"

    # -- growth --------------------------------------------------------------------------------------

    @cached_property
    def _growth_lookup(self) -> Lookup:
        return Lookup(self.growth, [*KEYS[2:], "measure", "model"])

    @or_nothing
    def growth_table(self) -> Table | Result:
        """Return what a year did to the same pupils, and to pupils of the same year group."""
        rows = []
        for phase in SHOWN_PHASES:
            same, group, between = (
                self._growth_lookup(phase=phase, measure=measure, model=model)
                for measure, model in (
                    ("absence_slope", SAME_PUPILS),
                    ("absence_slope", SAME_YEAR_GROUP),
                    ("absence_icc", SAME_PUPILS),
                )
            )
            if same is None and group is None:
                continue
            cells = (rate_of(same), interval_cell(same), rate_of(group), interval_cell(group), rate_of(between))
            rows.append(Row(phase, cells))
        return Table(
            "growth",
            "What a year does to pupils' overall absence",
            f"{self.area.name}, {show_academic_year(self._fitted_years[0])} to {self.shown_year}; mean of pupils' own rates; changes"
            " in percentage points",
            (
                Column("School type", align="left"),
                Column("Change a year", "The same pupils, growing older"),
                Column("95% interval", "The same pupils, growing older"),
                Column("Change a year", "The same year group, a year later"),
                Column("95% interval", "The same year group, a year later"),
                Column("Between pupils", "Share of all differences", "%"),
            ),
            tuple(rows),
            source_of(self.growth),
            (
                "Linear models with a level of its own for each pupil; intervals let a pupil's years go together. For the same pupils"
                " a year later is also a year older, so age and calendar are in the change together. For the same year group they"
                " are other pupils, of equal age. Pupils with few possible sessions in a year are left out.",
            ),
        )

    @or_nothing
    def growth_sentences(self) -> Findings | Result:
        """Return what the two changes and the share between pupils mean."""
        sentences = []
        for phase in SHOWN_PHASES:
            found = {
                model: self._growth_lookup(phase=phase, measure="absence_slope", model=model)
                for model in (SAME_PUPILS, SAME_YEAR_GROUP)
            }
            parts = [
                f"{words} {told}"
                for (model, change), words in zip(
                    found.items(),
                    (
                        "the same pupils' overall absence, as they grew older,",
                        "that of pupils of one and the same year group",
                    ),
                    strict=True,
                )
                if (told := course(change, " a year"))
            ]
            if parts:
                sentences.append(f"In {schools(phase)}, {'; '.join(parts)}.")
        between = self._growth_lookup(phase=ALL_SCHOOLS, measure="absence_icc", model=SAME_PUPILS)
        if is_shown(between):
            sentences.append(
                f"Of all variation in pupils' yearly absence rates, {figure_words(between)} lies between pupils, year after year; the"
                " rest comes and goes within pupils."
            )
        return Findings(tuple(sentences)) if sentences else Result(())
