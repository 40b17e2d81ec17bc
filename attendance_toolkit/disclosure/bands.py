"""Bands of absence by their limits: one name for one set of pupils, however a page words it, and how bands add up.

Bands are sums of the eleven five-point bands of CELLS, so their limits are multiples of 5% up to 50%. What reaches a
limit or more is one count; a band is the difference of two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.vocabulary.columns import BAND_EDGES
from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS

ENROLMENTS = "enrolments"
PERSISTENT, SEVERE, NO_ABSENCE = "persistent_absentees", "severe_absentees", "no_absence_enrolments"
BETWEEN = "persistent_not_severe"
BAND = "band:"

_LABEL = re.compile(r"under (?P<under>\d+)%|(?P<low>\d+)% (?:or more|to 100%|to under (?P<high>\d+)%)")
_NAME = re.compile(BAND + r"(?P<low>\d+)% (?:or more|to under (?P<high>\d+)%)")
#: Counts whose names come from elsewhere: (lower limit, upper limit or none).
_KNOWN: dict[tuple[int, int | None], str] = {
    (0, None): ENROLMENTS,
    (10, None): PERSISTENT,
    (50, None): SEVERE,
    (10, 50): BETWEEN,
}
#: The bands of every page, whose sums are in ``counts.SUMS``.
_USUAL = {f"{BAND}{label}" for label, _ in ABSENCE_BANDS[:-1]}


@dataclass(frozen=True)
class Sum:
    """Counts of one group that add up to another: what is left over has a name of its own."""

    total: str
    parts: tuple[str, ...]
    rest: str
    #: Whether what is left over is a count of pupils even where it is 0 (nobody is left).
    is_always: bool = False
    #: There is no such sum in groups that have one of these: finer sums say the same.
    unless: tuple[str, ...] = ()
    #: A part that no table has in a group is one nobody of the group can be in (nobody finishes Year 11 in a primary school).
    is_exhaustive: bool = False


def band_count(label: str) -> tuple[str, bool]:
    """Return the count a band's label means, and whether the band is everybody but those.

    Raises
    ------
    DisclosureError
        The label is not a band, or not one with limits at multiples of 5%.

    >>> band_count("10% or more"), band_count("under 10%"), band_count("10% to under 25%")
    (('persistent_absentees', False), ('persistent_absentees', True), ('band:10% to under 25%', False))
    """
    found = _LABEL.fullmatch(label)
    low = int(found["low"] or 0) if found else -1
    high = next((int(found[name]) for name in ("under", "high") if found[name]), None) if found else None
    if low not in BAND_EDGES or (high is not None and (high not in BAND_EDGES or high <= low)):
        raise DisclosureError(
            f"'{label}' is not a band of absence. Write 'a% to under b%', 'a% or more' or 'under b%', with limits at"
            f" multiples of 5% from {BAND_EDGES[0]}% to {BAND_EDGES[-1]}%."
        )
    if low == 0 and high is not None and high != 5:
        return _count(high, None), True
    return _count(low, high), False


def _count(low: int, high: int | None) -> str:
    text = f"{low}% or more" if high is None else f"{low}% to under {high}%"
    return _KNOWN.get((low, high), BAND + text)


def band_sums(counts: Iterable[str]) -> tuple[Sum, ...]:
    """Return how bands add up where a release has others than those of every page; nothing where it has not.

    Parameters
    ----------
    counts
        Names of all counts of the release.

    >>> len(band_sums(["band:0% to under 5%", "enrolments"])), len(band_sums(["band:15% or more", "enrolments"]))
    (0, 3)
    """
    bands = {name: found for name in counts if (found := _NAME.fullmatch(name))}
    if not set(bands) - _USUAL:
        return ()
    spans = {(int(found["low"]), int(found["high"]) if found["high"] else None) for found in bands.values()}
    limits = sorted({limit for span in spans for limit in span if limit is not None} | {0, 10, 50})
    sums: list[Sum] = []
    # From the lowest band upwards, since what is left over above one band is the total of the next.
    for low, high in sorted((low, high) for low, high in spans if high is not None):
        sums.append(Sum(_count(low, None), (_count(low, high),), _count(high, None), True))
    for number, low in enumerate(limits):
        for above, high in enumerate(limits[number + 1 :], number + 1):
            if low == 0:
                continue
            between = tuple(_count(limit, None) for limit in limits[number + 1 : above])
            if (low, high) != (10, 50):
                sums.append(Sum(_count(low, None), (_count(high, None),), _count(low, high), True, between))
    for limit in limits:
        if limit not in (0, 5, 10, 50):
            sums.append(Sum(ENROLMENTS, (_count(limit, None),), f"not:{_count(limit, None)}", True))
    return tuple(sums)
