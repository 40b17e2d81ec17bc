"""The tables of pupils followed from one period to the next, and what is worked out from them once they are cleared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import counts_symbol, derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._others import share_of
from attendance_toolkit.deepdives._outcomes import added_up, outcome_rows, topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives.longitudinal_data import LongitudinalData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95
from attendance_toolkit.metrics.following import flow_cells, moves_cells, recovery_cells
from attendance_toolkit.metrics.overview import count_unknown_with
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.outcomes import (
    AFTER,
    BANDS,
    BEFORE,
    FROM_DISTRICT,
    IN_A_BAND,
    JOINED,
    MOVES,
    NOT_AFTER,
    NOT_BEFORE,
    NOT_SEEN,
    RECOVERED,
    RECOVERY,
    TEN_BEFORE,
    TEN_OR_MORE,
    TERM_STEPS,
    TO_DISTRICT,
    TOO_FEW,
    YEAR_TO_YEAR,
)

#: Characteristics by which the flows of the last year are shown.
FLOW_GROUPS = ("fsm_eligible", "sen_provision", "sex")
#: Thresholds of absence as outcomes.
SEVERE = BANDS[-1]
THRESHOLDS = (TEN_OR_MORE, SEVERE)
#: Groups of pupils that are in a band before: the bands, and several together.
IN_BANDS = (*BANDS, TEN_OR_MORE, IN_A_BAND)
#: What pupils are in no band before, and in no band after.
NEW, GONE = BEFORE[len(BANDS) :], AFTER[len(BANDS) :]
#: Statistics of a threshold (``persistence``).
STAYED, LEFT_IT, ENTERED = "persistence_rate", "exit_rate", "entry_rate"
#: Where pupils at a threshold come from: they were at it, below it, or in no band.
ORIGINS = ("At the threshold before", "Below it before", "In no band before")

_TOGETHER = {TEN_OR_MORE: BANDS[2:], IN_A_BAND: BANDS}
#: Very few come to a band from too few sessions: they are shown with those who joined.
_SHOWN_BEFORE = {
    **{name: (name,) for name in BEFORE},
    JOINED: (JOINED, TOO_FEW),
    **_TOGETHER,
    NOT_BEFORE: NEW,
    ALL: BEFORE,
}
_SHOWN_AFTER = {**{name: (name,) for name in AFTER}, **_TOGETHER, NOT_AFTER: GONE}
_BY = ["area_code", "academic_year", "step", "phase", "characteristic", "level", "band_before"]
#: What pupils were -> what became of them.
Outcomes = Mapping[str, tuple[str, ...]]
#: What entry, exit and persistence are made of. By school type and pupil group those at 50% are too few: who of them is in
#: no band any more would be hidden nearly everywhere.
_OF_GROUPS: Outcomes = {TEN_OR_MORE: (TEN_OR_MORE, NOT_AFTER), IN_A_BAND: (TEN_OR_MORE, NOT_AFTER)}
_OF_TERMS: Outcomes = {SEVERE: (SEVERE,), TEN_OR_MORE: (TEN_OR_MORE,), IN_A_BAND: (SEVERE, TEN_OR_MORE)}
_OF_LAST_TERMS: Outcomes = {**_OF_TERMS, **dict.fromkeys(BANDS, BANDS)}
#: Figures that are added (1) or taken away (-1).
Signed = Sequence[tuple[Record | None, int]]
_NEEDS_PUPILS = "Following pupils from term to term and from year to year needs pupil-level data."
#: Year groups that change school in most places whatever becomes of them.
_TRANSFER = "7"


class LongitudinalFlowsData(LongitudinalData):
    """Pupils of the area's main schools followed from year to year and from term to term."""

    # -- exact tables --------------------------------------------------------------------------------

    def _require_steps(self, by: str) -> None:
        """Raise NoDataError, with the reason, where no period can be followed to the next."""
        if not self.is_local:
            raise NoDataError(_NEEDS_PUPILS)
        try:
            steps = self.inputs.followed(by).steps
        except NoDataError:
            steps = ()
        if not steps:
            unit = "academic years" if by == "year" else "terms"
            raise NoDataError(f"Pupils can be followed only between {unit} one after another; the store has none.")

    @cached_property
    def _has_other_districts(self) -> bool:
        """Whether the store has districts beside the area's, so that who moved there is told from who left."""
        assert self.inputs.store is not None
        return bool(set(self.inputs.store.la_codes()) - set(self.inputs.local_members[self.area.code]))

    @exact_table
    def flows(self) -> ExactTable:
        """What pupils in each band are a period later: columns ``step``, ``band_before``, ``outcome``.

        Year to year: of pupils in a band before, after or both; the school type is that of the later year, or of the earlier
        one where the pupil has gone. Term to term: of pupils in a band in both, since very few come and go within a year.
        """
        makers = {"year": self._year_flows, "term": self._term_flows}
        parts = [make() for by, make in makers.items() if self.is_local and self._has_steps(by)]
        if not parts:
            self._require_steps("year")
        rows = pd.concat(parts, ignore_index=True).assign(area_code=self.area.code)
        return self.inputs.local_table(rows, topic=topic_of("pupils followed", self.area))

    def _has_steps(self, by: str) -> bool:
        try:
            self._require_steps(by)
        except NoDataError:
            return False
        return True

    def _year_flows(self) -> pd.DataFrame:
        """Return the rows from year to year: the matrix of all schools, the thresholds by school type and characteristic."""
        cells = self._flow_cells("year", FLOW_GROUPS)
        cells = cells[cells["band_before"].isin(BANDS) | cells["outcome"].isin(BANDS)]
        last = cells[cells["academic_year"] == cells["academic_year"].max()]
        parts = [_flow_rows(cells, ALL_SCHOOLS, self._matrix)]
        parts += [_flow_rows(cells, phase, _OF_GROUPS) for phase in MAIN_PHASES]
        parts += [
            _flow_rows(last.assign(characteristic=name, level=last[name]), ALL_SCHOOLS, _OF_GROUPS)
            for name in FLOW_GROUPS
        ]
        return pd.concat(parts, ignore_index=True)

    def _term_flows(self) -> pd.DataFrame:
        """Return the rows from term to term: the thresholds, and the bands for the last step of each kind."""
        cells = self._flow_cells("term", ())
        cells = cells[cells["band_before"].isin(BANDS) & cells["outcome"].isin(BANDS)]
        is_last = cells["academic_year"] == cells.groupby("step")["academic_year"].transform("max")
        parts = [
            _flow_rows(part, ALL_SCHOOLS, outcomes)
            for part, outcomes in ((cells[~is_last], _OF_TERMS), (cells[is_last], _OF_LAST_TERMS))
            if len(part)
        ]
        return pd.concat(parts, ignore_index=True)

    def _flow_cells(self, by: str, characteristics: Sequence[str]) -> pd.DataFrame:
        cells = flow_cells(self.inputs.followed(by), ["phase", *characteristics])
        cells = count_unknown_with(cells[cells["phase"].isin(MAIN_PHASES)], self.inputs.policy.merge_unknown)
        return cells.rename(columns={"band_after": "outcome"}).assign(
            area_code=self.area.code, characteristic=ALL, level=ALL
        )

    @property
    def _matrix(self) -> Outcomes:
        """What became of pupils, by what they were, as far as it can be: a status that nobody can have would be hidden.

        Few are new, and few are gone but for those who finished Year 11: which bands the new ones come to, and from which
        bands the others went, would be hidden nearly everywhere, and figures of many with them.
        """
        cannot = () if self._has_other_districts else (TO_DISTRICT, FROM_DISTRICT)
        gone, new = ([name for name in names if name not in cannot] for names in (GONE, NEW[1:]))
        return {
            **dict.fromkeys(BANDS, (*BANDS, NOT_AFTER)),
            TEN_OR_MORE: (TEN_OR_MORE, NOT_AFTER),
            IN_A_BAND: (*BANDS, TEN_OR_MORE, NOT_AFTER, *gone),
            **dict.fromkeys(new, (ALL,)),
            **dict.fromkeys((NOT_BEFORE, ALL), THRESHOLDS[::-1]),
        }

    @exact_table
    def recoveries(self) -> ExactTable:
        """What became of pupils who newly missed 10%, or 50%, of their sessions in a term."""
        self._require_steps("term")
        cells = recovery_cells(self.inputs.followed("term"), ["phase"])
        cells = cells[cells["phase"].isin(MAIN_PHASES)].groupby(["threshold", "outcome"])["pupils"].sum().reset_index()
        sizes = cells.groupby("threshold")["pupils"].sum().reset_index()
        wanted = pd.DataFrame(list(product(THRESHOLDS, RECOVERY)), columns=["threshold", "outcome"])
        rows = outcome_rows(sizes, cells, wanted, "recovery_rate")
        rows = rows.assign(area_code=self.area.code, academic_year=self.year, phase=ALL_SCHOOLS)
        return self.inputs.local_table(rows, topic=topic_of("pupils newly absent", self.area))

    @exact_table
    def moves(self) -> ExactTable:
        """Absence before and after of pupils who changed school between two years, and of those who did not.

        Pupils in Year 7 of the later year are left out: nearly all of them change school.
        """
        self._require_steps("year")
        cells = moves_cells(self.inputs.followed("year"), ["phase", "nc_year"])
        kept = cells["phase"].isin(MAIN_PHASES) & (cells["nc_year"] != _TRANSFER)
        cells = cells[kept & cells["band_before"].isin(BANDS) & cells["band_after"].isin(BANDS)]
        by = ["academic_year", "step", "move"]
        moves = MOVES if len(self.inputs.local_members[self.area.code]) > 1 else MOVES[:2]
        cells = cells[cells["move"].isin(moves)]
        before = cells[cells["band_before"].isin(BANDS[2:])].groupby(by)["pupils"].sum()
        after = cells[cells["band_after"].isin(BANDS[2:])].groupby(by)["pupils"].sum()
        counted = pd.concat(
            [before.reset_index().assign(outcome=TEN_BEFORE), after.reset_index().assign(outcome=TEN_OR_MORE)]
        )
        steps = cells[["academic_year", "step"]].drop_duplicates()
        wanted = steps.merge(pd.DataFrame({"move": moves}), how="cross")
        wanted = wanted.merge(pd.DataFrame({"outcome": (TEN_BEFORE, TEN_OR_MORE)}), how="cross")
        rows = outcome_rows(cells.groupby(by)["pupils"].sum().reset_index(), counted, wanted, "flow_rate")
        rows = rows.assign(area_code=self.area.code, phase=ALL_SCHOOLS)
        return self.inputs.local_table(rows, topic=topic_of("pupils who moved", self.area))

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _flows_lookup(self) -> Lookup:
        return Lookup(self.flows, [*_BY, "outcome", "measure"])

    def flow(
        self,
        before: str,
        outcome: str,
        *,
        step: str = YEAR_TO_YEAR,
        year: int = 0,
        phase: str = ALL_SCHOOLS,
        characteristic: str = ALL,
        level: str = ALL,
    ) -> Record | None:
        """Return how many pupils of a band before have an outcome; the outcome "All" is how many pupils there are."""
        return self._flows_lookup(
            area_code=self.area.code, academic_year=year or self.last_step_year, step=step, phase=phase,
            characteristic=characteristic, level=level, band_before=before, outcome=outcome,
            measure="pupils" if outcome == ALL else "flow_rate",
        )  # fmt: skip

    @cached_property
    def flow_steps(self) -> tuple[tuple[str, int], ...]:
        """(step, academic year of the later period) in the order of time, years first."""
        rows = self.flows.rows[["step", "academic_year"]].drop_duplicates()
        order = {name: place for place, name in enumerate((YEAR_TO_YEAR, TERM_STEPS[2], *TERM_STEPS[:2]))}
        found = [(str(step), int(year)) for step, year in zip(rows["step"], rows["academic_year"], strict=True)]
        return tuple(sorted(found, key=lambda one: (one[0] != YEAR_TO_YEAR, one[1], order[one[0]])))

    @cached_property
    def last_step_year(self) -> int:
        """The later year of the last step from year to year."""
        years = [year for step, year in self.flow_steps if step == YEAR_TO_YEAR]
        if not years:
            raise NoDataError(
                "Pupils can be followed from year to year only between academic years one after another; the store has none."
            )
        return max(years)

    # -- derived tables ------------------------------------------------------------------------------

    @derived_table
    def persistence(self) -> ProtectedTable:
        """Persistence, exit and entry at the thresholds of 10% and 50%, by step, school type and characteristic.

        Of pupils in a band in both periods. Columns ``threshold``, ``step``, ``academic_year``, ``phase``,
        ``characteristic``, ``level``.
        """
        keys = [name for name in _BY if name not in ("area_code", "band_before")]
        groups = self.flows.rows[keys].drop_duplicates().to_dict("records")
        rows = [
            {"threshold": threshold, **group, **row}
            for threshold in THRESHOLDS
            for group in groups
            if threshold == TEN_OR_MORE or (group["phase"] == ALL_SCHOOLS and group["characteristic"] == ALL)
            for row in self._persistence_rows(threshold, **{str(name): value for name, value in group.items()})
        ]
        return derived_from(rows, self.flows)

    def _persistence_rows(self, threshold: str, academic_year: int, **group: Any) -> Iterator[dict[str, Any]]:
        def of(before: str, outcome: str) -> Record | None:
            return self.flow(before, outcome, year=academic_year, **group)

        stayed, now = of(threshold, threshold), of(IN_A_BAND, threshold)
        # Those in a band after as well: from year to year all of a band before, less who is in none after.
        gone = [NOT_AFTER] if group["step"] == YEAR_TO_YEAR else []
        held, seen = (
            [(of(before, ALL), 1), *((of(before, outcome), -1) for outcome in gone)]
            for before in (threshold, IN_A_BAND)
        )
        yield _share_row(STAYED, [(stayed, 1)], held)
        yield _share_row(LEFT_IT, [*held, (stayed, -1)], held)
        below = [*seen, *((record, -sign) for record, sign in held)]
        yield _share_row(ENTERED, [(now, 1), (stayed, -1)], below)

    @derived_table
    def rolls(self) -> ProtectedTable:
        """How many pupils have a band in the later year of the last step: those before, less who went, and who came."""
        before, gone, new = (self.flow(*pair) for pair in ((IN_A_BAND, ALL), (IN_A_BAND, NOT_AFTER), (NOT_BEFORE, ALL)))
        row = _share_row("pupils", [(before, 1), (gone, -1), (new, 1)], [(before, 1), (new, 1)])
        return derived_from([row | {"rate": row["numerator"], "lower": math.nan, "upper": math.nan}], self.flows)

    @derived_table
    def origins(self) -> ProtectedTable:
        """Where the pupils at each threshold in the last year come from: columns ``threshold``, ``origin``."""
        rows = []
        for threshold in THRESHOLDS:
            stayed, held, new, everybody = (
                self.flow(before, threshold) for before in (threshold, IN_A_BAND, NOT_BEFORE, ALL)
            )
            parts: tuple[Signed, ...] = ([(stayed, 1)], [(held, 1), (stayed, -1)], [(new, 1)])
            rows += [
                {"threshold": threshold, "origin": origin, **_share_row("origin_share", part, [(everybody, 1)])}
                for origin, part in zip(ORIGINS, parts, strict=True)
            ]
        return derived_from(rows, self.flows)

    @derived_table
    def recovered(self) -> ProtectedTable:
        """Share of those newly at a threshold who were below it again, by terms since: columns ``threshold``, ``terms_since``.

        Kaplan and Meier's estimate, from what became of them; who is no longer seen is left out from then on.
        """
        lookup = Lookup(self.recoveries, ["threshold", "outcome"])
        rows = []
        for threshold in THRESHOLDS:
            records = {name: lookup(threshold=threshold, outcome=name) for name in RECOVERY}
            # What comes after the second term is one figure of several terms, from which no further step can be told.
            for since in (1, 2):
                needed = [records[name] for name in (*RECOVERED[:since], *NOT_SEEN[:since])]
                symbol = counts_symbol(*needed)
                estimate = None if symbol else _recovered_by(records, since)
                groups = {"threshold": threshold, "terms_since": since}
                rows.append(statistic_row("recovered_share", estimate, symbol, **groups))
        return derived_from(rows, self.recoveries)


def _flow_rows(cells: pd.DataFrame, phase: str, outcomes: Outcomes) -> pd.DataFrame:
    """Return the MEASURE rows of one school type: of each period and group, the outcomes asked for."""
    here = cells if phase == ALL_SCHOOLS else cells[cells["phase"] == phase]
    here = here.assign(phase=phase)[[*_BY, "outcome", "pupils"]]
    shown = added_up(here, "band_before", _SHOWN_BEFORE)
    sizes = shown.groupby(_BY, sort=False)["pupils"].sum().reset_index()
    cells = added_up(shown, "outcome", _SHOWN_AFTER)
    pairs = [(before, outcome) for before, names in outcomes.items() for outcome in names]
    periods = here[_BY[:-1]].drop_duplicates()
    wanted = periods.merge(pd.DataFrame(pairs, columns=["band_before", "outcome"]), how="cross")
    return outcome_rows(sizes, cells, wanted, "flow_rate")


def _share_row(measure: str, part: Signed, whole: Signed) -> dict[str, Any]:
    """Return one count of pupils as a share of another, each made of figures added or taken away, with both counts.

    Where nobody is left of the whole, or rounding leaves fewer than nobody, the share does not apply.
    """
    symbol = symbol_of(*(record for record, _ in (*part, *whole)))
    if symbol:
        return statistic_row(measure, None, symbol)
    events, trials = (
        sum(sign * float(record["numerator"]) for record, sign in side if record is not None) for side in (part, whole)
    )
    if trials <= 0 or not 0 <= events <= trials:
        return statistic_row(measure, Estimate(math.nan))
    return statistic_row(measure, share_of(events, trials)) | {"numerator": events, "denominator": trials}


def _recovered_by(records: dict[str, Record | None], since: int) -> Estimate:
    """Return Kaplan and Meier's estimate of the share recovered after so many terms, with Greenwood's interval.

    The interval is that of log(-log(survival)), which stays between 0 and 1 (Kalbfleisch and Prentice).
    """
    counts = {name: float(record["numerator"]) for name, record in records.items() if record is not None}
    whole = max(
        float(record["denominator"]) for record in records.values() if record is not None and not record["symbol"]
    )
    survival, greenwood = 1.0, 0.0
    for term in range(since):
        at_risk = whole - counts[NOT_SEEN[term]]
        events = counts[RECOVERED[term]]
        if not 0 <= events < at_risk:
            return Estimate(math.nan)
        survival *= 1 - events / at_risk
        greenwood += events / (at_risk * (at_risk - events))
        whole = at_risk - events
    if not 0 < survival < 1:
        return Estimate(1 - survival)
    half = Z95 * math.sqrt(greenwood) / abs(math.log(survival))
    return Estimate(1 - survival, 1 - survival ** math.exp(-half), 1 - survival ** math.exp(half))
