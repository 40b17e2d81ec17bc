"""Whole sessions of one pupil from what a list gives: counts, or percentages rounded to some decimals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import product

_NUMBER = re.compile(r"(-?)([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]+)?(\s*%)?")
#: More decimals than these are a computed number, not a rounded one.
_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Amount:
    """One cell: its number, its decimals, and whether it has a per cent sign."""

    value: Decimal
    decimals: int
    is_percent: bool

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole number of 0 or more without a per cent sign."""
        return not self.is_percent and self.value >= 0 and self.value == self.value.to_integral_value()

    def times(self, factor: int) -> Amount:
        """Return a fraction of 1 as a percentage (factor 100), or the number itself (1)."""
        return self if factor == 1 else Amount(self.value * factor, max(self.decimals - 2, 0), self.is_percent)


def read_amount(text: str) -> Amount | None:
    """Return the number in a cell, None if it is not one.

    >>> read_amount("1,935").value, read_amount("95.90 %").decimals, read_amount("1,93"), read_amount("x")
    (Decimal('1935'), 2, None, None)
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or len(match[2]) > 12:
        return None
    sign, whole, part, percent = match.groups()
    number = Decimal(f"{sign}{whole.replace(',', '')}{part or ''}")
    return Amount(number, len(part or ".") - 1, bool(percent))


def wholes(share: Amount, possible: int) -> list[int]:
    """Return the numbers of sessions that a percentage can stand for.

    >>> wholes(Amount(Decimal("5.3"), 1, True), 132), wholes(Amount(Decimal("5"), 0, True), 300)
    ([7], [14, 15, 16])
    """
    half = Decimal(1).scaleb(-min(share.decimals, _MOST_DECIMALS)) / 2
    low = ((share.value - half) * possible / 100).to_integral_value(ROUND_CEILING)
    high = ((share.value + half) * possible / 100).to_integral_value(ROUND_FLOOR)
    return list(range(max(int(low), 0), int(high) + 1))


@dataclass(frozen=True)
class Given:
    """What a list gives of one pupil: each part as sessions (a whole number), a percentage, or not at all."""

    possible: int
    missed: int | None
    authorised: int | Amount | None
    unauthorised: int | Amount | None
    absence: Amount | None = None
    attendance: Amount | None = None


@dataclass(frozen=True)
class Worked:
    """Authorised and unauthorised sessions, and whether no other whole numbers fit what was given."""

    authorised: int
    unauthorised: int
    is_exact: bool


def work_out(given: Given) -> Worked | None:
    """Return the sessions that fit what a list gives of a pupil, None if none do.

    Where several fit, those nearest to the percentages are taken.

    >>> five, two = Amount(Decimal("5.3"), 1, True), Amount(Decimal("1.5"), 1, True)
    >>> work_out(Given(132, 9, five, two))
    Worked(authorised=7, unauthorised=2, is_exact=True)
    >>> work_out(Given(132, 20, five, two)) is None, work_out(Given(132, 9, 7, None))
    (True, Worked(authorised=7, unauthorised=2, is_exact=True))
    """
    total = _totals(given)
    first, second = (_options(part, given.possible) for part in (given.authorised, given.unauthorised))
    if first is None and second is None:
        return Worked(0, 0, True) if total == [0] else None
    if first is None:
        pairs = [(m - u, u) for u in second or () for m in total or ()]
    elif second is None:
        pairs = [(a, m - a) for a in first for m in total or ()]
    else:
        pairs = [(a, u) for a, u in product(first, second) if total is None or a + u in total]
    fits = sorted({(a, u) for a, u in pairs if a >= 0 and u >= 0}, key=lambda pair: (_distance(pair, given), pair))
    return Worked(*fits[0], is_exact=len(fits) == 1) if fits else None


def _totals(given: Given) -> list[int] | None:
    """Return the missed sessions that may be meant, None if nothing is said of them."""
    if given.missed is not None:
        return [given.missed]
    if given.absence is not None:
        return wholes(given.absence, given.possible)
    if given.attendance is not None:
        rest = Amount(100 - given.attendance.value, given.attendance.decimals, True)
        return wholes(rest, given.possible)
    return None


def _options(part: int | Amount | None, possible: int) -> list[int] | None:
    if part is None or isinstance(part, int):
        return None if part is None else [part]
    return wholes(part, possible)


def _distance(pair: tuple[int, int], given: Given) -> Decimal:
    far = Decimal(0)
    for sessions, part in zip(pair, (given.authorised, given.unauthorised), strict=True):
        if isinstance(part, Amount):
            far += abs(sessions - part.value * given.possible / 100)
    return far


def agrees(given: Given, absent: int) -> bool:
    """Whether the percentages of attendance and absence can be those of the sessions.

    >>> agrees(Given(132, 9, 9, 0, attendance=Amount(Decimal("93.2"), 1, True)), 9)
    True
    >>> agrees(Given(132, 9, 9, 0, attendance=Amount(Decimal("94.2"), 1, True)), 9)
    False
    """
    if given.absence is not None and absent not in wholes(given.absence, given.possible):
        return False
    return given.attendance is None or given.possible - absent in wholes(given.attendance, given.possible)
