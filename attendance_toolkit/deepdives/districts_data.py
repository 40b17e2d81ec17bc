"""The tables behind the comparison of districts, and which figure speaks for a place."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import DeepDive, exact_table
from attendance_toolkit.deepdives._shared import HEADLINE, MAIN_COUNTS, Lookup, Record
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import persistent_absence_rate, severe_absence_rate
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.overview import (
    count_unknown_with,
    latest_year,
    measure_rows,
    with_all_schools,
)
from attendance_toolkit.models.standardisation import indirect_standardisation
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area
from attendance_toolkit.vocabulary.calendar import TERM_LABELS
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES, MEASURE_CORE
from attendance_toolkit.vocabulary.comparators import comparators
from attendance_toolkit.vocabulary.neighbours import neighbours_of

#: Measures that count enrolments: those published with their counts, which have intervals, ranks and a mix.
COUNTED = {"severe_absence_rate": "severe_absentees", "persistent_absence_rate": "persistent_absentees"}
#: The mix of pupils that is held equal.
MIX = ("nc_year", "sex", "fsm_eligible", "sen_provision")
#: Characteristics that make a pupil unclassified where one of them is not recorded.
CLASSIFIED_BY = ("sex", "fsm_eligible", "sen_provision")
UNCLASSIFIED = "Not classified"
_KEYS = ["area_code", "academic_year", "phase"]
_PUBLISHED = ["series", "dataset", "period", "area_level", *_KEYS, *MEASURE_CORE, "decimals"]


class DistrictsData(DeepDive):
    """The figures of an area, of the districts it is compared with or made of, and of the wider areas.

    Local figures are those of the store. What the store does not hold, and pages without a store, are DfE's census
    figures: from the absence bands file with their counts, else as published rates.
    """

    # -- places --------------------------------------------------------------------------------------

    @cached_property
    def whole(self) -> Area | None:
        """The area the districts make up: the area itself, or the combined authority of a local authority."""
        if self.area.level != "Local authority":
            return self.area
        code = self.area.combined_authority_code
        return find_area(code) if code else None

    @cached_property
    def is_between_local(self) -> bool:
        """Whether the districts compared are those of the store; if not, they are compared on published figures."""
        return len(self.inputs.local_districts) > 1

    @cached_property
    def districts(self) -> tuple[Area, ...]:
        """The local authorities that can be compared with each other, by name."""
        if self.is_between_local:
            return self.inputs.local_districts
        return tuple(area for area in self.inputs.districts if not area.is_synthetic)

    @cached_property
    def neighbours(self) -> tuple[Area, ...]:
        """DfE's statistical neighbours of a local authority, nearest first; none of any other area."""
        if self.area.level != "Local authority" or self.area.is_synthetic:
            return ()
        try:
            return neighbours_of(self.area)
        except NoDataError:
            return ()

    @cached_property
    def wider(self) -> tuple[Area, ...]:
        """The wider areas the area is compared with: combined authority, region, England."""
        return self.inputs.compared_areas[1:]

    @cached_property
    def local_codes(self) -> frozenset[str]:
        """Codes of the places with local figures."""
        if not self.is_local:
            return frozenset()
        whole = {self.whole.code} if self.whole is not None and self.is_between_local else set()
        return frozenset({area.code for area in self.inputs.local_districts} | whole)

    @cached_property
    def _public_places(self) -> list[str]:
        """Codes of the places published figures are wanted of."""
        places = (*self.inputs.compared_areas, *self.inputs.districts, *self.neighbours)
        return list(dict.fromkeys(area.code for area in places if not area.is_synthetic))

    # -- cells ---------------------------------------------------------------------------------------

    @cached_property
    def _local(self) -> pd.DataFrame:
        """Local cells of every district and of all of them together, by phase and the mix, all years."""
        cells = self.inputs.local_cells(
            ["phase", *MIX], counts=(*MAIN_COUNTS, "no_absence_enrolments"), keep_unknown=True, districts=True
        )
        if not len(cells[cells["phase"].isin(MAIN_PHASES) & (cells["academic_year"] == self.year)]):
            raise NoDataError(
                f"No phase is known of any school of {self.area.name} with pupils to count in {self.shown_year}. Load a"
                " list of schools (a GIAS download) as well; attendance report data_quality says what else the data lack."
            )
        return cells

    @cached_property
    def _bands(self) -> pd.DataFrame:
        """Published counts of all places by phase and the mix, all years; empty without DfE's absence bands file."""
        if self.inputs.published is None:
            return pd.DataFrame()
        cells = self.inputs.published_cells("absence_bands", districts=True)
        if self.neighbours:
            near = self.inputs.published.select([area.code for area in self.neighbours]).cells
            near = near[(near["dataset"] == "absence_bands") & (near["academic_year"] <= self.year)]
            near = near[~near["area_code"].isin(cells["area_code"].unique())]
            cells = pd.concat([cells, near], ignore_index=True)
        counts = ["enrolments", *COUNTED.values()]
        cells = cells[cells["phase"] != ALL_SCHOOLS].astype(dict.fromkeys(counts, "float64"))
        return cells[[*_KEYS, *MIX, *counts]]

    def _band_year(self, what: str) -> pd.DataFrame:
        """Return the cells of the last year in the bands file, this year or before."""
        if self._bands.empty or self.area.code not in set(self._bands["area_code"]):
            raise NoDataError(f"{what} need pupil-level data or DfE's absence bands file.")
        year = latest_year(self._bands, self.year, "figures by pupil group")
        return self._bands[self._bands["academic_year"] == year]

    # -- tables --------------------------------------------------------------------------------------

    @exact_table
    def rates(self) -> ExactTable:
        """Overall, persistent and severe absence of each district by phase and year, from pupil-level data."""
        rows = measure_rows(with_all_schools(self._local, _KEYS), _KEYS)
        return self.inputs.local_table(rows[rows["measure"].isin((*HEADLINE, "enrolments"))])

    @exact_table
    def published(self) -> ExactTable:
        """Census rates of all places by phase and year; those of the absence bands file with counts and intervals."""
        codes = self._public_places
        parts = [comparators(codes, series="census")]
        if self.inputs.published is not None:
            files = self.inputs.published.select(codes).rates
            is_year = (files["series"] == "census") & (files["period"] == "year") & (files["characteristic"] == ALL)
            parts.insert(0, files[is_year & files["area_code"].isin(codes)])
        if not self._bands.empty:
            counted = with_all_schools(self._bands, _KEYS)
            rows = pd.concat([persistent_absence_rate(counted, _KEYS), severe_absence_rate(counted, _KEYS)])
            levels = {code: find_area(code).level for code in rows["area_code"].unique()}
            described = {"series": "census", "dataset": "absence_bands", "period": "year"}
            parts.insert(0, rows.assign(**described, area_level=rows["area_code"].map(levels)))
        numbers = dict.fromkeys(["numerator", "denominator", "rate", "lower", "upper"], "float64")
        parts = [part.reindex(columns=_PUBLISHED).astype(numbers) for part in parts if len(part)]
        rows = pd.concat(parts, ignore_index=True)
        rows = rows[rows["measure"].isin(HEADLINE) & (rows["academic_year"] <= self.year)]
        # The first of a figure stands: with its counts before without, a number before a symbol.
        rows = rows.sort_values("symbol", key=lambda text: text != "", kind="stable")
        rows = rows.drop_duplicates([*_KEYS, "measure"]).sort_index()
        return self.inputs.published_table(rows.astype({"academic_year": "int64", "decimals": "Int64"}))

    @exact_table
    def terms(self) -> ExactTable:
        """Headline measures by term, phase and district: local, else the attendance series by term."""
        if self.is_local:
            cells = self.inputs.local_cells(
                ["phase", "term"], counts=(*MAIN_COUNTS, "no_absence_enrolments"), years=[self.year], districts=True
            )
            keys = [*_KEYS, "term"]
            rows = measure_rows(with_all_schools(cells[cells["term"].isin(list(TERM_LABELS))], keys), keys)
            rows = rows[rows["measure"].isin((*HEADLINE, "enrolments"))]
            if not rows["measure"].isin(HEADLINE).any():
                raise NoDataError("The store has sessions of the whole year alone, which cannot be split into terms.")
            return self.inputs.local_table(rows)
        if self.inputs.published is not None:
            files = self.inputs.published.select(self._public_places).rates
            chosen = files["area_code"].isin(self._public_places) & (files["academic_year"] == self.year)
            chosen &= (files["dataset"] == "attendance_series") & (files["characteristic"] == ALL)
            rows = files[chosen & files["period"].isin(list(TERM_LABELS)) & files["measure"].isin(HEADLINE)]
            if len(rows):
                kept = [*_PUBLISHED, "term"]
                return self.inputs.published_table(rows.rename(columns={"period": "term"}).reindex(columns=kept))
        raise NoDataError("Absence by term needs pupil-level data or the attendance series' term files.")

    @exact_table
    def standardised(self) -> ExactTable:
        """Absence expected from the mix of pupils at the rates of a standard, observed over expected, standardised.

        Local: the standard are all districts together. Published: those, and England (column ``standard``).
        """
        if self.is_local and self.is_between_local and self.whole is not None:
            here = self._local[self._local["phase"].isin(MAIN_PHASES) & (self._local["academic_year"] == self.year)]
            rows = _standardised(count_unknown_with(here, self.inputs.policy.merge_unknown), self.whole.code)
            return self.inputs.local_table(rows)
        if self.is_local:
            raise NoDataError(
                "The store holds one district: what its mix of pupils alone would lead to needs the pupils of other"
                " districts, or a page made from DfE's absence bands file."
            )
        if self.area.code == ENGLAND:
            raise NoDataError("The mix of pupils is that of an area beside England's, so England's own page has none.")
        cells = self._band_year("Figures for the mix of pupils")
        whole = [self.whole.code] if self.whole is not None else []
        # The districts are held against all of them together, the area and its districts together against England.
        held = {code: [area.code for area in self.districts] for code in whole}
        held |= {ENGLAND: [self.area.code, *whole]} if self.area.code != ENGLAND else {}
        there = set(cells["area_code"])
        parts = [
            _standardised(cells[cells["area_code"].isin([standard, *codes])], standard).assign(standard=standard)
            for standard, codes in held.items()
            if standard in there and there & set(codes)
        ]
        if not parts:
            raise NoDataError("The absence bands file lacks the areas that the mix of pupils would be held against.")
        rows = pd.concat(parts, ignore_index=True).drop(columns="enrolments")
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands", phase=ALL_SCHOOLS))

    @exact_table
    def unclassified(self) -> ExactTable:
        """Severe absence of pupils whose sex, free school meals or SEN is not recorded, and of everybody."""
        if self.is_local:
            cells = self._local[self._local["academic_year"] == self.year]
        else:
            cells = self._band_year("Figures for pupils not classified")
        cells = cells[cells["phase"].isin(MAIN_PHASES)]
        missing = cells[list(CLASSIFIED_BY)].isin(["Unknown"]).any(axis=1)
        keys = ["area_code", "academic_year"]
        everybody = severe_absence_rate(cells, keys).assign(classification=ALL)
        some = severe_absence_rate(cells[missing], keys).assign(classification=UNCLASSIFIED)
        # A place without such pupils has a row saying so.
        none = everybody[~everybody["area_code"].isin(some["area_code"])]
        empty = none.assign(classification=UNCLASSIFIED, symbol="z", enrolments=0.0, numerator=0.0, denominator=0.0)
        empty[["rate", "lower", "upper"]] = float("nan")
        rows = pd.concat([everybody, some, empty], ignore_index=True).assign(phase=ALL_SCHOOLS)
        if self.is_local:
            return self.inputs.local_table(rows)
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands"))

    # -- which figures speak for a place -------------------------------------------------------------

    @cached_property
    def _rates_lookup(self) -> Lookup:
        return Lookup(self.rates, [*_KEYS, "measure"])

    @cached_property
    def _published_lookup(self) -> Lookup:
        return Lookup(self.published, [*_KEYS, "measure"])

    def figure(self, code: str, measure: str, year: int = 0, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return a place's figure: local where the store holds the place, else the census figure."""
        lookup = self._rates_lookup if code in self.local_codes else self._published_lookup
        return lookup(area_code=code, academic_year=year or self.year, phase=phase, measure=measure)

    def compared(self, code: str, measure: str, year: int = 0, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return a district's figure for the comparison of districts, in which all are of one series."""
        if self.is_between_local:
            return self.figure(code, measure, year, phase)
        return self._published_lookup(area_code=code, academic_year=year or self.year, phase=phase, measure=measure)

    def own(self, measure: str, year: int = 0, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return the area's own figure."""
        return self.figure(self.area.code, measure, year, phase)

    def require_districts(self) -> None:
        """Raise NoDataError, with the reason, where there are no districts to compare."""
        if self.area.code == ENGLAND:
            raise NoDataError(
                "England's local authorities are too many for this page. Ask for a region or a combined authority."
            )
        if len(self.districts) < 2:
            raise NoDataError(
                f"The store holds {self.area.name} alone, and there are no published figures of its neighbours, so it cannot"
                " be compared with other districts."
            )


def _standardised(cells: pd.DataFrame, standard: str) -> pd.DataFrame:
    """Return rows of the statistics of indirect standardisation for each area but the standard itself."""
    keys = ["area_code", "academic_year"]
    base = cells[cells["area_code"] == standard]
    areas = cells[cells["area_code"] != standard]
    sizes = add_cells(areas, keys)[[*keys, "enrolments"]]
    parts = []
    for measure, count in COUNTED.items():
        found = indirect_standardisation(
            areas, by=keys, strata=MIX, events=count, trials="enrolments", standard=base
        ).merge(sizes, on=keys, validate="one_to_one")
        stem = measure.removesuffix("_rate")
        for name, value, ends in (
            (f"{measure}_expected", "expected_rate", None),
            (f"{measure}_standardised", "standardised_rate", ("standardised_lower", "standardised_upper")),
            (f"{stem}_ratio", "ratio", ("ratio_lower", "ratio_upper")),
        ):
            part = found[[*keys, "enrolments"]].assign(measure=name, rate=found[value])
            part["numerator"], part["denominator"] = float("nan"), float("nan")
            part["lower"], part["upper"] = (found[end] for end in ends) if ends else (float("nan"), float("nan"))
            parts.append(part.assign(symbol=part["rate"].isna().map({True: "z", False: ""})))
    return pd.concat(parts, ignore_index=True)
