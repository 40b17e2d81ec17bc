"""What schools are called on a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from attendance_toolkit.vocabulary.ledger import phrase


@dataclass(frozen=True)
class SchoolNames:
    """LAESTAB as text -> name of the school.

    >>> names = SchoolNames({"3581234": "Elm", "3581235": "Oak", "3581236": "Oak"})
    >>> names.of_school("3581234"), names.of_school("3581235"), names.of_school("3589999")
    ('Elm', 'Oak (LAESTAB 3581235; another has this name)', 'LAESTAB 3589999 (name not known)')
    """

    listed: Mapping[str, str]
    _count: Counter[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_count", Counter(self.listed.values()))

    @classmethod
    def of(cls, schools: pd.DataFrame, *, among: Collection[str] | None = None) -> SchoolNames:
        """Return the names in a list of schools with the columns ``laestab`` and ``school_name``.

        Parameters
        ----------
        among
            LAESTABs of the schools a page is about: names of others are not told apart from theirs. Default: all.
        """
        known = schools.dropna(subset=["laestab", "school_name"]).drop_duplicates("laestab")
        names = known["school_name"].astype(str).str.strip()
        found = dict(zip(known["laestab"].astype(int).astype(str), names, strict=True))
        kept = found if among is None else {laestab: name for laestab, name in found.items() if laestab in among}
        return cls({laestab: name for laestab, name in kept.items() if name})

    def of_school(self, laestab: str) -> str:
        """Return a school's name; with its number where another has the same name, the number alone where it has none.

        Words follow a number: read together with the figure beside it, it might be the number of a pupil (a UPN holds the
        school's number and five digits more).
        """
        name = self.listed.get(laestab, "")
        if not name:
            return f"LAESTAB {laestab} (name not known)"
        return f"{name} (LAESTAB {laestab}; another has this name)" if self._count[name] > 1 else name

    def sorted_rows(self, rows: Iterable[tuple[Mapping[str, Any], bool]]) -> list[tuple[Mapping[str, Any], bool]]:
        """Return rows of schools and what is known of each, by the names of the schools."""
        return sorted(rows, key=lambda one: (self.of_school(str(one[0]["laestab"])), str(one[0]["laestab"])))

    def told(self, laestab: str) -> str:
        """Return a school's name, its numbers noted for the gate as no count of pupils."""
        return phrase(self.of_school(laestab), "schools")

    def in_rows(self, laestab: str) -> str:
        """Return what a school is called beside a row of a chart, where names are broken into lines.

        A number in a name might come to stand by itself there, so the school's own takes the place of such a name.
        """
        name = self.listed.get(laestab, "")
        if name and self._count[name] == 1 and not any(character.isdigit() for character in name):
            return name
        # Where lines are broken, the number stands with the word before it or with the one after it.
        phrase(f"LAESTAB {laestab}", "schools")
        phrase(f"{laestab} (number", "schools")
        return phrase(f"LAESTAB {laestab} (number {'for a name' if name else 'alone'})", "schools")
