"""Read ``parameters.json`` and derive the school calendar from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

YEARS = (202122, 202223, 202324)
#: Half terms as the returns carry them, in order; the summer term comes as two figures.
SLOTS = ("1-2", "3-4", "5", "6")
SLOT_TERM = (0, 1, 2, 2)

PHASE_CODES = ("PS", "SS", "SP", "PR")
PRIMARY, SECONDARY, SPECIAL, REFERRAL = range(4)

#: Register codes of the sessions table, in column order: those of the code set before 19 August 2024.
CODES = (
    "/",
    "\\",
    "L",
    "B",
    "J",
    "P",
    "V",
    "W",
    "I",
    "M",
    "R",
    "S",
    "T",
    "H",
    "E",
    "C",
    "G",
    "U",
    "O",
    "N",
    "X",
    "D",
    "Y",
)
COLUMN = {code: index for index, code in enumerate(CODES)}
AUTHORISED = slice(COLUMN["I"], COLUMN["C"] + 1)
UNAUTHORISED = slice(COLUMN["G"], COLUMN["N"] + 1)
#: Everything from present to unauthorised absence.
ATTENDED_OR_ABSENT = slice(0, COLUMN["N"] + 1)


@cache
def parameters() -> dict[str, Any]:
    """Return the numbers of the data-generating process (``parameters.json``)."""
    path = resources.files("attendance_toolkit.loaders.synthetic").joinpath("parameters.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@dataclass(frozen=True)
class Calendar:
    """School days and census days of the academic years 2021/22 to 2024/25."""

    starts: Array
    """First session of each half term within the year's 380 sessions, and 380 at the end (5,)."""
    days: tuple[Array, ...]
    """The 190 school days of each of the four years, as datetime64[D]."""
    census: dict[tuple[int, str], np.datetime64]
    """Census day by (calendar year, autumn/spring/summer)."""

    def sessions(self, slot: int) -> int:
        """Return the possible sessions of a whole half term."""
        return int(self.starts[slot + 1] - self.starts[slot])

    def day(self, year: int, position: Array) -> Array:
        """Return the school day on which a session falls (year index 0 to 3, session 0 to 379)."""
        found: Array = self.days[year][np.minimum(np.asarray(position) // 2, 189)]
        return found


@cache
def calendar() -> Calendar:
    """Return the school calendar: half terms start as given, weekends and holidays are left out."""
    spec = parameters()["calendar"]
    lengths = spec["sessions"]
    days: list[Array] = []
    census: dict[tuple[int, str], np.datetime64] = {}
    for key, year in spec.items():
        if not key.isdigit():
            continue
        for term, text in year["census"].items():
            census[(int(text[:4]), term)] = np.datetime64(text)
        parts = []
        for (first, closed), sessions, skip in zip(year["terms"], lengths, (7, 7, 1, 0), strict=True):
            run = np.datetime64(first) + np.arange(140)
            run = run[np.is_busday(run)]
            if closed:
                run = run[(run < np.datetime64(closed)) | (run >= np.datetime64(closed) + skip)]
            parts.append(run[: sessions // 2])
        days.append(np.concatenate(parts).astype("datetime64[D]"))
    return Calendar(np.concatenate([[0], np.cumsum(lengths)]), tuple(days), census)


def logistic(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), safely for large negative x."""
    result: Array = 1.0 / (1.0 + np.exp(-np.clip(x, -40, 40)))
    return result
