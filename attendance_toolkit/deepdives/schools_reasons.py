"""Where a school differs by reason: absence for illness, unauthorised holidays and other unauthorised reasons."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._school_funnels import (
    APART_COLUMNS,
    LIMITS_NOTE,
    SchoolFunnels,
    apart_rows,
    centre_rows,
    school_funnels,
)
from attendance_toolkit.deepdives._shared import Lookup, or_nothing
from attendance_toolkit.deepdives.schools_data import (
    KEYS,
    SchoolsData,
    number_words,
    or_notice,
    schools_words,
)
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import reason_rates, with_contributors
from attendance_toolkit.presentation.blocks import Findings, Notice, Result, Table
from attendance_toolkit.presentation.formats import records, source_of
from attendance_toolkit.vocabulary.columns import MAIN_PHASES, REASON_COLUMNS
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.register_codes import REASON_LABELS

#: Reasons looked at by school: the most frequent, and those a school or the authority acts on.
REASONS = ("auth_illness", "unauth_holiday", "unauth_other")
_BEHIND = tuple(f"{kind}_{reason}" for kind in ("enrolments", "square") for reason in REASONS)
_COUNTS = ("enrolments", "sessions_possible", "sessions_authorised", "sessions_unauthorised", *REASON_COLUMNS, *_BEHIND)
_TOO_FEW = "Reasons of absence need more schools of one school type with figures that can be shown."


class SchoolsReasons(SchoolsData):
    """Blocks on reasons."""

    @exact_table
    def school_reasons(self) -> ExactTable:
        """Sessions missed for some reasons as a share of possible sessions, by school."""
        self.need_pupils()
        cells = self.inputs.local_cells(["phase", "laestab"], counts=_COUNTS, years=[self.year])
        cells = cells[cells["phase"].isin(MAIN_PHASES)]
        if cells.empty:
            raise NoDataError(f"No school type is known of any school of {self.area.name} with pupils to count.")
        cells = cells.assign(laestab=cells["laestab"].astype(str))
        rows = reason_rates(cells, KEYS)
        rows = rows[rows["reason"].isin(REASONS)].reset_index(drop=True)
        return self.inputs.local_table(with_contributors(rows, cells, KEYS))

    @cached_property
    def _reason_funnels(self) -> SchoolFunnels:
        return school_funnels(records(self.school_reasons), "reason")

    @derived_table
    def reason_centres(self) -> ProtectedTable:
        """Share of possible sessions missed for a reason in all schools of a type that can be shown, together."""
        rows = centre_rows(self._reason_funnels, "reason_rate", "reason", self.year)
        return derived_from(rows, self.school_reasons, nothing=_TOO_FEW)

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def reason_sentences(self) -> Findings | Notice:
        """Return in how many schools absence for a reason differs from that of the other schools."""
        if not self._reason_funnels:
            raise NoDataError(_TOO_FEW)
        sentences = [self._phase_reasons(phase) for phase in MAIN_PHASES if self._has_reasons(phase)]
        # Numbers of these sentences count schools.
        return Findings(tuple(phrase(sentence, "schools") for sentence in sentences))

    def _has_reasons(self, phase: str) -> bool:
        return any((phase, reason) in self._reason_funnels for reason in REASONS)

    def _phase_reasons(self, phase: str) -> str:
        parts = []
        for reason in REASONS:
            funnel = self._reason_funnels.get((phase, reason))
            if funnel is None:
                continue
            apart = funnel.apart()
            above = sum(is_above for _, is_above in apart)
            parts.append(
                f"{_reason_said(reason)}: {number_words(above)} above and {number_words(len(apart) - above)} below, of"
                f" {schools_words(len(funnel.rows))}"
            )
        return f"{phase} schools outside the limits, by reason: {'; '.join(parts)}."

    @or_nothing
    def reason_table(self, phase: str) -> Table | Result:
        """Return the schools of a type whose absence for a reason lies outside the limits, by reason and name."""
        centres = Lookup(self.reason_centres, ["phase", "reason"])
        levels = {reason: REASON_LABELS[reason] for reason in REASONS}
        rows = apart_rows(self._reason_funnels, centres, self.names, phase, "reason", levels)
        return Table(
            f"reasons-{phase.lower()}",
            f"{phase} schools whose absence for a reason differs from that of the others, {self.shown_year}",
            f"Sessions missed for the reason as a share of possible sessions; by name, {self.area.name}",
            APART_COLUMNS,
            tuple(rows),
            source_of(self.school_reasons),
            self._reason_notes(phase),
        )

    def _reason_notes(self, phase: str) -> tuple[str, ...]:
        return (
            f"{LIMITS_NOTE.format(what='reason')} Schools record the same absence with different codes, which may be all the"
            f" difference. {phase} schools that are not listed lie within the limits, or their figures are hidden.",
        )


def _reason_said(reason: str) -> str:
    return REASON_LABELS[reason].lower()
