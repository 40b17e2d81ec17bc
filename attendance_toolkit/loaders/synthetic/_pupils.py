"""Invented pupils: who they are, which schools they attend and when."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from attendance_toolkit.loaders.synthetic._parameters import (
    PRIMARY,
    REFERRAL,
    SECONDARY,
    SPECIAL,
    Array,
    calendar,
    parameters,
)
from attendance_toolkit.loaders.synthetic._schools import Schools
from attendance_toolkit.loaders.synthetic._strata import ETHNIC_LEVELS, stratum

FIRST_START = 2021
#: Three years of sessions, and the autumn of the fourth for the rolls of the last return.
YEAR_COUNT = 4
#: Years in which the birth cohorts start Reception: Year 11 in 2021/22 to Reception in 2024/25.
COHORTS = np.arange(2010, 2025)

_MINOR = {
    "Asian": (("APKN", "ABAN", "AIND", "AOTH", "CHNE"), (0.55, 0.17, 0.14, 0.10, 0.04)),
    "Black": (("BAFR", "BCRB", "BOTH"), (0.72, 0.13, 0.15)),
    "Mixed": (("MWBC", "MWBA", "MWAS", "MOTH"), (0.27, 0.20, 0.27, 0.26)),
    "White": (("WBRI", "WOTH", "WIRI", "WIRT", "WROM"), (0.90, 0.085, 0.007, 0.003, 0.005)),
    "Any other ethnic group": (("OOTH",), (1.0,)),
}
MINOR_CODES = tuple(code for codes, _ in _MINOR.values() for code in codes)
_OTHER_LANGUAGE = (0.55, 0.45, 0.2, 0.06, 0.7)
LANGUAGES = ("ENG", "URD", "ARA", "POL", "BNG", "OTH")
_UPN_LETTERS = np.frombuffer(b"ABCDEFGHJKLMNPQRTUVWXYZ", dtype=np.uint8)


@dataclass
class Pupils:
    """Pupils of one draw, one position per pupil in every array."""

    pupil_id: Array
    home: Array
    """Index of the authority in whose stream the pupil was drawn."""
    cohort: Array
    """Calendar year of the September of Reception."""
    birth: Array
    girl: Array
    fsm: Array
    fsm_start: Array
    fsm_end: Array
    """NaT while the period is open; periods that ended belong to pupils not eligible any more."""
    sen: Array
    """0 no SEN, 1 SEN support, 2 EHC plan."""
    special: Array
    ethnic: Array
    minor: Array
    language: Array
    looked_after: Array
    social_worker: Array
    boarder: Array
    severity: Array
    stratum: Array
    record_ethnicity: Array
    """Ethnic code as recorded: index of MINOR_CODES, -1 blank, -2 REFU, -3 NOBT."""
    record_sen: Array
    """SEN as recorded: 0 to 2, -1 blank."""
    record_fsm: Array
    """Whether the FSM period is in the returns."""
    upn: Array
    former_upn: Array

    def __len__(self) -> int:
        return len(self.pupil_id)


@dataclass
class Paths:
    """Where each pupil is: two segments a year, before and after a move within the year."""

    school: Array
    """(pupils, 4, 2) position of the school, -1 outside the system."""
    start: Array
    """(pupils, 4, 2) first session of the segment within the year."""
    end: Array
    """(pupils, 4, 2) session after the last one."""
    dual_year: Array
    """Year index of a dual registration with the pupil referral unit, -1 for none."""
    dual_start: Array
    dual_school: Array
    dual_share: Array
    reason: Array
    """Why the pupil left: 0 still here or too old, 1 out of the area, 2 home education."""


@dataclass
class Enrolments:
    """Unbroken stays of a pupil at a school."""

    pupil: Array
    school: Array
    entry: Array
    leaving: Array
    """NaT while the pupil is on roll."""
    subsidiary: Array
    segment: Array
    """(pupils, 4, 2) position of the enrolment of each segment, -1 for none."""
    dual: Array
    """(pupils,) position of the subsidiary enrolment, -1 for none."""


def _choose(rng: np.random.Generator, weights: Array, size: int) -> Array:
    edges = np.cumsum(weights)
    found: Array = np.minimum(np.searchsorted(edges, rng.random(size) * edges[-1], side="right"), len(edges) - 1)
    return found


def first_of_september(year: Array) -> Array:
    """Return 1 September of each calendar year.

    >>> str(first_of_september(np.array([2020]))[0])
    '2020-09-01'
    """
    months = (np.asarray(year, np.int64) - 1970) * 12 + 8
    found: Array = months.astype("datetime64[M]").astype("datetime64[D]")
    return found


def check_letters(digits: Array) -> Array:
    """Return the ASCII check letter of UPNs, given the values of positions 2 to 13 as (n, 12) integers.

    >>> bytes(check_letters(np.array([[8, 0, 1, 2, 0, 0, 0, 0, 5, 0, 0, 1]])))
    b'B'
    """
    found: Array = _UPN_LETTERS[(digits.astype(np.int64) @ np.arange(2, 14)) % 23]
    return found


def _make_upns(laestab: Array, year: Array, serial: Array, temporary: Array) -> Array:
    """Return UPNs as fixed-width bytes (n,): letter, authority, school, year of allocation, serial."""
    digits = np.empty((len(laestab), 12), np.int64)
    for position in range(7):
        digits[:, position] = laestab // 10 ** (6 - position) % 10
    digits[:, 7], digits[:, 8] = year // 10 % 10, year % 10
    digits[:, 9], digits[:, 10], digits[:, 11] = serial // 100 % 10, serial // 10 % 10, serial % 10
    text = np.empty((len(laestab), 13), np.uint8)
    text[:, 1:] = digits + ord("0")
    # A temporary number ends in a letter, which counts with its place in the alphabet.
    text[temporary, 12] = _UPN_LETTERS[digits[temporary, 11]]
    text[:, 0] = check_letters(digits)
    return text.view("S13").ravel()


def _count_within(keys: Array) -> Array:
    """Return 0, 1, 2, ... within equal keys, in order of position."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    starts = np.flatnonzero(first)
    result = np.empty(len(keys), np.int64)
    result[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
    return result


def cohort_size(area_spec: dict[str, Any], size_spec: dict[str, Any]) -> float:
    """Return the pupils in a year group of an authority."""
    return float(size_spec.get("roll") or area_spec["roll"] * size_spec["scale"]) / 11


def border_sizes(size: str, area: int) -> tuple[int, int]:
    """Return (pupils per cohort who change authority at Year 7, pupils who change it during a year)."""
    spec = parameters()
    of_year = cohort_size(list(spec["areas"].values())[area], spec["sizes"][size])
    per_cohort = round(of_year * spec["population"]["change_area_at_year7"])
    moving = round(of_year * 11 * 3 * spec["movement"]["across_areas"])
    return per_cohort, moving


def draw_pupils(rng: np.random.Generator, area: int, cohort: Array, first_id: int) -> Pupils:
    """Return pupils with everything about them but their schools."""
    spec = parameters()
    people, about, missing = spec["population"], list(spec["areas"].values())[area], spec["missing"]
    n = len(cohort)
    girl = rng.random(n) < people["girl"]
    fsm = rng.random(n) < about["fsm"]
    special = rng.random(n) < np.where(girl, people["special_girl"], people["special_boy"])
    factor = np.where(girl, people["sen_girl"], people["sen_boy"]) * np.where(
        fsm, people["sen_fsm"], people["sen_not_fsm"]
    )
    u = rng.random(n)
    sen = np.where(u < people["ehc"] * factor, 2, np.where(u < (people["ehc"] + people["sen_support"]) * factor, 1, 0))
    sen = np.where(special, np.where(rng.random(n) < 0.98, 2, 1), sen).astype(np.int8)
    ethnic = _choose(rng, np.array(about["ethnicity"]), n).astype(np.int8)
    minor = np.empty(n, np.int8)
    offset = 0
    for level, name in enumerate(ETHNIC_LEVELS):
        codes, shares = _MINOR[name]
        here = ethnic == level
        minor[here] = offset + _choose(rng, np.array(shares), int(here.sum()))
        offset += len(codes)
    other = rng.random(n) < np.array(_OTHER_LANGUAGE)[ethnic]
    language = np.where(other, rng.integers(1, len(LANGUAGES), n), 0).astype(np.int8)
    social = rng.random(n) < np.where(fsm, 0.065, 0.015)
    looked_after = social & (rng.random(n) < 0.2)
    # Born 1 September to 31 August: 4 years old when Reception starts.
    birth = first_of_september(cohort - 5) + rng.integers(0, 365, n)
    reception = first_of_september(cohort) + 6
    start = reception + rng.integers(0, 500, n)
    late = fsm & (rng.random(n) < 0.06)
    start[late] = np.maximum(reception[late], np.datetime64("2021-09-06") + rng.integers(0, 970, int(late.sum())))
    # Periods could end until transitional protection began in April 2018; these pupils are "ever six" only.
    past = ~fsm & (cohort <= 2016) & (rng.random(n) < 0.08)
    start = np.where(fsm | past, start, np.datetime64("NaT"))
    end = np.full(n, np.datetime64("NaT"), "datetime64[D]")
    end[past] = np.minimum(start[past] + rng.integers(100, 700, int(past.sum())), np.datetime64("2018-03-31"))
    past &= ~(end <= start)
    start[~fsm & ~past] = np.datetime64("NaT")
    end[~past] = np.datetime64("NaT")
    u = rng.random(n)
    edges = np.cumsum([missing["ethnicity_refused"], missing["ethnicity_not_obtained"], missing["ethnicity_blank"]])
    recorded = np.where(u < edges[0], -2, np.where(u < edges[1], -3, np.where(u < edges[2], -1, minor)))
    return Pupils(
        pupil_id=first_id + np.arange(n),
        home=np.full(n, area, np.int8),
        cohort=cohort.astype(np.int16),
        birth=birth,
        girl=girl,
        fsm=fsm,
        fsm_start=start,
        fsm_end=end,
        sen=sen,
        special=special,
        ethnic=ethnic,
        minor=minor,
        language=language,
        looked_after=looked_after,
        social_worker=social,
        boarder=rng.random(n) < missing["boarder"],
        severity=rng.normal(0, 1, n).astype(np.float32),
        stratum=stratum(girl, fsm, sen, ethnic),
        record_ethnicity=recorded.astype(np.int8),
        record_sen=np.where(rng.random(n) < missing["sen_blank"], -1, sen).astype(np.int8),
        record_fsm=rng.random(n) >= missing["fsm_period_missing"],
        upn=np.zeros(n, "S13"),
        former_upn=np.zeros(n, "S13"),
    )


def _assign(rng: np.random.Generator, schools: Array, weight: Array, cohort: Array, score: Array) -> Array:
    """Return a school for each pupil: within a cohort, pupils sorted by score fill the schools in turn."""
    order = np.lexsort((score, cohort))
    rank = np.empty(len(cohort))
    rank[order] = _count_within(cohort[order])
    counts = np.bincount(cohort - cohort.min() if len(cohort) else cohort)
    fraction = (rank + rng.random(len(cohort))) / counts[cohort - cohort.min()] if len(cohort) else rank
    shuffled = rng.permutation(len(schools))
    edges = np.cumsum(weight[shuffled] / weight.sum())
    found: Array = schools[shuffled][np.minimum(np.searchsorted(edges, fraction, side="right"), len(schools) - 1)]
    return found


def _random_school(rng: np.random.Generator, schools: Schools, area: Array, phase: Array, avoid: Array) -> Array:
    """Return a random school of each pupil's authority and phase, another one than ``avoid`` if there is one."""
    found = np.full(len(area), -1, np.int64)
    for where in np.unique(area):
        for kind in (PRIMARY, SECONDARY, SPECIAL, REFERRAL):
            here = np.flatnonzero((area == where) & (phase == kind))
            if len(here):
                options = schools.of(int(where), kind)
                drawn = _choose(rng, schools.weight[options], len(here))
                same = options[drawn] == avoid[here]
                drawn[same] = (drawn[same] + 1) % len(options)
                found[here] = options[drawn]
    return found


def draw_paths(
    rng: np.random.Generator,
    pupils: Pupils,
    schools: Schools,
    area: int,
    *,
    changes_at_7: Array,
    moves_in: Array,
    referral_multiplier: float,
) -> Paths:
    """Return the schools of each pupil through the four years.

    Parameters
    ----------
    changes_at_7
        Pupils who go to another authority's school in Year 7.
    moves_in
        Year index in which the pupil moves to another authority's school, -1 for none.
    referral_multiplier
        Small cohorts get more referral-unit pupils than their share, so that there are some.
    """
    moves_across = moves_in >= 0
    spec = parameters()
    move, unit, people = spec["movement"], spec["referral_unit"], spec["population"]
    n = len(pupils)
    area_rolls = np.array([about["roll"] for about in spec["areas"].values()], float)
    score = people["school_sorting_fsm"] * pupils.fsm + rng.normal(0, 1, n)
    cohort = pupils.cohort.astype(np.int64)
    by_phase = {}
    for phase in (PRIMARY, SECONDARY, SPECIAL):
        options = schools.of(area, phase)
        jitter = score + rng.normal(0, 0.5, n)
        by_phase[phase] = _assign(rng, options, schools.weight[options], cohort, jitter)
    primary = np.where(pupils.special, by_phase[SPECIAL], by_phase[PRIMARY])
    secondary = np.where(pupils.special, by_phase[SPECIAL], by_phase[SECONDARY])

    rolls = area_rolls.copy()
    rolls[area] = 0
    elsewhere = _choose(rng, rolls, n)
    change = np.flatnonzero(changes_at_7)
    phase_7 = np.where(pupils.special[change], SPECIAL, SECONDARY)
    secondary[change] = _random_school(rng, schools, elsewhere[change], phase_7, secondary[change])

    group = FIRST_START + np.arange(YEAR_COUNT)[None, :] - cohort[:, None]
    active = (group >= 0) & (group <= 11)
    start = np.zeros((n, YEAR_COUNT), np.int16)
    end = np.full((n, YEAR_COUNT), 380, np.int16)

    def position(count: int) -> Array:
        drawn: Array = 2 * rng.integers(1, 190, count)
        return drawn

    # Joiners and leavers. Those who will be home educated have more absence: attrition is not at random.
    years = np.arange(YEAR_COUNT)
    arrival = np.where(rng.random(n) < move["joined"] * YEAR_COUNT, rng.integers(0, YEAR_COUNT, n), -1)
    at = np.clip(arrival, 0, None)
    crossing = moves_across | changes_at_7
    arrival[(arrival < 0) | (group[np.arange(n), at] < 1) | (group[np.arange(n), at] > 11) | crossing] = -1
    joined = np.flatnonzero(arrival >= 0)
    active[joined] &= years[None, :] >= arrival[joined, None]
    within = joined[(rng.random(len(joined)) < 0.65) & (arrival[joined] < 3)]
    start[within, arrival[within]] = position(len(within))

    leave_rates = np.stack(
        [
            np.full(n, move["left_area"]),
            move["home_educated"]
            * np.exp(move["home_educated_severity"] * pupils.severity - move["home_educated_severity"] ** 2 / 2),
        ]
    )
    departure = np.where(rng.random(n) < leave_rates.sum(0) * 3, rng.integers(0, 3, n), -1)
    at = np.clip(departure, 0, None)
    departure[(departure < 0) | ~active[np.arange(n), at] | (departure == arrival) | crossing] = -1
    left = np.flatnonzero(departure >= 0)
    active[left] &= years[None, :] <= departure[left, None]
    reason = np.zeros(n, np.int8)
    reason[left] = 1 + (rng.random(len(left)) < (leave_rates[1] / leave_rates.sum(0))[left])
    within = left[rng.random(len(left)) < 0.7]
    end[within, departure[within]] = position(len(within))

    # Moves between schools: at most one a year, at its start (position 0) or within it.
    mover = np.zeros((n, YEAR_COUNT), np.int8)  # 1 other school of the area, 2 other area, 3 referral unit
    at_position = np.zeros((n, YEAR_COUNT), np.int16)
    rate = move["within_area"] * np.where(pupils.fsm, move["within_area_fsm_multiplier"], 1.0)
    rate *= 1 / (1 + (move["within_area_fsm_multiplier"] - 1) * 0.29)
    drawn = rng.random((n, YEAR_COUNT))
    mover[(drawn < rate[:, None]) & (group >= 1)] = 1
    # The first year also places those who were at the unit before: from its first day.
    unit_rate = referral_multiplier * unit["full_time_per_year"] * np.array([2.5, 1, 1, 0])
    unit_now = (drawn > 1 - unit_rate) & (group >= 7) & (group <= 11) & ~pupils.special[:, None]
    mover[unit_now] = 3
    at_position[:] = np.where(rng.random((n, YEAR_COUNT)) < 0.15, 0, 2 * rng.integers(1, 190, (n, YEAR_COUNT)))
    at_position[unit_now] = np.maximum(at_position[unit_now], 2)
    at_position[(drawn > 1 - 0.6 * unit_rate) & unit_now & (np.arange(YEAR_COUNT) == 0)] = 2
    at_position[:, 3] = 0
    mover[:, 3] *= mover[:, 3] == 1
    across = np.flatnonzero(moves_across)
    if len(across):
        when = moves_in[across]
        mover[across] = 0
        mover[across, when] = 2
        at_position[across, when] = position(len(across))
    mover[~active | (start > 0) | (end < 380)] = 0
    mover[(group == 7) & (at_position == 0)] = 0

    # Dual registration: main school and referral unit share the sessions until the end of the year.
    dual_year = np.full(n, -1, np.int8)
    dual = (rng.random(n) < referral_multiplier * unit["dual_per_year"] * 3) & ~pupils.special & ~crossing
    when = rng.integers(0, 3, n)
    dual &= active[np.arange(n), when] & (group[np.arange(n), when] >= 7)
    dual &= (start[np.arange(n), when] == 0) & (end[np.arange(n), when] == 380)
    dual &= ~(mover == 3).any(axis=1)
    dual_year[dual] = when[dual]
    mover[np.flatnonzero(dual), when[dual]] = 0
    dual_start = (2 * rng.integers(0, 160, n)).astype(np.int16)
    dual_share = rng.choice(np.array(unit["dual_shares"]), n)

    school = np.full((n, YEAR_COUNT, 2), -1, np.int32)
    segment_start = np.zeros((n, YEAR_COUNT, 2), np.int16)
    segment_end = np.zeros((n, YEAR_COUNT, 2), np.int16)
    now = np.where(group[:, 0] >= 7, secondary, primary)
    here = np.full(n, area)
    moved_area = np.zeros(n, bool)
    for y in range(YEAR_COUNT):
        turning = group[:, y] == 7
        next_school = secondary.copy()
        away = np.flatnonzero(turning & moved_area)
        if len(away):
            kind = np.where(pupils.special[away], SPECIAL, SECONDARY)
            next_school[away] = _random_school(rng, schools, here[away], kind, np.full(len(away), -1))
        now = np.where(turning, next_school, now)
        going = np.flatnonzero((mover[:, y] > 0) & (schools.phase[now] != REFERRAL))
        target = now.copy()
        if len(going):
            kind = mover[going, y]
            to_area = np.where(kind == 2, elsewhere[going], schools.area[now[going]])
            to_phase = np.where(kind == 3, REFERRAL, schools.phase[now[going]])
            target[going] = _random_school(rng, schools, to_area, to_phase, now[going])
            moved_area[going] |= kind == 2
            here[going] = to_area
        changed = target != now
        cut = np.where(changed, at_position[:, y], 380).astype(np.int16)
        segment_start[:, y, 0], segment_end[:, y, 0] = start[:, y], np.minimum(cut, end[:, y])
        segment_start[:, y, 1], segment_end[:, y, 1] = np.maximum(cut, start[:, y]), end[:, y]
        school[:, y, 0], school[:, y, 1] = now, target
        now = target
    present = active[:, :, None] & (segment_end > segment_start)
    school[~present] = -1
    dual_school = np.full(n, -1, np.int32)
    rows = np.flatnonzero(dual_year >= 0)
    main = school[rows, dual_year[rows], 0]
    usable = (main >= 0) & (schools.phase[main] == SECONDARY)
    dual_year[rows[~usable]] = -1
    rows = rows[usable]
    units = np.array([schools.of(k, REFERRAL)[0] for k in range(len(area_rolls))])
    dual_school[rows] = units[schools.area[main[usable]]]
    return Paths(school, segment_start, segment_end, dual_year, dual_start, dual_school, dual_share, reason)


def make_enrolments(rng: np.random.Generator, pupils: Pupils, paths: Paths, schools: Schools) -> Enrolments:
    """Return the unbroken stays at a school, from the segments of the paths."""
    n = len(pupils)
    days = calendar()
    flat = paths.school.reshape(n * YEAR_COUNT * 2)
    used = np.flatnonzero(flat >= 0)
    pupil = used // (YEAR_COUNT * 2)
    year = used // 2 % YEAR_COUNT
    begin = paths.start.reshape(-1)[used]
    stop = paths.end.reshape(-1)[used]
    new = np.r_[True, (pupil[1:] != pupil[:-1]) | (flat[used][1:] != flat[used][:-1])]
    number = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    last = np.r_[first[1:], len(used)] - 1
    count = len(first)
    entry = np.empty(count, "datetime64[D]")
    leaving = np.full(count, np.datetime64("NaT"), "datetime64[D]")
    school = flat[used][first]
    owner = pupil[first]
    for y in range(YEAR_COUNT):
        here = year[first] == y
        entry[here] = days.day(y, begin[first][here])
        here = year[last] == y
        if y < YEAR_COUNT - 1:
            leaving[here] = days.day(y, stop[last][here].astype(int) - 1)
    # Pupils already there in September 2021 came at the start of their phase, or later.
    already = np.flatnonzero((year[first] == 0) & (begin[first] == 0))
    phase = schools.phase[school[already]]
    joined = pupils.cohort[owner[already]].astype(int) + np.where(phase == SECONDARY, 7, 0)
    room = np.maximum(FIRST_START - joined, 0)
    joined = joined + np.where((rng.random(len(already)) < 0.15) | (phase == REFERRAL), rng.integers(0, room + 1), 0)
    joined = np.minimum(joined, FIRST_START)
    entry[already] = first_of_september(joined) + 2
    segment = np.full(n * YEAR_COUNT * 2, -1, np.int64)
    segment[used] = number

    both = np.flatnonzero(paths.dual_year >= 0)
    dual = np.full(n, -1, np.int64)
    dual[both] = count + np.arange(len(both))
    dual_entry = np.empty(len(both), "datetime64[D]")
    dual_leaving = np.empty(len(both), "datetime64[D]")
    for y in range(YEAR_COUNT - 1):
        here = paths.dual_year[both] == y
        dual_entry[here] = days.day(y, paths.dual_start[both][here])
        dual_leaving[here] = days.days[y][-1]
    return Enrolments(
        pupil=np.concatenate([owner, both]),
        school=np.concatenate([school, paths.dual_school[both]]).astype(np.int32),
        entry=np.concatenate([entry, dual_entry]),
        leaving=np.concatenate([leaving, dual_leaving]),
        subsidiary=np.r_[np.zeros(count, bool), np.ones(len(both), bool)],
        segment=segment.reshape(n, YEAR_COUNT, 2),
        dual=dual,
    )


def number_pupils(rng: np.random.Generator, pupils: Pupils, schools: Schools, area: int, first_serial: int) -> None:
    """Give every pupil a UPN: unique, with a valid check letter, of a primary school of the home authority."""
    missing = parameters()["missing"]
    n = len(pupils)
    options = schools.of(area, PRIMARY)
    place = rng.integers(0, len(options), n)
    serial = first_serial + _count_within(place * 100 + (pupils.cohort - COHORTS[0]))
    temporary = rng.random(n) < missing["temporary_upn"]
    laestab = schools.laestab[options[place]]
    pupils.upn = _make_upns(laestab, pupils.cohort.astype(np.int64) % 100, serial, temporary)
    had = rng.random(n) < missing["former_upn"]
    pupils.former_upn[had] = _make_upns(
        laestab[had], pupils.cohort[had].astype(np.int64) % 100, 900 + serial[had] % 100, np.zeros(int(had.sum()), bool)
    )


def join_pupils(parts: list[Pupils]) -> Pupils:
    """Return several draws as one."""
    return Pupils(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Pupils)})
