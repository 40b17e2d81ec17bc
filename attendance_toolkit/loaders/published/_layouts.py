"""Tell which published file lies before us, by its content and never by its name."""

from __future__ import annotations

from dataclasses import dataclass

from attendance_toolkit.loaders.published._files import Source

BANDS_FIELDS = 26


@dataclass(frozen=True)
class Layout:
    """A layout by its columns (lower case)."""

    name: str
    title: str
    needs: frozenset[str]
    refuses: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()
    unread: str = ""
    """Why a file of this layout is not read, empty if it is."""


_EES = {
    "time_period",
    "time_identifier",
    "geographic_level",
    "country_code",
    "region_code",
    "old_la_code",
    "new_la_code",
}
_ABSENCE = _EES | {"sess_possible", "sess_overall", "sess_authorised", "sess_unauthorised"}
_ATTENDANCE = _EES | {"possible_sessions", "overall_attendance", "overall_absence", "attendance_perc"}
_PHASE = frozenset({"school_type", "education_phase"})

#: Layouts with a header, in the order in which they are tried.
LAYOUTS = (
    Layout(
        "la_time_series",
        "LA time series (Short Desc, Years, LA and Regions, Values, LA Number)",
        frozenset({"short desc", "years", "la and regions", "values", "la number"}),
    ),
    Layout(
        "annual_geography",
        "absence by geography (sess_possible ..., enrolments_pa_10_exact)",
        frozenset(_ABSENCE | {"enrolments", "enrolments_pa_10_exact"}),
        refuses=frozenset({"term", "characteristic", "characteristic_breakdown", "breakdown"}),
        one_of=_PHASE,
    ),
    Layout(
        "alternative_provision",
        "absence in alternative provision (sess_possible ..., no school type)",
        frozenset(_ABSENCE | {"enrolments", "enrolments_pa_10_exact"}),
        refuses=_PHASE | {"term", "characteristic", "characteristic_breakdown", "breakdown"},
    ),
    Layout(
        "absence_by_term",
        "absence by term (term, sess_possible ...)",
        frozenset(_ABSENCE | {"term"}),
        one_of=_PHASE,
    ),
    Layout(
        "attendance_dashboard",
        "attendance dashboard (attendance_date, breakdown)",
        frozenset(_ATTENDANCE | {"attendance_date", "breakdown"}),
        unread="figures of single days and weeks of the attendance series are not used by any report yet",
    ),
    Layout(
        "attendance_daily",
        "attendance series by day (attendance_date)",
        frozenset(_ATTENDANCE | {"attendance_date"}),
        unread="figures of single days of the attendance series are not used by any report yet",
    ),
    Layout(
        "attendance_series",
        "attendance series (attendance_perc, possible_sessions, pa_perc)",
        frozenset(_ATTENDANCE | {"pa_perc"}),
        one_of=_PHASE,
    ),
    Layout(
        "attendance_weekly",
        "attendance series by week (no pa_perc)",
        frozenset(_ATTENDANCE),
        one_of=_PHASE,
        unread="figures of single weeks of the attendance series are not used by any report yet",
    ),
    Layout(
        "attendance_persistent",
        "attendance series, persistent absence by week",
        frozenset({"time_period", "time_frame", "geographic_level", "persistent_absence_percent"}),
        unread="year-to-date figures at single weeks of the attendance series are not used by any report yet",
    ),
    Layout(
        "absence_bands_named",
        "absence bands with a header (enrolments_overall_0_5 ...)",
        frozenset({"time_period", "geographic_level", "enrolments_overall_0_5"}),
        unread="the later layout of this data set, with named columns, is not read yet",
    ),
    Layout(
        "absence_by_characteristic",
        "absence by characteristic",
        frozenset({"sess_possible", "sess_overall", "enrolments"}),
        one_of=frozenset({"characteristic", "characteristic_breakdown", "breakdown"}),
        unread="absence by characteristic is not used by any report yet",
    ),
    Layout(
        "four_year_olds",
        "absence of four-year-olds",
        frozenset({"geographic_level", "enrolments", "sess_possible", "sess_overall", "sess_overall_percent"}),
        refuses=frozenset({"sess_authorised"}),
        unread="four-year-olds are outside DfE's absence statistics",
    ),
)
BANDS_TITLE = f"absence bands ({BANDS_FIELDS} columns without a header)"


def recognise(source: Source) -> Layout | None:
    """Return the layout of a file, None if it has none that is known."""
    if is_bands(source):
        return Layout("absence_bands", BANDS_TITLE, frozenset())
    names = set(source.first)
    for layout in LAYOUTS:
        if layout.needs <= names and not layout.refuses & names and (not layout.one_of or layout.one_of & names):
            return layout
    return None


def is_bands(source: Source) -> bool:
    """Return whether the first line is already data of the header-less bands file."""
    return (
        len(source.first) == BANDS_FIELDS
        and source.first[0] == "academic year"
        and source.first[1].isdigit()
        and all(field.isdigit() for field in source.first[-11:])
    )


def nearest(source: Source) -> str:
    """Return a sentence naming the known layouts, the nearest first with what it lacks.

    >>> from pathlib import Path
    >>> print(nearest(Source(Path("a.csv"), ("short desc", "years", "values", "la number"), (), False))[:94])
    The nearest known layout is LA time series (Short Desc, Years, LA and Regions, Values, LA Numb
    """
    names = set(source.first)
    read = [layout for layout in LAYOUTS if not layout.unread]
    best = max(read, key=lambda layout: (len(layout.needs & names) / len(layout.needs), -read.index(layout)))
    lacking = sorted(best.needs - names)
    titles = "; ".join([*(layout.title for layout in read), BANDS_TITLE])
    if not best.needs & names:
        return f"The known layouts are: {titles}."
    lack = f", but the file has no column {', '.join(lacking[:6])}" if lacking else ", but it also has other breakdowns"
    return f"The nearest known layout is {best.title}{lack}. The known layouts are: {titles}."
