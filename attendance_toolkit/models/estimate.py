"""A figure with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value and the ends of its 95% interval; NaN where an end is not defined.

    >>> Estimate(0.04, 0.03, 0.05).is_clear_of(0.0)
    True
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan

    def is_clear_of(self, null: float) -> bool:
        """Return whether both ends of the interval lie on one side of ``null``; False where an end is missing."""
        return self.lower > null or self.upper < null
