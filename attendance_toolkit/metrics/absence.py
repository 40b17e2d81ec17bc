"""The measures of absence: CELLS in, MEASURE rows out. Ratios of sums, never means of rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.intervals import Z95, newcombe_interval, ratio_effective_size, wilson_interval
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.series_guard import guard, guard_rows, selection_of
from attendance_toolkit.vocabulary.columns import ALL, MEASURE_BEHIND, MEASURE_CORE
from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS
from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, UNAUTHORISED_REASONS

KINDS = ("overall", "authorised", "unauthorised")


def _rows(
    cells: pd.DataFrame, by: Sequence[str], measure: str, numerator: pd.Series, denominator: pd.Series
) -> pd.DataFrame:
    rows = cells[list(by)].copy()
    rows["measure"] = measure
    rows["numerator"] = numerator.astype(float)
    rows["denominator"] = denominator.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["rate"] = rows["numerator"] / rows["denominator"].where(rows["denominator"] > 0)
    rows["lower"], rows["upper"] = np.nan, np.nan
    rows["symbol"] = np.where(
        rows["denominator"].isna() | rows["numerator"].isna(), "x", np.where(rows["denominator"] > 0, "", "z")
    )
    # How many enrolments stand behind the row: disclosure needs it where the denominator is sessions.
    rows["enrolments"] = cells["enrolments"].astype(float)
    return rows


def _enrolment_rate(cells: pd.DataFrame, by: Sequence[str], measure: str, columns: Sequence[str]) -> pd.DataFrame:
    cells = add_cells(cells, by)
    rows = _rows(cells, by, measure, cells[list(columns)].sum(axis=1, skipna=False), cells["enrolments"])
    rows["lower"], rows["upper"] = wilson_interval(rows["numerator"], rows["denominator"])
    return rows


def absence_rate(cells: pd.DataFrame, by: Sequence[str] = (), *, kind: str = "overall", of: str = "") -> pd.DataFrame:
    """Return absence sessions as a share of possible sessions, for each group.

    Sessions are added up within a group before dividing, as in DfE's absence rate, so a pupil with more
    possible sessions counts for more. The interval takes the pupil as the unit (see
    ``intervals.ratio_effective_size``): sessions of one pupil are not independent.

    Parameters
    ----------
    cells
        CELLS, from ``absence_cells`` or a published count file.
    by
        Group columns; empty means one row for everybody.
    kind
        "overall", "authorised" or "unauthorised".
    of
        "severe": the sessions of severe absentees alone, over their own possible sessions. The measure's name gets the
        ending "_severe", and the interval needs the squares of ``SEVERE_COUNTS``.

    Returns
    -------
    MEASURE rows, one per group present: numerator and denominator in sessions, rate 0 to 1. The symbol is
    "z" for a group without possible sessions, "x" where the source does not give the counts.

    Raises
    ------
    UnknownColumnError
        A name in ``by`` is absent; the message lists the columns to choose from.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is '{kind}'; use one of: {', '.join(KINDS)}.")
    cells = add_cells(cells, by)
    ending = f"_{of}" if of else ""
    kinds = ("authorised", "unauthorised") if kind == "overall" else (kind,)
    missed = cells[[f"sessions_{one}{ending}" for one in kinds]].sum(axis=1, skipna=False)
    short = "absent" if kind == "overall" else kind
    rows = _rows(cells, by, f"{kind}_absence_rate{ending}", missed, cells[f"sessions_possible{ending}"])
    size = ratio_effective_size(
        rows["numerator"],
        rows["denominator"],
        cells[f"square_{short}{ending}"],
        cells[f"square_possible{ending}"],
        cells[f"cross_{short}{ending}"],
        cells[f"{of}_absentees" if of else "enrolments"],
    )
    rows["lower"], rows["upper"] = wilson_interval(rows["rate"] * size, size)
    return rows


def attendance_rate(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return sessions attended as a share of possible sessions: present or at approved educational activity.

    Outside the coronavirus years this is 1 minus the overall absence rate. From September 2020 to March
    2022 code X is a possible session that is neither attendance nor absence.
    """
    rows = absence_rate(cells, by)
    totals = add_cells(cells, by)
    covid = totals["sessions_covid"].fillna(0)
    lower, upper = rows["lower"].copy(), rows["upper"].copy()
    shift = (covid / rows["denominator"].where(rows["denominator"] > 0)).fillna(0)
    rows["measure"] = "attendance_rate"
    rows["numerator"] = rows["denominator"] - rows["numerator"] - covid
    rows["rate"] = rows["numerator"] / rows["denominator"].where(rows["denominator"] > 0)
    rows["lower"], rows["upper"] = 1 - upper - shift, 1 - lower - shift
    return rows


def persistent_absence_rate(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return enrolments missing 10% or more of their own possible sessions, as a share of enrolments."""
    return _enrolment_rate(cells, by, "persistent_absence_rate", ["persistent_absentees"])


def severe_absence_rate(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return enrolments missing 50% or more of their own possible sessions, as a share of enrolments."""
    return _enrolment_rate(cells, by, "severe_absence_rate", ["severe_absentees"])


def no_absence_rate(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return enrolments that missed no session, as a share of enrolments."""
    return _enrolment_rate(cells, by, "no_absence_rate", ["no_absence_enrolments"])


def attendance_bands(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the share of enrolments in each band of overall absence; the column ``band`` names it."""
    parts = []
    for label, columns in ABSENCE_BANDS:
        rows = _enrolment_rate(cells, by, "band_rate", columns)
        rows.insert(len(by), "band", label)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def reason_rates(cells: pd.DataFrame, by: Sequence[str] = (), *, of: str = "") -> pd.DataFrame:
    """Return sessions missed for each reason as a share of possible sessions; the column ``reason`` names it.

    The remainder of the authorised and unauthorised totals that no reason explains is "auth_unclassified" and
    "unauth_unclassified", as in DfE's tables, so the reasons add up to overall absence. ``of="severe"`` is as in
    ``absence_rate``.
    """
    cells = add_cells(cells, by)
    ending = f"_{of}" if of else ""
    measure, possible = f"reason_rate{ending}", cells[f"sessions_possible{ending}"]
    parts = []
    for reason in (*AUTHORISED_REASONS, *UNAUTHORISED_REASONS):
        rows = _rows(cells, by, measure, cells[f"sessions_{reason}{ending}"], possible)
        rows.insert(len(by), "reason", reason)
        parts.append(rows)
    for kind, reasons in (("auth", AUTHORISED_REASONS), ("unauth", UNAUTHORISED_REASONS)):
        explained = cells[[f"sessions_{reason}{ending}" for reason in reasons]].sum(axis=1, skipna=False)
        rows = _rows(cells, by, measure, cells[f"sessions_{kind}orised{ending}"] - explained, possible)
        rows.insert(len(by), "reason", f"{kind}_unclassified")
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def mean_sessions_missed(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return sessions missed per enrolment (``rate`` is a mean, in sessions)."""
    cells = add_cells(cells, by)
    absent = cells["sessions_authorised"] + cells["sessions_unauthorised"]
    rows = _rows(cells, by, "mean_sessions_missed", absent, cells["enrolments"])
    n = cells["enrolments"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (cells["square_absent"] - absent**2 / n) / (n - 1) / n
    half = Z95 * np.sqrt(variance.clip(lower=0).where(n > 1))
    rows["lower"], rows["upper"] = rows["rate"] - half, rows["rate"] + half
    return rows


def enrolment_count(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the number of enrolments in each group; ``rate`` is the same number, there is no denominator."""
    cells = add_cells(cells, by)
    rows = _rows(cells, by, "enrolments", cells["enrolments"], cells["enrolments"])
    return rows.assign(rate=rows["numerator"], denominator=np.nan)


def severe_kind_rates(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return how severe absentees' own sessions are missed: overall, by kind and by reason, one under another.

    Parameters
    ----------
    cells
        CELLS with ``SEVERE_COUNTS``.

    Returns
    -------
    MEASURE rows with the column ``reason`` ("All" but for reasons), and what ``with_contributors`` adds.
    """
    kinds = pd.concat([absence_rate(cells, by, kind=kind, of="severe") for kind in KINDS], ignore_index=True)
    kinds.insert(len(by), "reason", ALL)
    rows = pd.concat([kinds, reason_rates(cells, by, of="severe")], ignore_index=True)
    return with_contributors(rows, cells, by)


def main_measures(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return enrolments and the six measures of the overview for each group, one under another."""
    return pd.concat(
        [
            enrolment_count(cells, by),
            attendance_rate(cells, by),
            *[absence_rate(cells, by, kind=kind) for kind in KINDS],
            persistent_absence_rate(cells, by),
            severe_absence_rate(cells, by),
        ],
        ignore_index=True,
    )


#: The sessions behind a measure, by the names their squares have. Attendance gives absence away by subtraction.
_SESSIONS_BEHIND = {
    "attendance_rate": "absent",
    "overall_absence_rate": "absent",
    "mean_sessions_missed": "absent",
    "authorised_absence_rate": "authorised",
    "unauthorised_absence_rate": "unauthorised",
    "overall_absence_rate_severe": "absent_severe",
    "authorised_absence_rate_severe": "authorised_severe",
    "unauthorised_absence_rate_severe": "unauthorised_severe",
}


def with_contributors(rows: pd.DataFrame, cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return MEASURE rows with what tells whether a few pupils stand behind a sum of sessions.

    Parameters
    ----------
    rows
        Session rates, reasons and means made from the cells by ``by``; rows of other measures stay as they are.
    cells
        CELLS. ``concentration`` needs the squares of the sessions, ``contributors`` the column
        ``no_absence_enrolments`` (overall absence) or the enrolments of ``CONTRIBUTOR_COUNTS``.

    Returns
    -------
    The rows with ``contributors`` (enrolments with at least one session of the numerator) and ``concentration`` (sum
    over enrolments of squared sessions over the square of their sum; 1 where one pupil has them all). Missing where
    the cells do not tell, and where there is no session. By Cauchy's inequality there are at least
    1 / concentration contributors.

    >>> cells = pd.DataFrame({"sex": ["F", "M"], "enrolments": [30, 30], "sessions_possible": [9000, 9000],
    ...     "sessions_authorised": [100, 100], "sessions_unauthorised": 0, "sessions_covid": 0,
    ...     "square_absent": [10000, 500], "no_absence_enrolments": [29, 8]})
    >>> rows = mean_sessions_missed(cells, ["sex"])
    >>> with_contributors(rows, cells, ["sex"])[["contributors", "concentration"]].to_numpy().tolist()
    [[1.0, 1.0], [22.0, 0.05]]
    """
    totals = add_cells(cells, by)
    what = rows["measure"].map(_SESSIONS_BEHIND)
    for measure, ending in (("reason_rate", ""), ("reason_rate_severe", "_severe")):
        if "reason" in rows.columns:
            what = what.where(rows["measure"] != measure, rows["reason"] + ending)
    parts = []
    for name in what.dropna().unique():
        amount, contributors, squares = _behind(totals, name)
        with np.errstate(divide="ignore", invalid="ignore"):
            concentration = squares / amount.where(amount > 0) ** 2
        parts.append(totals[list(by)].assign(_what=name, contributors=contributors, concentration=concentration))
    if not parts:
        return rows.assign(contributors=np.nan, concentration=np.nan)
    behind = pd.concat(parts, ignore_index=True)
    # A pandas merge keeps the order of the left rows.
    joined = rows.assign(_what=what).merge(behind, how="left", on=[*by, "_what"], validate="many_to_one")
    return joined.drop(columns="_what").set_axis(rows.index)


def _behind(totals: pd.DataFrame, name: str) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return the sessions of one kind or reason, the enrolments that have any, and the sum of their squares."""
    missing = pd.Series(np.nan, index=totals.index)

    def column(count: str) -> pd.Series:
        return totals[count].astype(float) if count in totals.columns else missing

    if name == "absent":
        amount = column("sessions_authorised") + column("sessions_unauthorised")
        contributors = column("enrolments") - column("no_absence_enrolments")
    elif name == "absent_severe":
        amount = column("sessions_authorised_severe") + column("sessions_unauthorised_severe")
        contributors = column("severe_absentees")
    else:
        amount, contributors = column(f"sessions_{name}"), column(f"enrolments_{name}")
    return amount, contributors, column(f"square_{name}")


def difference(first: pd.DataFrame, second: pd.DataFrame, on: Sequence[str]) -> pd.DataFrame:
    """Return first minus second for rows that agree on ``on`` and measure, with Newcombe's interval.

    The measure's name gets the ending "_change". The rate is in the measure's own unit (0.01 is one
    percentage point). A side that is hidden or missing gives a row with its symbol and no number. Where a side
    has no interval (a published rate of a whole population) its rate is taken as exact.

    Raises
    ------
    SeriesBreakError
        The tables name series, periods or years that are not to be compared (``metrics.series_guard``).
    """
    guard_rows(first, second, on)
    keys = [*on, "measure"]
    both = first.merge(second, on=keys, suffixes=("_1", "_2"), validate="one_to_one")
    low, high = newcombe_interval(
        both["rate_1"],
        (both["lower_1"].fillna(both["rate_1"]), both["upper_1"].fillna(both["rate_1"])),
        both["rate_2"],
        (both["lower_2"].fillna(both["rate_2"]), both["upper_2"].fillna(both["rate_2"])),
    )
    no_interval = (both["lower_1"].isna() & both["lower_2"].isna()).to_numpy()
    rows = both[list(on)].copy()
    rows["measure"] = both["measure"] + "_change"
    rows["numerator"] = np.nan
    rows["denominator"] = np.nan
    rows["rate"] = both["rate_1"] - both["rate_2"]
    rows["lower"] = np.where(no_interval, np.nan, low)
    rows["upper"] = np.where(no_interval, np.nan, high)
    rows["symbol"] = np.where(both["symbol_1"] != "", both["symbol_1"], both["symbol_2"])
    hidden = rows["symbol"] != ""
    rows.loc[hidden, ["rate", "lower", "upper"]] = np.nan
    return rows


def record_difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return first minus second of two MEASURE records, as ``difference`` does for tables.

    Raises
    ------
    SeriesBreakError
        The records are of series, periods or years that are not to be compared.

    >>> record = {"measure": "severe_absence_rate", "rate": 0.02, "lower": 0.01, "upper": 0.03, "symbol": ""}
    >>> round(record_difference(record, {**record, "rate": 0.015, "lower": None, "upper": None})["rate"], 6)
    0.005
    """
    guard(selection_of(first), selection_of(second))
    symbol = first["symbol"] or second["symbol"]
    found: dict[str, Any] = {
        "measure": f"{first['measure']}_change",
        "numerator": math.nan,
        "denominator": math.nan,
        "symbol": symbol,
    }
    if symbol:
        return {**found, "rate": math.nan, "lower": math.nan, "upper": math.nan}

    digits: list[Any] = [record.get("decimals") for record in (first, second)]
    if not pd.isna(pd.Series(digits, dtype="object")).any():
        # The difference of two printed figures has their decimals.
        found["decimals"] = max(digits)

    def bounds(record: Mapping[str, Any]) -> tuple[float, float] | None:
        low, high = record["lower"], record["upper"]
        return None if low is None or high is None or low != low or high != high else (low, high)

    one, two = bounds(first), bounds(second)
    low, high = newcombe_interval(
        first["rate"], one or (first["rate"],) * 2, second["rate"], two or (second["rate"],) * 2
    )
    known = one is not None or two is not None
    return {
        **found,
        "rate": first["rate"] - second["rate"],
        "lower": float(low) if known else math.nan,
        "upper": float(high) if known else math.nan,
    }


def measure_columns(rows: pd.DataFrame) -> list[str]:
    """Return the group columns of MEASURE rows."""
    return [name for name in rows.columns if name not in (*MEASURE_CORE, *MEASURE_BEHIND)]
