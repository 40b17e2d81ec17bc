"""Whether the models of a step do well by every group of pupils, and what leaving characteristics out of lists costs."""

from __future__ import annotations

from collections.abc import Iterable

from attendance_toolkit.deepdives._shared import Record, capital, level_words, or_nothing, rate_of
from attendance_toolkit.deepdives._step_words import id_of
from attendance_toolkit.deepdives.transition_card import TransitionCard
from attendance_toolkit.deepdives.transition_data import FIRST, cohort_words, or_notice
from attendance_toolkit.deepdives.transition_proof_data import PERSISTENT, SEVERE
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.transition.proof import GROUPS, MODEL, TARGETING
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import has_interval, is_clear, is_shown, sentence_list
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase

_RATIOS = {PERSISTENT: "observed_over_expected", SEVERE: "observed_over_expected_severe"}


class TransitionFairness(TransitionCard):
    """Blocks on groups of pupils; everything is made from cleared figures."""

    def _subtitle(self, from_year: str) -> str:
        _, tested = self.tested_years(from_year)
        return (
            f"Pupils of {self.area.name} in {phrase(cohort_words(from_year, tested), 'years')}, of whom the models had not seen"
            " anything after July"
        )

    # -- groups --------------------------------------------------------------------------------------

    @or_notice
    def fairness_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return found over expected absentees by group, flagged where chance does not explain the distance to 1."""
        rows = []
        for name, level, label in self._checked_groups(from_year):
            cells = [rate_of(self.tested("pupils", characteristic=name, level=level, from_year=from_year))]
            flags, is_told = [], False
            for outcome, words in ((PERSISTENT, "persistent"), (SEVERE, "severe")):
                record = self._ratio(outcome, name, level, from_year)
                cells += [rate_of(record), interval_cell(record)]
                is_told |= is_shown(record)
                flags += [f"{words}: {_side(record)}"] if is_clear(record, 1.0) else []
            cells.append(Cell(capital("; ".join(flags)) if flags else "No") if is_told else Cell(symbol="c"))
            rows.append(Row(label, tuple(cells), emphasis=name == ALL))
        if not rows:
            raise NoDataError("What was found of groups cannot be held against what was expected.")
        return Table(
            id_of("proof-groups", from_year),
            "Found over expected absentees by group",
            self._subtitle(from_year),
            (
                Column("Pupils", align="left"),
                Column("Number tested"),
                Column("Found over expected", "Persistent absence"),
                Column("95% interval", "Persistent absence"),
                Column("Found over expected", "Severe absence"),
                Column("95% interval", "Severe absence"),
                Column("Clear of chance", align="left"),
            ),
            tuple(rows),
            source_of(self.proof_of(from_year)),
            (
                "Of the model with all pupil characteristics. 1: as many absentees as expected; above 1, more than expected, so the"
                " model says too little of the group. Intervals are Byar's, of the number found.",
                "A year in which all pupils are absent more, or less, than before moves all groups alike; a group that goes"
                " against the others is a fault of the model.",
            ),
        )

    def _checked_groups(self, from_year: str) -> Iterable[tuple[str, str, str]]:
        yield ALL, ALL, "All pupils tested"
        for name, levels in GROUPS.items():
            for level in levels:
                if any(self._ratio(outcome, name, level, from_year) is not None for outcome in _RATIOS):
                    yield name, level, level_words(name, level)

    def _ratio(self, outcome: str, name: str, level: str, from_year: str) -> Record | None:
        return self.tested(
            _RATIOS[outcome], model=MODEL, outcome=outcome, characteristic=name, level=level, from_year=from_year
        )

    @or_nothing
    def fairness_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return which groups came out otherwise than expected, beyond chance."""
        sentences = []
        for outcome, what in ((PERSISTENT, "persistent absence"), (SEVERE, "severe absence")):
            every = self._ratio(outcome, ALL, ALL, from_year)
            if not is_shown(every):
                continue
            overall = f"{figure_words(every)} times as many pupils as expected ({interval_words(every)})"
            start = f"{capital(what)}: {overall} were found among all tested"
            apart: list[str] = []
            together: list[str] = []
            for name, level, label in self._checked_groups(from_year):
                record = self._ratio(outcome, name, level, from_year)
                if name == ALL or not is_clear(record, 1.0):
                    continue
                words = f"{label} ({figure_words(record)} times)"
                is_with_all = has_interval(record) and record["lower"] <= every["rate"] <= record["upper"]
                (together if is_with_all else apart).append(words)
            if apart:
                start += f"; clearly otherwise than all together: {sentence_list(apart)}"
            if together:
                start += f"; as all together, and clear of what was expected: {sentence_list(together)}"
            if not apart and not together:
                start += "; no group came out clear of what was expected of it"
            sentences.append(f"{start}.")
        return Findings(tuple(sentences)) if sentences else Result(())

    @or_nothing
    def cost_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return what leaving sex, ethnicity and SEN out of lists of pupils costs."""
        parts = []
        for statistic, words in (
            ("prediction_auc", "the AUC is {one} (with them {other})"),
            ("average_precision", "the average precision {one} (with them {other})"),
            (
                "precision_at_capacity",
                "of the pupils on a list of one in ten of those tested, {one} were persistently absent later (with them {other})",
            ),
        ):
            with_, without = (
                self.tested(statistic, model=model, outcome=PERSISTENT, from_year=from_year)
                for model in (MODEL, TARGETING)
            )
            if is_shown(with_) and is_shown(without):
                parts.append(words.format(one=figure_words(without), other=figure_words(with_)))
        if not parts:
            raise NoDataError("What leaving pupil characteristics out costs cannot be told: figures are hidden.")
        return Findings((
            "Lists of pupils are made without sex, ethnicity and SEN (which says much of disability), so that nobody is put on, or"
            f" left off, a list for these. The price of that, when tested for persistent absence: {sentence_list(parts)}. Free school"
            " meals stay in.",
        ))  # fmt: skip


def _side(ratio: Record) -> str:
    """Return on which side of what was expected a group came out."""
    return f"{'more' if ratio['rate'] > 1 else 'fewer'} than expected ({figure_words(ratio)} times)"
