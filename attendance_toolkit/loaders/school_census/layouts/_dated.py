"""The layouts of a school-census return as data: a base and the differences that came with a later census.

What each difference rests on is said beside it. *Seen*: the header of an extract of that census was read. *Listed*:
it is in the export schemas of a public pipeline for such extracts. *Assumed*: nothing of that age was at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

from attendance_toolkit.schema.census import Census, census_of, censuses
from attendance_toolkit.vocabulary.register_codes import all_register_codes

FIRST, LAST = "2014-autumn", "2025-autumn"


@dataclass(frozen=True)
class Difference:
    """Columns that came and went with a census."""

    since: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rests_on: str = "assumed"


@dataclass(frozen=True)
class Layout:
    """One layout from its first census on.

    Attributes
    ----------
    base
        The columns that tell one census from another, as they were in the first one.
    differences
        What changed, in the order of time.
    only_in
        Column -> the collections (autumn, spring, summer) that have it, when not all do.
    is_whole
        Whether a header is expected to have every one of these columns.
    """

    name: str
    says: str
    first: str
    base: tuple[str, ...]
    differences: tuple[Difference, ...]
    only_in: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_whole: bool = True

    def columns_at(self, census: Census) -> frozenset[str]:
        """Return the columns of a census."""
        found = set(self.base)
        for difference in self.differences:
            if census_of(difference.since).sequence <= census.sequence:
                found = (found - set(difference.removed)) | set(difference.added)
        return frozenset(c for c in found if census.collection in dict(self.only_in).get(c, (census.collection,)))

    def since(self) -> dict[str, Census]:
        """Return each column with the first census that had it."""
        found = dict.fromkeys(self.base, census_of(self.first))
        for difference in self.differences:
            for column in difference.added:
                found.setdefault(column, census_of(difference.since))
        return found

    def allows(self, columns: Collection[str]) -> tuple[Census, ...]:
        """Return the censuses whose header this may be; other columns than those of the layout do not count.

        A header that fits none, such as one with columns added by hand, may be of any census that had begun to
        have all of its columns.

        >>> [c.label for c in FLAT_REASONS.allows({"t_reason_i", "t_reason_f"})]
        ['autumn 2014']
        """
        mine = set(columns) & set(self.since())
        every = censuses(self.first, LAST)
        found = [c for c in every if mine <= self.columns_at(c) and (not self.is_whole or self._has_all(mine, c))]
        if not found:
            found = [c for c in every if mine <= self.columns_at(c)]
        if not found:
            begun = max((self.since()[c].sequence for c in mine), default=0)
            found = [c for c in every if c.sequence >= begun]
        return tuple(found)

    def _has_all(self, mine: set[str], census: Census) -> bool:
        """Whether a header has the columns every extract of a census has; second half terms may be left out."""
        return self.columns_at(census) - set(dict(self.only_in)) <= mine

    def too_new(self, columns: Iterable[str], census: Census) -> list[tuple[str, Census]]:
        """Return the columns that a census of that age cannot have, each with its first census."""
        since = self.since()
        return [(c, since[c]) for c in columns if c in since and since[c].sequence > census.sequence]


_REASONS = ("i", "m", "r", "s", "t", "h", "e", "c", "g", "u", "o", "n")
_TOTALS = ("termlysessionsauthorised", "termlysessionsunauthorised")
_HALF = "summerhalfterm2sessions"
#: Code columns of autumn 2021 to summer 2022, as they were seen, and those the codes of August 2024 brought.
_CODES = ("/", "\\", *"bjlpvwcehimrstgnoudxy")
_NEW_CODES = ("k", "q", "c1", "c2", "j1", *(f"y{n}" for n in range(1, 8)))


FLAT_REASONS = Layout(
    "flat_reasons",
    "a school census return of one row a pupil with a column for each reason for absence (T_Reason_…)",
    "2014-autumn",
    ("termlysessionspossible", *_TOTALS, *(f"t_reason_{c}" for c in (*_REASONS, "f"))),
    (
        Difference("2015-spring", removed=("t_reason_f",), rests_on="seen"),
        # Absence codes alone were collected up to summer 2020 (listed); no such header after autumn 2015 was seen.
        Difference("2020-autumn", added=tuple(f"t_reason_{c}" for c in _CODES if c not in _REASONS)),
        Difference("2024-autumn", added=tuple(f"t_reason_{c}" for c in _NEW_CODES)),
        Difference("2025-spring", removed=_TOTALS),
    ),
)
FLAT_CODES = Layout(
    "flat_codes",
    "a school census return of one row a pupil with a column for each register code",
    # The full code set was collected from autumn 2020 (listed); the oldest such header seen is of autumn 2021.
    "2020-autumn",
    ("termlysessionspossible", *(f"code_{c}" for c in _CODES)),
    (Difference("2024-autumn", added=tuple(f"code_{c}" for c in _NEW_CODES)),),
)
TABLES = Layout(
    "tables",
    "a school census return as one file for each table",
    "2014-autumn",
    ("gender", "termlysessionspossible", *_TOTALS, "absencesessions", f"{_HALF}possible"),
    (
        Difference("2020-autumn", added=("sessions",), removed=("absencesessions",), rests_on="listed"),
        Difference(
            "2021-spring",
            added=("termlysessionseducational", "termlysessionsexceptional", "termlysessionscoronavirus"),
            rests_on="listed",
        ),
        Difference("2022-autumn", removed=("termlysessionscoronavirus",), rests_on="listed"),
        Difference("2023-spring", added=("youngcarer",), rests_on="listed"),
        Difference("2023-summer", added=("sex",), rests_on="listed"),
        Difference("2023-autumn", removed=("gender",), rests_on="listed"),
        Difference(
            "2025-spring",
            removed=(*_TOTALS, "termlysessionseducational", "termlysessionsexceptional"),
            rests_on="listed",
        ),
    ),
    (
        (f"{_HALF}possible", ("autumn",)),
        ("termlysessionseducational", ("spring", "summer")),
        ("termlysessionsexceptional", ("spring", "summer")),
        ("termlysessionscoronavirus", ("spring", "summer")),
        ("youngcarer", ("spring",)),
    ),
    is_whole=False,
)

#: Columns whose first census is certain enough to refuse an older one. A name in use may be older than the schema
#: it is listed in ("sex", "sessions"), so those only say which censuses a header is usual for.
DATED_TABLES = (
    "termlysessionseducational",
    "termlysessionsexceptional",
    "termlysessionscoronavirus",
    "youngcarer",
)


@cache
def codes() -> frozenset[str]:
    """Return the register codes in lower case, without the mark for a missing one."""
    return frozenset(row.code.lower() for row in all_register_codes() if row.code != "-")


def span_text(found: Collection[Census]) -> str:
    """Return censuses as a span of time.

    >>> span_text(censuses("2015-spring", "2020-summer")), span_text(censuses("2014-autumn", "2014-autumn"))
    ('spring 2015 to summer 2020', 'autumn 2014')
    """
    ordered = sorted(found, key=lambda c: c.sequence)
    return ordered[0].label if len(ordered) == 1 else f"{ordered[0].label} to {ordered[-1].label}"
