"""How well the models do on a year group they had not seen, beside ways without a model; and whether they are used."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import Record, or_nothing, rate_of, the_area
from attendance_toolkit.deepdives._step_models import LEAST_SCHOOLS
from attendance_toolkit.deepdives._step_proof_rows import FIFTHS, LEAST_LISTED
from attendance_toolkit.deepdives._step_words import id_of, said_cohort, said_year
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS, cohort_words, or_notice
from attendance_toolkit.deepdives.transition_fairness import TransitionFairness
from attendance_toolkit.deepdives.transition_proof_data import PERSISTENT, RATE, SEVERE
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.transition.proof import (
    BOOSTING,
    MODEL,
    PUPILS,
    SCHOOLS,
    TARGETING,
    carried_name,
    rule_name,
)
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_panels
from attendance_toolkit.presentation.formats import figure_words, interval_words, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_clear,
    is_shown,
    points,
    sentence_list,
)
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

#: What a model is for.
_FOR = {MODEL: "for forecasts of schools", TARGETING: "for lists of pupils"}
_SCORES = (
    "prediction_auc",
    "average_precision",
    "brier_score",
    "calibration_slope",
    "calibration_intercept",
)
_READ_SCORES = (
    "AUC: the chance that of two pupils, one who became absent and one who did not, the first has the higher prediction; 0.5 is no"
    " better than chance. Average precision: the same of lists, higher is better. Brier score: mean squared error of a chance,"
    " lower is better."
)
_READ_CALIBRATION = (
    "Calibration slope: 1 is right, below it predictions are too far apart. Intercept (logit scale): above 0, more pupils became"
    " absent than was predicted. A rule that gives no chances has none of these."
)


class TransitionProof(TransitionFairness):
    """Blocks on the proof; everything is made from cleared figures."""

    # -- the verdict ---------------------------------------------------------------------------------

    @or_notice
    def verdict_sentences(self, from_year: str = FIRST) -> Findings | Notice:
        """Return what was tested on whom, and whether each model is used."""
        years, tested = self.tested_years(from_year)
        pupils = self.tested("pupils", from_year=from_year)
        if not years or not is_shown(pupils):
            raise NoDataError("How the models did when tested cannot be told: the number of pupils tested is hidden.")
        learned = sentence_list([said_cohort(from_year, year) for year in years])
        sentences = [
            f"Models fitted to the pupils of {learned}, of all districts of the data, predicted the {figure_words(pupils)} pupils"
            f" of {the_area(self.area)} in {phrase(cohort_words(from_year, tested), 'years')} whom they had not seen, from what"
            " was known of these in July and the schools they went to."
        ]
        sentences += [self._verdict(model, from_year) for model in (MODEL, TARGETING)]
        sentences.append(
            "Whether a model is used rests on all districts together, since it is the same for all and one district alone has few"
            " pupils to tell by; it is not used either where it does clearly worse in the area itself."
        )
        if not self.is_used(TARGETING, from_year):
            sentences += self._guidance(from_year)
        return Findings(tuple(sentences))

    def _verdict(self, model: str, from_year: str) -> str:
        before = said_year(from_year)
        error, order = (
            self.gain(one, model, from_year, everywhere=True) for one in ("prediction_rmse", "prediction_auc")
        )
        name = (
            "The model with all pupil characteristics" if model == MODEL else "The model without sex, ethnicity and SEN"
        )
        if not is_shown(error):
            return f"How {name[:1].lower()}{name[1:]} did cannot be told: figures are hidden."
        text = (
            f"{name} ({_FOR[model]}): among all pupils tested, its typical error (root mean squared) is {_smaller(error)} than that"
            f" of {before} absence carried forward"
        )
        if is_shown(order):
            text += f", and its AUC for persistent absence is {_higher(order)} that of {before} absence"
        text += self._own_gain(model, from_year)
        if self.is_used(model, from_year):
            return f"{text}. It is used."
        return f"{text}. It was not shown to do better than the year before itself, so it is not used."

    def _own_gain(self, model: str, from_year: str) -> str:
        """Return how much smaller the error is among the area's own pupils, where these are not all."""
        own, every = (
            self.gain("prediction_rmse", model, from_year, everywhere=everywhere) for everywhere in (False, True)
        )
        if not is_shown(own) or (is_shown(every) and all(own[end] == every[end] for end in ("rate", "lower", "upper"))):
            return ""  # they are the same pupils
        return f"; among those of {the_area(self.area)} alone the error is {_smaller(own)}"

    def _guidance(self, from_year: str) -> Sequence[str]:
        """Return what to list pupils by where no model may."""
        before, after = (said_year(one) for one in (from_year, STEPS[from_year]))
        text = (
            "Until a model does better, list pupils by the rule: those who missed 10% or more of their sessions in"
            f" {before}, the highest absence first."
        )
        found = self.tested(
            "precision_at_capacity", model=rule_name(from_year), outcome=PERSISTENT, from_year=from_year
        )
        if is_shown(found):
            text += (
                " Of a list of one pupil in ten made by it when tested,"
                f" {figure_words(found)} were persistently absent in {after}."
            )
        return (text,)

    # -- all methods beside each other ---------------------------------------------------------------

    def _methods(self, from_year: str) -> list[str]:
        """Return the names of the methods compared, the plain ones first."""
        before, after = from_year, STEPS[from_year]
        names = (
            carried_name(before), f"Year {before} plus the mean change", f"School's last Year {after}", rule_name(before),
            MODEL, TARGETING, BOOSTING,
        )  # fmt: skip
        there = set(self.proof_of(from_year).rows["model"])
        return [name for name in names if name in there]

    @or_notice
    def error_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return how far predicted rates were off, and how well schools were put in order."""
        statistics = ["prediction_mae", "prediction_rmse"]
        in_order = [
            name
            for name in ("school_rank_correlation", "dip_rank_correlation")
            if any(
                is_shown(self.tested(name, model=model, outcome=RATE, from_year=from_year))
                for model in self._methods(from_year)
            )
        ]
        rows = []
        for model in self._methods(from_year):
            found = {
                name: self.tested(name, model=model, outcome=RATE, from_year=from_year)
                for name in (*statistics, *in_order)
            }
            if found["prediction_mae"] is None:
                continue
            cells = [rate_of(found[name]) for name in statistics]
            cells += [rate_of(found[name]) for name in in_order]
            rows.append(Row(phrase(model, "measures"), tuple(cells), emphasis=model == MODEL))
        columns = [
            Column("Way of predicting", align="left"),
            Column("Mean error", "Of a pupil's overall absence", "percentage points"),
            Column("Root mean squared error", "Of a pupil's overall absence", "percentage points"),
        ]
        heads = {
            "school_rank_correlation": Column("By absence", "Order of schools"),
            "dip_rank_correlation": Column("By change", "Order of schools"),
        }
        notes = [
            "Errors: lower is better. Every way is tested on the same pupils: those with enough sessions in both years to be"
            " compared."
        ]
        if in_order:
            columns += [heads[name] for name in in_order]
            notes.append(
                "Order of schools: rank correlation of what was predicted and what was found; 1 would be the same order, 0 none."
                " The year before carried forward predicts no change, so it has no order by it."
            )
        else:
            few = phrase(f"fewer than {LEAST_SCHOOLS} schools", "schools")
            notes.append(f"How schools were put in order is not scored: {few} take most of their pupils from the area.")
        return Table(
            id_of("proof-errors", from_year),
            "How far off predictions of overall absence were",
            self._subtitle(from_year),
            tuple(columns),
            tuple(rows),
            source_of(self.proof_of(from_year)),
            tuple(notes),
        )

    @or_notice
    def score_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return how well persistent and severe absence were told beforehand, with what lists of pupils came to."""
        lists = ["precision_at_capacity", "recall_at_capacity"]
        has_lists = any(
            is_shown(self.tested(lists[0], model=model, outcome=PERSISTENT, from_year=from_year))
            for model in self._methods(from_year)
        )
        wanted = [*_SCORES, *(lists if has_lists else [])]
        rows = []
        for outcome, section in ((PERSISTENT, "Persistent absence"), (SEVERE, "Severe absence")):
            for model in self._methods(from_year):
                found = [self.tested(name, model=model, outcome=outcome, from_year=from_year) for name in wanted]
                if found[0] is None:
                    continue
                cells = tuple(Cell(symbol="z") if one is None else rate_of(one) for one in found)
                rows.append(Row(phrase(model, "measures"), cells, section, emphasis=model == TARGETING))
        if not rows:
            raise NoDataError("No model of persistent or severe absence could be tested.")
        columns = [
            Column("Way of predicting", align="left"),
            Column("AUC"),
            Column("Average precision"),
            Column("Brier score"),
            Column("Slope", "Calibration"),
            Column("Intercept", "Calibration"),
        ]
        notes = [_READ_SCORES, _READ_CALIBRATION]
        if has_lists:
            columns += [
                Column("Of those listed, absent later", "List of one in ten pupils", "%"),
                Column("Of those absent later, listed", "List of one in ten pupils", "%"),
            ]
            notes.append(
                "The list has room for one pupil in ten of those tested. A rule that lists those at 10% or more alone may fill"
                " less of it."
            )
        else:
            few = phrase(f"fewer than {LEAST_LISTED}", "rule")
            notes.append(f"What lists came to is not told: a list of one pupil in ten would be of {few} pupils here.")
        return Table(
            id_of("proof-scores", from_year),
            "How well persistent and severe absence were told beforehand",
            self._subtitle(from_year),
            tuple(columns),
            tuple(rows),
            source_of(self.proof_of(from_year)),
            tuple(notes),
        )

    # -- calibration, schools, intervals -------------------------------------------------------------

    @or_nothing
    def calibration_figure(self, from_year: str = FIRST) -> Figure | Result:
        """Return persistent absence found in fifths of the pupils by predicted chance, beside what was expected."""
        rows = []
        outside = counted = 0
        for fifth in FIFTHS:
            found = self.tested(PERSISTENT, predicted=fifth, from_year=from_year)
            expected = self.tested("expected_persistent", model=MODEL, predicted=fifth, from_year=from_year)
            if found is None or expected is None:
                continue
            rows += [{**found, "fifth": fifth, "kind": "Found"}, {**expected, "fifth": fifth, "kind": "Expected"}]
            if is_shown(found) and is_shown(expected):
                counted += 1
                outside += not found["lower"] <= expected["rate"] <= found["upper"]
        if counted < 2:
            raise NoDataError("Too few fifths of the pupils tested can be shown to draw expected beside found.")
        table = derived_from(rows, self.proof_of(from_year))
        table.rows["fifth"] = pd.Categorical(table.rows["fifth"], list(FIFTHS))
        table.rows["kind"] = pd.Categorical(table.rows["kind"], ["Found", "Expected"])
        verdict = (
            "what was expected lies in the interval of every one shown"
            if not outside
            else phrase(f"expected lies outside the interval in {outside} of {counted}", "groups")
        )
        after = said_year(STEPS[from_year])
        return dot_panels(
            table,
            id=id_of("calibration", from_year),
            title=f"Persistent absence in {after} by fifth of the predicted chance: {verdict}",
            subtitle=f"Share of pupils persistently absent, found and expected by the model; {self._subtitle(from_year)}",
            panel="fifth",
            category="kind",
            notes=(
                "Pupils stand in fifths of all pupils tested, of every district, by the chance the model gave them. Intervals are"
                " of what was found; expected is the mean of the chances.",
            ),
        )

    @or_nothing
    def coverage_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return how often what was found lay inside the intervals, and how schools were put in order."""
        sentences = []
        pupils, schools = (
            self.tested("interval_coverage", model=MODEL, outcome=one, from_year=from_year) for one in (PUPILS, SCHOOLS)
        )
        if is_shown(pupils):
            sentences.append(
                f"Of the pupils tested, {figure_words(pupils)} had a rate inside the 90% interval the model gave them; 90% would be"
                " right."
            )
        if is_shown(schools):
            number = phrase(f"{schools['about']} schools", "schools")
            sentences.append(
                f"Of the {number} that take most of their pupils from the area, {figure_words(schools)} came out inside the 90%"
                " interval of their intake; 90% would be right. A few schools more or less are chance."
            )
        elif schools is None and pupils is not None:
            few = phrase(f"fewer than {LEAST_SCHOOLS} schools", "schools")
            sentences.append(
                f"How often schools came out inside their intervals is not told: {few} can be scored here."
            )
        for statistic, what in (("school_rank_correlation", "absence"), ("dip_rank_correlation", "change of absence")):
            record = self.tested(statistic, model=MODEL, outcome=RATE, from_year=from_year)
            if is_shown(record):
                sentences.append(
                    f"The order of schools by {what} as the model put it goes with the order found by a rank correlation"
                    f" (1 would be the same order, 0 none at all) of {figure_words(record)}."
                )
        return Findings(tuple(sentences)) if sentences else Result(())


def _smaller(gain: Record) -> str:
    """Return how much smaller an error is, if that is clear of chance.

    >>> _smaller({"rate": 0.0044, "lower": 0.0019, "upper": 0.0069, "symbol": ""})
    '0.44 percentage points smaller (95% interval 0.19 to 0.69)'
    """
    interval = interval_in_points(gain, 2) if has_interval(gain) else "no interval"
    if not is_clear(gain):
        return f"not clearly smaller or larger ({show_number(gain['rate'] * 100, 2, signed=True)} percentage points, {interval})"
    return f"{points(gain['rate'], 2)} {'smaller' if gain['rate'] > 0 else 'larger'} ({interval})"


def _higher(gain: Record) -> str:
    """Return how much higher an AUC is, if that is clear of chance and more than rounding leaves."""
    if has_interval(gain) and not any(round_half_up(gain[end], 2) for end in ("rate", "lower", "upper")):
        return "level, when rounded, with"
    if not is_clear(gain):
        interval = f" ({interval_words(gain)})" if has_interval(gain) else ""
        return f"not clearly above or below{interval}"
    side = "above" if gain["rate"] > 0 else "below"
    return f"{show_number(abs(gain['rate']), 2)} {side} ({interval_words(gain)})"
