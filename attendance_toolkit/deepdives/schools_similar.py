"""Each school beside schools like it: the nearest of its type by free school meals, SEN support and size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import counts_symbol, derived_from, statistic_row
from attendance_toolkit.deepdives._shared import DEFINED, Lookup, Record, or_nothing, rate_of
from attendance_toolkit.deepdives.schools_data import kind_words, number_words, or_notice, schools_words
from attendance_toolkit.deepdives.schools_rating import SchoolsRating
from attendance_toolkit.deepdives.schools_rating_data import OVERALL
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95, newcombe_interval
from attendance_toolkit.metrics.school_rating import SchoolRating
from attendance_toolkit.metrics.similar_schools import nearest_schools
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import has_interval, is_clear, is_shown
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

#: How many schools a school is held beside, and with how many of a type at least: with fewer, the nearest are not near.
NEAREST, FEWEST = 5, 10
#: Groups of whose share in a school its likeness is made, beside its size.
_SHARES = ("FSM", "SEN Support")
_TOO_FEW = (
    "Similar schools need more schools of one school type, with the shares of their pupils eligible for free school meals and"
    " with SEN support shown."
)


class SchoolsSimilar(SchoolsRating):
    """Blocks on similar schools."""

    # -- who is similar ------------------------------------------------------------------------------

    @cached_property
    def _neighbours(self) -> dict[tuple[str, int], tuple[SchoolRating, ...]]:
        """Each school's nearest of its type, where there are enough."""
        found: dict[tuple[str, int], tuple[SchoolRating, ...]] = {}
        for phase in MAIN_PHASES if self.is_local else ():
            schools = {school.laestab: school for school in self.of_phase(phase)}
            nearest = nearest_schools({at: self._features(school) for at, school in schools.items()}, NEAREST)
            if len(nearest) >= FEWEST:
                found |= {(phase, at): tuple(schools[other] for other in others) for at, others in nearest.items()}
        return found

    def _features(self, school: SchoolRating) -> Sequence[float]:
        """Return a school's shares of the groups and the logarithm of its size, from cleared counts."""
        every = self.figure(school, "enrolments")
        overall = self.figure(school, OVERALL)
        if not is_shown(every) or counts_symbol(overall) or not every["numerator"]:
            return [math.nan] * (len(_SHARES) + 1)
        parts = [self.figure(school, "enrolments", group) for group in _SHARES]
        shares = [part["numerator"] / every["numerator"] if is_shown(part) else math.nan for part in parts]
        return [*shares, math.log(every["numerator"])]

    def similar_to(self, school: SchoolRating) -> tuple[SchoolRating, ...]:
        """Return the schools most like a school, nearest first; none where it cannot be told or there are too few."""
        return self._neighbours.get((school.phase, school.laestab), ())

    @derived_table
    def similar_rates(self) -> ProtectedTable:
        """Overall absence of the schools similar to each school together, and the school's less that."""
        rows: list[dict[str, Any]] = []
        for school in self.rated():
            others = [self.figure(other, OVERALL) for other in self.similar_to(school)]
            own = self.figure(school, OVERALL)
            if not others or own is None:
                continue
            groups: dict[str, Any] = {"academic_year": self.year, "phase": school.phase, "laestab": str(school.laestab)}
            together = _together([other for other in others if other is not None])
            rows.append(statistic_row(OVERALL, together, **groups))
            rows.append(statistic_row("rate_gap", _gap(own, together), **groups))
        return derived_from(rows, self.school_groups, nothing=_TOO_FEW)

    @cached_property
    def _similar(self) -> Lookup:
        return Lookup(self.similar_rates, ["phase", "laestab", "measure"])

    def similar_gap(self, school: SchoolRating) -> Record | None:
        """Return a school's overall absence less that of its similar schools."""
        return self._similar(phase=school.phase, laestab=str(school.laestab), measure="rate_gap")

    # -- blocks --------------------------------------------------------------------------------------

    @or_nothing
    def similar_notice(self) -> Notice | Result:
        """Return how similar schools are found."""
        _ = self._similar  # raises where there are too few
        nearest = phrase(f"{NEAREST} schools", "rule")
        return Notice(
            f"Each school is held beside the {nearest} of its type in {self.area.name} that are most like it in three things: the"
            " share of its pupils eligible for free school meals, the share with SEN support, and its size (distance in standard"
            " deviations; size by its logarithm). Nothing else is looked at, and none of the three explains all of absence: a"
            " difference asks for a reason, and is not itself a judgement.",
            "How similar schools are found",
        )

    @or_notice
    def similar_sentences(self) -> Findings | Notice | Result:
        """Return how many schools are clearly above and below those like them."""
        _ = self._similar  # raises where there are too few
        sentences = []
        for phase in MAIN_PHASES:
            schools = self.of_phase(phase)
            if not schools:
                continue
            gaps = [self.similar_gap(school) for school in schools]
            told = [gap for gap in gaps if is_shown(gap)]
            if not told:
                sentences.append(
                    f"There are too few {kind_words(phase)} with figures that can be shown to find similar ones."
                )
                continue
            above, below = (sum(is_clear(gap) and sign * gap["rate"] > 0 for gap in told) for sign in (1, -1))
            left = len(schools) - len(told)
            aside = f" ({number_words(left)} left aside, whose groups are hidden)" if left else ""
            sentences.append(
                f"Of {schools_words(len(told), phase)}{aside} overall absence is clearly above that of similar schools in"
                f" {number_words(above)}, clearly below it in {number_words(below)}, and not clearly different in"
                f" {number_words(len(told) - above - below)}."
            )
        # Numbers of these sentences count schools.
        return Findings(tuple(phrase(sentence, "schools") for sentence in sentences))

    @or_nothing
    def similar_table(self, phase: str) -> Table | Result:
        """Return each school of a type beside its similar schools, with their names."""
        schools = [school for school in self.of_phase(phase) if self.similar_to(school)]
        if not schools:
            raise NoDataError(_TOO_FEW)
        return Table(
            f"similar-{phase.lower()}",
            f"{phase} schools beside similar schools, {self.shown_year}",
            f"{DEFINED[OVERALL].capitalize()}; by name, {self.area.name}",
            (
                Column("School", align="left"),
                Column("Overall absence", "", "%"),
                Column("Similar schools", "", "%"),
                Column("Difference", "", "percentage points"),
                Column("95% interval", "", "percentage points"),
                Column("Similar schools, nearest first", align="left"),
            ),
            tuple(self._similar_row(school) for school in schools),
            source_of(self.similar_rates),
            (
                "Similar schools: all of them together. A difference whose interval leaves out zero is more than chance among"
                " pupils; by chance alone about one school in twenty would have one. Schools stand by name.",
            ),
        )

    def _similar_row(self, school: SchoolRating) -> Row:
        laestab, gap = str(school.laestab), self.similar_gap(school)
        names = "; ".join(self.school_name(str(other.laestab)) for other in self.similar_to(school))
        together = self._similar(phase=school.phase, laestab=laestab, measure=OVERALL)
        cells = (
            rate_of(self.figure(school, OVERALL)),
            rate_of(together),
            rate_of(gap),
            interval_cell(gap),
            Cell(names),
        )
        return Row(self.school_name(laestab), cells)


def _together(found: Sequence[Record]) -> Estimate:
    """Return the rate of several schools together; its interval from the intervals of each, schools being independent.

    >>> one = {"numerator": 30.0, "denominator": 300.0, "rate": 0.1, "lower": 0.06, "upper": 0.14}
    >>> [round(end, 4) for end in vars(_together([one, one])).values()]
    [0.1, 0.0717, 0.1283]
    """
    missed, possible = (sum(float(one[name]) for one in found) for name in ("numerator", "denominator"))
    rate = missed / possible
    if not all(has_interval(one) for one in found):
        return Estimate(rate)
    errors = [
        float(one["denominator"]) / possible * (float(one["upper"]) - float(one["lower"])) / 2 / Z95 for one in found
    ]
    half = Z95 * math.hypot(*errors)
    return Estimate(rate, max(rate - half, 0.0), min(rate + half, 1.0))


def _gap(own: Record, together: Estimate) -> Estimate:
    if not has_interval(own) or not math.isfinite(together.lower):
        return Estimate(float(own["rate"]) - together.value)
    low, high = newcombe_interval(
        own["rate"], (own["lower"], own["upper"]), together.value, (together.lower, together.upper)
    )
    return Estimate(float(own["rate"]) - together.value, float(low), float(high))
