"""Pupils coming into Year 7 who are on the priority list: chosen once for all schools, as the priority lists choose them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.reporting.list_writing import Asked, percent_of
from attendance_toolkit.reporting.priority import plan_of
from attendance_toolkit.reporting.priority_choice import BEFORE, PREDICTED, by_rule, capacity_of
from attendance_toolkit.reporting.school_pack.counts import percent_text
from attendance_toolkit.store import Store

#: Year group before the step to secondary school.
_FROM_YEAR = "6"


@dataclass(frozen=True)
class Comer:
    """A pupil on the priority list: pseudonym, and what the list says."""

    upn: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Incoming:
    """LAESTAB -> pupils coming who are on the list, the first to be helped first.

    Attributes
    ----------
    expected
        Schools that any pupil is expected at: others have no such section.
    rule
        How pupils were chosen; or why there is no list.
    """

    of: Mapping[int, tuple[Comer, ...]] = field(default_factory=dict)
    expected: frozenset[int] = frozenset()
    extra_columns: tuple[str, ...] = ()
    rule: str = ""

    def is_for(self, laestab: int) -> bool:
        """Whether pupils of Year 6 are expected at a school."""
        return laestab in self.expected


def incoming_pupils(store: Store, asked: Asked) -> Incoming:
    """Return the pupils coming into Year 7 of the area's schools who are on the priority list.

    A model chooses only where it did better than the year before itself; without one, those who missed 10% or more of Year
    6 are on the list, as in ``attendance priority build``. Nobody is where no school is known to expect anybody.
    """
    try:
        plan = plan_of(store, asked, _FROM_YEAR, PREDICTED)
    except NoDataError:
        try:
            plan = plan_of(store, asked, _FROM_YEAR, BEFORE)
        except NoDataError as error:
            return Incoming(rule=str(error))
    cohort, chance = plan.cohort, plan.chance
    listed = by_rule(cohort, chance, capacity_of(None, None, len(cohort.pupils)), cohort.destination)
    found: dict[int, list[Comer]] = {}
    for position in listed.tolist():
        going = int(cohort.destination[position])
        if going:
            missed, possible = int(cohort.year_missed[position]), int(cohort.year_possible[position])
            share = percent_text(Fraction(100 * missed, possible)) if possible else ""
            more = (f"{percent_of(float(chance[position]))}%",) if chance is not None else ()
            found.setdefault(going, []).append(
                Comer(int(cohort.pupils[position]), (f"{missed} of {possible}", share, *more))
            )
    how = (
        "Chosen by the highest chance of persistent absence in Year 7: the chance says how many pupils of 100 with such a record"
        " were persistently absent, and is no finding about a child."
        if chance is not None
        else "Chosen by the highest share of Year 6 missed, of those who missed 10% or more."
    )
    return Incoming(
        {laestab: tuple(of) for laestab, of in found.items()},
        frozenset(int(one) for one in set(cohort.destination.tolist()) if one),
        ("Chance in Year 7",) if chance is not None else (),
        f"{how} A tenth of all pupils expected in the area are listed. Offer support before September.",
    )
