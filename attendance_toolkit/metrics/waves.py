"""Waves of a virtual school: the level of each looked-after child's attendance, year to date, and who changes level."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.cells import InclusionRules, enrolment_years
from attendance_toolkit.metrics.rating import level_numbers
from attendance_toolkit.vocabulary.calendar import TERMS
from attendance_toolkit.vocabulary.rule_schemes import Scheme

#: Pupils of compulsory school age with sessions to count, in any kind and size of school: a virtual school is for each child.
WAVE_RULES = InclusionRules(exclude_boarders=False, exclude_half_term_6_joiners=False, min_school_enrolments=0)
#: Possible sessions of the year to date below which a child is in no wave yet.
FEWEST_SESSIONS = 20
#: In place of a level: too few sessions so far.
TOO_FEW = "Too few sessions so far"
#: What became of a child from one term to the next.
BETTER, SAME, WORSE, JOINED, LEFT, NOT_TOLD = (
    "To a better level", "The same level", "To a worse level", "Joined", "Left", "Too few sessions to tell",
)  # fmt: skip
CHANGES = (BETTER, SAME, WORSE, NOT_TOLD, JOINED, LEFT)


def pupil_waves(
    pupil_terms: Any,
    scheme: Scheme,
    *,
    fewest_sessions: int = FEWEST_SESSIONS,
    rules: InclusionRules = WAVE_RULES,
) -> pd.DataFrame:
    """Return the level of each pupil at the end of each term: year to date, the sessions of all schools together.

    Compared as whole numbers, so that exactly 95% is exactly 95%.

    Parameters
    ----------
    pupil_terms
        PUPIL_TERM rows of the pupils it is asked for, such as those looked after: pandas frame or DuckDB relation.
    scheme
        A rule scheme of an attendance rate, such as ``virtual_school_waves``.
    fewest_sessions
        Possible sessions of the year to date below which there is no level.
    rules
        Which rows count.

    Returns
    -------
    One row a pupil and term with possible sessions in it: ``academic_year``, ``term``, ``upn``, ``phase`` and ``nc_year`` (of the
    school with most of the sessions), ``possible`` and ``attended`` (of the year to date), ``level`` (place in
    ``scheme.levels``; -1 for too few sessions) and ``wave`` (its name, or ``TOO_FEW``). A figure of the whole year that
    cannot be split is of its last term.

    Raises
    ------
    ParameterError
        The scheme is not of a rate.
    """
    rows = _by_school(pupil_terms, rules)
    names = np.array([*(level.name for level in scheme.levels), TOO_FEW], dtype=object)
    found = []
    for term, earlier in _terms_so_far(sorted(rows["term"].unique())):
        here = rows[rows["term"] == term][["academic_year", "upn"]].drop_duplicates()
        so_far = rows[rows["term"].isin(earlier)].merge(here, on=["academic_year", "upn"])
        if so_far.empty:
            continue
        most = so_far.groupby(["academic_year", "upn", "phase", "nc_year"], sort=True)["possible"].sum().reset_index()
        most = most.sort_values("possible", ascending=False, kind="stable").drop_duplicates(["academic_year", "upn"])
        sums = so_far.groupby(["academic_year", "upn"], sort=True)[["possible", "attended"]].sum().reset_index()
        told = sums.merge(most.drop(columns="possible"), on=["academic_year", "upn"], validate="one_to_one")
        level = level_numbers(scheme, told["attended"], told["possible"])
        level = np.where(told["possible"] >= fewest_sessions, level, -1)
        found.append(told.assign(term=term, level=level, wave=names[level]))
    columns = ["academic_year", "term", "upn", "phase", "nc_year", "possible", "attended", "level", "wave"]
    if not found:
        return pd.DataFrame(columns=columns)
    return pd.concat(found, ignore_index=True)[columns]


def _by_school(pupil_terms: Any, rules: InclusionRules) -> pd.DataFrame:
    """Return possible and attended sessions of each pupil, school and term; a whole year's are of the summer."""
    sums = enrolment_years(pupil_terms, ["term", "phase", "nc_year"], rules=rules).collect("pyarrow").to_pandas()
    sums = sums.assign(term=sums["term"].astype(str).replace("year", TERMS[-1]))
    for name in ("phase", "nc_year"):
        sums[name] = sums[name].astype(str)
    return sums.assign(attended=sums["possible"] - sums["authorised"] - sums["unauthorised"])


def _terms_so_far(present: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return each term there is with those of the year up to it.

    >>> _terms_so_far(["spring", "autumn"])
    [('autumn', ('autumn',)), ('spring', ('autumn', 'spring'))]
    """
    return [(term, TERMS[: number + 1]) for number, term in enumerate(TERMS) if term in set(present)]


def wave_changes(waves: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Return what became of each pupil from one term of a year to the next.

    Parameters
    ----------
    waves
        ``pupil_waves``.
    scheme
        The scheme they are of: levels of a lower rank are better.

    Returns
    -------
    One row a pupil in either of two terms one after the other: ``academic_year``, ``term`` (the later one), ``upn``, ``phase``,
    ``wave_before`` and ``wave_after`` (``JOINED``, ``LEFT`` where there is none) and ``change``, one of ``CHANGES``. Every
    pupil of the earlier term is in one row, and every pupil of the later.
    """
    ranks = np.array([*(level.rank if level.rank is not None else n for n, level in enumerate(scheme.levels)), 0])
    found = []
    for before, after in pairwise(TERMS):
        one, two = (
            waves[waves["term"] == term][["academic_year", "upn", "phase", "level", "wave"]] for term in (before, after)
        )
        # A year of which only one of the terms is known has no change between them.
        years = set(one["academic_year"]) & set(two["academic_year"])
        both = one.merge(two, how="outer", on=["academic_year", "upn"], suffixes=("_before", "_after"))
        both = both[both["academic_year"].isin(years)]
        if both.empty:
            continue
        is_new, is_gone = both["wave_before"].isna(), both["wave_after"].isna()
        levels = [both[f"level_{side}"].fillna(-1).astype(int).to_numpy() for side in ("before", "after")]
        step = ranks[levels[1]] - ranks[levels[0]]
        is_untold = (levels[0] < 0) | (levels[1] < 0)
        change = np.select(
            [is_new, is_gone, is_untold, step < 0, step > 0], [JOINED, LEFT, NOT_TOLD, BETTER, WORSE], SAME
        )
        found.append(
            both.assign(
                term=after,
                phase=both["phase_after"].fillna(both["phase_before"]),
                wave_before=both["wave_before"].fillna(JOINED),
                wave_after=both["wave_after"].fillna(LEFT),
                change=change,
            )
        )
    columns = ["academic_year", "term", "upn", "phase", "wave_before", "wave_after", "change"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)
