"""Rounding as DfE does it: halves away from zero. Python and numpy round them to even."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from attendance_toolkit.vocabulary import ledger


def round_half_up(value: float, decimals: int = 0) -> float:
    """Return the value rounded with halves away from zero.

    The decimal text of the float is rounded, so 2.675 (which is stored a little below) gives 2.68,
    as a person with the printed number would.

    >>> round_half_up(0.5), round_half_up(2.5), round_half_up(-2.5), round_half_up(2.675, 2)
    (1.0, 3.0, -3.0, 2.68)
    """
    if value is None or math.isnan(value):
        return math.nan
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))


def number_text(value: float, decimals: int = 0, *, signed: bool = False) -> str:
    """Return a number as text with thousands commas and a true minus sign, and note it nowhere.

    >>> number_text(-1.75, 1), number_text(12345, -2)
    ('−1.8', '12,300')
    """
    rounded = round_half_up(value, decimals)
    text = f"{abs(rounded):,.{max(decimals, 0)}f}"
    if rounded < 0:
        return f"−{text}"
    return f"+{text}" if signed and rounded > 0 else text


def show_number(value: float, decimals: int = 0, *, signed: bool = False) -> str:
    """Return a number as text with thousands commas and a true minus sign; a page being made takes note of it.

    >>> show_number(32144), show_number(-1.75, 1), show_number(0.25, 1, signed=True)
    ('32,144', '−1.8', '+0.3')
    """
    return ledger.note(number_text(value, decimals, signed=signed), value)
