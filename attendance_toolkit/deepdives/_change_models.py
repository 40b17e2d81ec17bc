"""What lies behind the change of a rate: rows of a release for mix and rates, and intervals for turnover and contributions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.modelled import points_decimals
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95, FloatArray, newcombe_interval, wilson_interval
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.models.decomposition import contributions, decomposition_interval, standardise_cells, turnover
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES

#: The mix of pupils: the characteristics whose parts of a change are told apart.
FACTORS = ("nc_year", "sex", "fsm_eligible", "sen_provision")
#: Further parts, as the column ``model`` names them beside the factors.
MIX, RATE = "mix", "rate"
#: A district's whole gap to the mean of districts, as ``model`` names it.
GAP = "gap"
#: Measure -> the statistic of its parts, and the count.
PARTS = {
    "persistent_absence_rate": ("persistent_change_part", "persistent_absentees"),
    "severe_absence_rate": ("severe_change_part", "severe_absentees"),
}
#: Measure -> the statistic of a gap's parts.
GAP_PARTS = {"persistent_absence_rate": "persistent_gap_part", "severe_absence_rate": "severe_gap_part"}
#: How often the pupils are drawn again for the intervals.
DRAWS = 200

Pair = tuple[int, int]


@dataclass(frozen=True)
class Stayers:
    """Counts of pupils there in both years: all of them, and how many were absent before, after and in both."""

    pupils: float
    before: float
    after: float
    both: float


def change_rows(
    cells: pd.DataFrame, pairs: Iterable[Pair], *, is_cut: bool = False, draws: int = DRAWS, seed: int = 1
) -> pd.DataFrame:
    """Return the parts of the change of persistent and severe absence: the mix by each of ``FACTORS``, and the rates.

    Parameters
    ----------
    cells
        Counts by area_code, academic_year, phase and ``FACTORS``; main phases are taken together.
    pairs
        (earlier, later) academic years.
    is_cut
        Say with each row how many decimals partners may be told of it (``decimals``), for pupil-level data.
    draws, seed
        Of ``models.decomposition.decomposition_interval``.

    Returns
    -------
    pandas.DataFrame
        MEASURE rows without counts: ``area_code``, ``academic_year`` (the later one), ``since`` (the earlier one), ``phase``
        ("All schools"), ``model`` (a factor, "mix" for all factors together, or "rate"), ``enrolments`` those of the later
        year. "mix" and "rate" add up to the change.

    Raises
    ------
    NoDataError
        No area has both years of any pair.
    """
    by = ["area_code", "academic_year", *FACTORS]
    totals = add_cells(cells[cells["phase"].isin(MAIN_PHASES)], by)
    rows: list[dict[str, Any]] = []
    for code, here in totals.groupby("area_code", sort=False, observed=True):
        for since, year in pairs:
            both = here[here["academic_year"].isin((since, year))]
            if both["academic_year"].nunique() == 2:
                rows += _pair_rows(both, {"area_code": str(code), "academic_year": year, "since": since}, draws, seed)
    if not rows:
        raise NoDataError("What the mix of pupils makes of a change needs the pupil groups of two years.")
    found = pd.DataFrame(rows)
    if is_cut:
        found["decimals"] = [points_decimals(size) for size in found["enrolments"]]
    return found.assign(phase=ALL_SCHOOLS, numerator=math.nan, denominator=math.nan, symbol="")


def _pair_rows(cells: pd.DataFrame, keys: dict[str, Any], draws: int, seed: int) -> list[dict[str, Any]]:
    since, year = keys["since"], keys["academic_year"]
    before, after = _arrays(cells, "academic_year", (since, year))
    rows = []
    for statistic, count in PARTS.values():
        found = decomposition_interval(
            before[count],
            before["enrolments"],
            after[count],
            after["enrolments"],
            names=FACTORS,
            draws=draws,
            seed=seed,
        )
        parts = {**found.structure, MIX: found.composition, RATE: found.rate}
        size = float(after["enrolments"].sum())
        rows += [
            {
                **keys, "model": name, "measure": statistic, "rate": part.value, "lower": part.lower, "upper": part.upper,
                "enrolments": size,
            }
            for name, part in parts.items()
        ]  # fmt: skip
    return rows


def gap_rows(cells: pd.DataFrame, *, is_cut: bool = False) -> pd.DataFrame:
    """Return the parts of each district's gap to the mean of all districts: the mix by each of ``FACTORS``, and the rates.

    Parameters
    ----------
    cells
        Counts of one year by area_code, academic_year, phase and ``FACTORS``; main phases are taken together.
    is_cut
        As of ``change_rows``.

    Returns
    -------
    pandas.DataFrame
        MEASURE rows as of ``change_rows``, without ``since``; ``model`` "gap" is the whole, "mix" and "rate" add up to it. Each
        district counts once in the mean.

    Raises
    ------
    NoDataError
        There are fewer than two districts.

    Notes
    -----
    Das Gupta (1993), equation 6.11 (``models.decomposition.standardise_cells``): no district is the standard.
    """
    totals = add_cells(cells[cells["phase"].isin(MAIN_PHASES)], ["area_code", "academic_year", *FACTORS])
    codes = sorted(totals["area_code"].unique())
    if len(codes) < 2:
        raise NoDataError("What the mix of pupils makes of districts' rates needs the pupil groups of two districts.")
    arrays = _arrays(totals, "area_code", codes)
    year = int(totals["academic_year"].iloc[0])
    rows: list[dict[str, Any]] = []
    for measure, (_, count) in PARTS.items():
        sizes = np.array([array["enrolments"] for array in arrays])
        events = np.array([array[count] for array in arrays])
        rates = np.divide(events, sizes, out=np.full(sizes.shape, np.nan), where=sizes > 0)
        found = standardise_cells(sizes, rates, names=FACTORS)
        parts = {
            **found.structure,
            MIX: np.sum(list(found.structure.values()), axis=0),
            RATE: found.rate,
            GAP: found.crude,
        }
        rows += [
            {
                "area_code": code, "academic_year": year, "model": name, "measure": GAP_PARTS[measure],
                "rate": float(values[at] - values.mean()), "enrolments": float(sizes[at].sum()),
            }
            for name, values in parts.items()
            for at, code in enumerate(codes)
        ]  # fmt: skip
    frame = pd.DataFrame(rows)
    if is_cut:
        frame["decimals"] = [points_decimals(size) for size in frame["enrolments"]]
    numbers = dict.fromkeys(("numerator", "denominator", "lower", "upper"), math.nan)
    return frame.assign(phase=ALL_SCHOOLS, symbol="", **numbers)


def _arrays(cells: pd.DataFrame, column: str, values: Iterable[Any]) -> list[dict[str, FloatArray]]:
    """Return the counts of each year or district with an axis for each factor; the axes have the levels of all of them."""
    levels = [pd.Index(sorted(cells[name].astype(str).unique()), name=name) for name in FACTORS]
    full = pd.MultiIndex.from_product(levels)
    shape = [len(level) for level in levels]
    counts = ["enrolments", *(count for _, count in PARTS.values())]
    found = []
    for value in values:
        here = cells[cells[column] == value]
        here = here.assign(**{name: here[name].astype(str) for name in FACTORS}).set_index(list(FACTORS))[counts]
        # Groups that are not there have nobody; a count that is not known stays so, and is refused.
        arrays = here.astype("float64").reindex(full, fill_value=0.0)
        found.append({name: arrays[name].to_numpy().reshape(shape) for name in counts})
    return found


def turnover_estimates(
    stayers: Stayers, leavers: tuple[float, float], joiners: tuple[float, float]
) -> dict[str, Estimate]:
    """Return the parts of ``models.decomposition.turnover`` with 95% intervals.

    Parameters
    ----------
    leavers, joiners
        Pupils absent and all pupils: of those there in the first year only, in the first; in the second only, in the second.

    Returns
    -------
    dict
        "total", "stayers", "joiners" and "leavers"; the last three add up to the first. Missing values without stayers.

    Notes
    -----
    The parts are exact; the intervals say how far chance in who was absent goes. Stayers are the same pupils twice: their
    interval is that of a paired difference (Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37,
    479). Joiners and leavers are other pupils. Shares of joiners and leavers are taken as known.
    """
    n = stayers.pupils
    found = turnover(
        stayers_before=(stayers.before, n), stayers_after=(stayers.after, n), leavers=leavers, joiners=joiners
    )
    parts = {name: getattr(found, name) for name in ("total", "stayers", "joiners", "leavers")}
    if not n > 0:
        return {name: Estimate(value) for name, value in parts.items()}
    stay_before, stay_after = n / (n + leavers[1]), n / (n + joiners[1])
    before, after = _variance(stayers.before, n), _variance(stayers.after, n)
    gone, new = ((1 - stay) ** 2 for stay in (stay_before, stay_after))
    left, joined = _variance(*leavers), _variance(*joiners)
    together = stayers.both / n - stayers.before * stayers.after / n**2
    covariance = together / n
    errors = {
        "stayers": _paired_variance(stayers),
        "joiners": new * (joined + after),
        "leavers": gone * (left + before),
        "total": max(stay_after**2 * after + stay_before**2 * before - 2 * stay_after * stay_before * covariance, 0.0)
        + new * joined
        + gone * left,
    }
    return {
        name: Estimate(value, value - Z95 * math.sqrt(errors[name]), value + Z95 * math.sqrt(errors[name]))
        for name, value in parts.items()
    }


def _variance(events: float, trials: float) -> float:
    """Return the variance of a rate. One more of each kind: nobody absent is not proof of a rate of 0."""
    if not trials > 0:
        return 0.0  # a group without pupils has no weight either
    rate = (events + 1) / (trials + 2)
    return rate * (1 - rate) / trials


def _paired_variance(stayers: Stayers) -> float:
    up, down = ((changed - stayers.both + 1) / (stayers.pupils + 2) for changed in (stayers.after, stayers.before))
    return (up + down - (up - down) ** 2) / (stayers.pupils + 2)


def contribution_estimates(
    before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]
) -> list[dict[str, Estimate]]:
    """Return ``models.decomposition.contributions`` of units with 95% intervals.

    Parameters
    ----------
    before, after
        Events and trials of each unit in the first and in the second year.

    Returns
    -------
    list of dict
        For each unit "contribution" and "contribution_within" with intervals, "contribution_size" without.

    Notes
    -----
    The interval of what a unit's own rate adds is Newcombe's of the change of its rate, times its mean share of all: sizes
    are taken as known, and the years as independent. A unit there in one year only has no interval.
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    found = contributions(first[:, 0], first[:, 1], second[:, 0], second[:, 1])
    share = (first[:, 1] / first[:, 1].sum() + second[:, 1] / second[:, 1].sum()) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = [counts[:, 0] / counts[:, 1] for counts in (second, first)]
    bounds = [wilson_interval(counts[:, 0], counts[:, 1]) for counts in (second, first)]
    low, high = (end * share for end in newcombe_interval(rates[0], bounds[0], rates[1], bounds[1]))
    within, size = found["within"].to_numpy(), found["size"].to_numpy()
    return [
        {
            "contribution": Estimate(within[i] + size[i], low[i] + size[i], high[i] + size[i]),
            "contribution_within": Estimate(within[i], low[i], high[i]),
            "contribution_size": Estimate(size[i]),
        }
        for i in range(len(found))
    ]
