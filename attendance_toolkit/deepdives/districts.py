"""The comparison of districts on one page: levels, gaps, ranks, mix and rate, terms, years, pupils not classified."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attendance_toolkit.deepdives._shared import HEADLINE, SHORT, Record, capital, empty_tile, page_head, the_area
from attendance_toolkit.deepdives.districts_data import COUNTED
from attendance_toolkit.deepdives.districts_time import DistrictsTime
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Notice, PageHead, Result, Tile, Tiles
from attendance_toolkit.presentation.narrative import compared_with, is_shown, said, sentence_list
from attendance_toolkit.vocabulary.areas import ENGLAND, local_authorities_in
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.measures import MEASURES


class Districts(DistrictsTime):
    """The comparison of districts as blocks; its tables are those of ``DistrictsData`` and ``DistrictsDerived``."""

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        name = the_area(self.area)
        title = f"{self.area.name} beside other districts: absence from school"
        if self.area.level != "Local authority":
            title = f"The districts of {name} compared: absence from school"
        return page_head(
            self.inputs,
            report="districts",
            title=title,
            subtitle=f"Overall, persistent and severe absence, {self.shown_year}: how districts differ, how sure that is, and"
            " how much of it is the mix of pupils",
            tables=self.cleared_of("rates", "published"),
        )

    def tiles(self) -> Tiles:
        """Return the area's three rates, each compared in words with the wider areas."""
        tiles = []
        for measure in HEADLINE[::-1]:
            record = self.own(measure)
            if not is_shown(record):
                tiles.append(empty_tile(measure, record, self.shown_year))
                continue
            others = [(area, self.figure(area.code, measure)) for area in self.wider]
            words = "; ".join(compared_with(record, other, the_area(area)) for area, other in others if is_shown(other))
            years = self.inputs.local_years if self.area.code in self.local_codes else self._years()
            spark = tuple((self.own(measure, year) or {"rate": None})["rate"] for year in years)
            tiles.append(Tile(MEASURES[measure].label, said(record), capital(words), spark))
        return Tiles(tuple(tiles))

    def missing_notice(self) -> Notice:
        """Return what these inputs cannot show, and on what the comparison rests."""
        if self.is_local:
            return Notice(" ".join(self._local_parts()), "What is compared")
        return Notice(" ".join(self._published_parts()), "What is not here")

    def _local_parts(self) -> Iterable[str]:
        yield (
            "Each figure counts enrolments: a pupil of two schools counts twice, as in DfE's statistics. Districts are"
            " compared by the schools' authority, not by where pupils live."
        )
        if self.is_between_local and self.whole is not None and self.whole.level == "Combined authority":
            held, there = len(self.inputs.local_districts), len(local_authorities_in(self.whole))
            if held < there:
                count = phrase(f"{held} of {there} districts", "districts")
                yield f"The store holds {count}: {self.whole.name} on this page is those alone, added up."
        if self.inputs.is_synthetic:
            yield "England's figures are DfE's; the districts are made up, and their gaps to England mean nothing."

    def _published_parts(self) -> Iterable[str]:
        yield "This page was made from published figures alone. Districts are compared by the schools' authority, not by home."
        if self.area.level == "Combined authority":
            yield f"DfE publishes no figures for {self.area.name}: those here are its authorities' counts, added up."
        year = None
        try:
            year = self.counts_year if self.area.code != ENGLAND else self.year
        except NoDataError:
            yield "Without DfE's absence bands file there are no intervals, no ranks and no comparison of the mix of pupils."
        if year is not None and year != self.year:
            yield (
                f"Ranks, the mix of pupils and pupils not classified are for {show_academic_year(year)}, the last year in DfE's"
                " absence bands file; later rates are published without counts and have no intervals."
            )
        without = [the_area(area) for area in self.wider if not any(self.figure(area.code, name) for name in HEADLINE)]
        if without:
            yield f"There are no figures of {sentence_list(without)} for {self.shown_year}."
        lacking = [
            SHORT[measure].lower() for measure in HEADLINE if measure not in COUNTED and not is_shown(self.own(measure))
        ]
        if lacking:
            yield f"There is no figure for {sentence_list(lacking)} of {the_area(self.area)} in {self.shown_year}."
        elif year is not None:
            yield "Overall absence is published without counts by district, so it has no interval here."

    # -- results -------------------------------------------------------------------------------------

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        rows: list[Record] = []
        for measure in HEADLINE:
            for phase in (ALL_SCHOOLS, *MAIN_PHASES):
                record = self.own(measure, phase=phase)
                if record is not None:
                    rows.append(self._result(record, measure, self.year, self.area.code, {"phase": phase}))
            for area in self.districts:
                record = self.compared(area.code, measure)
                if record is not None:
                    groups = {"phase": ALL_SCHOOLS, "compared as": "district"}
                    rows.append(self._result(record, measure, self.year, area.code, groups))
        for table, year_of, key in (("gaps", "year", "place"), ("ranks", "counts_year", "area_code")):
            rows += self._derived_results(table, year_of, key)
        rows += self._derived_results("mix_parts", "mix_year", "area_code")
        return Result(tuple(rows))

    def _derived_results(self, name: str, year_of: str, key: str) -> Iterable[Record]:
        try:
            table, year = getattr(self, name), getattr(self, year_of)
        except NoDataError:
            return
        for record in table.rows.to_dict("records"):
            if record.get("phase", ALL_SCHOOLS) != ALL_SCHOOLS:
                continue
            groups = {
                label: self.name(str(record[column])) if column in ("against", "standard") else str(record[column])
                for column, label in (
                    ("about", "about"),
                    ("against", "against"),
                    ("standard", "standard"),
                    ("part", "part"),
                )
                if column in record
            }
            yield self._result(record, str(record["measure"]), int(year), str(record[key]), groups)

    def _result(self, record: Record, measure: str, year: int, code: str, groups: dict[str, Any]) -> Record:
        parts = (measure, code.lower(), str(year), *(str(value).lower().replace(" ", "-") for value in groups.values()))
        is_local = code in self.local_codes and groups.get("compared as") != "district"
        return {
            "id": ":".join(parts),
            "measure": measure,
            "area": self.inputs.area_name(code),
            "area_code": code,
            "academic_year": year,
            "groups": groups,
            "series": self.inputs.series if is_local or self.is_between_local else "census",
            **{name: record[name] for name in ("numerator", "denominator", "rate", "lower", "upper", "symbol")},
        }
