"""What a model of a step is: its purpose, its pupils, what it looks at and what not, what it expects and its limits."""

from __future__ import annotations

from collections.abc import Iterator

from attendance_toolkit.deepdives._shared import Lookup, Record, capital, level_words, rate_of
from attendance_toolkit.deepdives._step_proof_rows import GROUPS_APART
from attendance_toolkit.deepdives._step_words import id_of, said_cohort, said_year
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS, or_notice, year_words
from attendance_toolkit.deepdives.transition_proof_data import TransitionProofData
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.transition.effects import (
    ABSENCE,
    ABSENCE_LEVELS,
    COMPARED_LEVELS,
    LASTING,
    LASTING_LEVELS,
    LATEST_TERM,
    SCHOOL,
    TERM_LEVEL,
    YEAR_LEVEL,
)
from attendance_toolkit.models.transition.proof import MODEL, TARGETING
from attendance_toolkit.presentation.blocks import Cell, Column, Notice, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, records, source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before
from attendance_toolkit.vocabulary.ledger import phrase

#: Statistic -> the heading of its columns.
_PREDICTED = {
    "predicted_absence": "Overall absence",
    "predicted_persistent": "Persistent absence",
    "predicted_severe": "Severe absence",
}
#: Characteristic -> the pupils that others are compared with.
_REFERENCE_WORDS = {"fsm_eligible": "not known to be eligible", "sen_provision": "no SEN", "sex": "boys"}
#: Groups of features that no list of pupils is made from.
_PROTECTED = ("SEN", "sex", "ethnicity")
_GROUP_WORDS = {
    "Terms": "absence in its latest term and how spring differed",
    "Year before": "absence in the year before that",
    "Free school meals": "free school meals",
    "SEN": "SEN",
    "Sex": "sex",
    "Ethnicity": "ethnicity",
}


class TransitionCard(TransitionProofData):
    """Blocks that describe the models; everything is made from cleared figures."""

    @or_notice
    def effect_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return what the model with all features makes of absence, pupil characteristics and schools, one at a time."""
        find = Lookup(self.learnt_of(from_year), ["measure", "model", "outcome", "since"])
        before, after = (said_year(one) for one in (from_year, STEPS[from_year]))
        rows = []
        for section, (kind, level, since), words in self._effect_heads(from_year):
            ending = "_gap" if since else ""
            found = [find(measure=f"{name}{ending}", model=kind, outcome=level, since=since) for name in _PREDICTED]
            if any(record is not None for record in found):
                rows.append(Row(words, tuple(cell for one in found for cell in _effect_cells(one)), section))
        if not rows:
            raise NoDataError("What the model makes of a pupil's absence and characteristics is not in the release.")
        columns = [Column("What is set or compared", align="left")]
        for outcome in _PREDICTED.values():
            columns += [Column("Expected", outcome), Column("95% interval", outcome)]
        return Table(
            id_of("model-effects", from_year),
            f"What the model expects in {after}, by absence in {before}, pupil characteristics and school",
            "Mean over the pupils learned from, all else as it was; the model with all pupil characteristics",
            tuple(columns),
            tuple(rows),
            source_of(self.learnt_of(from_year)),
            self._effect_notes(from_year),
        )

    def _effect_heads(self, from_year: str) -> Iterator[tuple[str, tuple[str, str, str], str]]:
        """Yield section, key and words of each row that there may be."""
        before, earlier = (phrase(year_words(one), "years") for one in (from_year, str(int(from_year) - 1)))
        for kind, levels, years in (
            (ABSENCE, ABSENCE_LEVELS, before),
            (LASTING, LASTING_LEVELS, f"{before} and {earlier}"),
        ):
            for level in levels:
                words = phrase(f"{level}% of sessions missed", "rule")
                yield f"Absence in {years} (expected, %)", (kind, str(level), ""), words
        section = "Difference (percentage points)"
        for name, (reference, levels_of) in COMPARED_LEVELS.items():
            for level_of in levels_of:
                words = f"{level_words(name, level_of)} against {_REFERENCE_WORDS[name]}"
                yield section, (name, level_of, reference), words
        terms, _ = self._looked_at(from_year)
        if terms:
            words = f"{YEAR_LEVEL}% missed in the year and {TERM_LEVEL}% in its {terms[-1]} term against {YEAR_LEVEL}% in every term"
            yield section, (LATEST_TERM, str(TERM_LEVEL), str(YEAR_LEVEL)), phrase(words, "rule")
        yield section, (SCHOOL, "1", "0"), "School with high absence against an average school"

    def _effect_notes(self, from_year: str) -> tuple[str, ...]:
        before, after = (said_year(one) for one in (from_year, STEPS[from_year]))
        return (
            f"How to read: were all the pupils learned from at that absence in every term of {before}, their year before as it was, the"
            f" model would expect so much overall absence in {after}, and so many of them in persistent and in severe absence. High"
            " absence often falls back; what is expected where the year before was as high stands in a part of its own, about the"
            " pupils whose year before is in the data. Of very high absence the model has seen few pupils: intervals are wide.",
            "Differences are between pupils alike in all else the model knows. They describe; they say nothing of causes. An interval"
            " that runs from a minus sign to a plus sign leaves open which way a difference goes.",
            "A school with high absence lies a standard deviation above the mean of schools by what its earlier intakes came to"
            " beyond what was expected of its pupils. Intervals are of what the model has learned, not of the year of a pupil, of"
            " which far less is known.",
        )

    @or_notice
    def model_card(self, from_year: str = FIRST) -> Table | Notice:
        """Return what the models are for, what they are made of and what they cannot do."""
        before, after = (said_year(one) for one in (from_year, STEPS[from_year]))
        words = {**_GROUP_WORDS, f"Year {from_year}": f"absence in {before}"}
        terms, groups = self._looked_at(from_year)
        used = [words[group] for group in groups if group in words]
        entries = (
            (
                "Purpose",
                f"To say in July what absence a school may expect of its next intake in {after}, and to help to choose pupils to"
                " offer support to. A person decides; the model gives a reason to look.",
            ),
            (
                "Not for",
                "Judging schools, setting targets, sanctions, or any decision about a pupil by the model alone.",
            ),
            ("Pupils learned from", self._pupils_words(from_year)),
            (
                "Outcomes",
                f"Of the whole of {after}: the share of sessions missed (fractional logit); persistent absence, missing 10% or more"
                " of one's own possible sessions; severe absence, missing 50% or more (penalised logistic models).",
            ),
            (
                "What it looks at",
                f"{capital(sentence_list(used))}. Terms: {sentence_list(terms)}. Beside these, what earlier intakes of"
                " the school came to, drawn towards all schools (empirical Bayes).",
            ),
            (
                "What lists leave out",
                f"{sentence_list(list(_PROTECTED))}: lists of pupils are made without them. They are protected characteristics, or"
                " stand for one. Free school meals stay in.",
            ),
            (
                "What nothing looks at",
                "Anything after July, names, addresses, reasons of absence, and what schools or families plan.",
            ),
            (
                "Intervals",
                "Of schools: chance among pupils, what is not known of the school, a school's own year, a year that moves all schools."
                " Of a pupil: by how far predictions of pupils alike were off (conformal). They are wide: a pupil's year is hard"
                " to foresee.",
            ),
            (
                "Known limits",
                "It learns from the past: support that works makes it wrong, and it cannot say what support would do. Pupils from"
                " outside the data are not in it. New schools are taken as average ones. Severe absence is rare, and foretold least"
                " well.",
            ),
            (
                "When to fit again",
                "Every year, when a further year group's step is over, and shift to the level found after the first half term. It is"
                " tested again in every run; where it no longer does better than the year before itself, it is not used.",
            ),
            ("In use", self._use_words(from_year)),
            ("Version", "That of the toolkit, at the foot of the page."),
        )
        rows = tuple(Row(label, (Cell(text),)) for label, text in entries)
        return Table(
            id_of("model-card", from_year),
            f"Model card: absence in {after} from {before}",
            "What the models are, for whoever uses them",
            (Column("About the model", align="left"), Column("Answer", align="left")),
            rows,
            source_of(self.learnt_of(from_year)),
        )

    def _looked_at(self, from_year: str) -> tuple[list[str], list[str]]:
        """Return the terms the model uses and the groups of its features."""
        rows = self.learnt_of(from_year).select(measure="pupils").rows
        terms, *groups = next((str(text) for text in rows["about"] if text), "").split(GROUPS_APART)
        return [TERM_LABELS.get(term, term).lower() for term in terms.split()], groups

    def _pupils_words(self, from_year: str) -> str:
        rows = records(self.learnt_of(from_year).select(measure="pupils"))
        parts = []
        for record in rows:
            cohort = said_cohort(from_year, academic_year_before(int(record["academic_year"])))
            number = f"{figure_words(record)} pupils" if not record["symbol"] else "a hidden number of pupils"
            parts.append(f"{number} of {cohort}")
        return (
            f"{sentence_list(parts)}, of all districts of the data, with enough sessions in both years to be compared."
        )

    def _use_words(self, from_year: str) -> str:
        used = {model: self.is_used(model, from_year) for model in (MODEL, TARGETING)}
        parts = [
            f"the model for forecasts of schools is {'used' if used[MODEL] else 'not used'}",
            f"the one for lists of pupils is {'used' if used[TARGETING] else 'not used'}",
        ]
        pupils = Lookup(self.proof_of(from_year), ["measure"])(measure="pupils")
        tested = f" Tested on {figure_words(pupils)} pupils of the area." if is_shown(pupils) else ""
        return f"{sentence_list(parts).capitalize()}.{tested}"


def _effect_cells(record: Record | None) -> list[Cell]:
    """Return figure and interval; neither applies to an outcome without a model."""
    return [Cell(symbol="z")] * 2 if record is None else [rate_of(record), interval_cell(record)]
