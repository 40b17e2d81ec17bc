"""Lay the sessions of a cohort over real school days, mark by mark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._parameters import CODES, COLUMN, SLOTS, YEARS, Array, calendar
from attendance_toolkit.loaders.synthetic._spells import lay_spells
from attendance_toolkit.vocabulary.calendar import half_term_starts

#: Stream of random numbers for the order of marks.
MARKS_STREAM = 80
#: Half terms of a slot, as places in ``half_term_starts``: the first, and the one after the last.
_LIMITS = {"1-2": (0, 2), "3-4": (2, 4), "5": (4, 5), "6": (5, 6)}


def session_days(academic_year: int, slot: str, fewest: int) -> Array:
    """Return school days of a half term or span inside the limits of its term, at least as many as asked for.

    Days of the cohort's calendar that fall outside (a late spring term) make room for the nearest weekdays inside.
    """
    first, last = _LIMITS[slot]
    starts = [np.datetime64(day) for day in half_term_starts(academic_year)]
    ends = [*starts, np.datetime64(f"{academic_year // 100 + 1}-08-01")]
    days, place = calendar(), SLOTS.index(slot)
    taught = days.days[YEARS.index(academic_year)][days.starts[place] // 2 : days.starts[place + 1] // 2]
    taught = taught[(taught >= starts[first]) & (taught < ends[last])]
    if len(taught) >= fewest:
        return taught
    every = np.arange(starts[first], ends[last])
    spare = np.setdiff1d(every[np.is_busday(every)], taught)
    # Before the first or after the last day, nearest first, so that the break stays free.
    away = np.maximum(taught[0] - spare, spare - taught[-1]).astype(int)
    near = spare[np.argsort(np.where(away > 0, away, 1000), kind="stable")]
    return np.sort(np.concatenate([taught, near[: fewest - len(taught)]]))


def spread_marks(cohort: SyntheticCohort, *, friday_share: float = 0.0) -> pd.DataFrame:
    r"""Return one row for each mark: enrolment, academic_year, date, session ("AM", "PM") and code (its number).

    Half of the pupils are marked from the first day of a half term on and half up to the last; a pupil's second school in
    the same half term is marked the other way round, so that sessions meet as little as they can. Absences lie in spells
    (``_spells``), drawn from the cohort's seed; each half term has as many of each code as the cohort says, with ``/`` in
    the mornings and ``\\`` in the afternoons.

    Parameters
    ----------
    friday_share
        Share of the spells that are moved on to a Friday, to plant an excess of absence on Fridays; none by default.
    """
    parts = []
    pupil = cohort.enrolments["pupil"].to_numpy()
    halves: Any = cohort.sessions.groupby(["academic_year", "half_term"], observed=True, sort=True)
    for (year, slot), rows in halves:
        marks = rows[list(CODES)].to_numpy().astype(np.int64)
        totals = marks.sum(axis=1)
        days = session_days(int(year), str(slot), int(-(-totals.max() // 2)))
        enrolment = rows["enrolment"].to_numpy()
        second = pd.Series(pupil[enrolment]).groupby(pupil[enrolment]).cumcount().to_numpy() % 2 == 1
        from_end = second ^ (pupil[enrolment] % 2 == 1)
        row = np.repeat(np.arange(len(rows)), totals)
        place = np.arange(len(row)) - np.repeat(np.cumsum(totals) - totals, totals)
        # Where the number is odd, the day farthest from where the marks begin has a morning only.
        place += (from_end & (totals % 2 == 1))[row] & (place > 0)
        is_morning = place % 2 == 0
        day = place // 2 + np.where(from_end, len(days) + -totals // 2, 0)[row]
        weekday = (days[day].astype("datetime64[D]").astype(np.int64) + 3) % 7
        rng = np.random.default_rng([cohort.seed, MARKS_STREAM, int(year), SLOTS.index(str(slot))])
        codes = lay_spells(marks, is_morning, weekday, rng, friday_share=friday_share)
        session = (pupil[enrolment][row] * len(days) + day) * 2 + ~is_morning
        _spare_where_schools_meet(codes, row, session, is_morning)
        parts.append(
            pd.DataFrame({
                "enrolment": enrolment[row], "academic_year": int(year), "date": days[day].astype("datetime64[s]"),
                "session": pd.Categorical.from_codes((~is_morning).astype(np.int8), pd.Index(["AM", "PM"])),
                "code": pd.Categorical.from_codes(codes, pd.Index(CODES)),
            })
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _spare_where_schools_meet(codes: Array, row: Array, session: Array, is_morning: Array) -> None:
    """Exchange codes of a stay so that of a session marked at two schools one is not possible (D, X, Y), while there are such.

    Parameters
    ----------
    session
        A number for each pupil, day and half day.
    """
    number, at = np.unique(session, return_inverse=True)
    is_spare = np.isin(codes, [COLUMN[code] for code in "DXY"])
    marked, spare = np.bincount(at), np.bincount(at[is_spare], minlength=len(number))
    for stay in np.intersect1d(row[is_spare], row[(marked[at] > 1) & ~is_spare]):
        first, last = np.searchsorted(row, [stay, stay + 1])
        there = at[first:last]
        needed = (marked[there] > 1) & (spare[there] == 0)
        unneeded = is_spare[first:last] & ((marked[there] == 1) | (spare[there] > 1))
        meeting, away = first + np.flatnonzero(needed), first + np.flatnonzero(unneeded)
        few = min(len(meeting), len(away))
        meeting, away = meeting[:few], away[:few]
        codes[away], codes[meeting] = codes[meeting], codes[away]
        spare[at[away]] -= 1
        spare[at[meeting]] += 1
        present = away[np.isin(codes[away], [COLUMN["/"], COLUMN["\\"]])]
        codes[present] = np.where(is_morning[present], COLUMN["/"], COLUMN["\\"])
