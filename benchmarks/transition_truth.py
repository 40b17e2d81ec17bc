"""Invented cohorts that move up a year group, with everything about them known: what the transition models are proved with.

    python benchmarks/transition_truth.py [--pupils 40000] [--seed 101]    # facts of the cohorts, beside published ones

Pupils, strata and the process of absence are those of the synthetic data (``loaders.synthetic``, ``parameters.json``): spells
of absence from a severity that lasts and a part that changes from year to year, a severe regime by term, shifts at Year 7 for
free school meals, special needs and girls, schools with a level, a year and a dip of their own. They are drawn as the arrays
of ``StepCohort``, without files or a store, so that 40,000 pupils a cohort take seconds; each cohort has pupils of its own,
the schools are the same. Years after the last one of ``parameters.json`` differ at random, up as often as down.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attendance_toolkit.loaders.synthetic._attendance import _next_state
from attendance_toolkit.loaders.synthetic._parameters import (
    PRIMARY,
    SECONDARY,
    SLOT_TERM,
    SLOTS,
    Array,
    calendar,
    logistic,
    parameters,
)
from attendance_toolkit.loaders.synthetic._pupils import MINOR_CODES, Pupils, draw_pupils, join_pupils
from attendance_toolkit.loaders.synthetic._strata import stratum_effects
from attendance_toolkit.metrics.transition import Later, StepCohort
from attendance_toolkit.vocabulary.areas import all_areas
from attendance_toolkit.vocabulary.columns import ETHNICITY_MAJOR, FSM_STATUSES, NC_YEARS, PHASES, SEN_PROVISIONS, SEXES
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, NOT_KNOWN, ON_ROLL

TERMS = ("autumn", "spring", "summer")
#: The first year of ``parameters.json`` begins in 2021; it has three.
FIRST_START, YEARS_GIVEN = 2021, 3
#: Years after the last one given. Intercepts walk, up as often as down: both phases together, and each by itself; entry to the
#: severe regime departs from its last level given, each year anew (steps of a walk add up: one seed of six ended 1.9 points of
#: absence above what was expected). Sized so that a cohort lies as far above or below what the model expects of it as one did in the
#: trial of the method: 0.32 percentage points of absence (root mean square of 30 seeds: 0.30) and 0.10 in the log odds of
#: persistent absence (0.095). The years given differ by as much: 0.05 about their mean step, severe ones by 0.45.
SHARED_DRIFT, PHASE_DRIFT, SEVERE_DRIFT = 0.037, 0.037, 0.28
#: Pupils of a secondary school's and of a primary school's year group.
SECONDARY_INTAKE, PRIMARY_LEAVERS = 195, 43
#: Of a cohort: moved in late, gone by the next September, gone during the next year, special school, referral unit.
LATE, GONE, LEAVING, TO_SPECIAL, TO_REFERRAL, REPEATING, JOINING = 0.014, 0.012, 0.007, 0.12, 0.0016, 0.0005, 0.016
FIRST_ESTABLISHMENT = {PRIMARY: 2001, SECONDARY: 4001}


@dataclass(frozen=True)
class TrueSchools:
    """Schools with their true effects on the logit of missing a session, one position a school."""

    laestab: Array
    area: Array
    phase: Array
    weight: Array
    effect: Array
    dip: Array
    year_effect: dict[int, Array]
    """Calendar year in which the academic year begins -> (schools,) departure of that year."""

    def of(self, area: int, phase: int) -> Array:
        return np.flatnonzero((self.area == area) & (self.phase == phase))


@dataclass(frozen=True)
class Truth:
    """What a prediction cannot know: the schools' effects, the years' levels, and each pupil's own risk.

    Attributes
    ----------
    schools
        True effects; ``schools.dip`` is what a school adds in Year 7.
    intercepts, severe_intercepts
        Calendar year -> (primary, secondary) level of the ordinary process and of entry to the severe regime.
    risk
        One (N,) array a cohort: share of sessions of the later year the pupil would miss on average, given everything but
        the draws of spells and terms; NaN for a pupil who is on no roll.
    """

    schools: TrueSchools
    intercepts: dict[int, Array]
    severe_intercepts: dict[int, Array]
    risk: tuple[Array, ...]


@dataclass
class _Year:
    """One academic year of a cohort's pupils: sessions by half term, and the true risk."""

    possible: Array
    missed: Array
    risk: Array

    @cached_property
    def by_term(self) -> tuple[Array, Array]:
        owner = np.array(SLOT_TERM)
        return tuple(
            np.stack([table[:, owner == term].sum(axis=1) for term in range(3)], axis=1)
            for table in (self.possible, self.missed)
        )


def _intercepts(
    rng: np.random.Generator, years: range, drift: float, trend: float
) -> tuple[dict[int, Array], dict[int, Array]]:
    """Return the levels of each calendar year: the ones given, and random ones before and after them."""
    spec = parameters()
    ordinary = np.array(spec["session_process"]["intercept"])[:, :2]
    severe = np.array(spec["severe_process"]["intercept"])[:, :2]
    mean_step = np.diff(ordinary, axis=0).mean(axis=0)
    found, regime = {}, {}
    for place in range(YEARS_GIVEN):
        found[FIRST_START + place], regime[FIRST_START + place] = ordinary[place], severe[place]
    last = FIRST_START + YEARS_GIVEN - 1
    walk = [*range(last + 1, years.stop), *range(FIRST_START - 1, years.start - 1, -1)]
    for year in walk:
        step = 1 if year > last else -1
        near = year - step
        moved = rng.normal(0, SHARED_DRIFT) + rng.normal(0, PHASE_DRIFT, 2)
        found[year] = found[near] + trend * step * mean_step + drift * moved
        regime[year] = regime[last if step > 0 else FIRST_START] + drift * rng.normal(0, SEVERE_DRIFT, 2)
    return found, regime


def _make_schools(rng: np.random.Generator, counts: tuple[int, int], years: range) -> TrueSchools:
    """Return (primary, secondary) ``counts`` schools, spread over the ten authorities by their rolls."""
    areas, process = parameters()["areas"], parameters()["school_process"]
    shares = np.array([about["roll"] for about in areas.values()], float)
    shares /= shares.sum()
    parts: list[dict[str, Array]] = []
    for area, dfe_code in enumerate(areas):
        for phase, total in zip((PRIMARY, SECONDARY), counts, strict=True):
            count = max(1, round(total * shares[area]))
            weight = np.exp(rng.normal(0, 0.25, count))
            weight /= weight.sum()
            part = {
                "laestab": int(dfe_code) * 10_000 + FIRST_ESTABLISHMENT[phase] + np.arange(count),
                "area": np.full(count, area),
                "phase": np.full(count, phase),
                "weight": weight,
                "effect": rng.normal(0, process["spread"][phase], count),
                "dip": rng.normal(0, process["year7_dip_spread"], count) * (phase == SECONDARY),
            }
            # Departures from the authority's own mean, as in the synthetic data.
            for name in ("effect", "dip"):
                part[name] = part[name] - weight @ part[name]
            parts.append(part)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    yearly = {year: rng.normal(0, process["year_spread"], len(joined["area"])) for year in years}
    return TrueSchools(**joined, year_effect=yearly)


def _draw_cohort(rng: np.random.Generator, size: int, reception: int) -> Pupils:
    """Return pupils of mainstream schools in random order, over the ten authorities by their rolls."""
    areas = list(parameters()["areas"].values())
    rolls = np.array([about["roll"] for about in areas], float)
    counts = np.ceil(size * 1.05 * rolls / rolls.sum()).astype(int) + 3
    drawn = join_pupils(
        [draw_pupils(rng, area, np.full(count, reception, np.int16), 0) for area, count in enumerate(counts)]
    )
    kept = rng.permutation(np.flatnonzero(~drawn.special))[:size]
    return Pupils(**{name: values[kept] for name, values in vars(drawn).items()})


def _assigned(schools: Array, weight: Array, score: Array) -> Array:
    """Return a school for each pupil: sorted by score they fill the schools in turn, which stand in the same order always."""
    rank = np.empty(len(score))
    rank[np.argsort(score)] = np.arange(len(score)) + 0.5
    edges = np.cumsum(weight / weight.sum())
    return schools[np.minimum(np.searchsorted(edges, rank / max(len(score), 1)), len(schools) - 1)]


def _place(rng: np.random.Generator, pupils: Pupils, schools: TrueSchools) -> tuple[Array, Array]:
    """Return positions of each pupil's primary and secondary school; some change authority at Year 7."""
    people, areas = parameters()["population"], list(parameters()["areas"].values())
    n = len(pupils)
    rolls = np.array([about["roll"] for about in areas], float)
    moving = rng.random(n) < people["change_area_at_year7"]
    next_home = np.where(moving, rng.choice(len(areas), n, p=rolls / rolls.sum()), pupils.home)
    score = people["school_sorting_fsm"] * pupils.fsm + rng.normal(0, 1, n)
    found = np.zeros((2, n), np.int64)
    for phase, home in ((PRIMARY, pupils.home), (SECONDARY, next_home)):
        for area in range(len(areas)):
            here = np.flatnonzero(home == area)
            options = schools.of(area, phase)
            jitter = score[here] + rng.normal(0, 0.5, len(here))
            found[phase, here] = _assigned(options, schools.weight[options], jitter)
    return found[0], found[1]


class _Process:
    """The process of absence of one cohort's pupils, year after year."""

    def __init__(self, rng: np.random.Generator, pupils: Pupils, strata: Array, schools: TrueSchools, levels) -> None:
        self.rng, self.pupils, self.schools, self.levels = rng, pupils, schools, levels
        self.ordinary, self.regime = parameters()["session_process"], parameters()["severe_process"]
        n = len(pupils)
        minor = np.array([self.ordinary["ethnicity_minor"].get(code, 0.0) for code in MINOR_CODES])
        effect = strata[pupils.stratum]
        self.fixed = effect + minor[pupils.minor] + self.ordinary["social_worker"] * pupils.social_worker
        self.fixed_severe = (
            effect + self.regime["social_worker"] * pupils.social_worker + self.regime["severity"] * pupils.severity
        )
        beta = self.regime["rate_beta"]
        self.personal_rate = rng.beta(beta[0], beta[1], n)
        self.noise = rng.normal(0, 1, n)
        self.severe = np.zeros(n, bool)

    def _of_pupils(self, table, phase: int) -> Array:
        who = self.pupils
        found: Array = table["fsm"][phase] * who.fsm + table["sen_support"][phase] * (who.sen == 1)
        return found + table["ehc"][phase] * (who.sen == 2) + table["girl"][phase] * who.girl

    def _area_effects(self, phase: int, *, severe: bool) -> Array:
        multiplier = self.regime["area_multiplier"]
        return np.array(
            [
                about["effect"][phase] * ((multiplier if about.get("severe") else 0.0) if severe else 1.0)
                for about in parameters()["areas"].values()
            ]
        )

    def entry_logit(self, year: int, term: int, group: int, school: Array) -> Array:
        """Return the logit of entering the severe regime in a term."""
        phase, regime = SECONDARY if group >= 7 else PRIMARY, self.regime
        value = self.levels[1][year][phase] + self._of_pupils(regime, phase) + self.fixed_severe
        value = value + regime["year_group"][group] + regime["term"][term]
        value = value + self._area_effects(phase, severe=True)[self.schools.area[school]]
        found: Array = value + (regime["girl_year7"] * self.pupils.girl if group == 7 else 0.0)
        return found

    def settle(self, year: int, group: int, school: Array) -> None:
        """Let the severe regime run for two years, without sessions."""
        for _ in range(2):
            for term in range(3):
                self.severe = _next_state(self.rng, self.severe, self.entry_logit(year, term, group, school), term)

    def draw(self, year: int, group: int, school: Array, possible: Array) -> _Year:
        """Return a year of sessions at one school each; ``possible`` (N, 4) by half term."""
        rng, ordinary, who = self.rng, self.ordinary, self.pupils
        phase = SECONDARY if group >= 7 else PRIMARY
        eta = self.levels[0][year][phase] + ordinary["year_group"][group] + self._of_pupils(ordinary, phase)
        eta = eta + ordinary["severity"][phase] * who.severity + ordinary["year_noise"] * self.noise + self.fixed
        eta = eta + np.array(ordinary["looked_after"])[phase] * who.looked_after
        eta = eta + self._area_effects(phase, severe=False)[self.schools.area[school]]
        eta = eta + self.schools.effect[school] + self.schools.year_effect[year][school]
        if group == 7:
            eta = eta + ordinary["year7_fsm"] * who.fsm + ordinary["year7_sen"] * (who.sen > 0)
            eta = eta + ordinary["year7_girl"] * who.girl + self.schools.dip[school]
        if group >= 8:
            eta = eta + ordinary["year8_fsm"] * who.fsm
        ceiling, length = ordinary["ceiling"][phase], ordinary["spell_length"][phase]
        missed, n = np.zeros_like(possible), len(who)
        risk = np.zeros(n)
        for term in range(3):
            entry = self.entry_logit(year, term, group, school)
            self.severe = _next_state(rng, self.severe, entry, term)
            term_eta = eta + ordinary["term"][phase][term]
            rate = ceiling * logistic(term_eta + ordinary["term_noise"] * rng.normal(0, 1, n))
            severe_rate = np.clip(
                np.maximum(
                    self.regime["rate_floor"], self.personal_rate + self.regime["rate_noise"] * rng.normal(0, 1, n)
                ),
                0,
                1,
            )
            risk += np.where(self.severe, self.personal_rate, ceiling * logistic(term_eta)) / 3
            for slot in (place for place in range(len(SLOTS)) if SLOT_TERM[place] == term):
                count = possible[:, slot]
                spells = rng.poisson(count * rate / length)
                ordinary_missed = np.minimum(count, 2 * spells + rng.poisson(spells * (length - 2)))
                missed[:, slot] = np.where(self.severe, rng.binomial(count, severe_rate), ordinary_missed)
        rho = ordinary["year_correlation"]
        self.noise = rho * self.noise + np.sqrt(1 - rho**2) * rng.normal(0, 1, n)
        return _Year(possible, missed, risk)


def _possible(first: Array, after: Array) -> Array:
    """Return (N, 4) possible sessions by half term of pupils there from session ``first`` up to ``after``."""
    edges = calendar().starts
    stay = np.minimum(after[:, None], edges[1:]) - np.maximum(first[:, None], edges[:-1])
    return np.maximum(stay, 0).astype(np.int32)


def _codes(pupils: Pupils) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Return the characteristics as census returns record them."""
    levels = {
        "sex": SEXES, "fsm_eligible": FSM_STATUSES, "sen_provision": SEN_PROVISIONS, "ethnicity_major": ETHNICITY_MAJOR,
    }  # fmt: skip
    unknown_ethnicity = ETHNICITY_MAJOR.index("Unknown")
    codes = {
        "sex": np.where(pupils.girl, SEXES.index("Female"), SEXES.index("Male")),
        "fsm_eligible": np.where(pupils.fsm & pupils.record_fsm, 0, 1),
        "sen_provision": np.where(pupils.record_sen < 0, SEN_PROVISIONS.index("Unknown"), pupils.record_sen),
        "ethnicity_major": np.where(pupils.record_ethnicity < 0, unknown_ethnicity, pupils.ethnic),
    }
    return {name: of.astype(np.int8) for name, of in codes.items()}, levels


def simulate_cohorts(
    pupils: int = 40_000,
    schools: int | None = None,
    cohorts: int = 4,
    seed: int = 101,
    *,
    from_year: str = "6",
    first_year: int = 202122,
    knows_before: bool = False,
    has_later: bool = True,
    drift: float = 1.0,
    trend: float = 0.0,
) -> tuple[tuple[StepCohort, ...], Truth]:
    """Return cohorts of a step, oldest first, each followed into the year after, and the truth behind them.

    Parameters
    ----------
    pupils
        Pupils on the roll of the year before the step, in each cohort.
    schools
        Secondary schools of all ten authorities, at least one each; None for intakes of usual size.
    cohorts, seed
        How many, and the seed.
    from_year
        "6" or "7": the year group before the step.
    first_year
        Academic year of the first cohort's year before the step.
    knows_before
        Whether the first cohort has the year before that; a store begins with its first cohort.
    has_later
        Whether the last cohort has been followed; without, it is as in July.
    drift
        How far years after those of ``parameters.json`` drift, in units of what is usual; 0 for years like the last of them.
    trend
        How much of the mean yearly step of ``parameters.json`` goes on after them: 1 for absence that keeps falling, by more in
        primary schools (0.09 in log odds) than in secondary ones (0.065).

    Returns
    -------
    tuple[tuple[StepCohort, ...], Truth]
    """
    start, group = first_year // 100, int(from_year)
    years = range(start - 1, start + cohorts + 1)
    rng = np.random.default_rng([seed, 7])
    secondary = schools or max(10, round(pupils / SECONDARY_INTAKE))
    truth_schools = _make_schools(rng, (max(10, round(pupils / PRIMARY_LEAVERS)), secondary), years)
    span = range(min(years.start, FIRST_START), max(years.stop, FIRST_START + YEARS_GIVEN))
    levels = _intercepts(rng, span, drift, trend)
    strata, _ = stratum_effects(seed)
    found, risks = [], []
    for place in range(cohorts):
        own = np.random.default_rng([seed, 8, place])
        made, risk = _cohort(
            own, pupils, start + place, group, truth_schools, levels, strata,
            knows_before=knows_before or place > 0, is_followed=has_later or place < cohorts - 1,
        )  # fmt: skip
        found.append(made)
        risks.append(risk)
    return tuple(found), Truth(truth_schools, *levels, tuple(risks))


def _cohort(
    rng: np.random.Generator,
    size: int,
    start: int,
    group: int,
    schools: TrueSchools,
    levels,
    strata: Array,
    *,
    knows_before: bool,
    is_followed: bool,
) -> tuple[StepCohort, Array]:
    """Return one cohort, and its pupils' true risk in the later year."""
    joining = max(1, round(size * JOINING))
    total = size + joining
    who = _draw_cohort(rng, total, start - group)
    total = len(who)
    primary, secondary = _place(rng, who, schools)
    school_of = {year: secondary if year >= 7 else primary for year in (group - 1, group, group + 1)}
    zero, whole = np.zeros(total, np.int64), np.full(total, 380)
    late = rng.random(total) < LATE
    arrival = np.where(late, 2 * rng.integers(0, 190, total), 0)
    risk_of_leaving = np.exp(0.6 * who.severity - 0.18)
    u = rng.random(total)
    gone = u < GONE * risk_of_leaving
    leaving = (u > 1 - LEAVING * risk_of_leaving) & ~gone
    departure = np.where(leaving, 2 * rng.integers(1, 190, total), 380)
    departure[gone] = 0

    process = _Process(rng, who, strata, schools, levels)
    process.settle(start - 1, group - 1, school_of[group - 1])
    before = process.draw(start - 1, group - 1, school_of[group - 1], _possible(np.where(late, 380, 0), whole))
    year = process.draw(start, group, school_of[group], _possible(arrival, whole))
    after = process.draw(start + 1, group + 1, school_of[group + 1], _possible(zero, departure))

    dfe_codes = [int(code) for code in parameters()["areas"]]
    names = {area.dfe_code: area.code for area in all_areas()}
    la_codes = tuple(names[code] for code in parameters()["areas"])
    next_school = schools.laestab[school_of[group + 1]].astype(np.int32)
    next_la = schools.area[school_of[group + 1]]
    phase = np.full(total, PHASES.index("Secondary"))
    special = (who.sen == 2) & (rng.random(total) < TO_SPECIAL) & (group == 6)
    unit = (rng.random(total) < TO_REFERRAL) & ~special
    phase[special], phase[unit] = PHASES.index("Special"), PHASES.index("Pupil referral unit")
    for wanted, establishment in ((special, 7001), (unit, 1101)):
        next_school[wanted] = np.array(dfe_codes)[next_la[wanted]] * 10_000 + establishment
    year_group = np.full(total, NC_YEARS.index(str(group + 1)))
    year_group[rng.random(total) < REPEATING] = NC_YEARS.index(str(group))
    for values, nothing in ((phase, -1), (year_group, -1), (next_school, 0), (next_la, -1)):
        values[gone] = nothing

    codes, characteristic_levels = _codes(who)
    ids = np.sort(rng.choice(2**62, total, replace=False)).astype(np.int64)
    known = ~gone & ~special & ~unit
    source = np.where(known, DESTINATION_SOURCES.index(ON_ROLL), DESTINATION_SOURCES.index(NOT_KNOWN)).astype(np.int8)
    old_school = schools.laestab[school_of[group]].astype(np.int32)

    def made(rows: Array, of: _Year, earlier: _Year | None, **named) -> StepCohort:
        possible, missed = of.by_term
        nothing = np.zeros(len(who), np.int32)
        past = (earlier.possible.sum(axis=1), earlier.missed.sum(axis=1)) if earlier else (nothing, nothing)
        return StepCohort(
            pupils=ids[rows], terms=TERMS,
            possible=possible[rows].astype(np.int32), missed=missed[rows].astype(np.int32),
            earlier_possible=past[0][rows].astype(np.int32), earlier_missed=past[1][rows].astype(np.int32),
            la_codes=la_codes, codes={name: values[rows] for name, values in codes.items()},
            levels=characteristic_levels, **named,
        )  # fmt: skip

    here = np.sort(rng.permutation(total)[: total - joining])
    others = np.setdiff1d(np.arange(total), here)
    others = others[~gone[others]]
    academic_year, next_year = _academic_year(start), _academic_year(start + 1)
    joined = made(
        others, after, None, academic_year=next_year, from_year=str(group + 1), to_year=str(group + 2),
        laestab=next_school[others], la=next_la[others].astype(np.int16),
        destination=np.zeros(len(others), np.int32),
        destination_source=np.full(len(others), DESTINATION_SOURCES.index(NOT_KNOWN), np.int8),
        offered=np.zeros(len(others), np.int32),
    )  # fmt: skip
    later = Later(
        academic_year=next_year, possible=after.possible.sum(axis=1)[here].astype(np.int32),
        missed=after.missed.sum(axis=1)[here].astype(np.int32), periods=SLOTS,
        period_possible=after.possible[here], period_missed=after.missed[here].astype(np.int32),
        laestab=next_school[here], la=next_la[here].astype(np.int16), phase=phase[here].astype(np.int8),
        year_group=year_group[here].astype(np.int8), is_whole=True, joined=joined,
    )  # fmt: skip
    cohort = made(
        here, year, before if knows_before else None, academic_year=academic_year, from_year=str(group),
        to_year=str(group + 1), laestab=old_school[here], la=schools.area[school_of[group]][here].astype(np.int16),
        destination=np.where(known, next_school, 0)[here].astype(np.int32), destination_source=source[here],
        offered=np.zeros(len(here), np.int32), later=later if is_followed else None,
    )  # fmt: skip
    return cohort, np.where(gone, np.nan, after.risk)[here]


def _academic_year(start: int) -> int:
    return start * 100 + (start + 1) % 100


def facts(cohort: StepCohort) -> dict[str, float]:
    """Return what published figures and the trial of the methods give as well, in percent where they are shares."""
    whole = cohort.chosen(cohort.is_compared)
    before = whole.year_missed / whole.year_possible
    after = whole.later.missed / whole.later.possible
    fsm = whole.codes["fsm_eligible"] == 0
    girls = whole.codes["sex"] == SEXES.index("Female")
    return {
        "pupils": len(cohort.pupils),
        "compared": 100 * len(before) / len(cohort.pupils),
        "correlation": float(np.corrcoef(before, after)[0, 1]),
        "before": 100 * before.mean(),
        "after": 100 * after.mean(),
        "PA before": 100 * (10 * whole.year_missed >= whole.year_possible).mean(),
        "PA after": 100 * (10 * whole.later.missed >= whole.later.possible).mean(),
        "SA before": 100 * (2 * whole.year_missed >= whole.year_possible).mean(),
        "SA after": 100 * (2 * whole.later.missed >= whole.later.possible).mean(),
        "SA after, girls": 100 * (2 * whole.later.missed >= whole.later.possible)[girls].mean(),
        "FSM before": 100 * before[fsm].mean(),
        "FSM after": 100 * after[fsm].mean(),
        "not FSM before": 100 * before[~fsm].mean(),
        "not FSM after": 100 * after[~fsm].mean(),
        "RMSE of carrying forward": 100 * float(np.sqrt(((after - before) ** 2).mean())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pupils", type=int, default=40_000)
    parser.add_argument("--cohorts", type=int, default=4)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--from-year", default="6")
    options = parser.parse_args()
    cohorts, truth = simulate_cohorts(options.pupils, None, options.cohorts, options.seed, from_year=options.from_year)
    print(f"{(truth.schools.phase == SECONDARY).sum()} secondary schools")
    rows = [facts(cohort) for cohort in cohorts]
    for name in rows[0]:
        print(f"{name:26}", *(f"{row[name]:10,.2f}" for row in rows))


if __name__ == "__main__":
    main()
