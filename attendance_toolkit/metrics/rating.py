"""Rule schemes applied: which level a value is in, and which group sets the rating of a school. Arithmetic is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.rule_schemes import is_in, show_value
from attendance_toolkit.vocabulary.group_comparators import RATING_GROUPS
from attendance_toolkit.vocabulary.rule_schemes import Level, Scheme

__all__ = [
    "ALL_ONLY",
    "RATING_GROUPS",
    "WORST",
    "Rating",
    "edge_in_words",
    "level_numbers",
    "level_of",
    "rate_school",
]


#: How the groups of a scheme make one rating.
WORST, ALL_ONLY = "worst", "all only"
_UNITS = {"percent": 100, "share": 1}


def level_of(scheme: Scheme, value: Fraction) -> Level | None:
    """Return the level of a value: the first one it is in; None if it is in none.

    Parameters
    ----------
    value
        In the unit of the scheme, exact: ``Fraction(7, 10)`` percentage points, never a float.

    >>> from attendance_toolkit.vocabulary.rule_schemes import rule_scheme
    >>> scheme = rule_scheme("school_rag")
    >>> [level_of(scheme, Fraction(x)).name for x in ("2.01", "2", "0", "-0.01")]
    ['Green', 'Amber', 'Amber', 'Red']
    """
    found = next((level for level in scheme.levels if is_in(level, value)), None)
    return found or next((level for level in scheme.levels if scheme.default and level.name == scheme.default), None)


def level_numbers(scheme: Scheme, counted: ArrayLike, possible: ArrayLike) -> NDArray[np.int64]:
    """Return the level of each rate, as its place in ``scheme.levels``; -1 where nothing is possible or no level fits.

    A rate in no level has the scheme's default, if there is one, as in ``level_of``.

    Compared as whole numbers, so that exactly 90% is exactly 90%.

    Parameters
    ----------
    counted, possible
        (N,) whole numbers: sessions attended (or missed, as the scheme's quantity is) and possible.

    Raises
    ------
    ParameterError
        The scheme is not of a rate.

    >>> from attendance_toolkit.vocabulary.rule_schemes import rule_scheme
    >>> scheme = rule_scheme("graduated_response")
    >>> [scheme.levels[n].name for n in level_numbers(scheme, [40, 36, 35, 32, 31], [40, 40, 40, 40, 40])]
    ['Universal', 'Level 1', 'Level 2', 'Level 2', 'Level 3']
    """
    if scheme.unit not in _UNITS:
        raise ParameterError(f"'{scheme.name}' is in {scheme.unit}: it cannot be held against a rate.")
    part = np.asarray(counted, dtype=np.int64) * _UNITS[scheme.unit]
    whole = np.asarray(possible, dtype=np.int64)
    names = [level.name for level in scheme.levels]
    default = names.index(scheme.default) if scheme.default in names else -1
    found = np.where(whole > 0, default, -1).astype(np.int64)
    for number in range(len(scheme.levels) - 1, -1, -1):
        level = scheme.levels[number]
        inside = whole > 0
        if level.low is not None:
            left, right = part * level.low.denominator, whole * level.low.numerator
            inside &= (left >= right) if level.has_low else (left > right)
        if level.high is not None:
            left, right = part * level.high.denominator, whole * level.high.numerator
            inside &= (left <= right) if level.has_high else (left < right)
        found[inside] = number
    return found


@dataclass(frozen=True)
class Rating:
    """The rating of one school.

    Attributes
    ----------
    level
        Its level.
    set_by
        The groups whose own level it is, in the order of the scheme.
    of_groups
        Group -> its own level; groups without a difference are not in it.
    on_edge
        Groups whose difference is exactly an end of a level: equality cases, told by name.
    """

    level: Level
    set_by: tuple[str, ...]
    of_groups: Mapping[str, Level]
    on_edge: tuple[str, ...]


def rate_school(scheme: Scheme, differences: Mapping[str, Fraction | None], *, mode: str = "") -> Rating | None:
    """Return the rating of a school from the differences of its groups; None if no group can be tested.

    Parameters
    ----------
    differences
        Group, as the scheme names it -> attendance of the school less the national figure, in percentage points,
        unrounded; None where the group is too small or there is no national figure.
    mode
        "worst": the worst group sets the rating; "all only": all pupils alone do. Default: as the scheme says.

    Raises
    ------
    ParameterError
        Another mode, or a group the scheme has not.

    >>> from attendance_toolkit.vocabulary.rule_schemes import rule_scheme
    >>> found = rate_school(rule_scheme("school_rag"), {"All pupils": Fraction("2.1"), "FSM": Fraction("0.5"), "EHCP": None})
    >>> found.level.name, found.set_by
    ('Amber', ('FSM',))
    """
    chosen = mode or (scheme.combine if scheme.combine in (WORST, ALL_ONLY) else WORST)
    if chosen not in (WORST, ALL_ONLY):
        raise ParameterError(f"'{mode}' is not a way to combine groups. Use '{WORST}' or '{ALL_ONLY}'.")
    unknown = [group for group in differences if group not in scheme.groups]
    if unknown:
        raise ParameterError(
            f"'{unknown[0]}' is not a group of '{scheme.name}'. It has: {', '.join(scheme.groups) or 'none'}."
        )
    groups: Sequence[str] = scheme.groups[:1] if chosen == ALL_ONLY else scheme.groups
    levels: dict[str, Level] = {}
    for group in groups:
        difference = differences.get(group)
        level = level_of(scheme, difference) if difference is not None else None
        if level is not None:
            levels[group] = level
    if not levels:
        return None
    worst = max(levels.values(), key=lambda level: level.rank or 0)
    ends = {end for level in scheme.levels for end in (level.low, level.high) if end is not None}
    return Rating(
        worst,
        tuple(group for group, level in levels.items() if level.rank == worst.rank),
        levels,
        tuple(group for group in levels if differences[group] in ends),
    )


def edge_in_words(scheme: Scheme, difference: Fraction) -> str:
    """Return what an equality case is, in words.

    >>> from attendance_toolkit.vocabulary.rule_schemes import rule_scheme
    >>> edge_in_words(rule_scheme("school_rag"), Fraction(2))
    'exactly 2 percentage points is Amber'
    """
    level = level_of(scheme, difference)
    return f"exactly {show_value(difference, scheme.unit)} is {level.name if level else 'in no level'}"
