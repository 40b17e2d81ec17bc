"""Pupils followed by loops and dictionaries: shares no code with the toolkit's, for comparison with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

BANDS = ("0% to under 5%", "5% to under 10%", "10% to under 20%", "20% to under 50%", "50% or more")
FEW, AWAY, NOWHERE = "Too few sessions", "elsewhere", "nowhere"
TERMS = ("autumn", "spring", "summer")


@dataclass
class Followed:
    """Of each pupil and period: state, sessions, school, authority and characteristics."""

    periods: list[tuple]
    states: dict[int, list[str]]
    sessions: dict[tuple, tuple[int, int]]
    entry: dict[tuple, dict]
    born: dict[int, int]


def counted_rows(rows: list[dict], periods: tuple[str, ...], least: int) -> list[dict]:
    """Return the rows that DfE's rules count (methodology of the published absence statistics)."""
    kept = []
    for row in rows:
        absent = row["sessions_authorised"] + row["sessions_unauthorised"]
        if (
            5 <= row["age"] <= 15
            and not row["is_boarder"]
            and 0 < row["sessions_possible"] >= absent
            and not (row["age"] == 15 and row["half_term"] == "6")
        ):
            kept.append(row)
    before_6 = {(r["upn"], r["laestab"], r["academic_year"]) for r in kept if r["half_term"] != "6"}
    kept = [r for r in kept if (r["upn"], r["laestab"], r["academic_year"]) in before_6]
    of_school = defaultdict(set)
    for r in kept:
        of_school[r["laestab"], *(r[name] for name in periods)].add(r["upn"])
    return [r for r in kept if len(of_school[r["laestab"], *(r[name] for name in periods)]) >= least]


def follow(frame: pd.DataFrame, by: str, members: set[str] | None, least: int = 6) -> Followed:
    rows = frame.to_dict("records")
    names = ("academic_year", "term") if by == "term" else ("academic_year",)
    periods = sorted(
        {tuple(r[n] for n in names) for r in rows}, key=lambda p: (p[0], TERMS.index(p[1]) if p[1:] else 0)
    )
    is_here = {r["la_code"]: members is None or r["la_code"] in members for r in rows}
    possible, missed, of_school = Counter(), Counter(), Counter()
    roll, away, away_sessions, described = set(), set(), set(), {}
    for r in rows:
        if 5 <= r["age"] <= 15:
            at = (r["upn"], tuple(r[n] for n in names))
            (roll if is_here[r["la_code"]] else away).add(at)
            if not is_here[r["la_code"]] and r["sessions_possible"]:
                away_sessions.add(at)
            described[at[0], at[1], r["laestab"]] = r
            if is_here[r["la_code"]]:
                of_school[at, r["laestab"]] += 0
    for r in counted_rows([r for r in rows if is_here[r["la_code"]]], names, least):
        at = (r["upn"], tuple(r[n] for n in names))
        possible[at] += r["sessions_possible"]
        missed[at] += r["sessions_authorised"] + r["sessions_unauthorised"]
        of_school[at, r["laestab"]] += r["sessions_possible"]
    pupils = sorted({upn for upn, _ in possible})
    states = {}
    for upn in pupils:
        states[upn] = []
        for period in periods:
            at = (upn, period)
            if possible[at] >= (20 if by == "term" else 50):
                cuts = [missed[at] * 100 >= possible[at] * share for share in (5, 10, 20, 50)]
                states[upn].append(BANDS[sum(cuts)])
            elif possible[at]:
                states[upn].append(FEW)
            elif at in away_sessions or (at in away and at not in roll):
                states[upn].append(AWAY)
            else:
                states[upn].append(FEW if at in roll else NOWHERE)
    entry = {}
    schools_of = defaultdict(list)
    for (at, school), sessions in of_school.items():
        schools_of[at].append((-sessions, school))
    for at, schools in schools_of.items():
        entry[at] = described[at[0], at[1], min(schools)[1]]
    born = {}
    for r in rows:
        if 5 <= r["age"] <= 15 and is_here[r["la_code"]]:
            born[r["upn"]] = r["academic_year"] // 100 - r["age"]
    sessions = {at: (possible[at], missed[at]) for at in possible}
    return Followed(periods, states, sessions, entry, born)


def step_of(one: tuple, two: tuple) -> str:
    years = two[0] // 100 - one[0] // 100
    if len(one) == 1:
        return "Year to year" if years == 1 else ""
    return {
        ("autumn", "spring", 0): "Autumn to spring",
        ("spring", "summer", 0): "Spring to summer",
        ("summer", "autumn", 1): "Summer to autumn",
    }.get((one[1], two[1], years), "")


def flows(followed: Followed, by: tuple[str, ...] = ()) -> Counter:
    """Return counts by (academic year, step, before, after, *by)."""
    found = Counter()
    for upn, states in followed.states.items():
        for (one, before), (two, after) in pairwise(zip(followed.periods, states, strict=True)):
            step = step_of(one, two)
            if not step or {before, after} <= {AWAY, NOWHERE}:
                continue
            if before == AWAY:
                before = "From another district"
            elif before == NOWHERE:
                before = "Reached age 5" if one[0] // 100 - followed.born[upn] < 5 else "Joined"
            described = followed.entry[upn, two if after not in (AWAY, NOWHERE) else one]
            if after == AWAY:
                after = "To another district"
            elif after == NOWHERE:
                after = "Finished Year 11" if two[0] // 100 - followed.born[upn] > 15 else "Left"
            found[two[0], step, before, after, *(described[name] for name in by)] += 1
    return found


def recoveries(followed: Followed, lowest: int) -> list[tuple[int, bool]]:
    """Return (terms seen, recovered) of each pupil's first step from below a band to it or a higher one."""
    found = []
    for states in followed.states.values():
        of = [BANDS.index(state) if state in BANDS else None for state in states]
        for at in range(1, len(of)):
            if None in (of[at - 1], of[at]) or not step_of(followed.periods[at - 1], followed.periods[at]):
                continue
            if of[at - 1] < lowest <= of[at]:
                seen, recovered = 0, False
                for later in range(at + 1, len(of)):
                    if of[later] is None or not step_of(followed.periods[later - 1], followed.periods[later]):
                        break
                    seen += 1
                    if of[later] < lowest:
                        recovered = True
                        break
                found.append((seen, recovered))
                break
    return found
