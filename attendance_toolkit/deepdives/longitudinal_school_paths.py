"""Trajectories of pupils by school: where more improve, or deteriorate, than in the school type as a whole."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._outcomes import added_up, outcome_rows, topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record, count_of, or_nothing, rate_of
from attendance_toolkit.deepdives.longitudinal_paths import (
    DETERIORATING,
    EXPECTED,
    IMPROVING,
    LongitudinalPaths,
    chance_rows,
)
from attendance_toolkit.deepdives.longitudinal_schools import LongitudinalSchools
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.following import trajectory_cells
from attendance_toolkit.presentation.blocks import Column, Findings, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import has_interval, is_shown, said
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, MAIN_PHASES
from attendance_toolkit.vocabulary.directions import direction_of
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.outcomes import ANY_DETERIORATING, ANY_IMPROVING
from attendance_toolkit.vocabulary.trajectories import trajectory_rules

#: Outcome -> the direction of the trajectories it stands for.
_TOWARDS = {ANY_IMPROVING: IMPROVING, ANY_DETERIORATING: DETERIORATING}
_KEYS = ["phase", "laestab"]
#: Of how many schools of a type the share must be shown for any of them to be told apart.
_ENOUGH_SHOWN = 0.8


class LongitudinalSchoolPaths(LongitudinalSchools, LongitudinalPaths):
    """Pupils followed three years, by the school they are at in the last one."""

    @exact_table
    def school_paths(self) -> ExactTable:
        """Pupils on improving, and on deteriorating, trajectories by school of the last year, and by its school type."""
        if not self.is_local:
            raise NoDataError("Trajectories of pupils by school need pupil-level data.")
        rules = trajectory_rules()
        followed = self.inputs.followed("year")
        if len(followed.periods) < rules.years:
            raise NoDataError(
                "Trajectories by school need three academic years one after another; the store has fewer."
            )
        cells = trajectory_cells(followed, _KEYS, rules)
        cells = cells[cells["phase"].isin(MAIN_PHASES) & (cells["trajectory"] != rules.not_followed)]
        if cells.empty:
            raise NoDataError("No pupil of these schools has enough sessions in each of three years to be followed.")
        cells = cells.rename(columns={"trajectory": "outcome"}).drop(columns="academic_year")
        cells = cells.assign(laestab=cells["laestab"].astype(str))
        cells = pd.concat([cells, cells.assign(laestab=ALL)], ignore_index=True)
        sizes = cells.groupby(_KEYS, sort=False)["pupils"].sum().reset_index()
        counted = added_up(cells, "outcome", {name: rules.towards(towards) for name, towards in _TOWARDS.items()})
        wanted = sizes[_KEYS].merge(pd.DataFrame({"outcome": list(_TOWARDS)}), how="cross")
        rows = outcome_rows(sizes, counted, wanted, "trajectory_rate").assign(model="")
        rows = pd.concat([rows, self._school_chances()], ignore_index=True)
        rows = rows.assign(area_code=self.area.code, academic_year=followed.periods[-1].academic_year)
        return self.inputs.local_table(rows, topic=topic_of("pupils followed three years", self.area))

    def _school_chances(self) -> pd.DataFrame:
        """Return the shares of both directions that chance alone would give each school's pupils, and each school type's."""
        followed = self.inputs.followed("year")
        kept, rates = self._followed_rates
        codes, names = followed.column("phase")
        phase = np.array(names, dtype=object)[codes[kept, -1]]
        school = followed.laestab[kept, -1].astype(str)
        parts = []
        for one in MAIN_PHASES:
            here = phase == one
            for laestab in (ALL, *np.unique(school[here])):
                chosen = here if laestab == ALL else here & (school == laestab)
                if chosen.sum() >= 2:
                    parts.append(_of_directions(chance_rows(rates[chosen])).assign(phase=one, laestab=laestab))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def _school_paths(self) -> Lookup:
        return Lookup(self.school_paths, [*_KEYS, "outcome", "model", "measure"])

    def school_path(self, phase: str, laestab: str, outcome: str) -> Record | None:
        """Return how many pupils of a school, or of all schools of its type, are on trajectories of one direction."""
        return self._school_paths(phase=phase, laestab=laestab, outcome=outcome, model="", measure="trajectory_rate")

    def school_chance(self, phase: str, laestab: str, outcome: str) -> Record | None:
        """Return the share that chance alone would give the school's pupils."""
        return self._school_paths(phase=phase, laestab=laestab, outcome=ALL, model=outcome, measure=EXPECTED)

    def _schools_with_paths(self, phase: str) -> list[str]:
        """Return the schools of a type with pupils followed."""
        rows = self.school_paths.rows
        return [str(code) for code in rows.loc[rows["phase"] == phase, "laestab"].unique() if code != ALL]

    def _told(self, phase: str, outcome: str) -> list[str]:
        """Return the schools of a type with a share that can be shown; none where too many cannot.

        Small shares are hidden first, so that those of the few schools left would all be high.
        """
        every = self._schools_with_paths(phase)
        told = [code for code in every if is_shown(self.school_path(phase, code, outcome))]
        return told if len(told) >= max(_ENOUGH_SHOWN * len(every), 2) else []

    def _apart(self, phase: str, laestab: str, outcome: str) -> str:
        """Return "more" or "fewer" where a school's interval leaves out the share of its school type; else nothing."""
        own, whole = (self.school_path(phase, code, outcome) for code in (laestab, ALL))
        if not (is_shown(own) and is_shown(whole) and has_interval(own)):
            return ""
        return "more" if own["lower"] > whole["rate"] else "fewer" if own["upper"] < whole["rate"] else ""

    # -- blocks --------------------------------------------------------------------------------------

    @or_nothing
    def school_path_sentences(self) -> Findings | Result:
        """Return in how many schools clearly more pupils improve, or deteriorate, than in their school type."""
        sentences = []
        for phase in MAIN_PHASES:
            for outcome, towards in _TOWARDS.items():
                told, every = self._told(phase, outcome), self._schools_with_paths(phase)
                whole = self.school_path(phase, ALL, outcome)
                if not (told and is_shown(whole)):
                    continue
                sides = [self._apart(phase, code, outcome) for code in told]
                count = phrase(f"{len(told)} of {len(every)} {phase.lower()} schools", "schools")
                more, fewer = (_of_them(sides.count(side)) for side in ("more", "fewer"))
                sentences.append(
                    f"{said(whole)} of pupils in {phase.lower()} schools are on {towards} trajectories. The share can be shown of"
                    f" {count}: it is clearly higher in {more} and clearly lower in {fewer}. If schools did not differ,"
                    " chance alone would set about one in twenty apart."
                )
        if not sentences:
            raise NoDataError("The shares of too many schools are hidden.")
        return Findings(tuple(sentences))

    @or_nothing
    def school_path_table(self, phase: str) -> Table | Result:
        """Return the schools of a type in which clearly more or fewer pupils improve or deteriorate, by name."""
        schools = {code for name in _TOWARDS for code in self._told(phase, name) if self._apart(phase, code, name)}
        if not schools:
            raise NoDataError("No school is clearly apart from its school type.")
        rows = []
        for code in [ALL, *sorted(schools, key=self.school_name)]:
            found = {name: self.school_path(phase, code, name) for name in _TOWARDS}
            cells = [count_of(next(filter(is_shown, found.values()), None), "denominator")]
            for name, one in found.items():
                # Beside a hidden share what chance would give would be a guess at it.
                chance = self.school_chance(phase, code, name) if is_shown(one) else one
                cells += [rate_of(one), interval_cell(one), rate_of(chance)]
            header = f"All {phase.lower()} schools" if code == ALL else self.school_name(code)
            rows.append(Row(header, tuple(cells), emphasis=code == ALL))
        last = int(self.school_paths.rows["academic_year"].iloc[0])
        first = academic_year_before(last, trajectory_rules().years - 1)
        return Table(
            f"school-trajectories-{phase.lower()}",
            f"{phase} schools whose pupils improve or deteriorate otherwise than all, {show_academic_year(first)} to"
            f" {show_academic_year(last)}",
            "Pupils with a band in each of three years, at the school in the last one; schools by name",
            (
                Column("School", align="left"),
                Column("Followed"),
                Column("Share", "Improving", "%"),
                Column("95% interval", "Improving"),
                Column("By chance alone", "Improving", "%"),
                Column("Share", "Deteriorating", "%"),
                Column("95% interval", "Deteriorating"),
                Column("By chance alone", "Deteriorating", "%"),
            ),
            tuple(rows),
            source_of(self.school_paths),
            (
                "Listed are schools whose interval leaves out the share of all schools of the type. By chance alone: if each pupil"
                " of the school kept a level of their own. A school with more absence has more pupils near a threshold, and so"
                " more of both by chance.",
                direction_of("pupil").text,
            ),
        )


def _of_directions(chances: pd.DataFrame) -> pd.DataFrame:
    """Return what chance alone would give each trajectory, added up to the two directions; a sum has no range."""
    share = chances.set_index("model")["rate"]
    rules = trajectory_rules()
    rows = chances.iloc[: len(_TOWARDS)].assign(model=list(_TOWARDS), lower=np.nan, upper=np.nan)
    return rows.assign(rate=[share[list(rules.towards(towards))].sum() for towards in _TOWARDS.values()])


def _of_them(number: int) -> str:
    return phrase(f"{number} of them", "schools") if number else "none of them"
