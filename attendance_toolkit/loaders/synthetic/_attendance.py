"""The data-generating process: sessions missed, and the register codes they are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attendance_toolkit.loaders.synthetic._parameters import (
    ATTENDED_OR_ABSENT,
    CODES,
    COLUMN,
    PRIMARY,
    REFERRAL,
    SECONDARY,
    SLOT_TERM,
    SPECIAL,
    YEARS,
    Array,
    calendar,
    logistic,
    parameters,
)
from attendance_toolkit.loaders.synthetic._pupils import FIRST_START, MINOR_CODES, Enrolments, Paths, Pupils
from attendance_toolkit.loaders.synthetic._schools import Schools

_SINGLE = {code: np.array([k == code for k in MINOR_CODES]) for code in ("WIRT", "WROM", "CHNE")}


@dataclass
class Sessions:
    """Rows of one half term (or span): one per enrolment with at least one mark."""

    enrolment: Array
    marks: Array
    """(rows, len(CODES)) sessions by register code, unsigned bytes."""


def phase_of(group: Array, special: Array) -> Array:
    """Return 0 primary, 1 secondary, 2 special of pupils in a year group."""
    found: Array = np.where(special, SPECIAL, np.where(group >= 7, SECONDARY, PRIMARY)).astype(np.int8)
    return found


def draw_sessions(
    rng: np.random.Generator, pupils: Pupils, paths: Paths, enrolments: Enrolments, schools: Schools, strata: Array
) -> dict[tuple[int, int], Sessions]:
    """Return the sessions of every enrolment by (year index, half-term index).

    The ordinary process gives spells of absence (a zero-inflated, overdispersed count); the severe regime
    is a two-state chain by term, in which a pupil misses at least half of the sessions.
    """
    spec, days = parameters(), calendar()
    ordinary, regime, unit = spec["session_process"], spec["severe_process"], spec["referral_unit"]
    areas = list(spec["areas"].values())
    n = len(pupils)
    group_at = FIRST_START + np.arange(4)[None, :] - pupils.cohort.astype(np.int64)[:, None]
    support, ehc, girl, fsm = pupils.sen == 1, pupils.sen == 2, pupils.girl, pupils.fsm

    by_minor = np.zeros(len(MINOR_CODES))
    for code, value in ordinary["ethnicity_minor"].items():
        by_minor += _SINGLE[code] * value
    effect_of_stratum = strata[pupils.stratum]
    fixed = effect_of_stratum + by_minor[pupils.minor] + ordinary["social_worker"] * pupils.social_worker
    fixed_severe = effect_of_stratum + regime["social_worker"] * pupils.social_worker
    fixed_severe = fixed_severe + regime["severity"] * pupils.severity
    looked_after = np.array(ordinary["looked_after"])
    area_effect = np.array([about["effect"] for about in areas])
    area_severe = np.array(
        [np.array(about["effect"]) * (regime["area_multiplier"] if about.get("severe") else 0.0) for about in areas]
    )

    def coefficient(table: dict[str, list[float]], name: str, phase: Array) -> Array:
        found: Array = np.array(table[name], np.float32)[phase]
        return found

    def entry_logit(year: int, term: int, group: Array, phase: Array, where: Array) -> Array:
        value = np.array(regime["intercept"], np.float32)[year][phase]
        value = value + coefficient(regime, "fsm", phase) * fsm + coefficient(regime, "sen_support", phase) * support
        value = value + coefficient(regime, "ehc", phase) * ehc + coefficient(regime, "girl", phase) * girl
        value = value + regime["girl_year7"] * (girl & (group == 7) & (phase == SECONDARY))
        value = value + np.array(regime["year_group"], np.float32)[group] + regime["term"][term]
        found: Array = value + area_severe[where, phase] + fixed_severe
        return found

    first_school = np.max(paths.school.reshape(n, -1), axis=1)
    where = np.where(paths.school[:, 0, 0] >= 0, schools.area[paths.school[:, 0, 0]], schools.area[first_school])
    personal_rate = rng.beta(regime["rate_beta"][0], regime["rate_beta"][1], n)
    unit_rate = rng.beta(unit["rate_beta"][0], unit["rate_beta"][1], n)
    unauthorised_taste = (spec["register"]["unauthorised_noise"] * rng.normal(0, 1, n)).astype(np.float32)
    lateness = rng.gamma(0.5, 2.0, n).astype(np.float32)

    group = np.clip(group_at[:, 0], 0, 11)
    phase = phase_of(group, pupils.special)
    severe = np.zeros(n, bool)
    for _ in range(2):
        for term in range(3):
            severe = _next_state(rng, severe, entry_logit(0, term, group, phase, where), term)
    noise = rng.normal(0, 1, n).astype(np.float32)
    rho = ordinary["year_correlation"]

    result: dict[tuple[int, int], Sessions] = {}
    for y in range(len(YEARS)):
        if y:
            noise = (rho * noise + np.sqrt(1 - rho**2) * rng.normal(0, 1, n)).astype(np.float32)
        group = np.clip(group_at[:, y], 0, 11)
        phase = phase_of(group, pupils.special)
        at = paths.school[:, y, 0]
        at = np.where(at >= 0, at, paths.school[:, y, 1])
        where = np.where(at >= 0, schools.area[at], where)
        eta = np.array(ordinary["intercept"], np.float32)[y][phase]
        eta += np.array(ordinary["year_group"], np.float32)[group]
        eta += coefficient(ordinary, "fsm", phase) * fsm + coefficient(ordinary, "sen_support", phase) * support
        eta += coefficient(ordinary, "ehc", phase) * ehc + coefficient(ordinary, "girl", phase) * girl
        eta += coefficient(ordinary, "severity", phase) * pupils.severity + ordinary["year_noise"] * noise
        eta += fixed.astype(np.float32)
        eta += looked_after.astype(np.float32)[phase] * pupils.looked_after
        eta += area_effect.astype(np.float32)[where, phase]
        year7 = (group == 7) & (phase == SECONDARY)
        eta += year7 * (
            ordinary["year7_fsm"] * fsm + ordinary["year7_sen"] * (support | ehc) + ordinary["year7_girl"] * girl
        )
        eta += ((group >= 8) & (phase == SECONDARY)) * (ordinary["year8_fsm"] * fsm)
        school_effect = (schools.effect + schools.year_effect[:, y]).astype(np.float32)
        term_table = np.array(ordinary["term"], np.float32)
        for term in range(3):
            severe = _next_state(rng, severe, entry_logit(y, term, group, phase, where), term, new_year=y > 0)
            term_eta = eta + term_table[phase, term] + ordinary["term_noise"] * rng.normal(0, 1, n).astype(np.float32)
            severe_rate = np.clip(
                np.maximum(regime["rate_floor"], personal_rate + regime["rate_noise"] * rng.normal(0, 1, n)), 0, 1
            )
            for slot in (s for s in range(4) if SLOT_TERM[s] == term):
                low, high = int(days.starts[slot]), int(days.starts[slot + 1])
                numbers, owners, possible, marks_d = [], [], [], []
                dual_overlap = np.where(
                    paths.dual_year == y, np.clip(high - np.maximum(paths.dual_start, low), 0, high - low), 0
                )
                if slot == 3:
                    dual_overlap = np.where(group < 11, dual_overlap, 0)
                dual_sessions = (2 * np.round(dual_overlap * paths.dual_share / 2)).astype(np.int16)
                for part in (0, 1):
                    overlap = np.minimum(paths.end[:, y, part], high) - np.maximum(paths.start[:, y, part], low)
                    here = (paths.school[:, y, part] >= 0) & (overlap > 0)
                    if slot == 3:
                        here &= (group < 11) | schools.sends_year11[paths.school[:, y, part]]
                    rows = np.flatnonzero(here)
                    owners.append(rows)
                    numbers.append(enrolments.segment[rows, y, part])
                    elsewhere = np.minimum(dual_sessions[rows], overlap[rows])
                    possible.append(overlap[rows] - elsewhere)
                    marks_d.append(elsewhere)
                rows = np.flatnonzero(dual_overlap > 0)
                owners.append(rows)
                numbers.append(enrolments.dual[rows])
                possible.append(dual_sessions[rows])
                marks_d.append((dual_overlap - dual_sessions)[rows])
                owner, number = np.concatenate(owners), np.concatenate(numbers)
                count, elsewhere = np.concatenate(possible).astype(np.int64), np.concatenate(marks_d).astype(np.int64)
                school = enrolments.school[number]
                p = term_eta[owner] + school_effect[school] + schools.year7_dip[school] * year7[owner]
                row_phase = phase[owner]
                p = np.array(ordinary["ceiling"])[row_phase] * logistic(p)
                length = np.array(ordinary["spell_length"])[row_phase]
                spells = rng.poisson(count * p / length)
                missed = np.minimum(count, 2 * spells + rng.poisson(spells * (length - 2)))
                in_regime = np.flatnonzero(severe[owner])
                missed[in_regime] = rng.binomial(count[in_regime], severe_rate[owner[in_regime]])
                at_unit = np.flatnonzero(schools.phase[school] == REFERRAL)
                rate = np.clip(unit_rate[owner[at_unit]] + rng.normal(0, unit["rate_noise"], len(at_unit)), 0.02, 0.98)
                missed[at_unit] = rng.binomial(count[at_unit], rate)
                marks = _draw_marks(
                    rng,
                    missed,
                    count,
                    phase=schools.phase[school],
                    year=y,
                    slot=slot,
                    group=group[owner],
                    severe=severe[owner],
                    fsm=fsm[owner],
                    taste=unauthorised_taste[owner],
                    late=lateness[owner],
                    asian=pupils.ethnic[owner] == 0,
                )
                marks[:, COLUMN["D"]] = elsewhere
                result[(y, slot)] = Sessions(number.astype(np.int64), marks)
    return result


def _next_state(rng: np.random.Generator, severe: Array, logit: Array, term: int, *, new_year: bool = True) -> Array:
    """Return who is in the severe regime in the next term."""
    regime = parameters()["severe_process"]
    leaving = regime["exit_summer"] if term == 0 and new_year else regime["exit"][term]
    u = rng.random(len(severe))
    found: Array = np.where(severe, u >= leaving, u < logistic(logit))
    return found


def _split(rng: np.random.Generator, amount: Array, shares: Array, kind: Array) -> Array:
    """Return whole days by code (rows, codes): a multinomial draw with the shares of each row's kind."""
    result = np.zeros((len(amount), shares.shape[1]), np.uint8)
    some = np.flatnonzero(amount > 0)
    # One kind at a time, so that the shares need not be written out for each row.
    for k in np.unique(kind[some]):
        rows = some[kind[some] == k]
        result[rows] = rng.multinomial(amount[rows], shares[k])
    return result


def _draw_marks(
    rng: np.random.Generator,
    missed: Array,
    possible: Array,
    *,
    phase: Array,
    year: int,
    slot: int,
    group: Array,
    severe: Array,
    fsm: Array,
    taste: Array,
    late: Array,
    asian: Array,
) -> Array:
    """Return the register codes of rows (rows, len(CODES)): absences come in whole days, mostly."""
    spec = parameters()["register"]
    rows = len(missed)
    marks = np.zeros((rows, len(CODES)), np.uint8)
    if not rows:
        return marks
    logit = np.array(spec["unauthorised_logit"])[phase] + np.array(spec["unauthorised_severe"])[phase] * severe
    logit = logit + spec["unauthorised_fsm"] * (fsm & (phase != REFERRAL)) + taste
    odd = (missed % 2).astype(bool)
    whole = missed // 2
    unauthorised = rng.binomial(whole, logistic(logit))

    authorised_shares = np.array(spec["authorised"])
    authorised_shares = np.repeat(authorised_shares[:, None, :], 3, axis=1)  # phase, (other, Year 11, Asian)
    codes = spec["authorised_codes"]
    religious, study, illness = (codes.index(c) for c in "RSI")
    authorised_shares[..., religious] = 0.01 if slot < 2 else 0.05
    authorised_shares[:, 2, religious] = 0.01 if slot < 2 else 1.7
    authorised_shares[..., study] = 0
    if slot >= 2:
        authorised_shares[SECONDARY, 1, study] = 3.0 if slot == 2 else 400.0
    authorised_shares[:, :, illness] *= (1.15, 1.0, 0.85, 0.85)[slot]
    kind = np.where((group == 11) & (phase == SECONDARY), 1, np.where(asian, 2, 0))
    authorised_shares = (authorised_shares / authorised_shares.sum(-1, keepdims=True)).reshape(-1, len(codes))
    split = _split(rng, whole - unauthorised, authorised_shares, phase * 3 + kind)
    for index, code in enumerate(codes):
        marks[:, COLUMN[code]] = 2 * split[:, index]
    unauthorised_shares = np.array(spec["unauthorised"])
    unauthorised_shares[:, 0] *= (0.85, 0.6, 1.3, 1.6)[slot]
    unauthorised_shares = unauthorised_shares / unauthorised_shares.sum(-1, keepdims=True)
    split = _split(rng, unauthorised, unauthorised_shares, phase)
    for index, code in enumerate(spec["unauthorised_codes"]):
        marks[:, COLUMN[code]] = 2 * split[:, index]
    # The odd session: an appointment, an afternoon ill, or arriving after the register closed.
    u = rng.random(rows)
    codes_of_single = np.array([COLUMN[code] for code in "MIUO"])
    single = codes_of_single[np.searchsorted([0.25, 0.72, 0.86], u, side="right")]
    where = np.flatnonzero(odd)
    marks[where, single[where]] += 1

    present = possible - missed
    if year == 0 and slot < 2:
        share = spec["covid_share"][slot]
        covid = np.where(rng.random(rows) < share, 2 * rng.integers(1, 6, rows), 0)
        covid = np.minimum(covid, present)
        marks[:, COLUMN["X"]] = covid
        present = present - covid
    u = rng.random(rows)
    visit_share = (0.16, 0.16, 0.20, 0.42)[slot]
    visit = np.where(u < visit_share, 2 * rng.integers(1, 3, rows), 0)
    off_site = np.where((u > 0.986) & (group >= 6), 2 * rng.integers(4, 16, rows), 0)
    sport = np.where((u > 0.97) & (u < 0.985), rng.integers(1, 3, rows), 0)
    work = np.where((u > 0.5) & (group == 10) & (slot == 3) & (phase == SECONDARY), 10, 0)
    interview = np.where((u > 0.9) & (u < 0.93) & (group == 11), 1, 0)
    for code, amount in (("V", visit), ("B", off_site), ("P", sport), ("W", work), ("J", interview)):
        amount = np.minimum(amount, present)
        marks[:, COLUMN[code]] = amount
        present = present - amount
    lates = np.minimum(rng.poisson(possible * np.array(spec["late"])[phase] / 100 * late), present)
    marks[:, COLUMN["L"]] = lates
    present = present - lates
    marks[:, COLUMN["/"]] = (present + 1) // 2
    marks[:, COLUMN["\\"]] = present // 2
    # Not possible, on top of the possible sessions: exceptional circumstances, Reception settling in.
    u = rng.random(rows)
    marks[:, COLUMN["Y"]] = np.where((u < 0.004) & (possible > 0), 2, 0)
    if slot == 0 and year > 0:
        marks[:, COLUMN["X"]] = np.where((group == 0) & (u > 0.9), 6, 0)
    return marks


def possible_sessions(marks: Array, covid: bool) -> Array:
    """Return the possible sessions of rows: attended and absent, and covid X where it counts."""
    total: Array = marks[:, ATTENDED_OR_ABSENT].sum(axis=1, dtype=np.int32)
    return total + marks[:, COLUMN["X"]] if covid else total
