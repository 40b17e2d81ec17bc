"""The academic year that stands beside a table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.loaders.portal._sheets import Row
from attendance_toolkit.vocabulary.calendar import parse_academic_year

_YEAR = re.compile(r"(?<![\d/])20\d\d\s*[/–-]\s*(?:20)?\d\d(?![\d/–-])")


def years_said(rows: Iterable[Row]) -> set[int]:
    """Return the academic years that titles and notes name; dates such as 2024/12/20 are none.

    >>> years_said([Row(1, ("Attendance 2024/25 to 20/12/24", "2024-12-20"))])
    {202425}
    """
    found = set()
    for row in rows:
        for cell in row.cells:
            for text in _YEAR.findall(cell):
                try:
                    found.add(parse_academic_year(re.sub(r"\s", "", text)))
                except VocabularyError:
                    continue  # two numbers that are not years following each other
    return found
