"""How a number comes from cleared figures: itself, a difference, a mean of years, "1 in n", and nothing else.

The gate asks this of the value before rounding, as the ledger noted it. Whatever a page may say of figures is worked out
once for all cleared rows together, sorted, and looked up. Values agree to 1e-9 of their size: so near by chance that two
figures would have to meet in nine digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.intervals import newcombe_interval
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, LABELS
from attendance_toolkit.vocabulary.rounding import round_half_up
from attendance_toolkit.vocabulary.statistics import find_measured

FloatArray = NDArray[np.float64]

#: How near two values have to be, as a share of their size (and of 1 for smaller ones).
TOLERANCE = 1e-9
#: An explanation that is good in a table of lost learning alone: its whole numbers are too small to tell apart.
LOST_LEARNING = "learning lost at a cleared attendance rate"
NUMBERS = ("numerator", "denominator", "rate", "lower", "upper")
#: Columns that say what a row is about. All others say where it comes from: figures of two sources may be compared.
_ABOUT = frozenset((*LABELS, "area_code", "characteristic", "characteristic_level", "level", "band", "reason"))
#: Attendance rates the lost-learning table prints as steps, and the school year it is of.
_STEPS = tuple(Fraction(step, 100) for step in (100, 95, 90, 85, 80))
_SCHOOL_DAYS = 190


def explain(value: float, cells: Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> str | None:
    """Return how a value comes from cleared rows, in a few words; None if it does not.

    For many values of one page use an ``Explainer``.

    >>> rows = [{"measure": "severe_absence_rate", "numerator": 25, "denominator": 1000, "rate": 0.025, "symbol": "",
    ...          "lower": 0.017, "upper": 0.037, "academic_year": year} for year in (202223, 202324)]
    >>> rows[1] |= {"numerator": 30, "rate": 0.03}
    >>> explain(2.5, rows), explain(0.005, rows), explain(40.0, rows), explain(7, rows)
    ('a cleared figure', 'a difference of two cleared figures', 'one in how many', None)
    """
    return Explainer(list(cells.values()) if isinstance(cells, Mapping) else cells).explain(value)


@dataclass(frozen=True)
class _Pairs:
    """Positions of rows that differ in one thing alone: place, year, group, phase or term."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]


class Explainer:
    """Looks values up among everything cleared rows may give.

    Parameters
    ----------
    rows
        Cleared MEASURE rows as records. Rows with a symbol give nothing.
    derived
        Further rows whose numbers are cleared as they stand, made by the runner from cleared rows.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], derived: Iterable[Mapping[str, Any]] = ()) -> None:
        self._found: list[tuple[str, FloatArray]] = []
        self._add_rows(pd.DataFrame([dict(row) for row in rows]))
        for row in derived:
            self._add("a figure derived by the runner", [row.get(name) for name in NUMBERS])
            self._add(
                "a figure derived by the runner", [100 * _float(row.get(name)) for name in ("rate", "lower", "upper")]
            )
        # Lost learning explains nothing outside its own table: it is named only where nothing else explains a number.
        self._found.sort(key=lambda found: found[0] == LOST_LEARNING)
        self._names = [name for name, _ in self._found]
        sizes = [len(values) for _, values in self._found]
        values = np.concatenate([values for _, values in self._found]) if self._found else np.zeros(0)
        kinds = np.repeat(np.arange(len(sizes)), sizes)
        # Of two explanations the simpler one is named: those are added first.
        order = np.lexsort((kinds, values))
        self._values, self._kinds = values[order], kinds[order]

    def explain(self, value: float) -> str | None:
        """Return how a value comes from the rows, or None. Signs are left out: "fell by 0.3"."""
        size = abs(float(value))
        if not np.isfinite(size):
            return None
        slack = TOLERANCE * max(1.0, size)
        low = int(np.searchsorted(self._values, size - slack, side="left"))
        high = int(np.searchsorted(self._values, size + slack, side="right"))
        return self._names[int(self._kinds[low:high].min())] if high > low else None

    def is_lost_learning(self, value: float) -> bool:
        """Return whether a number of days or sessions is learning lost at a cleared attendance rate."""
        found = next((values for name, values in self._found if name == LOST_LEARNING), np.zeros(0))
        return bool((found == value).any())

    def _add(self, name: str, values: Any) -> None:
        found = np.abs(np.asarray([_float(v) for v in values] if isinstance(values, list) else values, dtype=float))
        found = np.unique(found[np.isfinite(found)])
        if len(found):
            self._found.append((name, found))

    def _add_rows(self, rows: pd.DataFrame) -> None:
        if rows.empty or "measure" not in rows.columns:
            return
        rows = rows[rows["symbol"].isin(["", "u"])].reset_index(drop=True)
        rows = rows.reindex(columns=[*dict.fromkeys([*rows.columns, *NUMBERS])])
        rows[list(NUMBERS)] = rows[list(NUMBERS)].apply(pd.to_numeric, errors="coerce").astype("float64")
        keys = _coordinates(rows)
        numbers = {name: rows[name].to_numpy(dtype=float) for name in NUMBERS}
        percent = rows["measure"].map(_is_percent).to_numpy(dtype=bool)
        # A percentage is a hundred times the rate; means and counts are written as they are.
        scale = np.where(percent, 100.0, np.nan)
        for name in ("numerator", "denominator", "rate"):
            self._add("a cleared figure", numbers[name])
        self._add("a cleared figure", numbers["rate"] * scale)
        for name in ("lower", "upper"):
            self._add("a bound of a cleared figure's interval", numbers[name])
            self._add("a bound of a cleared figure's interval", numbers[name] * scale)
        with np.errstate(divide="ignore"):
            # Of a share alone: a difference of shares is nobody's one in so many.
            share = rows["measure"].map(_is_share).to_numpy(dtype=bool) & (numbers["rate"] > 0)
            self._add("one in how many", np.where(share, 1 / numbers["rate"], np.nan))
        self._add_differences(keys, numbers, scale)
        self._add_years(keys, numbers)
        self._add_lost_learning(rows)

    def _add_differences(self, keys: pd.DataFrame, numbers: Mapping[str, FloatArray], scale: FloatArray) -> None:
        """Differences of one measure between two places, years, groups, phases or terms, with their intervals.

        The interval is Newcombe's from the cleared bounds; a side without bounds is taken as exact, and a difference of
        two such sides has none (as ``metrics.absence.record_difference`` has it).
        """
        for column in keys.columns.drop("measure"):
            pairs = _pairs(keys, column)
            if not len(pairs.first):
                continue
            a, b = ({name: values[at] for name, values in numbers.items()} for at in (pairs.first, pairs.second))
            by = scale[pairs.first]
            difference = a["rate"] - b["rate"]
            self._add("a difference of two cleared figures", difference)
            self._add("a difference of two cleared figures", difference * by)
            low, high = newcombe_interval(a["rate"], _bounds(a), b["rate"], _bounds(b))
            exact = np.isnan(a["lower"]) & np.isnan(b["lower"])
            for bound in (low, high):
                bound = np.where(exact, np.nan, bound)
                self._add("a bound of a difference's interval", bound)
                self._add("a bound of a difference's interval", bound * by)
            with np.errstate(divide="ignore", invalid="ignore"):
                for one, two in ((a, b), (b, a)):
                    self._add("a share of two cleared counts", 100 * one["numerator"] / two["numerator"])

    def _add_years(self, keys: pd.DataFrame, numbers: Mapping[str, FloatArray]) -> None:
        """What is said over years: means of two or three, changes of counts, the count at last year's rate."""
        if "academic_year" not in keys.columns:
            return
        years = pd.to_numeric(keys["academic_year"], errors="coerce").fillna(0).astype("int64").to_numpy()
        others = [name for name in keys.columns if name != "academic_year"]
        place = pd.DataFrame({"line": keys.groupby(others, sort=False, dropna=False).ngroup(), "year": years})
        place = place.assign(row=place.index)[place["year"] > 0]
        shifted = [place.assign(year=[_years_later(year, back) for year in place["year"]]) for back in (1, 2)]
        two = place.merge(shifted[0], on=["line", "year"], suffixes=("_now", "_was"))
        three = two.merge(shifted[1].rename(columns={"row": "row_first"}), on=["line", "year"])
        rate, count, cohort = numbers["rate"], numbers["numerator"], numbers["denominator"]
        now, was = two["row_now"].to_numpy(), two["row_was"].to_numpy()
        means = (rate[now] + rate[was]) / 2
        whole = (rate[three["row_now"]] + rate[three["row_was"]] + rate[three["row_first"]]) / 3
        for found in (means, whole):
            self._add("a mean of yearly figures", found)
            self._add("a mean of yearly figures", 100 * found)
        self._add("a change of a cleared count", count[now] - count[was])
        for decimals in (1, 2):
            # The rate of the year before as it is printed, applied to this year's enrolments.
            printed = np.array([round_half_up(value * 100, decimals) for value in rate[was]])
            self._add("a count at the rate of the year before", count[now] - printed * cohort[now] / 100)

    def _add_lost_learning(self, rows: pd.DataFrame) -> None:
        """Sessions, days, weeks and days left over that attendance rates cost: printed steps and cleared rates."""
        rates = rows.loc[rows["measure"] == "attendance_rate", "rate"].dropna().unique()
        if not len(rates):
            return
        exact = [*_STEPS, *(Fraction(str(round(float(rate), 3))) for rate in rates if 0 <= rate <= 1)]
        found: set[float] = set()
        for rate in exact:
            lost = (1 - rate) * _SCHOOL_DAYS
            days = lost.numerator // lost.denominator
            found |= {float(2 * lost), float(days), float(days // 5), float(days % 5)}
        self._add(LOST_LEARNING, sorted(found))


def _float(value: Any) -> float:
    return float("nan") if value is None or value is pd.NA else float(value)


def _is_percent(measure: Any) -> bool:
    known, _ = find_measured(str(measure))
    return known is None or known.scale == 100


def _is_share(measure: Any) -> bool:
    known, is_change = find_measured(str(measure))
    return not is_change and (known is None or known.unit == "percent")


def _coordinates(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what each row is about; totals and missing columns are "All", characteristic and level are one thing."""
    names = [name for name in rows.columns if name in _ABOUT]
    keys = rows[names].astype("object")
    keys = keys.where(keys.notna(), ALL).replace({ALL_SCHOOLS: ALL})
    if "characteristic_level" in names:
        # Published files call the level so; of a row with both names they are the same.
        other = keys.pop("characteristic_level")
        keys["level"] = keys["level"].where(keys["level"] != ALL, other) if "level" in keys.columns else other
    if {"characteristic", "level"} <= set(keys.columns):
        # The total over any characteristic is the same figure: all pupils.
        pair = keys["characteristic"].astype(str) + ": " + keys["level"].astype(str)
        pair = pair.where(keys["level"] != ALL, ALL)
        keys = keys.drop(columns=["characteristic", "level"]).assign(group=pair)
    return keys.assign(measure=rows["measure"].astype(str))


#: More rows than these that agree in all but one thing are no comparison a page makes.
_MOST_ALIKE = 400


def _pairs(keys: pd.DataFrame, column: str) -> _Pairs:
    """Return all pairs of rows that agree in everything but a column, or in everything (two sources of one figure)."""
    others = [name for name in keys.columns if name != column]
    first: list[NDArray[np.intp]] = []
    second: list[NDArray[np.intp]] = []
    for indices in keys.groupby(others, sort=False, dropna=False).indices.values():
        at = np.asarray(indices, dtype=np.intp)
        if 1 < len(at) <= _MOST_ALIKE:
            one, two = np.triu_indices(len(at), k=1)
            first.append(at[one])
            second.append(at[two])
            # A difference the other way round has other bounds (Newcombe's interval is not symmetric in its signs).
            first.append(at[two])
            second.append(at[one])
    if not first:
        return _Pairs(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp))
    return _Pairs(np.concatenate(first), np.concatenate(second))


def _bounds(side: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    known = ~np.isnan(side["lower"]) & ~np.isnan(side["upper"])
    return np.where(known, side["lower"], side["rate"]), np.where(known, side["upper"], side["rate"])


def _years_later(year: int, count: int) -> int:
    """Return an academic year some years later.

    >>> _years_later(201819, 2), _years_later(199899, 1)
    (202021, 199900)
    """
    first = year // 100 + count
    return first * 100 + (first + 1) % 100
