"""A small invented population, its exact tables, and the naive ways to protect them that the attacks are shown on too."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.release import ClearedRelease, ExactTable, Release
from attendance_toolkit.metrics.absence import (
    absence_rate,
    attendance_bands,
    attendance_rate,
    enrolment_count,
    mean_sessions_missed,
    persistent_absence_rate,
    severe_absence_rate,
    with_contributors,
)
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, BAND_COLUMNS, CELL_COUNTS

AREA = "E08000003"
#: Dimensions and their levels, known to every reader. The totals are known to add up.
LEVELS: dict[str, tuple[str, ...]] = {
    "phase": ("Primary", "Secondary", "Special"),
    "fsm_eligible": ("FSM eligible", "Not known to be FSM eligible"),
    "sex": ("Female", "Male"),
    "sen_provision": ("No SEN", "SEN support", "EHC plan"),
}
MEASURES = {
    "enrolments": enrolment_count,
    "persistent_absence_rate": persistent_absence_rate,
    "severe_absence_rate": severe_absence_rate,
    "overall_absence_rate": absence_rate,
    "attendance_rate": attendance_rate,
    "mean_sessions_missed": mean_sessions_missed,
    "band_rate": attendance_bands,
}
COUNTS = ("enrolments", "persistent_absence_rate", "severe_absence_rate")


def make_pupils(seed: int, n: int = 900) -> pd.DataFrame:
    """Return invented pupils: a level of each dimension, sessions possible and missed."""
    rng = np.random.default_rng(seed)
    shares = {
        "phase": (0.5, 0.44, 0.06),
        "fsm_eligible": (0.25, 0.75),
        "sex": (0.5, 0.5),
        "sen_provision": (0.8, 0.15, 0.05),
    }
    pupils = pd.DataFrame({name: rng.choice(LEVELS[name], n, p=p) for name, p in shares.items()})
    possible = rng.integers(280, 380, n)
    rate = np.minimum(rng.gamma(0.7, 0.09, n) + 0.15 * (pupils["phase"] == "Special"), 1)
    return pupils.assign(
        area_code=AREA, academic_year=202324, possible=possible, absent=rng.binomial(possible, rate.to_numpy())
    )


def cells_of(pupils: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return CELLS of pupils: only what the attacks look at is not 0."""
    absent, possible = pupils["absent"], pupils["possible"]
    band = np.minimum(absent * 20 // possible, len(BAND_COLUMNS) - 1)
    counted = pupils[list(by)].assign(
        enrolments=1,
        sessions_possible=possible,
        sessions_authorised=absent,
        persistent_absentees=(absent * 10 >= possible).astype(int),
        severe_absentees=(absent * 2 >= possible).astype(int),
        no_absence_enrolments=(absent == 0).astype(int),
        square_possible=possible**2,
        square_absent=absent**2,
        square_authorised=absent**2,
        cross_absent=absent * possible,
        cross_authorised=absent * possible,
        **{name: (band == i).astype(int) for i, name in enumerate(BAND_COLUMNS)},
    )
    missing = {name: 0 for name in CELL_COUNTS if name not in counted.columns}
    counted = counted.assign(**missing)
    if not by:
        return counted[list(CELL_COUNTS)].sum().to_frame().T
    return counted.groupby(list(by), observed=True)[list(CELL_COUNTS)].sum().reset_index()


def exact_rows(pupils: pd.DataFrame, dims: Sequence[str], measures: Sequence[str] = COUNTS) -> pd.DataFrame:
    """Return MEASURE rows of every combination of levels of ``dims`` with all margins, for each area and year."""
    keys = ["area_code", "academic_year"]
    parts = []
    for size in range(len(dims) + 1):
        for chosen in itertools.combinations(dims, size):
            cells = cells_of(pupils, [*keys, *chosen])
            for name in dims:
                if name not in chosen:
                    cells = cells.assign(**{name: ALL_SCHOOLS if name == "phase" else ALL})
            by = [*keys, *dims]
            found = pd.concat([MEASURES[name](cells, by) for name in measures], ignore_index=True)
            parts.append(with_contributors(found, cells, by))
    return pd.concat(parts, ignore_index=True)


def clear(tables: Mapping[str, pd.DataFrame], policy: Policy, **options: object) -> ClearedRelease:
    """Return the tables cleared together in one release."""
    release = Release(policy, **options)  # type: ignore[arg-type]
    for name, rows in tables.items():
        release.add("attacks", AREA, name, ExactTable(rows, "Invented."))
    return release.clear()


def cleared_rows(cleared: ClearedRelease, tables: Mapping[str, object]) -> dict[str, pd.DataFrame]:
    """Return what a partner sees of each table."""
    return {name: cleared.table("attacks", AREA, name).rows for name in tables}


# --- naive ways ---------------------------------------------------------------------------------------------


def threshold_only(rows: pd.DataFrame, threshold: int = 10) -> pd.DataFrame:
    """Return rows with every count below the threshold blanked, and nothing else done."""
    few = (rows["numerator"] < threshold) | (rows["denominator"] - rows["numerator"] < threshold)
    return _blank(rows, few | (rows["enrolments"] < threshold))


def one_pass(rows: pd.DataFrame, threshold: int = 10) -> pd.DataFrame:
    """Return what the usual snippet gives: the smallest sibling of a lonely blank is blanked too, once along each line."""
    found = threshold_only(rows, threshold)
    dims = [name for name in LEVELS if name in rows.columns]
    hidden = (found["symbol"] == "c").to_numpy().copy()
    for dim in dims:
        is_part = ~rows[dim].isin([ALL, ALL_SCHOOLS])
        others = ["area_code", "academic_year", "measure", *(name for name in dims if name != dim)]
        for _, line in rows[is_part].groupby(others, observed=True):
            places = line.index.to_numpy()
            if hidden[places].sum() == 1 and len(places) > 1:
                rest = places[~hidden[places]]
                hidden[rest[line.loc[rest, "numerator"].to_numpy().argmin()]] = True
    return _blank(rows, pd.Series(hidden, index=rows.index))


def _blank(rows: pd.DataFrame, hidden: pd.Series) -> pd.DataFrame:
    found = rows.copy()
    found.loc[hidden, "symbol"] = "c"
    found.loc[hidden, ["numerator", "denominator", "rate", "lower", "upper"]] = np.nan
    return found
