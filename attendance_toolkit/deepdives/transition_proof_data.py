"""The tables of the proof: how models of a step did on a year group they had not seen, and what they are made of."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives._step_models import fitted_steps
from attendance_toolkit.deepdives._step_proof_rows import USED, learnt_rows, proof_rows
from attendance_toolkit.deepdives.transition_data import FIRST, NEEDS_PUPILS, SECOND, STEPS, TransitionData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.transition.proof import MODEL, carried_name, rule_name
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL

RATE, PERSISTENT, SEVERE = "overall_absence_rate", "persistent_absence_rate", "severe_absence_rate"


class TransitionProofData(TransitionData):
    """Scores of models and of rules without a model, on the area's pupils of the last step that is over.

    The academic year of a row is the later one of the step.
    """

    # -- exact tables --------------------------------------------------------------------------------

    @exact_table
    def proof(self) -> ExactTable:
        """How the models of the transition did: the columns are those of ``_step_proof_rows.proof_rows``."""
        return self._proof(FIRST)

    @exact_table
    def proof_second(self) -> ExactTable:
        """The same of the step after it."""
        return self._proof(SECOND)

    @exact_table
    def learnt(self) -> ExactTable:
        """Pupils the model in use is fitted to, of all districts of the store, and what it expects of them."""
        return self._learnt(FIRST)

    @exact_table
    def learnt_second(self) -> ExactTable:
        """The same of the step after it."""
        return self._learnt(SECOND)

    def _proof(self, from_year: str) -> ExactTable:
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)
        rows = proof_rows(fitted_steps(self.inputs, from_year), self.inputs.policy.merge_unknown)
        return self.inputs.local_table(rows.assign(area_code=self.area.code), topic=self.followed_topic(from_year))

    def _learnt(self, from_year: str) -> ExactTable:
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)
        rows = learnt_rows(fitted_steps(self.inputs, from_year)).assign(area_code=self.area.code)
        topic = topic_of(f"pupils a forecast of Year {STEPS[from_year]} is learnt from", self.area)
        return self.inputs.local_table(rows, topic=topic)

    # -- cleared figures -----------------------------------------------------------------------------

    def proof_of(self, from_year: str = FIRST) -> ProtectedTable:
        """Return the cleared table of a step's proof.

        Raises
        ------
        NoDataError
            There is none: the sentence says why.
        """
        return self.cleared("proof" if from_year == FIRST else "proof_second")

    def learnt_of(self, from_year: str = FIRST) -> ProtectedTable:
        """Return the cleared table of what a step's model is made of; raises as ``proof_of`` does."""
        return self.cleared("learnt" if from_year == FIRST else "learnt_second")

    @cached_property
    def _proof_lookups(self) -> dict[str, Lookup]:
        return {}

    def tested(
        self,
        measure: str,
        *,
        model: str = "",
        outcome: str = "",
        since: str = "",
        characteristic: str = ALL,
        level: str = ALL,
        predicted: str = ALL,
        from_year: str = FIRST,
    ) -> Record | None:
        """Return a figure of the proof: a score of a model, or what was found of the pupils tested."""
        if from_year not in self._proof_lookups:
            keys = ["measure", "model", "outcome", "since", "characteristic", "level", "predicted"]
            self._proof_lookups[from_year] = Lookup(self.proof_of(from_year), keys)
        return self._proof_lookups[from_year](
            measure=measure, model=model, outcome=outcome, since=since, characteristic=characteristic, level=level,
            predicted=predicted,
        )  # fmt: skip

    def gain(self, measure: str, model: str, from_year: str = FIRST, *, everywhere: bool = False) -> Record | None:
        """Return how much better a model did than the year before itself: its error, or the order it puts pupils in.

        Parameters
        ----------
        measure
            "prediction_rmse", against the year before carried forward, or "prediction_auc", against the rule.
        everywhere
            Among all pupils tested in the data, not the area's alone.
        """
        is_error = measure == "prediction_rmse"
        wanted = {
            "measure": measure, "model": model, "outcome": RATE if is_error else PERSISTENT,
            "since": carried_name(from_year) if is_error else rule_name(from_year),
        }  # fmt: skip
        if not everywhere:
            return self.tested(**wanted, from_year=from_year)
        return Lookup(self.learnt_of(from_year), list(wanted))(**wanted)

    def is_used(self, model: str = MODEL, from_year: str = FIRST) -> bool:
        """Return whether a model is used: it did better than the year before itself when tested."""
        record = self.gain("prediction_rmse", model, from_year)
        return record is not None and record["about"] == USED

    def tested_years(self, from_year: str = FIRST) -> tuple[list[int], int]:
        """Return the years before the step that the tested model learned from, and that of the pupils tested."""
        record = self.tested("pupils", from_year=from_year)
        if record is None:
            return [], 0
        return [int(year) for year in str(record["about"]).split()], academic_year_before(int(record["academic_year"]))
