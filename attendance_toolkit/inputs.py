"""What a notebook works on: an authority's own store, published files, or both, for one area and year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from attendance_toolkit.disclosure.policy import Policy, policy_for
from attendance_toolkit.disclosure.protect import protect, protect_published
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError, UnknownAreaError, did_you_mean
from attendance_toolkit.loaders.published import Published, read_published
from attendance_toolkit.metrics.cells import DFE_RULES, InclusionRules, absence_cells
from attendance_toolkit.metrics.overview import for_areas
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import academic_year_before, parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, CELL_COUNTS, MAIN_PHASES
from attendance_toolkit.vocabulary.comparators import comparators
from attendance_toolkit.vocabulary.series import SERIES


@dataclass(frozen=True, eq=False)
class Inputs:
    """One area, one academic year, one audience, and where the figures come from.

    Attributes
    ----------
    store
        The authority's own pupil-level data, or None.
    published
        Published files, or None; the toolkit's own reference values are used beside them.
    """

    area: Area
    academic_year: int
    audience: str
    policy: Policy
    store: Store | None
    published: Published | None
    report_date: str = ""

    @property
    def is_synthetic(self) -> bool:
        """Whether the local figures are of made-up pupils."""
        return self.store is not None and bool(self.store.manifest.get("is_synthetic"))

    @property
    def series(self) -> str:
        """Series of the local figures: "synthetic" or "local"."""
        return "synthetic" if self.is_synthetic else "local"

    @property
    def source(self) -> str:
        """Where the local figures come from, in words."""
        return SERIES[self.series].note

    @cached_property
    def local_years(self) -> tuple[int, ...]:
        """The academic year asked for and up to two before it, as far as the store has them."""
        if self.store is None:
            return ()
        wanted = {academic_year_before(self.academic_year, back) for back in range(3)}
        return tuple(year for year in self.store.academic_years() if year in wanted)

    @cached_property
    def compared_areas(self) -> tuple[Area, ...]:
        """The area itself, then the wider areas it is compared with: combined authority, region, England."""
        wider = [self.area]
        if self.area.combined_authority_code:
            wider.append(find_area(self.area.combined_authority_code))
        if self.area.region_code:
            wider.append(find_area(self.area.region_code))
        if self.area.code != ENGLAND:
            wider.append(find_area(ENGLAND))
        return tuple(dict.fromkeys(wider))

    @cached_property
    def local_members(self) -> dict[str, Sequence[str]]:
        """Areas the store can speak for, with their authorities: the area, and its combined authority if whole."""
        assert self.store is not None
        held = set(self.store.la_codes())
        members: dict[str, Sequence[str]] = {}
        for area in self.compared_areas:
            inside = [la.code for la in local_authorities_in(area)]
            present = [code for code in inside if code in held]
            if present and (area is self.area or set(inside) <= held) and area.level != "National":
                members[area.code] = present
        return members

    def area_name(self, code: str) -> str:
        """Return the name of an area by its code."""
        return find_area(code).name

    def local_cells(
        self,
        by: Sequence[str],
        *,
        rules: InclusionRules = DFE_RULES,
        counts: Sequence[str] = CELL_COUNTS,
        years: Sequence[int] | None = None,
    ) -> pd.DataFrame:
        """Return CELLS of the area (and its combined authority, if the store holds all of it).

        Parameters
        ----------
        by
            Group columns besides area and academic year.
        """
        if self.store is None:
            raise NoDataError("These figures need pupil-level data; only published files were given.")
        codes = sorted({code for part in self.local_members.values() for code in part})
        relation = self.store.pupil_terms(la_codes=codes, academic_years=list(years or self.local_years))
        cells = absence_cells(relation, ["la_code", "academic_year", *by], rules=rules, counts=counts)
        return for_areas(cells, self.local_members)

    def protect_local(self, rows: pd.DataFrame) -> ProtectedTable:
        """Return local MEASURE rows as this audience may see them, parts and totals taken together."""
        lines: dict[str, tuple[str, set[str]]] = {}
        if "phase" in rows.columns:
            lines["phase"] = (ALL_SCHOOLS, {*MAIN_PHASES, "Unknown"})
        for name in ("level", "band"):
            if name in rows.columns:
                lines[name] = (ALL, set(rows[name]) - {ALL})
        rows = rows.assign(series=self.series)
        return protect(rows, self.policy, source=self.source, additive=lines, is_synthetic=self.is_synthetic)

    def published_rates(self, *, areas: Sequence[str] | None = None) -> pd.DataFrame:
        """Return published MEASURE rows (rates) up to the year, for the areas compared.

        From the published files given, else from the toolkit's reference values.
        """
        codes = list(areas or [area.code for area in self.compared_areas])
        known = [code for code in codes if not find_area(code).is_synthetic]
        if self.published is None:
            rows = comparators(known)
        else:
            rows = self.published.select(known).rates
            reference = comparators(known)
            keys = ["series", "dataset", "academic_year", "period", "area_code", "phase", "measure"]
            # Files given come first; the reference values fill what they do not have.
            extra = reference.merge(rows[keys].drop_duplicates(), how="left", on=keys, indicator=True)
            rows = pd.concat([rows, reference[(extra["_merge"] == "left_only").to_numpy()]], ignore_index=True)
        numbers = dict.fromkeys(["numerator", "denominator", "rate", "lower", "upper"], "float64")
        rows = rows.astype({"academic_year": "int64", **numbers})
        return rows[rows["academic_year"] <= self.academic_year].reset_index(drop=True)

    def published_cells(self, dataset: str) -> pd.DataFrame:
        """Return published CELLS of one dataset up to the year, for the areas compared; empty without files."""
        codes = [area.code for area in self.compared_areas if not area.is_synthetic]
        if self.published is None:
            return pd.DataFrame()
        cells = self.published.select(codes).cells
        chosen = (cells["dataset"] == dataset) & (cells["academic_year"] <= self.academic_year)
        return cells[chosen].reset_index(drop=True)

    def show_published(self, rows: pd.DataFrame) -> ProtectedTable:
        """Return published rows ready to show, with their source in words."""
        notes = [SERIES[name].note for name in rows["series"].unique()]
        return protect_published(rows, source=" ".join(notes))


def open_inputs(
    *,
    area: str,
    academic_year: str,
    audience: str = "partner",
    store: str = "",
    published: Sequence[str] = (),
    report_date: str = "",
) -> Inputs:
    """Return the inputs of a notebook, checked.

    Parameters
    ----------
    area
        Name or code of a local authority, combined authority, region or England.
    academic_year
        For example 2023/24.
    audience
        "partner" (small numbers hidden) or "internal".
    store
        Folder made by ``attendance load``. Empty, and no published files: the synthetic demonstration
        data, made on first use.
    published
        Files or folders of published statistics.

    Raises
    ------
    UnknownAreaError, NoDataError
        The area is not in the input, or the input has nothing for the year; the message lists what it has.
    """
    place = find_area(area)
    year = parse_academic_year(academic_year)
    policy = policy_for(audience)
    data = Store.open(Path(store)) if store else None
    files = _published(published) if published else None
    if data is None and files is None:
        from attendance_toolkit.reporting.demo import synthetic_store

        data = Store.open(synthetic_store())
    inputs = Inputs(place, year, audience, policy, data, files, report_date)
    _check_coverage(inputs)
    return inputs


def _published(paths: Sequence[str]) -> Published:
    """Read published files, or open what the runner has read and saved for all its notebooks."""
    if len(paths) == 1 and (Path(paths[0]) / "published.json").is_file():
        files = Published.open(paths[0])
    else:
        files = read_published(list(paths))
    if files.rates.empty and files.cells.empty:
        names = ", ".join(item.name for item in files.unrecognised[:5]) or "no files"
        raise NoDataError(f"No published statistics were found in what was given ({names}).")
    return files


def _check_coverage(inputs: Inputs) -> None:
    if inputs.store is not None:
        held = inputs.store.la_codes()
        if not inputs.local_members:
            names = sorted(find_area(code).name for code in held)
            raise UnknownAreaError(
                f"The store has no pupils of {inputs.area.name}.{did_you_mean(inputs.area.name, names)}"
                f" It holds: {', '.join(names)}."
            )
        if inputs.academic_year not in inputs.store.academic_years():
            years = ", ".join(show_academic_year(year) for year in inputs.store.academic_years())
            raise NoDataError(
                f"The store has no data for {show_academic_year(inputs.academic_year)}. It holds: {years}."
            )
        return
    rates = inputs.published_rates(areas=[inputs.area.code])
    published = inputs.published
    assert published is not None
    cells = published.select([inputs.area.code]).cells
    if rates.empty and cells.empty:
        raise UnknownAreaError(
            f"The published files have nothing for {inputs.area.name} ({inputs.area.code})"
            f" up to {show_academic_year(inputs.academic_year)}."
        )
    covered = set(rates["academic_year"]) | set(cells["academic_year"])
    if inputs.academic_year not in covered:
        shown = ", ".join(show_academic_year(int(year)) for year in sorted(covered))
        raise NoDataError(
            f"The published files have nothing for {inputs.area.name} in"
            f" {show_academic_year(inputs.academic_year)}. They have: {shown}."
        )
