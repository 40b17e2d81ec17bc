"""Write lists of pupils an authority keeps beside the census: school offers for Year 7, and pupils given support.

Nothing here acts on anybody's attendance: the true effect of the support is zero. The draws have random streams of their own,
so that the other files of a cohort are the same with these and without them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from attendance_toolkit.loaders.synthetic._attendance import possible_sessions
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._parameters import AUTHORISED, CODES, UNAUTHORISED, Array
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.measures import PERSISTENT

OFFERS_STREAM, SUPPORT_STREAM = 11, 12
#: Shares of offers of a school the pupil does not come to, and of pupils whom the list lacks.
OTHER_SCHOOL, NO_OFFER = 0.02, 0.03
SUPPORT_GROUP, SUPPORT_YEAR, SUPPORTED = "Transition mentors", 202324, 28
#: In a small cohort there are fewer to choose from; three in five of them are supported at the most.
_MOST_SUPPORTED = (3, 5)


def write_admissions(cohort: SyntheticCohort, folder: Path | str) -> list[Path]:
    """Write the offers of each authority's secondary schools for entry to Year 7, and return the paths.

    ``<dfe code>_school_offers.csv`` has the pupils who enter Year 7 in each September the cohort covers, the last one
    after its last year: about 2% were offered another school of the authority than they come to, and about 3% are not in
    the list. An authority with one secondary school has no other to offer.

    Parameters
    ----------
    cohort
        Of any years and authorities; a list does not depend on which others are asked for.
    folder
        Made if it is not there.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    years = (*cohort.years, academic_year_before(cohort.years[-1], -1))
    paths = []
    for area in cohort.areas:
        rows: list[tuple[str, int, int]] = []
        for year in years:
            rng = np.random.default_rng([cohort.seed, int(area.dfe_code), OFFERS_STREAM, year])
            pupil, school = _entrants(cohort, area.dfe_code, year)
            offered = _offers(rng, school, _secondary(cohort, area.dfe_code))
            is_listed = rng.random(len(pupil)) >= NO_OFFER
            upns = cohort.pupils["upn"].to_numpy(dtype=object)[pupil]
            rows += [(u, year, int(s)) for u, s in zip(upns[is_listed], offered[is_listed], strict=True)]
        header = ("upn", "academic_year", "offered_laestab")
        paths.append(_write(target / f"{area.dfe_code}_school_offers.csv", header, rows))
    return paths


def write_support_groups(cohort: SyntheticCohort, folder: Path | str) -> list[Path]:
    """Write which pupils of Year 7 of 2023/24 each authority gave support, and return the paths.

    ``<dfe code>_support_groups.csv`` has 28 pupils, chosen as an authority would choose them: at random among those who
    missed 10% or more of their sessions in Year 6 at its schools. Their absence is that of anybody: the support does
    nothing. A small cohort has fewer, one without 2022/23 and 2023/24 no such list.

    Parameters
    ----------
    cohort, folder
        As of ``write_admissions``.
    """
    before = academic_year_before(SUPPORT_YEAR)
    if not {before, SUPPORT_YEAR} <= set(cohort.years):
        return []
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    is_persistent = _persistent(cohort, before)
    paths = []
    for area in cohort.areas:
        rng = np.random.default_rng([cohort.seed, int(area.dfe_code), SUPPORT_STREAM])
        pupil, _ = _entrants(cohort, area.dfe_code, SUPPORT_YEAR)
        # Where a pupil missed sessions in another authority, this one does not know.
        eligible = pupil[is_persistent[area.dfe_code][pupil]]
        share, of = _MOST_SUPPORTED
        most = min(SUPPORTED, -(-len(eligible) * share // of))
        chosen = np.sort(rng.choice(eligible, most, replace=False)) if most else eligible
        upns = cohort.pupils["upn"].to_numpy(dtype=object)[chosen]
        rows = [(upn, SUPPORT_YEAR, SUPPORT_GROUP) for upn in upns]
        header = ("upn", "academic_year", "support_group")
        paths.append(_write(target / f"{area.dfe_code}_support_groups.csv", header, rows))
    return paths


def _secondary(cohort: SyntheticCohort, dfe_code: str) -> Array:
    schools = cohort.schools
    chosen = (schools["dfe_code"] == dfe_code) & (schools["phase"] == "SS")
    found: Array = np.sort(schools["laestab"].to_numpy()[chosen.to_numpy()])
    return found


def _entrants(cohort: SyntheticCohort, dfe_code: str, year: int) -> tuple[Array, Array]:
    """Return the pupils (positions) who enter Year 7 of an authority's secondary schools in a September, and the school.

    They are in the order of their numbers, which do not depend on what else the cohort has.
    """
    stays = cohort.enrolments
    pupil, school = stays["pupil"].to_numpy(), stays["laestab"].to_numpy()
    entry = stays["entry_date"].to_numpy().astype("datetime64[D]")
    start = year // 100
    rows = np.flatnonzero(
        np.isin(school, _secondary(cohort, dfe_code))
        & (cohort.pupils["reception_year"].to_numpy()[pupil] == start - 7)
        & (entry >= np.datetime64(f"{start}-08-01"))
        & (entry <= np.datetime64(f"{start}-09-30"))
        & ~stays["is_subsidiary"].to_numpy()
    )
    identity = cohort.pupils["pupil_id"].to_numpy()[pupil[rows]]
    order = np.lexsort((school[rows], entry[rows], identity))
    _, first = np.unique(identity[order], return_index=True)
    rows = rows[order[first]]
    return pupil[rows], school[rows]


def _offers(rng: np.random.Generator, school: Array, schools: Array) -> Array:
    """Return the schools offered: mostly those the pupils come to."""
    is_other = (rng.random(len(school)) < OTHER_SCHOOL) & (len(schools) > 1)
    step = rng.integers(1, max(len(schools), 2), len(school))
    other = schools[(np.searchsorted(schools, school) + step) % len(schools)] if len(schools) else school
    found: Array = np.where(is_other, other, school)
    return found


def _persistent(cohort: SyntheticCohort, year: int) -> dict[str, Array]:
    """Return, by authority, who missed 10% or more of the possible sessions of a year at its schools."""
    sessions = cohort.sessions[cohort.sessions["academic_year"] == year]
    marks = sessions[list(CODES)].to_numpy()
    possible = possible_sessions(marks, covid=False)
    missed = marks[:, AUTHORISED].sum(1, dtype=np.int64) + marks[:, UNAUTHORISED].sum(1, dtype=np.int64)
    stay = sessions["enrolment"].to_numpy()
    pupil = cohort.enrolments["pupil"].to_numpy()[stay]
    authority = cohort.enrolments["laestab"].to_numpy()[stay] // 10_000
    part, of = PERSISTENT
    found = {}
    for area in cohort.areas:
        here = authority == int(area.dfe_code)
        total, absent = (
            np.bincount(pupil[here], weights=counts[here], minlength=len(cohort.pupils))
            for counts in (possible, missed)
        )
        found[area.dfe_code] = (total > 0) & (of * absent >= part * total)
    return found


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path
