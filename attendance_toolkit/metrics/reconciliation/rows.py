"""The checks of a published file across rows: totals over phases and areas, pooled and weighted rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.reconciliation._printed_digits import half_digit, half_step
from attendance_toolkit.metrics.reconciliation.columns import (
    findings_of,
    number_text,
    weighted_rows,
)
from attendance_toolkit.schema.column_table import ColumnTable
from attendance_toolkit.vocabulary.identities import Identities

_WITHIN = ["series", "level", "area", "year", "period", "group"]


def _unique(keys: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return keys[~keys.duplicated(names, keep=False)]


def _phase_rows(table: ColumnTable, known: Identities) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the keys of total rows and of phase rows; the index is the position in the table."""
    keys = _unique(table.keys.reset_index(drop=True), [*_WITHIN, "phase"])
    return keys[keys["phase"].isin(known.total_phases)], keys[keys["phase"].isin(known.part_phases)]


def check_phases(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find counts of all schools that are not those of primary, secondary and special schools together.

    A phase that is not given (an authority without special schools, or a hidden figure) leaves only "at most".
    """
    whole, parts = _phase_rows(table, known)
    whole = whole[whole["series"] != "attendance"]
    for name in sorted(known.additive & set(table.numbers)):
        yield _phases_of(table, name, whole, parts)


def _phases_of(table: ColumnTable, name: str, whole: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    value, slack = table.numbers[name], half_step(table, name)
    frame = parts[_WITHIN].assign(value=value[parts.index], slack=slack[parts.index])
    added = frame.groupby(_WITHIN)[["value", "slack"]].sum(min_count=1)
    added["given"] = frame.dropna(subset="value").groupby(_WITHIN).size()
    both = whole[_WITHIN].join(added, on=_WITHIN)
    gap = both["value"].to_numpy() - value[whole.index]
    room = both["slack"].to_numpy() + slack[whole.index]
    wrong = (gap > room) | ((gap < -room) & (both["given"] == parts["phase"].nunique()).to_numpy())
    marked, sums = _spread(table, whole.index[wrong], both["value"].to_numpy()[wrong])

    def texts(i: int) -> tuple[str, str, str]:
        says = f"{name} of the school types adds up to {number_text(sums[i])}, but of all schools it is"
        return number_text(value[i]), number_text(sums[i]), f"{says} {number_text(value[i])}."

    return findings_of(table, "phases_add_up", marked, name, texts)


def _spread(table: ColumnTable, places: pd.Index, values: Any) -> tuple[Any, Any]:
    marked = np.zeros(len(table), dtype=bool)
    marked[places] = True
    spread = np.full(len(table), np.nan)
    spread[places] = values
    return marked, spread


def check_areas(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find regions and England whose census counts are not those of their local authorities together.

    The attendance series does not add up by design and is not tested; neither are pupils counted in groups
    of social care, whose totals are rounded and made apart.
    """
    keys = _unique(table.keys.reset_index(drop=True), [*_WITHIN, "phase"])
    keys = keys[keys["series"] == "census"]
    authorities = keys[keys["level"] == "Local authority"]
    names = sorted(known.additive & set(table.numbers))
    if authorities.empty or not names:
        return
    for level, own in (("Regional", "region"), ("National", "nation")):
        whole = keys[(keys["level"] == level) & (keys[own] != "")]
        by = [own, "year", "period", "group", "phase"]
        gaps = {name: _gap(table, name, whole, authorities, by) for name in names}
        # Short in every count: authorities are missing from the file, and no count is wrong.
        short = np.all([total <= 0 for total, _ in gaps.values()], axis=0)
        short &= np.any([np.abs(total) > room for total, room in gaps.values()], axis=0)
        yield _missing_authorities(table, names[0], whole, gaps[names[0]][0], short)
        for name, (gap, room) in gaps.items():
            with np.errstate(invalid="ignore"):
                wrong = (np.abs(gap) > room) & ~short
            yield _areas_of(table, name, whole.index[wrong], gap[wrong])


def _areas_of(table: ColumnTable, name: str, places: pd.Index, gap: Any) -> pd.DataFrame:
    value = table.numbers[name]
    marked, sums = _spread(table, places, gap + value[places])

    def texts(i: int) -> tuple[str, str, str]:
        says = f"{name} of its local authorities adds up to {number_text(sums[i])}, but is {number_text(value[i])}."
        return number_text(value[i]), number_text(sums[i]), says

    return findings_of(table, "areas_add_up", marked, name, texts)


def _gap(
    table: ColumnTable, name: str, whole: pd.DataFrame, authorities: pd.DataFrame, by: list[str]
) -> tuple[Any, Any]:
    """Return the sum of the authorities less the figure of their area, and how far rounding may part them.

    Where an authority's figure is hidden or not given, a sum that falls short says nothing and the gap is 0.
    """
    value, slack = table.numbers[name], half_step(table, name)
    frame = authorities[by].assign(value=value[authorities.index], slack=slack[authorities.index])
    added = frame.groupby(by)[["value", "slack"]].sum(min_count=1)
    added["is_complete"] = frame["value"].notna().groupby([frame[n] for n in by]).all()
    both = whole[by].join(added, on=by)
    gap = both["value"].to_numpy() - value[whole.index]
    hidden = ~both["is_complete"].eq(True).to_numpy()
    gap = np.where(np.isnan(gap) | (hidden & (gap < 0)), 0, gap)
    return gap, np.nan_to_num(both["slack"].to_numpy() + slack[whole.index])


def _missing_authorities(table: ColumnTable, name: str, whole: pd.DataFrame, gap: Any, short: Any) -> pd.DataFrame:
    value = table.numbers[name]
    marked, missing = _spread(table, whole.index[short], -gap[short])

    def texts(i: int) -> tuple[str, str, str]:
        says = (
            f"its local authorities fall short in every count ({name} by {number_text(missing[i])} of"
            f" {number_text(value[i])}): some have no rows in the file. Use the row itself, not their sum."
        )
        return number_text(value[i]), number_text(value[i] - missing[i]), says

    return findings_of(table, "areas_incomplete", marked, name, texts, is_certain=False)


def check_pooled(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find percentages of all schools outside those of every school type."""
    whole, parts = _phase_rows(table, known)
    if parts["phase"].nunique() > 1:
        for name in sorted(known.percents & set(table.numbers)):
            yield _outside_of(table, name, whole, parts)


def _outside_of(table: ColumnTable, name: str, whole: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    value, half = table.numbers[name], half_digit(table, name)
    frame = parts[_WITHIN].assign(low=(value - half)[parts.index], high=(value + half)[parts.index])
    grouped = frame.dropna().groupby(_WITHIN)
    ends = grouped["low"].min().to_frame("low").join(grouped["high"].max()).join(grouped.size().rename("given"))
    both = whole[_WITHIN].join(ends, on=_WITHIN)
    mine, own_half = value[whole.index], half[whole.index]
    outside = (mine + own_half < both["low"].to_numpy() - 1e-9) | (mine - own_half > both["high"].to_numpy() + 1e-9)
    wrong = outside & (both["given"] == parts["phase"].nunique()).to_numpy()
    marked, low = _spread(table, whole.index[wrong], both["low"].to_numpy()[wrong])
    _, high = _spread(table, whole.index[wrong], both["high"].to_numpy()[wrong])

    def texts(i: int) -> tuple[str, str, str]:
        span = f"{low[i]:.2f} to {high[i]:.2f}"
        says = f"{name} of all schools is {number_text(value[i])}, outside that of every school type ({span})."
        return number_text(value[i]), span, says

    return findings_of(table, "between_groups", marked, name, texts)


def own_quotients(table: ColumnTable, known: Identities) -> dict[str, Any]:
    """Return, for each percentage, the rows where it is its count over its size as printed."""
    found = {name: np.zeros(len(table), dtype=bool) for name in known.percents & set(table.numbers)}
    for rate in known.rates:
        if table.has(rate.percent, rate.count, rate.size):
            with np.errstate(divide="ignore", invalid="ignore"):
                true = 100 * table.numbers[rate.count] / table.numbers[rate.size]
                found[rate.percent] = (
                    np.abs(true - table.numbers[rate.percent]) <= half_digit(table, rate.percent) * 1.001
                )
    return found


def check_weighted(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find totals of the attendance series that are neither the phases' rates weighted by census headcount nor
    the quotient of their own counts: files of terms and years give the first, of weeks and days the second.
    """
    own = own_quotients(table, known)
    for rule in known.weighted:
        if rule.weight not in table.numbers:
            continue
        whole, parts = _phase_rows(table, known)
        whole = whole[weighted_rows(table, known)[whole.index]]
        for name in sorted(known.percents & set(table.numbers)):
            yield _off_the_mean(table, name, rule.weight, whole[~own[name][whole.index]], parts)


def _off_the_mean(table: ColumnTable, name: str, by: str, whole: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    value, weight = table.numbers[name], table.numbers[by]
    frame = parts[_WITHIN].assign(w=weight[parts.index], x=(value * weight)[parts.index]).dropna()
    sums = frame.groupby(_WITHIN)[["w", "x"]].sum().assign(given=frame.groupby(_WITHIN).size())
    both = whole[_WITHIN].join(sums, on=_WITHIN)
    mean = (both["x"] / both["w"]).to_numpy()
    off = np.abs(mean - value[whole.index]) > half_digit(table, name)[whole.index] + 1e-6
    off &= (both["given"] == parts["phase"].nunique()).to_numpy()
    marked, true = _spread(table, whole.index[off], mean[off])

    def texts(i: int) -> tuple[str, str, str]:
        says = f"{name} of all schools is {number_text(value[i])}; the school types weighted by {by} give"
        return number_text(value[i]), f"{true[i]:.4f}", f"{says} {true[i]:.4f}."

    return findings_of(table, "weighted_total", marked, name, texts)
