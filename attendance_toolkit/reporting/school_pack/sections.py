"""The sections of a pack about the school as a whole: headline, terms, year groups, reasons, groups to discuss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.list_writing import Schools
from attendance_toolkit.reporting.school_pack.counts import Counts, percent_text, points_text
from attendance_toolkit.reporting.school_pack.data import PackData, SchoolCounts
from attendance_toolkit.reporting.school_pack.drawing import Line, line_chart
from attendance_toolkit.reporting.school_pack.figures import FEWEST_OF_GROUP
from attendance_toolkit.reporting.school_pack.parts import NO_FIGURE, Drawing, PackTable, Part, Text, part
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.register_codes import REASON_LABELS
from attendance_toolkit.vocabulary.rounding import number_text
from attendance_toolkit.vocabulary.series import SERIES

_MEASURES = {
    "attendance_rate": "Attendance",
    "persistent_absence_rate": "Persistent absence (10% or more missed)",
    "severe_absence_rate": "Severe absence (50% or more missed)",
}
Discussed = Sequence[tuple[str, Counts, Fraction | None, Fraction | None, Fraction]]


def headline_part(data: PackData, school: SchoolCounts, names: Schools) -> Part:
    """Return the section about attendance, persistent and severe absence of up to three years."""
    return part(
        "headline",
        "Headline",
        [_headline_table(data, school), _years_chart(data, school), _compared_with(data, school, names)],
    )


def _headline_table(data: PackData, school: SchoolCounts) -> PackTable:
    rows = []
    for measure, label in _MEASURES.items():
        for year in sorted(school.years, reverse=True):
            similar, national = data.similar_total(school, year), data.national(school.phase, measure, year)
            value = school.years[year].rate(measure)
            other = similar.rate(measure) if similar is not None else None
            rows.append(
                (
                    f"{label}, {show_academic_year(year)}",
                    percent_text(value),
                    _shown(national.value if national is not None else None),
                    _shown(other),
                    _difference(value, national.value if national is not None else None),
                    _difference(value, other),
                )
            )
    columns = (
        "Measure and year",
        "School",
        "National",
        "Similar schools",
        "Less national (points)",
        "Less similar (points)",
    )
    note = "Differences are worked out before rounding."
    return PackTable(
        "headline-table", "The school against national and similar schools", columns, tuple(rows), note=note
    )


def _years_chart(data: PackData, school: SchoolCounts) -> Drawing | None:
    years = sorted(school.years)
    own = [_number(school.years[year].rate("attendance_rate")) for year in years]
    nationals = [data.national(school.phase, "attendance_rate", year) for year in years]
    alike = [data.similar_total(school, year) for year in years]
    lines = [
        Line("School", tuple(own)),
        Line("National", tuple(_number(one.value) if one is not None else None for one in nationals)),
        Line("Similar", tuple(_number(one.rate("attendance_rate")) if one is not None else None for one in alike)),
    ]
    ends = [(line.name, line.values[0], line.values[-1]) for line in lines]
    said = sentence_list(
        [
            f"{name} from {number_text(first, 1)}% to {number_text(last, 1)}%"
            for name, first, last in ends
            if first is not None and last is not None
        ]
    )
    places = [show_academic_year(year) for year in years]
    if not said:
        return None
    title = f"Attendance, {places[0]} to {places[-1]}"
    svg = line_chart(lines, places, title, f"{said}.")
    return Drawing("years-chart", title, svg, f"{said}.") if svg else None


def _compared_with(data: PackData, school: SchoolCounts, names: Schools) -> Text:
    similar = (
        f"Similar schools are the {len(school.similar)} of the same phase and authority that are nearest by share of pupils"
        f" eligible for free school meals and number of pupils, taken together: "
        f"{sentence_list([names.name(one) or str(one) for one in school.similar])}."
        if school.similar
        else "There are too few schools of the same phase in the authority to compare with."
    )
    national = data.national(school.phase, "attendance_rate")
    source = (
        f" National: {SERIES[national.series].note}"
        if national is not None
        else " There is no national figure for the phase."
    )
    return Text(f"{similar}{source}", is_note=True)


def breakdown_part(data: PackData, school: SchoolCounts) -> Part:
    """Return the section about terms and year groups."""
    return part(
        "breakdown",
        "Terms and year groups",
        [
            _breakdown(data, school, "terms", "Term", "Absence by term"),
            _breakdown(data, school, "year_groups", "Year group", "Absence by year group"),
        ],
    )


def _breakdown(data: PackData, school: SchoolCounts, kind: str, head: str, title: str) -> PackTable | None:
    rows = []
    for name, counts in getattr(school, kind).items():
        alike = data.similar_part(school, kind, name)
        similar = alike.rate("overall_absence_rate") if alike is not None else None
        if kind == "year_groups" and counts.enrolments < FEWEST_OF_GROUP:
            rows.append((name, f"Fewer than {FEWEST_OF_GROUP}", *[NO_FIGURE] * 5))
            continue
        rows.append(
            (
                name,
                f"{counts.enrolments:,}",
                percent_text(counts.rate("attendance_rate")),
                percent_text(counts.rate("overall_absence_rate")),
                _shown(similar),
                f"{counts.persistent:,}",
                f"{counts.severe:,}",
            )
        )
    columns = (
        head,
        "Pupils",
        "Attendance",
        "Absence",
        "Absence, similar schools",
        "Persistent absentees",
        "Severe absentees",
    )
    note = "Persistent and severe absentees of a term are told by that term's own sessions." if kind == "terms" else ""
    return PackTable(kind.replace("_", "-"), title, columns, tuple(rows), note=note) if rows else None


def reasons_part(data: PackData, school: SchoolCounts) -> Part:
    """Return the section about reasons for absence."""
    similar, total = data.similar_reasons(school), data.similar_total(school)
    rows = []
    for reason, label in REASON_LABELS.items():
        column = f"sessions_{reason}"
        if column not in school.reasons:
            continue
        sessions = school.reasons[column]
        rows.append(
            (
                sessions,
                (
                    label,
                    f"{sessions:,}",
                    percent_text(Fraction(100 * sessions, school.now.missed)),
                    percent_text(Fraction(100 * sessions, school.now.possible), 2),
                    _shown(Fraction(100 * similar.get(column, 0), total.possible) if total is not None else None, 2),
                ),
            )
        )
    rows.sort(key=lambda row: -row[0])
    columns = ("Reason", "Sessions missed", "Share of absence", "Share of possible sessions", "Similar schools")
    note = "Similar schools: share of their possible sessions."
    table = PackTable("reasons-table", "Sessions missed by reason", columns, tuple(row for _, row in rows), note=note)
    return part("reasons", "Reasons for absence", [table if rows else Text("No session was missed.")])


def groups_part(groups: Discussed) -> Part:
    """Return the section about groups absent more than nationally or than in similar schools."""
    rows = tuple(
        (
            name,
            f"{counts.enrolments:,}",
            percent_text(counts.rate("overall_absence_rate")),
            _shown(national),
            _shown(similar),
            number_text(float(gain)),
        )
        for name, counts, national, similar, gain in groups
    )
    columns = ("Group", "Pupils", "Absence", "National, same group", "Similar schools, same group", "Sessions to gain")
    note = (
        "Groups whose absence is above that of the same group nationally or in similar schools, by the sessions that would have"
        f" been attended at the lower of the two. Groups overlap, so sessions must not be added up. Groups of fewer than"
        f" {FEWEST_OF_GROUP} pupils are left out."
    )
    found = PackTable("groups-table", "Groups to discuss, the most sessions to gain first", columns, rows, note=note)
    none = Text("No group of the school is absent more than the same group nationally or in similar schools.")
    return part("groups", "Groups to discuss", [found if rows else none])


def national_absence(school: SchoolCounts, attendance: Mapping[tuple[str, str], Fraction]) -> dict[str, Fraction]:
    """Return group -> national absence of the school's phase in percent, of (phase, group) -> attendance, a share."""
    return {group: 100 - 100 * share for (phase, group), share in attendance.items() if phase == school.phase}


def _shown(value: Fraction | None, decimals: int = 1) -> str:
    return NO_FIGURE if value is None else percent_text(value, decimals)


def _difference(value: Fraction | None, other: Fraction | None) -> str:
    return NO_FIGURE if value is None or other is None else points_text(value - other, 1)


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
