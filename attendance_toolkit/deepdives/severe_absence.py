"""The deep dive on severe absence: who is severely absent, with which characteristics together, and what is clear of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attendance_toolkit.deepdives._others import OTHERS
from attendance_toolkit.deepdives._shared import DEFINITIONS, page_head
from attendance_toolkit.deepdives.severe_crossings import SevereCrossings
from attendance_toolkit.deepdives.severe_data import CROSSED, FURTHER
from attendance_toolkit.deepdives.severe_findings import SevereFindings
from attendance_toolkit.deepdives.severe_groups import SevereGroups
from attendance_toolkit.deepdives.severe_models import SevereModels
from attendance_toolkit.deepdives.severe_profile import SEVERE, SevereProfile
from attendance_toolkit.deepdives.severe_sessions import SevereSessions
from attendance_toolkit.deepdives.severe_strata import LEAST_SHOWN
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Notice, PageHead, Result
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, LABELS, MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

Record = Mapping[str, Any]

_DEFINITIONS = (
    f"{DEFINITIONS} Risk ratio: a rate over the rate of everybody else. A crossed group is all pupils with the same"
    " characteristics; its shrunken estimate lies between its own rate and what its characteristics added up say. Groups are"
    " described, not explained: a difference between them is not its cause."
)
#: Statistics of a model that are in ``result.json``.
_MODELLED = (
    "vpc_latent",
    "vpc_response",
    "pcv",
    "median_odds_ratio",
    "auc_strata",
    "auc_next_year",
    "variance_p_value",
)


class SevereAbsence(SevereProfile, SevereSessions, SevereCrossings, SevereGroups, SevereModels, SevereFindings):
    """Severe absence in one area and year as blocks; its tables are those of ``SevereAbsenceData``."""

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        return page_head(
            self.inputs,
            report="severe_absence_intersectional",
            title=f"Severe absence in {self.area.name}",
            subtitle=f"Who misses half of school or more, {self.shown_year}: each characteristic by itself, and several together",
            tables=self.cleared_of("groups", "terms", "wider"),
            definitions=_DEFINITIONS,
        )

    def missing_notice(self) -> Notice:
        """Return what these inputs cannot show, and who is counted."""
        if self.is_local:
            few = phrase(f"groups of fewer than {LEAST_SHOWN} enrolments", "groups")
            text = (
                "Each figure counts enrolments: a pupil of two schools counts twice, as in DfE's statistics. Pupils aged 5 to"
                " 15 on 31 August are counted, boarders are not. The more characteristics are crossed, the fewer pupils are in"
                f" a group: {few} have no rate, and more figures are hidden to protect small"
                " numbers. A hidden figure is never the reason for an order, a colour or a sentence of this page."
            )
            return Notice(text + self._not_known(), "Who is counted")
        year = self._year_shown()
        if year is None:
            return Notice(
                f"The published files given have nothing on severe absence by pupil group in {self.area.name}. Give DfE's"
                " absence bands file as well, or pupil-level data.",
                "What is not here",
            )
        parts = [
            "This page was made from published figures alone: DfE's absence bands file, which counts enrolments by free school"
            " meals, SEN (any or none), sex and year group. Kinds of SEN, ethnic group, first language, social care, terms,"
            " reasons, authorised and unauthorised absence and time on roll need pupil-level data."
        ]
        if self.area.level == "Combined authority":
            parts.append(
                f"DfE publishes no figures for {self.area.name}: those here are its authorities' counts, added up."
            )
        if year != self.year:
            parts.append(f"Figures are for {show_academic_year(year)}, the last year in the file.")
        return Notice(" ".join(parts), "What is not here")

    def _year_shown(self) -> int | None:
        try:
            return self.profile_year
        except NoDataError:
            return None

    def _not_known(self) -> str:
        """Say which characteristics the data do not have of these pupils: all are in one level."""
        try:
            rows = self.groups.select(area_code=self.area.code).rows
        except NoDataError:
            return ""
        held = rows[rows["level"] != ALL].groupby("characteristic")["level"].nunique()
        missing = [LABELS[name].lower() for name in (*CROSSED[:3], "nc_year", *FURTHER) if held.get(name, 0) < 2]
        return f" Not known of these pupils, and so not here: {sentence_list(missing)}." if missing else ""

    # -- results -------------------------------------------------------------------------------------

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        try:
            year = self.profile_year
        except NoDataError:
            return Result(())
        rows: list[Record] = []
        for phase in (ALL_SCHOOLS, *MAIN_PHASES):
            total = self.everybody(phase)
            if total is None:
                continue
            rows.append(self._result(total, SEVERE, year, {"phase": phase}))
            for name, level in self._levels(phase):
                record = self.profiled(phase, name, level)
                groups = {"phase": phase} | {name: level}
                if record is not None and name != "phase":
                    rows.append(self._result(record, SEVERE, year, groups))
                for statistic in OTHERS:
                    found = self.beside_others(phase, name, level)[statistic]
                    if found is not None:
                        rows.append(self._result(found, statistic, year, groups))
        return Result((*rows, *self._model_results(year)))

    def _model_results(self, year: int) -> Iterator[Record]:
        try:
            fitted = self.model.select(area_code=self.area.code)
        except NoDataError:
            return
        for record in records(fitted):
            if record["measure"] in _MODELLED:
                yield self._result(record, record["measure"], year, {"model": record["model"]})

    def _result(self, record: Record, measure: str, year: int, groups: Mapping[str, str]) -> Record:
        named = "-".join(str(level) for level in groups.values()).lower()
        return {
            "id": f"{measure}:{year}:{''.join(c if c.isalnum() else '-' for c in named)}",
            "measure": measure,
            "area": self.area.name,
            "area_code": self.area.code,
            "academic_year": year,
            "groups": dict(groups),
            "series": self.inputs.series if self.is_local else "census",
            **{name: record[name] for name in ("numerator", "denominator", "rate", "lower", "upper", "symbol")},
        }
