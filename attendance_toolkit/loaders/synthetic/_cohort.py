"""Put the draws of the authorities together as one cohort of invented pupils."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from attendance_toolkit.errors import ParameterError, UnknownAreaError, did_you_mean
from attendance_toolkit.loaders.synthetic._attendance import Sessions, draw_sessions
from attendance_toolkit.loaders.synthetic._parameters import CODES, PHASE_CODES, SLOTS, YEARS, Array, parameters
from attendance_toolkit.loaders.synthetic._pupils import (
    COHORTS,
    MINOR_CODES,
    Enrolments,
    Pupils,
    border_sizes,
    cohort_size,
    draw_paths,
    draw_pupils,
    join_pupils,
    make_enrolments,
    number_pupils,
)
from attendance_toolkit.loaders.synthetic._pupils import LANGUAGES as LANGUAGE_CODES
from attendance_toolkit.loaders.synthetic._schools import Schools, make_schools
from attendance_toolkit.loaders.synthetic._strata import (
    ETHNIC_LEVELS,
    FSM_LEVELS,
    SEN_LEVELS,
    SEX_LEVELS,
    SHAPE,
    expected_shares,
    stratum_effects,
)
from attendance_toolkit.vocabulary.areas import Area, find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import parse_academic_year

SEED = 20240919
SEN_CODES = ("N", "K", "E")


@dataclass(frozen=True)
class SyntheticCohort:
    """Invented pupils with the truth they were made from.

    Attributes
    ----------
    schools
        One row per school of the chosen authorities: laestab, urn, school_name, phase (PS, SS, SP, PR),
        la_code, dfe_code, is_academy.
    pupils
        One row per pupil ever at one of these schools: pupil_id, upn, birth_date, sex, fsm and so on, as
        they truly are; the columns ending in ``_recorded`` are what the returns say.
    enrolments
        One row per unbroken stay at a school: pupil (position in ``pupils``), laestab, entry_date,
        leaving_date (NaT while on roll), is_subsidiary.
    sessions
        One row per enrolment, academic year and half term (1-2, 3-4, 5, 6), in the order of time:
        enrolment (position in ``enrolments``), academic_year, half_term and one column of sessions for
        each register code.
    truth
        What was planted: ``parameters``, ``strata`` (true effect of each intersection), ``schools``
        (effects and trends), ``pupils`` (severity, stratum, reason for leaving), ``notes``.
    """

    schools: pd.DataFrame
    pupils: pd.DataFrame
    enrolments: pd.DataFrame
    sessions: pd.DataFrame
    truth: dict[str, Any]
    size: str
    seed: int
    years: tuple[int, ...]
    areas: tuple[Area, ...]


@dataclass
class _Draw:
    pupils: Pupils
    enrolments: Enrolments
    sessions: dict[tuple[int, int], Sessions]
    leaving_reason: Array


def generate(
    size: str = "small",
    seed: int = SEED,
    areas: Iterable[str] | str | None = None,
    first_year: int | str = YEARS[0],
    last_year: int | str = YEARS[-1],
) -> SyntheticCohort:
    """Return a seeded cohort of invented pupils of fictitious authorities.

    The rows of an authority do not depend on which others are asked for, nor on the years.

    Parameters
    ----------
    size
        "small" (about 300 pupils an authority), "sample" (about 6,000) or "full" (450,000 in all).
    areas
        Names or codes of synthetic authorities, or of their combined authority; all ten by default.
    first_year, last_year
        Academic years between 2021/22 and 2023/24.

    Raises
    ------
    ParameterError
        An unknown size, or years outside the three.
    UnknownAreaError
        An area that is not one of the synthetic ones.

    >>> cohort = generate("small", areas=["Irwell Bank"])
    >>> sorted(cohort.schools.phase.unique()), cohort.sessions.academic_year.max()
    (['PR', 'PS', 'SP', 'SS'], np.int64(202324))
    """
    wanted, years = _check(size, areas, first_year, last_year)
    return _assemble(size, seed, years, wanted, [_draw_home(size, seed, index) for index in wanted])


def make_synthetic(
    folder: Path | str,
    size: str = "small",
    seed: int = SEED,
    areas: Iterable[str] | str | None = None,
    first_year: int | str = YEARS[0],
    last_year: int | str = YEARS[-1],
) -> list[Path]:
    """Write the files of a synthetic cohort, one authority at a time, and return their paths.

    The files are the same as those of ``write_census_files(generate(...), folder)``, ``write_admissions``,
    ``write_support_groups`` and ``write_meetings``, in less memory.
    """
    from attendance_toolkit.loaders.synthetic._census_files import write_census_files
    from attendance_toolkit.loaders.synthetic._meetings import write_meetings
    from attendance_toolkit.loaders.synthetic._pupil_lists import write_admissions, write_support_groups

    wanted, years = _check(size, areas, first_year, last_year)
    paths: list[Path] = []
    for index in wanted:
        cohort = _assemble(size, seed, years, (index,), [_draw_home(size, seed, index)])
        for write in (write_census_files, write_admissions, write_support_groups, write_meetings):
            paths += write(cohort, folder)
    _border.cache_clear()
    return paths


def _check(
    size: str, areas: Iterable[str] | str | None, first_year: int | str, last_year: int | str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    spec = parameters()
    if size not in spec["sizes"]:
        raise ParameterError(
            f"'{size}' is not a size of the synthetic data. Use one of: {', '.join(spec['sizes'])}."
            + did_you_mean(size, spec["sizes"])
        )
    first, last = parse_academic_year(first_year), parse_academic_year(last_year)
    if first not in YEARS or last not in YEARS or first > last:
        raise ParameterError(f"Synthetic data runs from {YEARS[0]} to {YEARS[-1]}; {first} to {last} was asked for.")
    codes = list(spec["areas"])
    if areas is None:
        wanted = set(range(len(codes)))
    else:
        wanted = set()
        for name in [areas] if isinstance(areas, str) else list(areas):
            area = find_area(name)
            if not area.is_synthetic:
                raise UnknownAreaError(f"'{area.name}' is a real area; synthetic data is for the fictitious ones.")
            inside = [a for a in _synthetic_authorities() if a in local_authorities_in(area)]
            wanted |= {codes.index(a.dfe_code) for a in inside}
    return tuple(sorted(wanted)), tuple(y for y in YEARS if first <= y <= last)


def _synthetic_authorities() -> tuple[Area, ...]:
    return tuple(find_area(code) for code in parameters()["areas"])


@lru_cache(maxsize=2)
def _schools(size: str, seed: int) -> Schools:
    return make_schools(seed, size)


def _draw(
    rng: np.random.Generator, size: str, seed: int, area: int, cohort: Array, change: Array, moves: Array, block: int
) -> _Draw:
    schools = _schools(size, seed)
    dfe_code = int(list(parameters()["areas"])[area])
    pupils = draw_pupils(rng, area, cohort, dfe_code * 1_000_000 + block * 500_000)
    paths = draw_paths(
        rng,
        pupils,
        schools,
        area,
        changes_at_7=change,
        moves_in=moves,
        referral_multiplier=parameters()["sizes"][size]["referral_multiplier"],
    )
    enrolments = make_enrolments(rng, pupils, paths, schools)
    number_pupils(rng, pupils, schools, area, 500 * block)
    strata, _ = stratum_effects(seed)
    return _Draw(pupils, enrolments, draw_sessions(rng, pupils, paths, enrolments, schools, strata), paths.reason)


def _draw_home(size: str, seed: int, area: int) -> _Draw:
    """Return the pupils who stay in one authority's schools."""
    dfe_code, about = list(parameters()["areas"].items())[area]
    rng = np.random.default_rng([seed, int(dfe_code), 2])
    of_year = cohort_size(about, parameters()["sizes"][size])
    changing, moving = border_sizes(size, area)
    counts = np.full(len(COHORTS), of_year - moving / len(COHORTS))
    counts[np.isin(COHORTS + 7, (2022, 2023, 2024))] -= changing
    cohort = np.repeat(COHORTS, np.round(counts).astype(int))
    none = np.zeros(len(cohort), bool)
    return _draw(rng, size, seed, area, cohort, none, np.full(len(cohort), -1), 0)


@lru_cache(maxsize=2)
def _border(size: str, seed: int) -> tuple[_Draw, ...]:
    """Return the pupils of all ten authorities who cross a border: always drawn, whatever is asked for."""
    result = []
    for area, dfe_code in enumerate(parameters()["areas"]):
        rng = np.random.default_rng([seed, int(dfe_code), 3])
        changing, moving = border_sizes(size, area)
        at_7 = np.repeat([2015, 2016, 2017], changing)
        year = rng.integers(0, len(YEARS), moving)
        group = rng.integers(1, 12, moving)
        cohort = np.concatenate([at_7, 2021 + year - group])
        change = np.r_[np.ones(len(at_7), bool), np.zeros(moving, bool)]
        moves = np.r_[np.full(len(at_7), -1), year]
        result.append(_draw(rng, size, seed, area, cohort, change, moves, 1))
    return tuple(result)


def _parts(draws: list[_Draw], schools: Schools, wanted: tuple[int, ...]) -> Iterator[tuple[_Draw, Array]]:
    """Yield each draw with the enrolments of it that are in the wanted authorities."""
    for draw in draws:
        yield draw, np.isin(schools.area[draw.enrolments.school], wanted)


def _assemble(
    size: str, seed: int, years: tuple[int, ...], wanted: tuple[int, ...], homes: list[_Draw]
) -> SyntheticCohort:
    schools = _schools(size, seed)
    kept: list[Pupils] = []
    reasons, owner, school, entry, leaving, subsidiary = [], [], [], [], [], []
    rows: dict[tuple[int, int], list[tuple[Array, Array]]] = {(y, s): [] for y in range(len(YEARS)) for s in range(4)}
    pupil_offset = enrolment_offset = 0
    for draw, keep in _parts([*homes, *_border(size, seed)], schools, wanted):
        stays = draw.enrolments
        pupil_kept = np.zeros(len(draw.pupils), bool)
        pupil_kept[stays.pupil[keep]] = True
        new_pupil = np.cumsum(pupil_kept) - 1 + pupil_offset
        new_enrolment = np.cumsum(keep) - 1 + enrolment_offset
        chosen = np.flatnonzero(pupil_kept)
        kept.append(Pupils(**{k: v[chosen] for k, v in vars(draw.pupils).items()}))
        reasons.append(draw.leaving_reason[chosen])
        owner.append(new_pupil[stays.pupil[keep]])
        school.append(stays.school[keep])
        entry.append(stays.entry[keep])
        leaving.append(stays.leaving[keep])
        subsidiary.append(stays.subsidiary[keep])
        for key, block in draw.sessions.items():
            if YEARS[key[0]] in years:
                inside = np.flatnonzero(keep[block.enrolment])
                rows[key].append((new_enrolment[block.enrolment[inside]], block.marks[inside]))
        pupil_offset += len(chosen)
        enrolment_offset += int(keep.sum())
    pupils = join_pupils(kept)
    at = np.concatenate(school)
    enrolments = pd.DataFrame(
        {
            "pupil": np.concatenate(owner),
            "laestab": schools.laestab[at],
            "entry_date": np.concatenate(entry).astype("datetime64[s]"),
            "leaving_date": np.concatenate(leaving).astype("datetime64[s]"),
            "is_subsidiary": np.concatenate(subsidiary),
        }
    )
    keys = [key for key in rows if YEARS[key[0]] in years]
    counts = [sum(len(e) for e, _ in rows[key]) for key in keys]
    # One block, filled piece by piece, so that a full-size cohort is not held twice.
    marks = np.empty((sum(counts), len(CODES)), np.uint8)
    stay = np.empty(sum(counts), np.int64)
    filled = 0
    for key in keys:
        for numbers, table in rows.pop(key):
            stay[filled : filled + len(numbers)] = numbers
            marks[filled : filled + len(numbers)] = table
            filled += len(numbers)
    sessions = pd.DataFrame(marks, columns=list(CODES), copy=False)
    sessions.insert(0, "enrolment", stay)
    sessions.insert(1, "academic_year", np.repeat([YEARS[y] for y, _ in keys], counts))
    half = np.repeat(np.array([s for _, s in keys], np.int8), counts)
    sessions.insert(2, "half_term", _categories(half, SLOTS))
    where = np.flatnonzero(np.isin(schools.area, wanted))
    truth = _truth(size, seed, schools, where, pupils, np.concatenate(reasons))
    return SyntheticCohort(
        schools=_school_frame(schools, where),
        pupils=_pupil_frame(pupils),
        enrolments=enrolments,
        sessions=sessions,
        truth=truth,
        size=size,
        seed=seed,
        years=years,
        areas=tuple(_synthetic_authorities()[index] for index in wanted),
    )


def _categories(codes: Array, names: Iterable[str]) -> Any:
    """Return a categorical from positions (-1 for missing) and names."""
    return pd.Categorical.from_codes(codes, pd.Index(list(names)))


def _text(values: Array) -> pd.Series:
    return pd.Series(pa.array(values).cast(pa.string()).to_pandas())


def _school_frame(schools: Schools, where: Array) -> pd.DataFrame:
    authorities = _synthetic_authorities()
    return pd.DataFrame(
        {
            "laestab": schools.laestab[where],
            "urn": schools.urn[where],
            "school_name": pd.Series(schools.name[where], dtype="str"),
            "phase": _categories(schools.phase[where], PHASE_CODES),
            "la_code": pd.Series([authorities[k].code for k in schools.area[where]], dtype="str"),
            "dfe_code": pd.Series([authorities[k].dfe_code for k in schools.area[where]], dtype="str"),
            "is_academy": schools.is_academy[where],
            "sends_year11": schools.sends_year11[where],
        }
    )


def _pupil_frame(p: Pupils) -> pd.DataFrame:
    ethnicity = [*MINOR_CODES, "REFU", "NOBT"]
    recorded = np.select(
        [p.record_ethnicity == -2, p.record_ethnicity == -3],
        [len(MINOR_CODES), len(MINOR_CODES) + 1],
        p.record_ethnicity,
    )
    codes = _categories
    return pd.DataFrame(
        {
            "pupil_id": p.pupil_id,
            "upn": _text(p.upn),
            "former_upn": _text(p.former_upn),
            "birth_date": p.birth.astype("datetime64[s]"),
            "reception_year": p.cohort,
            "sex": codes(p.girl.astype(np.int8), ["M", "F"]),
            "is_fsm": p.fsm,
            "fsm_start": p.fsm_start.astype("datetime64[s]"),
            "fsm_end": p.fsm_end.astype("datetime64[s]"),
            "fsm_recorded": p.record_fsm,
            "sen": codes(p.sen, SEN_CODES),
            "sen_recorded": codes(p.record_sen, SEN_CODES),
            "ethnicity": codes(p.minor, ethnicity),
            "ethnicity_recorded": codes(recorded, ethnicity),
            "ethnic_group": codes(p.ethnic, ETHNIC_LEVELS),
            "language": codes(p.language, LANGUAGE_CODES),
            "is_special": p.special,
            "is_looked_after": p.looked_after,
            "has_social_worker": p.social_worker,
            "is_boarder": p.boarder,
        }
    )


def _truth(size: str, seed: int, schools: Schools, where: Array, pupils: Pupils, reason: Array) -> dict[str, Any]:
    every, drawn = stratum_effects(seed)
    index = np.unravel_index(np.arange(every.size), SHAPE)
    codes = _categories
    strata = pd.DataFrame(
        {
            "sex": codes(index[0], SEX_LEVELS),
            "fsm_eligible": codes(index[1], FSM_LEVELS),
            "sen_provision": codes(index[2], SEN_LEVELS),
            "ethnicity_major": codes(index[3], ETHNIC_LEVELS),
            "effect": every,
            "drawn_effect": drawn,
            "expected_share": expected_shares(),
        }
    )
    trends = pd.DataFrame(
        {
            "laestab": schools.laestab[where],
            "effect": schools.effect[where],
            **{f"effect_{year}": schools.year_effect[where, k] for k, year in enumerate(YEARS)},
            "year7_dip": schools.year7_dip[where],
            "slope": schools.slope[where],
        }
    )
    trends["trend"] = np.where(trends.slope < 0, "improving", np.where(trends.slope > 0, "deteriorating", "none"))
    people = pd.DataFrame(
        {
            "pupil_id": pupils.pupil_id,
            "severity": pupils.severity,
            "stratum": pupils.stratum,
            "leaving_reason": codes(reason, ["", "Moved out of the area", "Elective home education"]),
        }
    )
    return {
        "parameters": parameters(),
        "strata": strata,
        "schools": trends,
        "pupils": people,
        "notes": (
            "Stratum effects act on the logit of the ordinary process and on the logit of entering the severe regime.",
            "Pupils who leave for home education have a higher severity than others: attrition is not at random.",
            "A few rows lack the code O or C in the details: their totals are right, the rest is unclassified.",
            "The last secondary school of an authority sends Year 11 sessions of half term 6, mostly study leave;"
            " DfE's rules leave them out.",
            "Reception pupils are aged 4 on 31 August; DfE's rules leave them out.",
        ),
    }
