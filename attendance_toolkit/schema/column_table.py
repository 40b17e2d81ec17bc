"""A published file a column at a time: what each row is about, its numbers, and the digits they are printed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

#: Columns of ``ColumnTable.keys``. ``area`` is the code of the row's own area; ``region`` that of the region it
#: lies in; ``period`` and ``group`` join every column that says a time within the year or a breakdown.
KEYS = ("row", "series", "level", "area", "region", "nation", "phase", "year", "period", "group")


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Columns of numbers, all of the length of ``keys``.

    Attributes
    ----------
    name
        The file's name.
    keys
        One row per row of the file (``KEYS``); ``row`` is its line.
    numbers
        Column -> values, NaN where a symbol or nothing stands. Percentages are in percent.
    decimals
        Percentage column -> decimals of each printed text; -1 where it is not known (the number is exact).
    """

    name: str
    keys: pd.DataFrame
    numbers: Mapping[str, npt.NDArray[np.float64]]
    decimals: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def has(self, *names: str) -> bool:
        """Return whether the table has all these columns."""
        return all(name in self.numbers for name in names)
