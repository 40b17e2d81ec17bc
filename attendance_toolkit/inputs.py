"""What a notebook works on: an authority's own store, published files, or both, for one area and year."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd

from attendance_toolkit.disclosure.policy import Policy, policy_for
from attendance_toolkit.disclosure.release import ClearedTables, ExactTable, Release
from attendance_toolkit.errors import DisclosureError, NoDataError, UnknownAreaError, did_you_mean
from attendance_toolkit.loaders.demo import synthetic_store
from attendance_toolkit.loaders.printed import Printed, read_printed
from attendance_toolkit.loaders.published import Published, read_published
from attendance_toolkit.metrics.cells import DFE_RULES, InclusionRules, absence_cells
from attendance_toolkit.metrics.following import Followed, follow_pupils
from attendance_toolkit.metrics.overview import count_unknown_with, for_areas, measure_rows, with_all_schools
from attendance_toolkit.metrics.transition import StepCohort, link_cohorts
from attendance_toolkit.store import Store
from attendance_toolkit.store.flags import FURTHER_FLAGS, with_flags
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import academic_year_before, parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, CELL_COUNTS
from attendance_toolkit.vocabulary.comparators import comparators
from attendance_toolkit.vocabulary.neighbours import neighbours_of
from attendance_toolkit.vocabulary.rule_schemes import Scheme, own_schemes, rule_scheme
from attendance_toolkit.vocabulary.series import SERIES

#: Later than any year: to look at all a file has.
_ANY_YEAR = 999900


@dataclass(frozen=True, eq=False)
class Inputs:
    """One area, one academic year, one audience, and where the figures come from.

    Attributes
    ----------
    store
        The authority's own pupil-level data, or None.
    published
        Published files, or None; the toolkit's own reference values are used beside them.
    release
        Figures cleared together with those of other pages, or None: then each page clears its own.
    rules
        The authority's own rule schemes, by the name of the toolkit's that each takes the place of.
    """

    area: Area
    academic_year: int
    audience: str
    policy: Policy
    store: Store | None
    published: Published | None
    report_date: str = ""
    contact: str = ""
    release: ClearedTables | None = None
    rules: Mapping[str, Scheme] = field(default_factory=dict)

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
    def districts(self) -> tuple[Area, ...]:
        """The local authorities compared with each other, by name: those of the area, or of its combined authority.

        A local authority in no combined authority is compared with its statistical neighbours; England is not compared
        within itself here.
        """
        wider = self.area
        if self.area.level == "Local authority":
            if not self.area.combined_authority_code:
                return _by_name([self.area, *neighbours_of(self.area)])
            wider = find_area(self.area.combined_authority_code)
        return () if wider.level == "National" else _by_name(local_authorities_in(wider))

    @cached_property
    def local_districts(self) -> tuple[Area, ...]:
        """Those of the districts that the store holds."""
        held = set(self.store.la_codes()) if self.store is not None else set()
        return tuple(area for area in self.districts if area.code in held)

    @cached_property
    def _district_members(self) -> dict[str, Sequence[str]]:
        """Each district in the store, and the area all of them add up to, if there is one."""
        codes = [area.code for area in self.local_districts]
        found: dict[str, Sequence[str]] = {code: [code] for code in codes}
        wider = self.area.combined_authority_code if self.area.level == "Local authority" else self.area.code
        return found | ({wider: codes} if wider and len(codes) > 1 else {})

    @cached_property
    def local_members(self) -> dict[str, Sequence[str]]:
        """The area with those of its local authorities that the store holds."""
        assert self.store is not None
        held = set(self.store.la_codes())
        return {self.area.code: [la.code for la in local_authorities_in(self.area) if la.code in held]}

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
        keep_unknown: bool = False,
        districts: bool = False,
    ) -> pd.DataFrame:
        """Return CELLS of the area: exact figures, for tables that a release will clear.

        Parameters
        ----------
        by
            Group columns besides area and academic year: of PUPIL_TERM, or of lists of pupil flags (``FURTHER_FLAGS``).
        keep_unknown
            Keep "Unknown" apart in the characteristics in which the policy counts it with another level.
        districts
            Cells of every district of the store (``local_districts``), and of the area they add up to.

        Raises
        ------
        NoDataError
            There is no pupil-level data.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        store = self._exact_store()
        members = self._district_members if districts else self.local_members
        relation = store.pupil_terms(
            la_codes=sorted({code for codes in members.values() for code in codes}),
            academic_years=list(years or self.local_years),
        )
        relation = with_flags(relation, store.flags(), [name for name in by if name in FURTHER_FLAGS])
        cells = absence_cells(relation, ["la_code", "academic_year", *by], rules=rules, counts=counts)
        if not keep_unknown:
            cells = count_unknown_with(cells, self.policy.merge_unknown)
        return for_areas(cells, members)

    def followed(self, by: str) -> Followed:
        """Return the area's pupils from period to period, for tables that a release will clear.

        Pupils of the other districts in the store are looked up as well, to tell who moved there from who left.

        Parameters
        ----------
        by
            "term" or "year".

        Raises
        ------
        NoDataError
            There is no pupil-level data.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        store = self._exact_store()
        if by not in self._followed:
            relation = store.pupil_terms(academic_years=list(self.local_years))
            self._followed[by] = follow_pupils(relation, by=by, members=self.local_members[self.area.code])
        return self._followed[by]

    def steps(self, from_year: str = "6") -> tuple[StepCohort, ...]:
        """Return a year group's cohorts up to the year asked for, oldest first, for tables that a release will clear.

        Cohorts are of every district of the store: a model is fitted to all of them, and pupils of one district may go to
        school in another. The last cohort is that of the year asked for; what came of it later, if the store has it, is not
        known where it is predicted.

        Parameters
        ----------
        from_year
            Year group before the step: "6" for the transition to secondary school, "7" for the year after it.

        Raises
        ------
        NoDataError
            There is no pupil-level data, or no pupil of the year group.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        store = self._exact_store()
        if from_year not in self._steps:
            self._steps[from_year] = link_cohorts(
                store.pupil_terms(),
                from_year,
                until=self.academic_year,
                rolls=store.rolls(academic_year_before(self.academic_year, -1)),
                destinations=store.destinations(),
            )
        return self._steps[from_year]

    def marks(self, years: Sequence[int] | None = None) -> duckdb.DuckDBPyRelation:
        """Return single marks of the area's registers (``Store.marks``), for tables that a release will clear.

        Parameters
        ----------
        years
            Academic years; by default the one asked for alone. No rows where no register was loaded.

        Raises
        ------
        NoDataError
            There is no pupil-level data.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        store = self._exact_store()
        return store.marks(self.local_members[self.area.code], list(years or [self.academic_year]))

    def looked_after(self) -> duckdb.DuckDBPyRelation:
        """Return PUPIL_TERM rows of looked-after pupils of the area, for tables that a release will clear.

        Of the years shown (``local_years``), whatever the kind of school.

        Raises
        ------
        NoDataError
            There is no pupil-level data.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        store = self._exact_store()
        rows = store.pupil_terms(self.local_members[self.area.code], list(self.local_years))
        return rows.filter("looked_after = 'Yes'")

    def scheme(self, name: str) -> Scheme:
        """Return a rule scheme: the authority's own of this name if one was given, else the toolkit's."""
        return self.rules.get(name) or rule_scheme(name)

    def support_groups(self) -> pd.DataFrame:
        """Return the pupils given support up to the year after the one asked for, for tables that a release will clear.

        Returns
        -------
        Columns ``upn`` (pseudonym), ``academic_year`` and ``support_group``; a row for each pupil, year and group, in their
        order. Of every district of the store, and of pupils it knows nothing else of.

        Raises
        ------
        NoDataError
            There is no pupil-level data.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        listed = self._exact_store().support_groups().df()
        listed = listed[listed["academic_year"] <= academic_year_before(self.academic_year, -1)].drop_duplicates()
        return listed.sort_values(["academic_year", "support_group", "upn"], ignore_index=True)

    @cached_property
    def _steps(self) -> dict[str, tuple[StepCohort, ...]]:
        return {}

    @cached_property
    def _followed(self) -> dict[str, Followed]:
        return {}

    def _exact_store(self) -> Store:
        """Return the store, unless a release is shown."""
        if self.store is None:
            raise NoDataError("These figures need pupil-level data; only published files were given.")
        if self.release is not None:
            raise DisclosureError(
                "Exact figures cannot be read while a release is shown. Declare the table in the deep dive with exact_table,"
                " so that it is cleared with the others."
            )
        return self.store

    def local_table(self, rows: pd.DataFrame, *, topic: str = "absence") -> ExactTable:
        """Return local MEASURE rows as a table of exact figures, to be cleared by a release."""
        return ExactTable(rows.assign(series=self.series), self.source, topic=topic, is_synthetic=self.is_synthetic)

    def describe_to(self, release: Release) -> None:
        """Tell a release what readers know beside it: published counts, and which areas add up to which."""
        if self.store is None:
            return
        for code, members in (self.local_members | self._district_members).items():
            if len(members) > 1:
                release.add_members(code, members)
        if self.published is not None and not self.area.is_synthetic:
            for dataset in ("absence_bands", "annual_geography"):
                release.add_known(self.published_cells(dataset))

    def published_rates(self, *, areas: Sequence[str] | None = None) -> pd.DataFrame:
        """Return published MEASURE rows (rates) up to the year, for the areas compared.

        From the published files given, else from the toolkit's reference values.
        """
        codes = list(areas or [area.code for area in self.compared_areas])
        known = [code for code in codes if not find_area(code).is_synthetic]
        if self.published is None:
            rows = comparators(known)
        else:
            rows = self._own_level(self.published.select(known).rates)
            # Of the pupils of one characteristic there are rates too; all pupils are meant here.
            rows = rows[rows["characteristic"] == ALL]
            reference = comparators(known)
            keys = ["series", "dataset", "academic_year", "period", "area_code", "phase", "measure"]
            # Files given come first; the reference values fill what they do not have.
            extra = reference.merge(rows[keys].drop_duplicates(), how="left", on=keys, indicator=True)
            rows = pd.concat([rows, reference[(extra["_merge"] == "left_only").to_numpy()]], ignore_index=True)
            if self.area.level == "Combined authority" and self.area.code in codes:
                rows = pd.concat([rows, self._combined_rates()], ignore_index=True)
        numbers = dict.fromkeys(["numerator", "denominator", "rate", "lower", "upper"], "float64")
        rows = rows.astype({"academic_year": "int64", **numbers})
        return rows[rows["academic_year"] <= self.academic_year].reset_index(drop=True)

    def _own_level(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out the member authorities that stand for a combined authority in a selection."""
        return rows[rows["area_code"].isin([area.code for area in self.compared_areas])]

    def _combined_rates(self) -> pd.DataFrame:
        """Census rates of a combined authority: DfE publishes none, so its authorities' counts are added up."""
        found: list[pd.DataFrame] = []
        by = ["area_code", "academic_year", "phase"]
        for dataset in ("absence_bands", "annual_geography"):
            cells = self.published_cells(dataset)
            cells = cells[cells["area_code"] == self.area.code] if len(cells) else cells
            if cells.empty:
                continue
            rows = measure_rows(with_all_schools(cells, by), by)
            # Both datasets have persistent absence; the bands come first.
            seen = {key for part in found for key in zip(part["academic_year"], part["measure"], strict=True)}
            new = [key not in seen for key in zip(rows["academic_year"], rows["measure"], strict=True)]
            found.append(
                rows[new]
                .drop(columns=["enrolments", "contributors", "concentration"])
                .assign(series="census", dataset=dataset, period="year", area_level=self.area.level, reason=ALL)
            )
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def published_cells(self, dataset: str, *, districts: bool = False) -> pd.DataFrame:
        """Return published CELLS of one dataset up to the year, for the areas compared; empty without files.

        A combined authority is its authorities' cells under its own code. Counts are floats, missing where the
        file has none.

        Parameters
        ----------
        districts
            Cells of every district as well (``districts``): those of a combined authority beside the authority's own.
        """
        if self.published is None:
            return pd.DataFrame()
        places = [*self.compared_areas, *(self.districts if districts else ())]
        cells = self.published.select([area.code for area in places if not area.is_synthetic]).cells
        chosen = (cells["dataset"] == dataset) & (cells["academic_year"] <= self.academic_year)
        cells = cells[chosen & (cells["period"] == "year")]
        combined = [area for area in places if area.level == "Combined authority"]
        parts = [cells[cells["area_code"].isin([area.code for area in places if area not in combined])]]
        for area in combined if districts else [area for area in combined if area == self.area]:
            inside = cells["area_code"].isin([la.code for la in local_authorities_in(area)])
            parts.append(cells[inside].assign(area_code=area.code))
        cells = pd.concat(parts, ignore_index=True)
        counts = [name for name in CELL_COUNTS if name in cells.columns]
        return cells.astype(dict.fromkeys(counts, "float64"))

    def published_table(self, rows: pd.DataFrame) -> ExactTable:
        """Return published rows as a table, with their source in words. They are public, and shown as they are."""
        rows = rows.drop(columns="enrolments", errors="ignore").reset_index(drop=True)
        notes = [SERIES[name].note for name in rows["series"].unique()]
        return ExactTable(rows, " ".join(notes), is_published=True)

    def year_groups_of(self, pupils: Iterable[int], academic_year: int) -> tuple[str, ...]:
        """Return the year groups that some pupils were in, of those another follows, for tables that a release will clear.

        Parameters
        ----------
        pupils
            Pseudonyms.
        academic_year
            The year looked at; no year group where the store does not have it.

        Raises
        ------
        NoDataError
            There is no pupil-level data.
        DisclosureError
            A release is being shown, which has all its figures already.
        """
        store = self._exact_store()
        if academic_year not in store.academic_years():
            return ()
        rows = store.pupil_terms(academic_years=[academic_year], columns=["upn", "nc_year"]).distinct().df()
        found = set(rows.loc[rows["upn"].isin(list(pupils)), "nc_year"].astype(str))
        return tuple(name for name in ("R", *map(str, range(1, 13))) if name in found)


def _by_name(areas: Iterable[Area]) -> tuple[Area, ...]:
    return tuple(sorted(areas, key=lambda area: area.name))


def open_inputs(
    *,
    area: str,
    academic_year: str,
    audience: str = "partner",
    store: str = "",
    published: Sequence[str] = (),
    report_date: str = "",
    contact: str = "",
    release: str = "",
    rules: Sequence[str] = (),
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
    report_date, contact
        Printed in the footer.
    release
        Folder of cleared figures, as ``attendance report`` gives it to each notebook. Empty: the page clears its own,
        by the toolkit's default policy.
    rules
        Files of the authority's own rule schemes (YAML), each with the ``replaces`` of the toolkit's scheme it takes the
        place of.

    Raises
    ------
    VocabularyError
        A rule scheme is not sound.
    UnknownAreaError, NoDataError
        The area is not in the input, or the input has nothing for the year; the message lists what it has.
    """
    place = find_area(area)
    year = parse_academic_year(academic_year)
    cleared = ClearedTables.open(Path(release)) if release else None
    policy = policy_for(audience)
    if cleared is not None:
        policy = (
            cleared.policy if audience == "partner" else replace(policy, merge_unknown=cleared.policy.merge_unknown)
        )
    data = Store.open(Path(store)) if store else None
    files = _published(published) if published else None
    if data is None and files is None:
        data = Store.open(synthetic_store())
    inputs = Inputs(place, year, audience, policy, data, files, report_date, contact, cleared, own_schemes(rules))
    _check_coverage(inputs)
    return inputs


@dataclass(frozen=True, eq=False)
class PrintedInputs:
    """A printed report's tables and cards, and the published figures they are held against.

    Attributes
    ----------
    inputs
        Area, year and published files; there is no pupil-level data.
    printed
        What the files hold, or None if no file was given.
    """

    inputs: Inputs
    printed: Printed | None

    @cached_property
    def rates(self) -> pd.DataFrame:
        """Published MEASURE rows of the area and England for every year printed."""
        years = [self.inputs.academic_year]
        if self.printed is not None:
            years += [int(year) for year in self.printed.cells["academic_year"]]
        wide = replace(self.inputs, academic_year=max(years))
        return wide.published_rates(areas=list(dict.fromkeys([self.inputs.area.code, ENGLAND])))


def open_printed(
    *,
    area: str,
    academic_year: str = "",
    audience: str = "partner",
    published: Sequence[str] = (),
    printed: Sequence[str] = (),
    report_date: str = "",
    contact: str = "",
    period: str = "",
    headers: str = "",
) -> PrintedInputs:
    """Return the inputs of a check of printed figures, checked.

    Parameters
    ----------
    academic_year
        For example 2023/24; empty takes the latest full year the tables print. It is also the year of summaries of
        DfE's portal that do not say theirs.
    published
        Files or folders of published statistics; empty takes the toolkit's own reference values.
    printed
        CSV files of printed tables and cards, recognised by their columns, and summaries of DfE's portal.
    report_date, contact
        Printed in the footer.
    period
        Period of summaries of DfE's portal: "year to date" (also if empty), or the term chosen there.
    headers
        File with the user's own map of the headers of portal downloads.

    Raises
    ------
    UnreadableFileError, ParameterError, UnknownAreaError, NoDataError
        A file is not a printed table, is of another area, or nothing published was found in the files.
    """
    place = find_area(area)
    policy = policy_for(audience)
    from attendance_toolkit.loaders.portal import read_headers  # here: no other report needs it

    asked = parse_academic_year(academic_year) if academic_year else None
    words = read_headers(headers) if headers else None
    read = None
    if printed:
        read = read_printed(list(printed), local_area=place.code, academic_year=asked, period=period, headers=words)
    year = parse_academic_year(academic_year) if read is None else asked or read.academic_year
    files = _published(published) if published else None
    return PrintedInputs(Inputs(place, year, audience, policy, None, files, report_date, contact), read)


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
        if not inputs.local_members[inputs.area.code]:
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
    published = inputs.published
    assert published is not None
    whole = replace(inputs, academic_year=_ANY_YEAR)
    rates = whole.published_rates(areas=[inputs.area.code])
    covered = set(rates.loc[(rates["symbol"] == "") & (rates["period"] == "year"), "academic_year"])
    if not covered:
        raise UnknownAreaError(f"The published files have nothing for {inputs.area.name} ({inputs.area.code}).")
    if inputs.academic_year not in covered:
        shown = ", ".join(show_academic_year(int(year)) for year in sorted(covered))
        raise NoDataError(
            f"The published files have nothing for {inputs.area.name} in"
            f" {show_academic_year(inputs.academic_year)}. They have: {shown}."
        )
