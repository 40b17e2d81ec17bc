"""Waves of a virtual school in tables and sentences: how many children in each, what each is given, who changed."""

from __future__ import annotations

from attendance_toolkit.deepdives._shared import count_of, or_nothing
from attendance_toolkit.deepdives.vulnerable_data import HIDDEN, or_notice
from attendance_toolkit.deepdives.vulnerable_waves_data import VulnerableWavesData
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.rule_schemes import show_value
from attendance_toolkit.metrics.waves import BETTER, FEWEST_SESSIONS, WORSE
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import is_shown, said, sentence_list
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS
from attendance_toolkit.vocabulary.columns import ALL, PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.rule_schemes import Level

_WHOLE = "Looked-after children"
_WINDOW = "Attendance is that of the year to date, the sessions of all the area's schools together; exact, not rounded."


class VulnerableWaves(VulnerableWavesData):
    """Blocks on waves."""

    @or_notice
    def waves_table(self) -> Table | Notice | Result:
        """Return how many children are in each wave at the end of the last term, by kind of school."""
        kinds = [kind for kind in PHASES if self.in_wave(ALL, school_kind=kind) is not None]
        rows = []
        for wave in (ALL, *self.wave_names):
            cells = [
                Cell(self._range_of(wave) or "Any"),
                *(count_of(self.in_wave(wave, school_kind=k)) for k in (ALL, *kinds)),
            ]
            rows.append(Row(_WHOLE if wave == ALL else self._name_of(wave), tuple(cells), emphasis=wave == ALL))
        term = TERM_LABELS[self.wave_terms[-1]].lower()
        return Table(
            "virtual-school-waves",
            f"Looked-after children by wave, {self.shown_year} to the end of the {term} term",
            f"{self.area.name}; children of compulsory school age at schools of the area",
            (
                Column("Wave", align="left"), Column("Attendance", align="left"), Column("All", "Children"),
                *(Column(kind, "Children") for kind in kinds),
            ),
            tuple(rows),
            source_of(self.waves),
            (
                f"{_WINDOW} A child with fewer than {phrase(f'{FEWEST_SESSIONS} possible sessions', 'rule')} so far is in no"
                " wave. The kind of school is that of most of a child's sessions.",
                phrase(self.wave_scheme.source, "rule"),
            ),
        )  # fmt: skip

    def _name_of(self, wave: str) -> str:
        return phrase(wave, "rule")

    def _range_of(self, wave: str) -> str:
        """Return the attendance a wave is of, in words."""
        level = next((level for level in self.wave_scheme.levels if level.name == wave), None)
        return "" if level is None else phrase(_range_words(level, self.wave_scheme.unit), "rule")

    @or_nothing
    def waves_sentences(self) -> Findings | Result:
        """Return how many children are in each wave, and how many changed for the better or worse since the term before."""
        term = TERM_LABELS[self.wave_terms[-1]].lower()
        told: list[str] = []
        hidden: list[str] = []
        for wave in self.wave_names:
            record, name = self.in_wave(wave), self._name_of(wave[:1].lower() + wave[1:])
            if not is_shown(record):
                hidden.append(name)
                continue
            told.append(
                f"{show_number(float(record['numerator']))}{'' if told else ' looked-after children were'} in {name}"
                f" ({said(record)})"
            )
        sentences = [f"At the end of the {term} term {sentence_list(told)}."] if told else []
        if hidden:
            sentences.append(f"How many were in {sentence_list(hidden)} cannot be told: {HIDDEN}.")
        return Findings((*sentences, *self._change_sentence()))

    def _change_sentence(self) -> list[str]:
        try:
            term = self.step_terms[-1]
        except (NoDataError, IndexError):
            return []
        better, worse = self.changed(BETTER, term), self.changed(WORSE, term)
        before = TERM_LABELS[TERMS[TERMS.index(term) - 1]].lower()
        when = f"Between the end of the {before} term and that of the {TERM_LABELS[term].lower()} term"
        if not (is_shown(better) and is_shown(worse)):
            return [f"{when} some may have changed wave; how many cannot be told: {HIDDEN}."]
        up, down = (show_number(float(one["numerator"])) for one in (better, worse))
        return [
            f"{when} {up} children came to a better level and {down} to a worse one. Some of this is chance: year-to-date"
            " attendance moves across an edge with a few sessions."
        ]

    @or_nothing
    def wave_terms_table(self) -> Table | Result:
        """Return how many children are in each wave at the end of each term."""
        if len(self.wave_terms) < 2:
            raise NoDataError("One term alone is known.")
        rows = []
        for wave in (ALL, *self.wave_names):
            records = [self.in_wave(wave, term=term) for term in self.wave_terms]
            cells = tuple(count_of(record) for record in records)
            rows.append(Row(_WHOLE if wave == ALL else self._name_of(wave), cells, emphasis=wave == ALL))
        return Table(
            "virtual-school-waves-by-term",
            f"Looked-after children by wave at the end of each term, {self.shown_year}",
            f"{self.area.name}; year to date",
            (Column("Wave", align="left"), *(Column(TERM_LABELS[term], "Children") for term in self.wave_terms)),
            tuple(rows),
            source_of(self.waves),
            ("Children with possible sessions in the term; who left earlier in the year is not counted.",),
        )

    @or_nothing
    def wave_changes_table(self) -> Table | Result:
        """Return what became of the children's waves from each term to the next."""
        rows = [
            Row("Children with a wave in both terms" if change == ALL else change,
                tuple(count_of(self.changed(change, term)) for term in self.step_terms), emphasis=change == ALL)
            for change in (ALL, *self.changes_shown)
        ]  # fmt: skip
        columns = [
            Column(f"{TERM_LABELS[TERMS[TERMS.index(term) - 1]]} to {TERM_LABELS[term].lower()}", "Children")
            for term in self.step_terms
        ]
        return Table(
            "virtual-school-wave-changes",
            f"Changes of wave from term to term, {self.shown_year}",
            f"{self.area.name}; looked-after children, year to date at the end of each term",
            (Column("Change", align="left"), *columns),
            tuple(rows),
            source_of(self.wave_steps),
            ("Children who joined or left between the two terms, or had too few sessions in one, are left out.",),
        )

    @or_nothing
    def wave_actions_table(self) -> Table | Result:
        """Return what each wave is given, by the scheme."""
        _ = self.waves
        scheme = self.wave_scheme
        rows = [
            Row(
                self._name_of(level.name),
                (Cell(self._range_of(level.name)), Cell(_actions(scheme.actions, level.name))),
            )
            for level in scheme.levels
        ]
        return Table(
            "virtual-school-actions",
            "Who leads at each wave",
            phrase(scheme.name, "rule"),
            (Column("Wave", align="left"), Column("Attendance", align="left"), Column("Lead or action", align="left")),
            tuple(rows),
            phrase(scheme.source, "rule"),
        )


def _actions(actions: tuple[tuple[str, str], ...], level: str) -> str:
    found = [phrase(action, "rule") for action, where in actions if where == level]
    return "; ".join(found) or "None named"


def _range_words(level: Level, unit: str) -> str:
    """Return the values of a level in words.

    >>> from attendance_toolkit.vocabulary.rule_schemes import rule_scheme
    >>> [_range_words(level, "percent") for level in rule_scheme("virtual_school_waves").levels]
    ['over 95%', '80% to 95%', '60% to under 80%', 'under 60%']
    """
    low, high = (None if end is None else show_value(end, unit) for end in (level.low, level.high))
    if level.high is not None and level.high == 100 and level.has_high and low:
        return f"{low} or more" if level.has_low else f"over {low}"
    if level.low is not None and level.low == 0 and level.has_low and high:
        return f"{high} or less" if level.has_high else f"under {high}"
    lower = "" if low is None else low if level.has_low else f"over {low}"
    upper = "" if high is None else high if level.has_high else f"under {high}"
    return " to ".join(part for part in (lower, upper) if part)
