"""Lay the sessions of a cohort over real school days, mark by mark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._parameters import CODES, COLUMN, SLOTS, YEARS, Array, calendar
from attendance_toolkit.vocabulary.calendar import half_term_starts

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


def spread_marks(cohort: SyntheticCohort) -> pd.DataFrame:
    r"""Return one row for each mark: enrolment, academic_year, date, session ("AM", "PM") and code (its number).

    Mornings are filled first with ``/``, afternoons last with ``\``, as registers have them. Half of the pupils are
    filled from the first day and half from the last; a pupil's second school in the same half term the other way round,
    so that sessions meet as little as they can.
    """
    parts = []
    order = [COLUMN["/"], *(i for i, code in enumerate(CODES) if code not in "/\\"), COLUMN["\\"]]
    pupil = cohort.enrolments["pupil"].to_numpy()
    halves: Any = cohort.sessions.groupby(["academic_year", "half_term"], observed=True, sort=True)
    for (year, slot), rows in halves:
        marks = rows[list(CODES)].to_numpy()[:, order].astype(np.int64)
        totals = marks.sum(axis=1)
        days = session_days(int(year), str(slot), int(-(-totals.max() // 2)))
        enrolment = rows["enrolment"].to_numpy()
        codes = np.repeat(np.tile(np.array(order, np.int8), len(rows)), marks.ravel())
        row = np.repeat(np.arange(len(rows)), totals)
        place = np.arange(len(row)) - np.repeat(np.cumsum(totals) - totals, totals)
        mornings = -(-totals // 2)
        is_afternoon = place >= mornings[row]
        day = place - np.where(is_afternoon, mornings[row], 0)
        second = pd.Series(pupil[enrolment]).groupby(pupil[enrolment]).cumcount().to_numpy() % 2 == 1
        from_end = second ^ (pupil[enrolment] % 2 == 1)
        day = np.where(from_end[row], len(days) - 1 - day, day)
        parts.append(
            pd.DataFrame({
                "enrolment": enrolment[row], "academic_year": int(year), "date": days[day].astype("datetime64[s]"),
                "session": pd.Categorical.from_codes(is_afternoon.astype(np.int8), pd.Index(["AM", "PM"])),
                "code": pd.Categorical.from_codes(codes, pd.Index(CODES)),
            })
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)
