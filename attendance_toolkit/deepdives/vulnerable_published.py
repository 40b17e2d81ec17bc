"""Published absence of children in need, on protection plans and looked after: an area beside England, over the years."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import COVID_NOTE, COVID_YEARS, Lookup, Record, or_nothing, rate_of, the_area
from attendance_toolkit.deepdives.vulnerable_data import VulnerableData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import small_multiples_by_year
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import compared_with, is_shown, said
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS

#: Said wherever a figure of this series stands beside another.
NOT_COMPARABLE = (
    "These figures count pupils matched between two censuses, rounded to 10; absence of all pupils counts enrolments."
    " DfE advises against comparing them."
)
SERIES_NAME, CHARACTERISTIC = "social_care", "social_care_group"
MEASURES = ("overall_absence_rate", "persistent_absence_rate", "severe_absence_rate")
#: DfE's group of looked-after children: those looked after for a year or more.
CARED_FOR = "CLA 12 months at 31 March"
#: DfE's groups -> as rows of a table, and in running text.
PUBLISHED_GROUPS = {
    "CINO at 31 March": ("Children in need", "children in need"),
    "CPPO at 31 March": ("On a child protection plan", "children on a child protection plan"),
    CARED_FOR: ("Looked after for a year or more", "children looked after for a year or more"),
}
_GROUPS_NOTE = (
    "Groups are those at the end of March. Children in need leave out those on a child protection plan or looked after. All"
    " schools include alternative provision."
)
_PHASES = (ALL_SCHOOLS, "Primary", "Secondary", "Special")


class VulnerablePublished(VulnerableData):
    """Blocks of published figures; with pupil-level data there are none."""

    @exact_table
    def social_care(self) -> ExactTable:
        """Published absence of DfE's social-care groups by year and school type, of the area and England."""
        if self.is_local:
            raise NoDataError("Groups are told from pupil-level data here.")
        published = self.inputs.published
        if published is None:
            raise NoDataError("Published figures of social-care groups need DfE's file of them.")
        codes = list(dict.fromkeys((self.area.code, ENGLAND)))
        rows = published.select(codes).rates
        kept = (rows["series"] == SERIES_NAME) & (rows["characteristic"] == CHARACTERISTIC) & (rows["period"] == "year")
        kept &= rows["area_code"].isin(codes) & rows["measure"].isin(MEASURES) & rows["phase"].isin(_PHASES)
        kept &= (rows["academic_year"] <= self.year) & rows["characteristic_level"].isin(list(PUBLISHED_GROUPS))
        rows = rows[kept]
        if rows.empty:
            raise NoDataError(
                f"The published files have no figures of children in need, on protection plans or looked after for"
                f" {self.area.name}."
            )
        numbers = dict.fromkeys(["numerator", "denominator", "rate", "lower", "upper"], "float64")
        return self.inputs.published_table(rows.astype({"academic_year": "int64", **numbers}))

    # -- figures -------------------------------------------------------------------------------------

    @cached_property
    def _care_lookup(self) -> Lookup:
        keys = ["area_code", "academic_year", "phase", "characteristic_level", "measure"]
        return Lookup(self.social_care, keys)

    def published_figure(
        self, group: str, measure: str, *, code: str = "", phase: str = ALL_SCHOOLS, year: int = 0
    ) -> Record | None:
        """Return a published figure of a group."""
        return self._care_lookup(
            area_code=code or self.area.code, academic_year=year or self.care_year, phase=phase, characteristic_level=group,
            measure=measure,
        )  # fmt: skip

    @cached_property
    def care_year(self) -> int:
        """The last academic year published for the area, up to that of the page."""
        rows = self.social_care.select(area_code=self.area.code).rows
        shown = rows.loc[rows["symbol"] == "", "academic_year"]
        if shown.empty:
            raise NoDataError(f"Nothing is published of these groups in {self.area.name}.")
        return int(shown.max())

    # -- blocks --------------------------------------------------------------------------------------

    @or_nothing
    def published_notice(self) -> Notice | Result:
        """Return what figures of this page there are without pupil-level data, and what they must not be held against."""
        if self.is_local:
            return Result(())
        lacking = "Other groups, waves and placements need pupil-level data and a list of pupil flags."
        try:
            _ = self.care_year
        except NoDataError as error:
            return Notice(f"{error} {lacking}", "Not available")
        return Notice(
            f"This page was made from published figures alone. {NOT_COMPARABLE} {lacking}", "Pupils, not enrolments"
        )

    @or_nothing
    def published_table_of_groups(self) -> Table | Result:
        """Return absence of each group by school type, England beside."""
        rows = []
        for group, (header, _) in PUBLISHED_GROUPS.items():
            for phase in _PHASES:
                cells = []
                for measure in MEASURES:
                    cells.append(rate_of(self.published_figure(group, measure, phase=phase)))
                    if self._has_england:
                        cells.append(rate_of(self.published_figure(group, measure, code=ENGLAND, phase=phase)))
                if any(cell.symbol != "x" for cell in cells):
                    rows.append(Row(phase, tuple(cells), header, phase == ALL_SCHOOLS))
        columns = [Column("School type", align="left")]
        for name in ("Overall absence", "Persistent absence", "Severe absence"):
            columns.append(Column(self.area.name, name, "%"))
            columns += [Column("England", name, "%")] if self._has_england else []
        return Table(
            "social-care-groups",
            f"Absence of children in need, on protection plans and looked after, {show_academic_year(self.care_year)}",
            f"{self.area.name}; share of sessions, and of pupils",
            tuple(columns),
            tuple(rows),
            source_of(self.social_care),
            (NOT_COMPARABLE, _GROUPS_NOTE),
        )

    @property
    def _has_england(self) -> bool:
        return self.area.code != ENGLAND

    @or_nothing
    def published_sentences(self) -> Findings | Result:
        """Return overall absence of each group beside England, and beside the year before."""
        sentences = []
        for group, (_, words) in PUBLISHED_GROUPS.items():
            own, england = (self.published_figure(group, MEASURES[0], code=code) for code in ("", ENGLAND))
            if not is_shown(own):
                continue
            text = f"In {the_area(self.area)} {words} missed {said(own)} of their sessions in {show_academic_year(self.care_year)}"
            if self._has_england and is_shown(england):
                text += f", {compared_with(own, england, 'England')}"
            sentences.append(f"{text}.")
        if not sentences:
            raise NoDataError("Nothing is published.")
        sentences.append("Published rates of these groups have no intervals here: small differences may be chance.")
        return Findings(tuple(sentences))

    @or_nothing
    def published_figure_of_years(self) -> Figure | Result:
        """Return overall absence of each group over the years, England beside."""
        rows = self.social_care.rows
        rows = rows[(rows["measure"] == MEASURES[0]) & (rows["phase"] == ALL_SCHOOLS)]
        if rows["academic_year"].nunique() < 2:
            raise NoDataError("One year alone is published.")
        names = {self.area.code: self.area.name, ENGLAND: "England"}
        order = {group: place for place, group in enumerate(PUBLISHED_GROUPS)}
        rows = rows.sort_values(
            ["characteristic_level", "area_code", "academic_year"],
            key=lambda column: column.map(order) if column.name == "characteristic_level" else column,
            kind="stable",
        )
        drawn = rows.assign(
            group=rows["characteristic_level"].map({group: header for group, (header, _) in PUBLISHED_GROUPS.items()}),
            series_label=rows["area_code"].map(names),
        )
        years = [show_academic_year(int(year)) for year in (rows["academic_year"].min(), rows["academic_year"].max())]
        return small_multiples_by_year(
            derived_from(_drawn_rows(drawn), self.social_care),
            id="social-care-groups-years",
            title=f"Overall absence of children in need, on protection plans and looked after, {years[0]} to {years[1]}",
            subtitle=f"Share of sessions missed, all schools; {self.area.name}"
            + (" and England" if self._has_england else ""),
            panel="group",
            source=source_of(self.social_care),
            notes=(NOT_COMPARABLE, *((COVID_NOTE,) if set(COVID_YEARS) & set(rows["academic_year"]) else ())),
        )


def _drawn_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows whose figure stands or is marked as missing; nothing else is drawn."""
    kept = rows[rows["symbol"].ne("") | rows["rate"].notna()]
    return [{str(name): value for name, value in row.items()} for row in kept.to_dict("records")]
