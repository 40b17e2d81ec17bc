"""MEASURE rows to a ProtectedTable: hide small numbers, hide what would give them away, round the rest.

This protects one table with its totals. Linked tables (several pages, releases and districts together) need
one registry for the whole release; until that exists the page says so (docs/decisions/0005).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.policy import PUBLISHED, Policy
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.vocabulary.columns import ALL, MEASURE_CORE
from attendance_toolkit.vocabulary.measures import MEASURES

#: Measures of the records, not of what pupils did.
_ABOUT_RECORDS = frozenset({"unknown_share"})
_NUMBERS = ["numerator", "denominator", "rate", "lower", "upper"]


def protect(
    rows: pd.DataFrame,
    policy: Policy,
    *,
    source: str,
    additive: Mapping[str, Sequence[tuple[str, Collection[str]]]] | Iterable[str] = (),
    is_synthetic: bool = False,
) -> ProtectedTable:
    """Return the rows as they may be shown under the policy.

    Parameters
    ----------
    rows
        MEASURE rows with the column ``enrolments``: how many stand behind each row.
    additive
        Columns along which counts add up to a total: names (the total is the level "All", the parts are
        all others), or name -> [(a total, its parts), ...]. Secondary hiding works along these lines,
        where the total is among the rows.

    Raises
    ------
    DisclosureError
        The rows lack ``enrolments``, so small groups could not be told from large ones.

    >>> from attendance_toolkit.disclosure.policy import policy_for
    >>> rows = pd.DataFrame({"sex": ["All", "Female", "Male"], "measure": "severe_absence_rate",
    ...     "numerator": [37.0, 6, 31], "denominator": [849.0, 218, 631], "rate": [.044, .028, .049],
    ...     "lower": .0, "upper": .1, "symbol": "", "enrolments": [849.0, 218, 631]})
    >>> protect(rows, policy_for("partner"), source="example", additive=["sex"]).rows["symbol"].tolist()
    ['', 'c', 'c']
    """
    missing = [name for name in (*MEASURE_CORE, "enrolments") if name not in rows.columns]
    if missing:
        raise DisclosureError(f"Rows to be protected need the columns {', '.join(missing)}.")
    rows = rows.reset_index(drop=True).copy()
    lines = (
        dict(additive)
        if isinstance(additive, Mapping)
        else {name: [(ALL, set(rows[name]) - {ALL})] for name in additive}
    )
    if policy.threshold is not None:
        hidden = _primary(rows, policy.threshold)
        hidden = _secondary(rows, hidden, lines)
        shown_symbol = rows["symbol"] == ""
        rows.loc[hidden & shown_symbol, "symbol"] = "c"
    no_number = rows["symbol"] != ""
    rows.loc[no_number, _NUMBERS] = np.nan
    if policy.rounding > 1:
        rows = _round(rows, policy.rounding)
    return ProtectedTable(rows.drop(columns="enrolments"), policy.rule, source, is_synthetic)


def protect_published(rows: pd.DataFrame, *, source: str) -> ProtectedTable:
    """Return published rows as they are: they are public, so hiding them would protect nobody."""
    rows = rows.drop(columns=[name for name in ("enrolments",) if name in rows.columns]).reset_index(drop=True)
    rows = rows.copy()
    rows.loc[rows["symbol"] != "", _NUMBERS] = np.nan
    return ProtectedTable(rows, PUBLISHED.rule, source)


def _counts_pupils(rows: pd.DataFrame) -> pd.Series:
    """Whether a row's numerator counts enrolments (its denominator then is the group itself)."""
    pupil_measures = {
        m.name for m in MEASURES.values() if m.denominator == "enrolments" and "sessions" not in m.numerator
    }
    return rows["measure"].isin(pupil_measures)


def _primary(rows: pd.DataFrame, threshold: int) -> pd.Series:
    small_group = (rows["enrolments"] < threshold).fillna(True)
    counts = _counts_pupils(rows)
    numerator, rest = rows["numerator"], rows["denominator"] - rows["numerator"]
    # Fewer than the threshold includes 0: nobody, or everybody, tells about each member of the group. How
    # complete the records are says nothing of the kind: there only a handful is hidden.
    about_records = rows["measure"].isin(_ABOUT_RECORDS)
    small = counts & ((numerator < threshold) | (rest < threshold))
    small = small.where(~about_records, (numerator > 0) & (numerator < threshold))
    return (small_group | small) & (rows["enrolments"] > 0)


def _groups(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name not in (*MEASURE_CORE, "enrolments")]


def _secondary(
    rows: pd.DataFrame, hidden: pd.Series, lines: Mapping[str, Sequence[tuple[str, Collection[str]]]]
) -> pd.Series:
    """Hide more until no line of parts with a shown total has exactly one hidden part."""
    groups = _groups(rows)
    # First the sizes of the groups: a group whose size must stay unknown is hidden in every measure,
    # because each measure would show the size as its denominator.
    sizes = rows.groupby(groups, dropna=False, sort=False)["enrolments"].first().reset_index()
    threshold_hidden = rows.assign(hidden=hidden).groupby(groups, dropna=False, sort=False)["hidden"].all()
    group_hidden = _close_lines(sizes, threshold_hidden.reset_index(drop=True), sizes["enrolments"], lines, groups)
    hidden = hidden | _align(rows, sizes[group_hidden], groups)
    # Then the numerators, measure by measure.
    size = rows["numerator"].where(_counts_pupils(rows), rows["enrolments"])
    return _close_lines(rows, hidden, size, lines, [*groups, "measure"])


def _align(rows: pd.DataFrame, chosen: pd.DataFrame, groups: list[str]) -> pd.Series:
    marked = rows[groups].merge(chosen[groups].drop_duplicates(), how="left", on=groups, indicator=True)
    return pd.Series((marked["_merge"] == "both").to_numpy(), index=rows.index)


def _close_lines(
    frame: pd.DataFrame,
    hidden: pd.Series,
    size: pd.Series,
    lines: Mapping[str, Sequence[tuple[str, Collection[str]]]],
    keys: list[str],
) -> pd.Series:
    """Hide the smallest shown part of every line with one hidden part, until there is none."""
    mask = hidden.to_numpy(dtype=bool, copy=True)
    order = size.fillna(np.inf).to_numpy(dtype=float)
    closed = [
        line
        for column, sums in lines.items()
        for total, parts in sums
        for line in _lines_along(frame, column, total, parts, keys)
    ]
    changed = True
    while changed:
        changed = False
        for parts, totals in closed:
            if int(mask[parts].sum()) != 1:
                continue
            shown = parts[~mask[parts]]
            # A single part is the same number as its total, which must go with it.
            target = shown[[int(order[shown].argmin())]] if len(shown) else totals
            changed |= not mask[target].all()
            mask[target] = True
    return pd.Series(mask, index=hidden.index)


def _lines_along(
    frame: pd.DataFrame, column: str, total: str, levels: Collection[str], keys: list[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, for each line along a column whose total is among the rows, the positions of parts and total."""
    others = [name for name in keys if name != column]
    line = (
        frame.groupby(others, dropna=False, sort=False, observed=True).ngroup().to_numpy()
        if others
        else np.zeros(len(frame), dtype=int)
    )
    is_total = (frame[column] == total).to_numpy(dtype=bool)
    # Empty groups hide nothing and cannot help to hide.
    is_part = (frame[column].isin(list(levels)) & (frame["enrolments"] > 0)).to_numpy(dtype=bool)
    found: dict[int, tuple[list[int], list[int]]] = {}
    for position in np.flatnonzero(is_total | is_part):
        found.setdefault(int(line[position]), ([], []))[int(is_total[position])].append(int(position))
    return [(np.array(parts), np.array(totals)) for parts, totals in found.values() if parts and totals]


def _round(rows: pd.DataFrame, base: int) -> pd.DataFrame:
    exact = rows["rate"].copy()
    for name in ("numerator", "denominator"):
        rows[name] = np.floor(rows[name] / base + 0.5) * base
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = rows["numerator"] / rows["denominator"].where(rows["denominator"] > 0)
    # A rate without counts (a difference of two means, say) is cut short instead.
    rows["rate"] = rate.where(rate.notna(), exact.round(4))
    # The interval moves with the rate and is cut to four decimals, so that it cannot give the counts back.
    shift = (rows["rate"] - exact).fillna(0.0)
    low, high = wilson_interval(rows["numerator"], rows["denominator"])
    is_count = rows["measure"].map(lambda name: name in MEASURES and MEASURES[name].unit == "count")
    rows["rate"] = rows["rate"].where(~is_count, rows["numerator"])
    counts = _counts_pupils(rows) & rate.notna()
    for name, bound in (("lower", low), ("upper", high)):
        rows[name] = (rows[name] + shift).where(~counts, bound).round(4)
    return rows
