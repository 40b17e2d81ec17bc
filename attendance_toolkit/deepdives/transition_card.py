"""What a model of a step is: its purpose, its pupils, what it looks at and what not, its coefficients and its limits."""

from __future__ import annotations

from attendance_toolkit.deepdives._shared import Lookup, Record, capital, or_notice, rate_of
from attendance_toolkit.deepdives._step_words import id_of, said_cohort, said_year
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS
from attendance_toolkit.deepdives.transition_proof_data import TransitionProofData
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.transition.proof import MODEL, TARGETING
from attendance_toolkit.presentation.blocks import Cell, Column, Notice, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, records, source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before
from attendance_toolkit.vocabulary.ledger import phrase

_OUTCOMES = {"rate": "Overall absence", "persistent": "Persistent absence", "severe": "Severe absence"}
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

    def _coefficients(self, from_year: str) -> dict[tuple[str, str], dict[str, Record]]:
        """Return (group, feature) -> outcome -> coefficient, in the order of the model."""
        found: dict[tuple[str, str], dict[str, Record]] = {}
        for record in records(self.learnt_of(from_year).select(measure="transition_coefficient")):
            group, _, feature = str(record["outcome"]).partition(": ")
            found.setdefault((group, feature), {})[str(record["model"])] = record
        return found

    @or_notice
    def coefficient_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return the coefficients of the model with all features, with intervals."""
        found = self._coefficients(from_year)
        if not found:
            raise NoDataError("There are no coefficients to show.")
        rows = []
        for (group, feature), by_outcome in found.items():
            cells: list[Cell] = []
            for outcome in _OUTCOMES:
                record = by_outcome.get(outcome)
                cells += [Cell(symbol="z")] * 2 if record is None else [rate_of(record), interval_cell(record)]
            rows.append(Row(phrase(feature, "measures"), tuple(cells), phrase(group, "measures")))
        columns = [Column("Feature", align="left")]
        for words in _OUTCOMES.values():
            columns += [Column("Coefficient", words), Column("95% interval", words)]
        after = said_year(STEPS[from_year])
        return Table(
            id_of("model-coefficients", from_year),
            f"Coefficients of the model of {after}",
            "Log odds; the model with all pupil characteristics, fitted to pupils of all districts of the data",
            tuple(columns),
            tuple(rows),
            source_of(self.learnt_of(from_year)),
            (
                "Above 0: more absence is expected. Absence of the year before is in several columns that belong together, so one"
                " of them alone says little. Coefficients describe; they say nothing of causes. Pupils are compared with boys,"
                " White pupils, those without SEN and those not known to be eligible for free school meals.",
            ),
        )

    @or_notice
    def model_card(self, from_year: str = FIRST) -> Table | Notice:
        """Return what the models are for, what they are made of and what they cannot do."""
        before, after = (said_year(one) for one in (from_year, STEPS[from_year]))
        groups = [group for group, _ in self._coefficients(from_year)]
        words = {**_GROUP_WORDS, f"Year {from_year}": f"absence in {before}"}
        used = [words[group] for group in dict.fromkeys(groups) if group in words]
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
                f"{capital(sentence_list(used))}. Terms: {sentence_list(self._terms(from_year))}. Beside these, what earlier intakes of"
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

    def _terms(self, from_year: str) -> list[str]:
        rows = self.learnt_of(from_year).select(measure="pupils").rows
        named = [str(text) for text in rows["about"] if text]
        return [f"{TERM_LABELS.get(term, term).lower()}" for term in (named[0].split() if named else [])]

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
