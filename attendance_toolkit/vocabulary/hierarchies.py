"""Which levels add up to which: the sums a reader can do with the figures of a page or of several."""

from __future__ import annotations

from functools import cache

from attendance_toolkit.vocabulary._reference import read_reference
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS

#: Levels that mean the total of their column. In the key of a figure they are left out.
TOTALS = {"phase": (ALL, ALL_SCHOOLS, "")}
_TOTAL = (ALL, "")
#: Pupils of a year are not the sum of the pupils of its terms; sessions are.
SESSIONS_ONLY = ("term", "half_term")

#: Bands of overall absence as pages show them: label, and the five-point bands added up. "None missed" is apart.
ABSENCE_BANDS = (
    ("0% to under 5%", ("band_00_05",)),
    ("5% to under 10%", ("band_05_10",)),
    ("10% to under 20%", ("band_10_15", "band_15_20")),
    ("20% to under 50%", ("band_20_25", "band_25_30", "band_30_35", "band_35_40", "band_40_45", "band_45_50")),
    ("50% or more", ("band_50_plus",)),
)


def is_total(dimension: str, level: str) -> bool:
    """Return whether a level is the total of its column.

    >>> is_total("phase", "All schools"), is_total("sex", "Female")
    (True, False)
    """
    return level in TOTALS.get(dimension, _TOTAL)


@cache
def within(dimension: str, level: str) -> tuple[str, ...]:
    """Return the totals a level is part of, nearest first; "All" is the total of everybody.

    Levels the table does not name are part of "All"; levels it names without a total are part of none.

    >>> within("phase", "Primary"), within("phase", "Pupil referral unit"), within("sex", "Female")
    (('Primary and secondary', 'All'), (), ('All',))
    """
    above, whole = _table()
    if dimension in whole:
        return ()
    found: list[str] = []
    while level != ALL:
        level = above.get((dimension, level), ALL)
        if "=" in level:
            level = ALL
        if not level:
            break
        found.append(level)
    return tuple(found)


@cache
def contained() -> tuple[tuple[str, str, str, str], ...]:
    """Return (dimension, level, other dimension, its level): all pupils of the first are among those of the second.

    What the second has beside the first is a group too, which a reader gets by subtraction.

    >>> contained()[0]
    ('fsm_eligible', 'FSM eligible', 'fsm6', 'FSM in the last six years')
    """
    above, _ = _table()
    found = []
    for (dimension, level), wider in above.items():
        other, is_pair, its_level = wider.partition("=")
        if is_pair:
            found.append((dimension, level, other, its_level))
    minor = {(row["ethnicity_minor"], row["ethnicity_major"]) for row in read_reference("ethnicity_codes.csv")}
    return (*found, *(("ethnicity_minor", one, "ethnicity_major", other) for one, other in sorted(minor)))


@cache
def band_of(dimension: str, other: str) -> dict[str, str]:
    """Return the level of another dimension that each level of a dimension lies in.

    >>> band_of("nc_year", "nc_year_band")["7"]
    'Years 7 to 9'
    """
    return {level: its for name, level, wider, its in contained() if (name, wider) == (dimension, other)}


@cache
def _table() -> tuple[dict[tuple[str, str], str], frozenset[str]]:
    rows = read_reference("hierarchies.csv")
    above = {(row["dimension"], row["level"]): row["within"] for row in rows if row["level"]}
    return above, frozenset(row["dimension"] for row in rows if not row["level"])
