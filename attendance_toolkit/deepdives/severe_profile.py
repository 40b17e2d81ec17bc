"""Who is severely absent: each characteristic, in all schools and within each school type."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from, pooled
from attendance_toolkit.deepdives._others import (
    OTHERS,
    others_cells,
    others_columns,
    others_rows,
    ratio_words,
    without,
)
from attendance_toolkit.deepdives._shared import (
    DEFINED,
    MAINSTREAM,
    Lookup,
    capital,
    level_words,
    or_nothing,
    or_notice,
    ordered_levels,
    rounding_note,
)
from attendance_toolkit.deepdives.severe_data import CROSSED, FURTHER
from attendance_toolkit.deepdives.severe_interaction import (
    SEN_KINDS,
    SevereInteraction,
)
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.crossings import ANY_SEN
from attendance_toolkit.metrics.overview import latest_year
from attendance_toolkit.presentation.blocks import (
    Column,
    Figure,
    Findings,
    Notice,
    Result,
    Row,
    Table,
    Tile,
    Tiles,
)
from attendance_toolkit.presentation.figures import dot_panels
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import (
    compared_with,
    has_interval,
    is_clear,
    is_shown,
    one_in,
    percent,
    said,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, LABELS, MAIN_PHASES
from attendance_toolkit.vocabulary.rounding import show_number

Record = Mapping[str, Any]

SEVERE = "severe_absence_rate"
UNKNOWN = "Unknown"
#: Characteristics of the profile, in the order of its tables.
PROFILED = (
    "phase",
    "nc_year",
    "nc_year_band",
    "fsm_eligible",
    "fsm6",
    "sen_provision",
    "sex",
    "ethnicity_major",
    "first_language",
    "looked_after",
    "social_worker",
)
#: Levels the sentences speak of: what they say of severe absentees ("34% of them are girls"), and the pupils of the level.
_SPOKEN_OF = {
    ("phase", "Secondary"): ("are in secondary schools", "pupils of secondary schools"),
    ("phase", "Special"): ("are in special schools", "pupils of special schools"),
    ("fsm_eligible", "FSM eligible"): ("are eligible for free school meals", "pupils eligible for free school meals"),
    ("fsm_eligible", "Unknown"): (
        "are pupils whose free school meals status is not known",
        "pupils whose free school meals status is not known",
    ),
    ("sen_provision", "Any SEN"): ("have special educational needs", "pupils with special educational needs"),
    ("sen_provision", "EHC plan"): ("have an EHC plan", "pupils with an EHC plan"),
    ("sen_provision", "SEN support"): ("have SEN support", "pupils with SEN support"),
    ("sex", "Female"): ("are girls", "girls"),
    ("first_language", "Other than English"): (
        "have a first language other than English",
        "pupils with a first language other than English",
    ),
    ("looked_after", "Yes"): ("are looked after", "looked after pupils"),
    ("social_worker", "Yes"): ("have a social worker", "pupils with a social worker"),
}
#: Characteristics whose label is not what heads a section.
_HEADINGS = {"nc_year_band": "Year groups"}
_ID = {ALL_SCHOOLS: "all-schools", MAINSTREAM: "year-groups"}


class SevereProfile(SevereInteraction):
    """The profile of severe absentees as blocks, from the cleared tables alone."""

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def profile_year(self) -> int:
        """The academic year of the profile: the one asked for, or the last published before it."""
        rows = self.groups.select(area_code=self.area.code).rows
        return latest_year(rows, self.year, "figures by pupil group")

    @cached_property
    def _profiled(self) -> ProtectedTable:
        chosen = self.groups.select(area_code=self.area.code, academic_year=self.profile_year, measure=SEVERE)
        if chosen.rows.empty:
            raise NoDataError(f"There are no figures by pupil group for {self.area.name}.")
        return chosen

    @cached_property
    def _group(self) -> Lookup:
        return Lookup(self._profiled, ["phase", "characteristic", "level"])

    @cached_property
    def _enrolled(self) -> tuple[Lookup, Lookup]:
        where = {"area_code": self.area.code, "academic_year": self.profile_year, "measure": "enrolments"}
        return (
            Lookup(self.groups.select(**where), ["phase", "characteristic", "level"]),
            Lookup(self.crossed.select(**where), (*CROSSED, *FURTHER)),
        )

    def enrolled(self, phase: str, characteristic: str = ALL, level: str = ALL) -> Record | None:
        """Return the enrolments of a level in a school type, which may be shown where the rate is hidden."""
        groups, crossed = self._enrolled
        if characteristic == "phase":
            return groups(phase=level, characteristic=ALL, level=ALL)
        if phase == ALL_SCHOOLS and characteristic != ALL:
            return crossed(**(dict.fromkeys((*CROSSED, *FURTHER), ALL) | {characteristic: level}))
        return groups(phase=phase, characteristic=characteristic, level=level)

    def everybody(self, phase: str) -> Record | None:
        """Return severe absence of all pupils of a school type; "Primary and secondary" is both together."""
        if phase != MAINSTREAM:
            return self._group(phase=phase, characteristic=ALL, level=ALL)
        both = (self._group(phase=one, characteristic=ALL, level=ALL) for one in ("Primary", "Secondary"))
        return pooled([record for record in both if record is not None])

    def profiled(self, phase: str, characteristic: str, level: str) -> Record | None:
        """Return severe absence of the pupils of a level in a school type."""
        if characteristic == "phase":
            return self._group(phase=level, characteristic=ALL, level=ALL)
        if phase == ALL_SCHOOLS:
            return self.crossing(**{characteristic: level})
        return self._group(phase=phase, characteristic=characteristic, level=level)

    def _levels(self, phase: str) -> Iterator[tuple[str, str]]:
        """Return the levels of a school type's profile in the order of its table."""
        for name, levels in self._by_characteristic.get(phase, {}).items():
            yield from ((name, level) for level in levels)

    @cached_property
    def _by_characteristic(self) -> dict[str, dict[str, list[str]]]:
        """School type -> characteristic -> its levels. Of all schools together the crossings have the levels."""
        found: dict[str, dict[str, list[str]]] = {}
        for phase, rows in self._profiled.rows.groupby("phase", observed=True):
            levels = rows.groupby("characteristic", observed=True)["level"].unique()
            found[str(phase)] = {name: ordered_levels(name, levels[name]) for name in PROFILED if name in levels}
        phases = [one for one in MAIN_PHASES if self.everybody(one) is not None]
        crossed = self.severe_crossings.rows
        names = [name for name in PROFILED if name in (*CROSSED, *FURTHER)]
        found[ALL_SCHOOLS] = {"phase": phases} | {name: ordered_levels(name, crossed[name].unique()) for name in names}
        return found

    def _parts(self, phase: str, characteristic: str, level: str, *, apart: Collection[str] = ()) -> list[Record]:
        """Return the figures that make up everybody, in the levels that go with one of them, without those kept apart."""
        levels = set(self._by_characteristic[phase][characteristic])
        if ANY_SEN in levels:
            # Any SEN is SEN support and EHC plans together: one or the other counts.
            levels -= {ANY_SEN} if level in SEN_KINDS else set(SEN_KINDS)
        found = (self.profiled(phase, characteristic, one) for one in sorted(levels - set(apart)))
        return [record for record in found if record is not None]

    def _total(self, phase: str, characteristic: str, level: str) -> Record | None:
        """Return everybody as the sum of the levels, so that rounded counts agree with each other, or as it is itself."""
        added = pooled(self._parts(phase, characteristic, level))
        return added if is_shown(added) else self.everybody(phase)

    def _rest(self, phase: str, characteristic: str, level: str) -> Record | None:
        """Return all other pupils of whom the characteristic is known: as the sum of their levels, or as what is left."""
        added = pooled(self._parts(phase, characteristic, level, apart=(level, UNKNOWN)))
        if is_shown(added):
            return added
        unknown = None if level == UNKNOWN else self.profiled(phase, characteristic, UNKNOWN)
        return without(self.everybody(phase), self.profiled(phase, characteristic, level), unknown)

    @derived_table
    def profile(self) -> ProtectedTable:
        """Each level beside everybody else of the same school type: risk ratio, risk difference and shares."""
        rows: list[dict[str, Any]] = []
        for phase in self._by_characteristic:
            for name, level in self._levels(phase):
                record, rest = self.profiled(phase, name, level), self._rest(phase, name, level)
                total = self._total(phase, name, level)
                rows += others_rows(record, total, rest=rest, phase=phase, characteristic=name, level=level)
        return derived_from(rows, self.groups, self.crossed)

    @cached_property
    def _beside_others(self) -> Lookup:
        return Lookup(self.profile, ["phase", "characteristic", "level", "measure"])

    def beside_others(self, phase: str, characteristic: str, level: str) -> dict[str, Record | None]:
        """Return the statistics of a level beside everybody else, by their names."""
        lookup = self._beside_others
        return {name: lookup(phase=phase, characteristic=characteristic, level=level, measure=name) for name in OTHERS}

    # -- headline ------------------------------------------------------------------------------------

    @or_notice
    def tiles(self) -> Tiles | Notice:
        """Return the headline tiles: how many severe absentees there are, and who many of them are."""
        total = self.everybody(ALL_SCHOOLS)
        year = show_academic_year(self.profile_year)
        if not is_shown(total):
            return Tiles((Tile("Severe absence", "Not available", f"No figure for {year}."),))
        england = self._england(ALL_SCHOOLS)
        words = capital(compared_with(total, england, "England")) if is_shown(england) else ""
        tiles = [
            Tile(f"Severe absence, {year}", said(total), words),
            Tile("Severe absentees", show_number(total["numerator"]), f"About {one_in(total['rate'])} enrolments"),
        ]
        for (name, level), label in {
            ("phase", "Secondary"): "In secondary schools",
            ("fsm_eligible", "FSM eligible"): "Eligible for free school meals",
            ("sen_provision", "Any SEN"): "With special educational needs",
            ("sen_provision", "EHC plan"): "With an EHC plan",
        }.items():
            found = self.beside_others(ALL_SCHOOLS, name, level)
            share, of = found["share_of_absentees"], found["share_of_enrolments"]
            if is_shown(share) and is_shown(of):
                tiles.append(
                    Tile(label, percent(share["rate"]), f"Of severe absentees; {percent(of['rate'])} of enrolments")
                )
        return Tiles(tuple(tiles))

    def _england(self, phase: str) -> Record | None:
        """Return England's census figure of the same year, unless the area is England itself."""
        if self.area.code == ENGLAND:
            return None
        chosen = self.wider.select(area_code=ENGLAND, academic_year=self.profile_year, measure=SEVERE)
        return Lookup(chosen, ["phase"])(phase=phase)

    # -- profile -------------------------------------------------------------------------------------

    @or_notice
    def profile_table(self, phase: str = ALL_SCHOOLS) -> Table | Notice:
        """Return each level of a school type: counts, rate, risk ratio, risk difference and shares.

        Parameters
        ----------
        phase
            A school type, "All schools", or "Primary and secondary" for the year groups.
        """
        total = self.everybody(phase)
        levels = list(self._levels(phase))
        if total is None or not levels:
            raise NoDataError(f"There are no figures by pupil group for {phase.lower()} schools of {self.area.name}.")
        if not any(is_shown(self.profiled(phase, name, level)) for name, level in levels):
            raise NoDataError(
                f"Severe absence by pupil group in {self._of_whom(phase)} is hidden to protect small numbers, in each group."
            )
        rows = [Row("All pupils", others_cells(total, {}, self.enrolled(phase)), "", True)]
        for name, level in levels:
            found = self.beside_others(phase, name, level)
            cells = others_cells(self.profiled(phase, name, level), found, self.enrolled(phase, name, level))
            rows.append(Row(level_words(name, level), cells, _heading(name)))
        return Table(
            f"profile-{self._id_of(phase)}",
            f"Who is severely absent: {self._of_whom(phase)}, {show_academic_year(self.profile_year)}",
            f"{self.area.name}; {DEFINED[SEVERE]}. Other pupils: all others of the same schools of whom the characteristic is"
            " known",
            (Column("Pupils", align="left"), *others_columns()),
            tuple(rows),
            source_of(self.groups),
            self._profile_notes(phase),
        )

    @staticmethod
    def _id_of(phase: str) -> str:
        return _ID.get(phase, phase.lower().replace(" ", "-"))

    @staticmethod
    def _of_whom(phase: str) -> str:
        if phase == MAINSTREAM:
            return "year groups of primary and secondary schools"
        return "all schools" if phase == ALL_SCHOOLS else f"{phase.lower()} schools"

    def _profile_notes(self, phase: str) -> tuple[str, ...]:
        notes = [
            "A risk ratio of 2 says that the rate is twice that of other pupils. Ratios and differences"
            f" {rounding_note(self.inputs)}",
        ]
        if phase == ALL_SCHOOLS:
            notes.append("Pupils whose characteristic is not known are shown as not known; no pupil is left out.")
            if self.merged:
                names = sentence_list([LABELS[name].lower() for name in self.merged])
                notes.append(f"For {names} those not known are counted with those without.")
        return tuple(notes)

    @or_notice
    def profile_figure(self, phase: str = ALL_SCHOOLS) -> Figure | Notice:
        """Return the rate of each level with its interval, one panel for each characteristic."""
        total = self.everybody(phase)
        records = []
        panels: list[str] = []
        some_unknown = False
        for name, level in self._levels(phase):
            record = self.profiled(phase, name, level)
            some_unknown |= level == UNKNOWN
            if record is not None and level != UNKNOWN:
                panels.append(_heading(name))
                records.append({**record, "panel": _heading(name), "group": level_words(name, level)})
        if not records:
            raise NoDataError(f"There are no figures by pupil group for {phase.lower()} schools of {self.area.name}.")
        rows = pd.DataFrame(records)
        rows["panel"] = pd.Categorical(rows["panel"], list(dict.fromkeys(panels)))
        table = self.groups.with_rows(rows)
        year = show_academic_year(self.profile_year)
        reference = ("all pupils", total["rate"]) if is_shown(total) else None
        return dot_panels(
            table,
            id=f"rates-{self._id_of(phase)}",
            title=self._profile_title(phase),
            subtitle=f"{capital(DEFINED[SEVERE])}, {self.area.name}, {self._of_whom(phase)}, {year}",
            panel="panel",
            category="group",
            references=dict.fromkeys(panels, reference) if reference else None,
            notes=("Pupils whose characteristic is not known are in the table below.",) if some_unknown else (),
        )

    def _profile_title(self, phase: str) -> str:
        """Say which levels are clearly above everybody else, as far as the intervals allow."""
        year = show_academic_year(self.profile_year)
        above = []
        for name, level in self._levels(phase):
            ratio = self.beside_others(phase, name, level)["risk_ratio"]
            if (
                (name, level) in _SPOKEN_OF
                and level != UNKNOWN
                and is_clear(ratio, 1.0)
                and ratio is not None
                and ratio["lower"] > 1
            ):
                above.append((ratio["rate"], _SPOKEN_OF[name, level][1]))
        if not above:
            return f"Severe absence by pupil group, {self._of_whom(phase)}, {year}"
        names = [words for _, words in sorted(above, key=lambda pair: (-pair[0], pair[1]))[:3]]
        if len(above) > len(names):
            return f"In {year} severe absence was clearly more common in several groups, most of all among {sentence_list(names)}"
        return f"In {year} severe absence was clearly more common among {sentence_list(names)} than among other pupils"

    @or_nothing
    def profile_sentences(self, phase: str = ALL_SCHOOLS) -> Findings | Result:
        """Return who the severe absentees are and how often each group is one, as far as the intervals allow."""
        sentences: list[str] = []
        unclear: list[str] = []
        hidden: list[str] = []
        for name, level in self._levels(phase):
            if (name, level) not in _SPOKEN_OF:
                continue
            are, pupils = _SPOKEN_OF[name, level]
            others = "pupils of whom it is known" if level == UNKNOWN else "other pupils"
            found = self.beside_others(phase, name, level)
            ratio, share, of = (found[key] for key in ("risk_ratio", "share_of_absentees", "share_of_enrolments"))
            if is_shown(ratio) and is_shown(share) and is_shown(of) and is_clear(ratio, 1.0):
                sentences.append(
                    f"{percent(share['rate'])} of severe absentees {are}, against {percent(of['rate'])} of enrolments:"
                    f" their rate is {ratio_words(ratio)} that of {others}."
                )
            elif is_shown(ratio) and has_interval(ratio):
                unclear.append(f"{pupils}: {ratio_words(ratio)}")
            elif ratio is not None and ratio["symbol"] == "c":
                hidden.append(pupils)
        sentences += self._year_group_sentence() if phase == ALL_SCHOOLS else []
        if unclear:
            sentences.append(f"Not clearly different from the rate of other pupils: {'; '.join(unclear)}.")
        if hidden:
            sentences.append(f"Hidden to protect small numbers, so nothing is said of {sentence_list(hidden)}.")
        if not sentences:
            sentences = ["No figure by pupil group can be shown."]
        return Findings(tuple(sentences))

    def _year_group_sentence(self) -> list[str]:
        """Return in which year groups severe absence is clearly more common than in the others together."""
        above, hidden = [], False
        for name, level in self._levels(MAINSTREAM):
            ratio = self.beside_others(MAINSTREAM, name, level)["risk_ratio"]
            if name != "nc_year" or ratio is None:
                continue
            hidden |= ratio["symbol"] == "c"
            if level.isdigit() and is_clear(ratio, 1.0) and ratio["lower"] > 1:
                above.append(level_words(name, level))
        if not above:
            return []
        return [
            f"In {sentence_list(above)} of primary and secondary schools severe absence is clearly more common than in the"
            f" other year groups together{'; of some year groups it is hidden to protect small numbers' if hidden else ''}."
        ]


def _heading(name: str) -> str:
    return _HEADINGS.get(name, LABELS[name])
