"""The figures of a school that questions are tied to, all exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from attendance_toolkit.reporting.school_pack.counts import Counts
from attendance_toolkit.reporting.school_pack.data import PackData, SchoolCounts
from attendance_toolkit.reporting.school_pack.pupils import Absentee
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.meeting_questions import Figure

#: Fewest pupils of a group or year group that is spoken of by itself, as in a rating.
FEWEST_OF_GROUP = 10


def sessions_gained(own: Counts, other: Fraction | None) -> Fraction | None:
    """Return how many sessions more would have been attended at another absence rate (percent).

    >>> sessions_gained(Counts(10, 1000, 60, 40, 0, 0), Fraction(8))
    Fraction(20, 1)
    """
    return None if other is None or not own.possible else own.missed - own.possible * other / 100


def groups_to_discuss(
    data: PackData, school: SchoolCounts, nationals: Mapping[str, Fraction]
) -> list[tuple[str, Counts, Fraction | None, Fraction | None, Fraction]]:
    """Return groups and year groups absent more than nationally or in similar schools, the most sessions first.

    Parameters
    ----------
    nationals
        Group -> national absence in percent, where there is one.

    Returns
    -------
    Name, counts, national absence, that of the same group in similar schools (percent), and sessions that would be gained
    at the lower of the two that it is above.
    """
    found = []
    for kind in ("groups", "year_groups"):
        for name, counts in getattr(school, kind).items():
            if counts.enrolments < FEWEST_OF_GROUP:
                continue
            alike = data.similar_part(school, kind, name)
            similar = alike.rate("overall_absence_rate") if alike is not None else None
            national = nationals.get(name)
            gains = [gain for rate in (national, similar) if (gain := sessions_gained(counts, rate)) is not None]
            if gains and max(gains) > 0:
                found.append((name, counts, national, similar, max(gains)))
    return sorted(found, key=lambda row: (-row[4], row[0]))


def school_figures(
    data: PackData,
    school: SchoolCounts,
    listed: Sequence[Absentee],
    groups: Sequence[tuple[str, Counts, Fraction | None, Fraction | None, Fraction]],
) -> dict[str, Figure]:
    """Return the figures that need no single marks; those a school has not are not in it."""
    found: dict[str, Figure] = {}

    def put(name: str, value: Fraction | int | None, about: str = "") -> None:
        if value is not None:
            found[name] = Figure(Fraction(value), about)

    severe = [one for one in listed if one.is_severe]
    put("severe_without_plan", sum(not one.support for one in severe))
    put("severe_with_plan", sum(bool(one.support) for one in severe))
    put("persistent_absentees", len(listed))
    put("attended_nothing", sum(one.attended_nothing for one in listed))
    national = data.national(school.phase, "attendance_rate")
    similar = data.similar_total(school)
    attendance = school.now.rate("attendance_rate")
    put("attendance_less_national", _less(attendance, national.value if national else None))
    put("attendance_less_similar", _less(attendance, similar.rate("attendance_rate") if similar else None))
    before = school.years.get(academic_year_before(data.year))
    if before is not None:
        for name, measure in (
            ("attendance_change", "attendance_rate"),
            ("persistent_rate_change", "persistent_absence_rate"),
            ("severe_rate_change", "severe_absence_rate"),
        ):
            put(name, _less(school.now.rate(measure), before.rate(measure)))
    terms = [counts.rate("overall_absence_rate") for counts in school.terms.values()]
    if len(terms) > 1:
        put("term_change", _less(terms[-1], terms[0]))
    if groups:
        put("group_sessions", groups[0][4], groups[0][0])
    years = {name: of for name, of in school.year_groups.items() if of.enrolments >= FEWEST_OF_GROUP and of.possible}
    if len(years) > 1:
        worst = max(years, key=lambda name: years[name].rate("overall_absence_rate") or Fraction(0))
        put("year_group_absence", years[worst].rate("overall_absence_rate"), worst)
    _put_reasons(found, school)
    return found


def _put_reasons(found: dict[str, Figure], school: SchoolCounts) -> None:
    missed = school.now.missed
    if not missed:
        return
    part_time = school.reasons.get("sessions_auth_temp_reduced_timetable", 0)
    found["part_time_sessions"] = Figure(Fraction(part_time))
    for name, sessions in (
        ("unauthorised_share", school.now.unauthorised),
        ("no_reason_share", school.reasons.get("sessions_unauth_noyet", 0)),
        ("excluded_share", school.reasons.get("sessions_auth_excluded", 0)),
    ):
        found[name] = Figure(Fraction(100 * sessions, missed))


def _less(value: Fraction | None, other: Fraction | None) -> Fraction | None:
    return None if value is None or other is None else value - other
