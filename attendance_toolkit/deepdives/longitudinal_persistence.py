"""Who stays at a threshold of absence, who newly comes to it, who recovers, and who changes school."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._shared import (
    Lookup,
    Record,
    count_of,
    level_words,
    or_nothing,
    or_notice,
    ordered_levels,
    rate_of,
)
from attendance_toolkit.deepdives.longitudinal_flows_data import (
    ENTERED,
    FLOW_GROUPS,
    LEFT_IT,
    ORIGINS,
    SEVERE,
    STAYED,
    THRESHOLDS,
    LongitudinalFlowsData,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import is_clear, is_shown, said, sentence_list
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, LABELS, MAIN_PHASES
from attendance_toolkit.vocabulary.outcomes import (
    OTHER_SCHOOL,
    SAME_SCHOOL,
    TEN_BEFORE,
    TEN_OR_MORE,
    TERM_STEPS,
    YEAR_TO_YEAR,
)
from attendance_toolkit.vocabulary.rounding import show_number

#: Thresholds as sections of tables, and pupils at them in running text.
SECTIONS = {TEN_OR_MORE: "Persistently absent: 10% or more", SEVERE: "Severely absent: 50% or more"}
WORDS = {TEN_OR_MORE: "missed 10% or more of their sessions", SEVERE: "missed 50% or more of their sessions"}

#: Characteristic, two levels held against each other, and both in words.
_HELD_AGAINST = (
    (
        "fsm_eligible", ("FSM eligible", "Not known to be FSM eligible"), "eligible for free school meals",
        "not known to be eligible",
    ),
    ("sen_provision", ("SEN support", "No SEN"), "with SEN support", "without SEN"),
)  # fmt: skip


class LongitudinalPersistence(LongitudinalFlowsData):
    """Blocks on persistence, entry and exit, on recovery, and on pupils who change school."""

    # -- steps in words ------------------------------------------------------------------------------

    @cached_property
    def last_term_steps(self) -> tuple[tuple[str, int], ...]:
        """(step, academic year of the later term) of the last step of each kind, in the order of time."""
        last = {step: year for step, year in self.flow_steps if step in TERM_STEPS}
        return tuple(sorted(last.items(), key=lambda one: self.flow_steps.index(one)))

    @staticmethod
    def between(step: str, year: int) -> str:
        """Return a step in words, with its years."""
        if step == YEAR_TO_YEAR:
            return f"{show_academic_year(academic_year_before(year))} to {show_academic_year(year)}"
        if step == TERM_STEPS[2]:
            return f"Summer {show_academic_year(academic_year_before(year))} to autumn {show_academic_year(year)}"
        return f"{step} {show_academic_year(year)}"

    @staticmethod
    def years_of(year: int) -> tuple[str, str]:
        """Return the year before and the year as texts."""
        return show_academic_year(academic_year_before(year)), show_academic_year(year)

    # -- persistence, entry and exit -----------------------------------------------------------------

    @cached_property
    def _persistence_lookup(self) -> Lookup:
        return Lookup(
            self.persistence, ["threshold", "step", "academic_year", "phase", "characteristic", "level", "measure"]
        )

    def share(
        self,
        threshold: str,
        measure: str,
        step: str = YEAR_TO_YEAR,
        year: int = 0,
        phase: str = ALL_SCHOOLS,
        characteristic: str = ALL,
        level: str = ALL,
    ) -> Record | None:
        """Return persistence, exit or entry at a threshold; the last step from year to year if no other is named."""
        return self._persistence_lookup(
            threshold=threshold, step=step, academic_year=year or self.last_step_year, phase=phase, characteristic=characteristic,
            level=level, measure=measure,
        )  # fmt: skip

    def _persistence_cells(self, threshold: str, **group: Any) -> tuple[Cell, ...]:
        stayed, entered = (self.share(threshold, measure, **group) for measure in (STAYED, ENTERED))
        return tuple(
            cell
            for record in (stayed, entered)
            for cell in (count_of(record, "denominator"), rate_of(record), interval_cell(record))
        )

    @or_nothing
    def persistence_table(self) -> Table | Result:
        """Return persistence and entry at both thresholds from year to year, by school type."""
        rows = []
        for threshold in THRESHOLDS:
            for step, year in self.flow_steps:
                if step != YEAR_TO_YEAR:
                    continue
                for phase in (ALL_SCHOOLS, *(MAIN_PHASES if threshold == TEN_OR_MORE else ())):
                    cells = self._persistence_cells(threshold, year=year, phase=phase)
                    section = f"{SECTIONS[threshold]}, {self.between(step, year)}"
                    rows.append(Row(phase, cells, section, phase == ALL_SCHOOLS))
        if not rows:
            raise NoDataError("There are no years to follow pupils by.")
        return Table(
            "persistence-by-year",
            "Who stays at a threshold of absence from year to year, and who newly comes to it",
            "Of pupils with a band in both years; school type in the later year",
            _persistence_columns("School type", "year"),
            tuple(rows),
            source_of(self.flows),
            (
                "Exit, no longer at the threshold, is what persistence leaves of 100%. Severely absent pupils of one school type"
                " are too few to be followed by themselves.",
            ),
        )

    @or_nothing
    def term_persistence_table(self) -> Table | Result:
        """Return the same from term to term, for all schools."""
        steps = [one for one in self.flow_steps if one[0] in TERM_STEPS]
        if not steps:
            raise NoDataError("There are no terms to follow pupils by.")
        rows = [
            Row(
                self.between(step, year),
                self._persistence_cells(threshold, step=step, year=year),
                SECTIONS[threshold],
            )
            for threshold in THRESHOLDS
            for step, year in steps
        ]
        return Table(
            "persistence-by-term",
            "Who stays at a threshold of absence from term to term, and who newly comes to it",
            "Of pupils with a band in both terms; all schools. Thresholds apply to each term's own sessions",
            _persistence_columns("From term to term", "term"),
            tuple(rows),
            source_of(self.flows),
        )

    @or_nothing
    def group_persistence_table(self) -> Table | Result:
        """Return persistence and entry at 10% by characteristic, for the last step from year to year."""
        rows = [Row("All pupils", self._persistence_cells(TEN_OR_MORE), emphasis=True)]
        there = self.persistence.rows
        for name in FLOW_GROUPS:
            levels = there.loc[there["characteristic"] == name, "level"].astype(str).unique()
            for level in ordered_levels(name, levels):
                cells = self._persistence_cells(TEN_OR_MORE, characteristic=name, level=level)
                rows.append(Row(level_words(name, level), cells, LABELS[name]))
        earlier, later = self.years_of(self.last_step_year)
        return Table(
            "persistence-by-group",
            f"Who stays persistently absent and who newly is, by pupil group, {earlier} to {later}",
            "Missing 10% or more of sessions; of pupils with a band in both years, all schools",
            _persistence_columns("Pupils", "year"),
            tuple(rows),
            source_of(self.flows),
            ("Characteristics are those of the later year.",),
        )

    @or_nothing
    def persistence_sentences(self) -> Findings | Result:
        """Return how many at each threshold still were a year later, and where those at it now come from."""
        sentences = []
        for threshold in THRESHOLDS:
            sentences += self._stayed_sentence(threshold)
            sentences += self._origin_sentence(threshold)
        sentences += self._group_sentences()
        sentences += self._term_sentence()
        return Findings(tuple(sentences)) if sentences else Result(())

    def _stayed_sentence(self, threshold: str) -> list[str]:
        earlier, later = self.years_of(self.last_step_year)
        stayed, gone, entered = (self.share(threshold, measure) for measure in (STAYED, LEFT_IT, ENTERED))
        if not (is_shown(stayed) and is_shown(gone)):
            return (
                [_hidden(f"how many of the pupils who {WORDS[threshold]} in {earlier} did so again")]
                if _is_c(stayed)
                else []
            )
        text = (
            f"Of the pupils who {WORDS[threshold]} in {earlier} and have a band in {later} as well, {figure_words(stayed)} did so"
            f" again ({interval_words(stayed)}) and {figure_words(gone)} no longer did."
        )
        if is_shown(entered):
            text += f" Of those below it in {earlier}, {figure_words(entered)} newly came to it ({interval_words(entered)})."
        return [text]

    def _origin_sentence(self, threshold: str) -> list[str]:
        earlier, later = self.years_of(self.last_step_year)
        lookup = Lookup(self.origins, ["threshold", "origin"])
        stayed, below, new = (lookup(threshold=threshold, origin=origin) for origin in ORIGINS)
        everybody = self.flow(ALL, threshold)
        if not (is_shown(stayed) and is_shown(below) and is_shown(everybody)):
            return []
        text = (
            f"Of the {count_text(everybody)} pupils followed who {WORDS[threshold]} in {later}, {figure_words(stayed)} had done so in"
            f" {earlier} as well and {figure_words(below)} had been below that"
        )
        if is_shown(new):
            text += f"; {figure_words(new)} had no band in {earlier}, because they joined or had only reached age 5"
        return [f"{text}."]

    def _group_sentences(self) -> list[str]:
        """Say where groups clearly differ in how many stay at 10%: eligible for free school meals against not, and so on."""
        earlier, _ = self.years_of(self.last_step_year)
        found = []
        for name, levels, words, others in _HELD_AGAINST:
            one, other = (self.share(TEN_OR_MORE, STAYED, characteristic=name, level=level) for level in levels)
            if not (is_shown(one) and is_shown(other)):
                continue
            gap = {**record_difference(one, other), "symbol": ""}
            if is_clear(gap):
                word = "more" if gap["rate"] > 0 else "less"
                found.append(
                    f"Of pupils who {WORDS[TEN_OR_MORE]} in {earlier}, those {words} did so again clearly {word} often than those"
                    f" {others}: {figure_words(one)} against {figure_words(other)}."
                )
        return found

    def _term_sentence(self) -> list[str]:
        """Say how many stay at 10% from each term to the next."""
        parts = []
        for step, year in self.last_term_steps:
            record = self.share(TEN_OR_MORE, STAYED, step=step, year=year)
            if is_shown(record):
                words = self.between(step, year)
                parts.append(f"{figure_words(record)} from {words[:1].lower()}{words[1:]}")
        if not parts:
            return []
        return [f"From one term to the next the share that stayed at 10% or more was {sentence_list(parts)}."]

    # -- recovery ------------------------------------------------------------------------------------

    @cached_property
    def _recovered_lookup(self) -> Lookup:
        return Lookup(self.recovered, ["threshold", "terms_since"])

    @or_notice
    def recovery_table(self) -> Table | Notice | Result:
        """Return how many of those newly at a threshold were below it a term and two terms later."""
        if not self.is_local:
            return Result(())
        sizes = Lookup(self.recoveries.select(measure="pupils"), ["threshold"])
        rows = []
        for threshold in THRESHOLDS:
            size = sizes(threshold=threshold)
            cells = [count_of(size)]
            for since in (1, 2):
                record = self._recovered_lookup(threshold=threshold, terms_since=since)
                cells += [rate_of(record), interval_cell(record)]
            rows.append(Row(SECTIONS[threshold], tuple(cells)))
        years = [show_academic_year(year) for year in self.inputs.local_years]
        return Table(
            "recovery",
            "How many of those newly absent recover, and how soon",
            f"Pupils who went from below the threshold to it between two terms, {years[0]} to {years[-1]}; all schools",
            (
                Column("Newly at the threshold in a term", align="left"),
                Column("Pupils"),
                Column("Share", "Below it again a term later", "%"),
                Column("95% interval", "Below it again a term later"),
                Column("Share", "Within two terms", "%"),
                Column("95% interval", "Within two terms"),
            ),
            tuple(rows),
            source_of(self.recoveries),
            (
                "Each pupil the first time. Who left, or is not seen in a later term, counts until then (Kaplan and Meier's"
                " estimate, Greenwood's interval). A pupil a little above a threshold in one term falls below it in the next by"
                " chance alone often enough: not all of this is a change.",
            ),
        )

    @or_nothing
    def recovery_sentences(self) -> Findings | Result:
        """Return how soon pupils newly at a threshold were below it again."""
        sentences = []
        for threshold in THRESHOLDS:
            first, second = (self._recovered_lookup(threshold=threshold, terms_since=since) for since in (1, 2))
            if not is_shown(first):
                if _is_c(first):
                    sentences.append(_hidden(f"how soon pupils who newly {WORDS[threshold]} recovered"))
                continue
            text = (
                f"Of pupils who newly {WORDS[threshold]} in a term, {figure_words(first)} were below that a term later"
                f" ({interval_words(first)})"
            )
            if is_shown(second):
                text += f", and {figure_words(second)} within two terms ({interval_words(second)})"
            sentences.append(f"{text}.")
        return Findings(tuple(sentences)) if sentences else Result(())

    # -- changes of school ---------------------------------------------------------------------------

    @cached_property
    def _moves_lookup(self) -> Lookup:
        return Lookup(self.moves, ["academic_year", "move", "outcome"])

    def _move(self, move: str, outcome: str, year: int) -> Record | None:
        return self._moves_lookup(academic_year=year, move=move, outcome=outcome)

    @cached_property
    def _move_years(self) -> list[int]:
        return sorted(int(year) for year in self.moves.rows["academic_year"].unique())

    @or_nothing
    def moves_table(self) -> Table | Result:
        """Return absence before and after of pupils who changed school, beside those who did not."""
        there = list(dict.fromkeys(self.moves.rows["move"]))
        rows = []
        for year in self._move_years:
            for move in there:
                before, after = (self._move(move, outcome, year) for outcome in (TEN_BEFORE, TEN_OR_MORE))
                cells = (
                    count_of(self._move(move, ALL, year)), rate_of(before), interval_cell(before), rate_of(after),
                    interval_cell(after),
                )  # fmt: skip
                rows.append(Row(move, cells, self.between(YEAR_TO_YEAR, year)))
        return Table(
            "moves",
            "Absence of pupils who changed school, in the years before and after",
            "Pupils with a band in both years; share missing 10% or more of sessions",
            (
                Column("School in the later year", align="left"),
                Column("Pupils"),
                Column("Share", "The year before", "%"),
                Column("95% interval", "The year before"),
                Column("Share", "The year after", "%"),
                Column("95% interval", "The year after"),
            ),
            tuple(rows),
            source_of(self.moves),
            (
                "School: the one with most sessions in the year. Pupils in Year 7 of the later year are left out, since nearly"
                " all of them change school; those who go from an infant to a junior school are not.",
            ),
        )

    @or_nothing
    def moves_sentences(self) -> Findings | Result:
        """Return whether pupils who changed school had been absent more often than those who stayed."""
        year = self._move_years[-1]
        earlier, later = self.years_of(year)
        sentences = []
        for outcome, when in ((TEN_BEFORE, earlier), (TEN_OR_MORE, later)):
            moved, stayed = (self._move(move, outcome, year) for move in (OTHER_SCHOOL, SAME_SCHOOL))
            if not (is_shown(moved) and is_shown(stayed)):
                if _is_c(moved):
                    sentences.append(
                        _hidden(
                            f"how many of the pupils who changed school within the district {WORDS[TEN_OR_MORE]} in {when}"
                        )
                    )
                continue
            gap = {**record_difference(moved, stayed), "symbol": ""}
            word = side_words(gap, "more", "less")
            sentences.append(
                f"Of the pupils who changed school within the district between {earlier} and {later}, {said(moved)}"
                f" {WORDS[TEN_OR_MORE]} in {when}, {word} the {said(stayed)} of those who stayed at theirs."
            )
        return Findings(tuple(sentences)) if sentences else Result(())


def count_text(record: Mapping[str, Any]) -> str:
    """Return a cleared count in running text."""
    return show_number(float(record["numerator"]))


def side_words(gap: Record, more: str, less: str) -> str:
    """Return on which side of no difference a gap lies, if its interval says so.

    >>> side_words({"rate": 0.02, "lower": 0.01, "upper": 0.03, "symbol": ""}, "more", "less")
    'clearly more than'
    """
    if not is_clear(gap):
        return "not clearly different from"
    return f"clearly {more if gap['rate'] > 0 else less} than"


def _is_c(record: Record | None) -> bool:
    return record is not None and record["symbol"] == "c"


def _hidden(what: str) -> str:
    return f"It cannot be told {what}: figures are hidden to protect small numbers."


def _persistence_columns(first: str, period: str) -> tuple[Column, ...]:
    stayed, entered = f"At it the {period} before", f"Below it the {period} before"
    return (
        Column(first, align="left"),
        Column("Pupils", stayed),
        Column("Still at it", stayed, "%"),
        Column("95% interval", stayed),
        Column("Pupils", entered),
        Column("Newly at it", entered, "%"),
        Column("95% interval", entered),
    )
