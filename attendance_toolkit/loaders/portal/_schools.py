"""Which school a row is of: by its LAESTAB, or by its URN or name in a list of schools."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from attendance_toolkit.loaders.portal._headers import plain
from attendance_toolkit.vocabulary.areas import area_of_laestab


@dataclass(frozen=True)
class School:
    """What the store needs to know of a school."""

    laestab: int
    la_code: str
    urn: int | None
    phase: str


class SchoolFinder:
    """Finds schools.

    Parameters
    ----------
    schools
        A list of schools with laestab, urn, school_name and phase, as a store gives it; None if there is none.
    la
        Three-digit DfE code of the authority, for numbers of four digits and for names; "" if not said.
    """

    def __init__(self, schools: pd.DataFrame | None, la: str) -> None:
        self.la = la
        self._by_laestab: dict[int, tuple[int | None, str]] = {}
        self._by_urn: dict[int, int] = {}
        self._by_name: dict[str, set[int]] = {}
        if schools is None or schools.empty:
            return
        listed = schools[["laestab", "urn", "school_name", "phase"]].astype("object")
        for laestab, urn, name, phase in listed.itertuples(index=False):
            if pd.isna(laestab):
                continue
            number = int(laestab)
            # Of several schools with one number the open one comes first.
            self._by_laestab.setdefault(number, (None if pd.isna(urn) else int(urn), str(phase)))
            if not pd.isna(urn):
                self._by_urn.setdefault(int(urn), number)
            if not pd.isna(name):
                self._by_name.setdefault(plain(str(name)), set()).add(number)

    def find(self, *, laestab: str = "", urn: str = "", name: str = "") -> School | None:
        """Return the school that the first of number, URN and name to be filled names; None if it is not known.

        >>> SchoolFinder(None, "358").find(laestab="4012").laestab, SchoolFinder(None, "").find(laestab="358/4012").la_code
        (3584012, 'E08000009')
        """
        if laestab:
            digits = re.sub(r"\.0$", "", laestab).replace("/", "").replace(" ", "")
            if re.fullmatch(r"\d{4}", digits) and self.la:
                digits = self.la + digits
            return self._school(int(digits)) if re.fullmatch(r"[1-9]\d{6}", digits) else None
        if urn:
            digits = re.sub(r"\.0$", "", urn)
            number = self._by_urn.get(int(digits)) if re.fullmatch(r"\d{5,7}", digits) else None
            return None if number is None else self._school(number, int(digits))
        numbers = self._by_name.get(plain(name), set())
        if self.la:
            numbers = {n for n in numbers if str(n).startswith(self.la)}
        return self._school(next(iter(numbers))) if len(numbers) == 1 else None

    def _school(self, laestab: int, urn: int | None = None) -> School | None:
        area = area_of_laestab(laestab)
        if area is None:
            return None
        listed_urn, phase = self._by_laestab.get(laestab, (None, "Unknown"))
        return School(laestab, area.code, urn or listed_urn, phase)
