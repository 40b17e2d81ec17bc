"""The series-break guard: may two figures be compared, and what must stand beside the comparison?

A figure is described by its series, academic year, period, measure and reason. What is not known of a figure is
not judged. Breaks are data (``vocabulary.series_breaks``): some forbid a comparison, others only label it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from attendance_toolkit.errors import SeriesBreakError
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.series import SERIES
from attendance_toolkit.vocabulary.series_breaks import SeriesBreak, series_breaks

_FIELDS = ("series", "academic_year", "period", "measure", "reason")


@dataclass(frozen=True)
class Selection:
    """What a figure, or a column of figures, is. Empty text or 0 stands for what is not known."""

    series: str = ""
    academic_year: int = 0
    period: str = ""
    measure: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """Return the selection in words.

        >>> str(Selection("census", 202324, "year"))
        'DfE school census, full year 2023/24'
        """
        series = SERIES[self.series].label if self.series in SERIES else self.series or "figures"
        year = f" {show_academic_year(self.academic_year)}" if self.academic_year else ""
        period = f" ({self.period})" if self.period not in ("", "year") else ""
        return f"{series}{year}{period}"


def selection_of(record: Mapping[str, Any]) -> Selection:
    """Return the selection of a MEASURE record; groups it does not have are not known."""
    found = {}
    for name in _FIELDS:
        value = record.get(name)
        if value is not None and not pd.isna(value) and value != ALL:
            found[name] = int(value) if name == "academic_year" else str(value)
    return Selection(**found)  # type: ignore[arg-type]


def breaks_between(first: Selection, second: Selection) -> tuple[SeriesBreak, ...]:
    """Return the breaks between two figures, those that forbid a comparison first.

    >>> [known.id for known in breaks_between(Selection("census", 202223), Selection("attendance", 202324))]
    ['series_census_attendance']
    >>> breaks_between(Selection("census", 202223, "year"), Selection("census", 202324, "year"))
    ()
    """
    found = [known for known in series_breaks() if _applies(known, first, second)]
    if any(known.id == "period_five_six" for known in found):
        found = [known for known in found if known.id != "period_other"]
    return tuple(sorted(found, key=lambda known: known.action != "refuse"))


def _applies(known: SeriesBreak, first: Selection, second: Selection) -> bool:
    if known.kind == "series":
        return _pair(known, first.series, second.series)
    if known.kind == "period":
        return _pair(known, first.period, second.period)
    if known.kind == "measure":
        return _pair(known, first.measure, second.measure)
    if known.measures and not {first.measure, second.measure} & set(known.measures):
        return False
    if known.reasons and not {first.reason, second.reason} & set(known.reasons):
        return False
    years = sorted((first.academic_year, second.academic_year))
    if known.kind == "within":
        return any(int(known.first) <= year <= int(known.second) for year in years)
    if not years[0] or years[0] == years[1]:
        return False
    if known.kind == "spans":
        return years[0] < int(known.first) < years[1]
    if known.kind == "attendance year" and not first.series == second.series == "attendance":
        return False
    return years[0] < int(known.first) <= years[1]


def _pair(known: SeriesBreak, one: str, two: str) -> bool:
    """Return whether two known, different names are those of the break; * stands for any."""
    if not one or not two or one == two:
        return False
    wanted = (known.first, known.second)
    return any(
        all(w in ("*", name) for w, name in zip(wanted, names, strict=True)) for names in ((one, two), (two, one))
    )


def guard(first: Selection, second: Selection) -> tuple[SeriesBreak, ...]:
    """Return the labels a comparison must carry.

    Raises
    ------
    SeriesBreakError
        The two are not to be compared; the message says why and what to do.

    >>> guard(Selection("census", 202324, "autumn"), Selection("census", 202324, "year"))
    Traceback (most recent call last):
        ...
    attendance_toolkit.errors.SeriesBreakError: DfE school census, full year 2023/24 (autumn) and DfE school census, \
full year 2023/24 are not to be compared. A term, several terms, a week or a year to date is not a full year: absence \
rises through the year, and persistent absence falls as the sessions counted grow. Take both from the same series and \
the same part of the year, or show them apart.
    """
    found = breaks_between(first, second)
    refused = [known for known in found if known.action == "refuse"]
    if refused:
        raise SeriesBreakError(
            f"{first} and {second} are not to be compared. {refused[0].says} Take both from the same series and the"
            " same part of the year, or show them apart."
        )
    return found


def guard_rows(first: pd.DataFrame, second: pd.DataFrame, on: Sequence[str] = ()) -> tuple[SeriesBreak, ...]:
    """Return the labels of a comparison of two tables of MEASURE rows, row by row where they agree on ``on``.

    Raises
    ------
    SeriesBreakError
        Some pair of rows is not to be compared.
    """
    keys = [name for name in (*on, "measure") if name in first and name in second]
    names = [name for name in _FIELDS if name in first and name in second]
    one = first[list(dict.fromkeys([*keys, *names]))].drop_duplicates()
    two = second[list(dict.fromkeys([*keys, *names]))].drop_duplicates()
    both = one.merge(two, on=keys, suffixes=("_1", "_2"))
    pairs = both[
        [name for name in both if str(name).removesuffix("_1").removesuffix("_2") in _FIELDS]
    ].drop_duplicates()
    found: dict[str, SeriesBreak] = {}
    for record in pairs.to_dict("records"):
        sides = [
            selection_of({name: record.get(f"{name}_{side}", record.get(name)) for name in _FIELDS}) for side in (1, 2)
        ]
        found |= {known.id: known for known in guard(*sides)}
    return tuple(found.values())


def line_breaks(points: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, SeriesBreak], ...]:
    """Return where a line through MEASURE records must be cut or marked: (academic year after the break, break).

    Parameters
    ----------
    points
        Records of one line in the order they are drawn; each is held against the next one.
    """
    selections = [selection_of(point) for point in points]
    found = []
    for before, after in pairwise(selections):
        found += [(after.academic_year, known) for known in breaks_between(before, after)]
    return tuple(found)


def label_of(breaks: Iterable[SeriesBreak]) -> str:
    """Return the sentences of breaks as one note, each once.

    >>> label_of(())
    ''
    """
    return " ".join(dict.fromkeys(known.says for known in breaks))
