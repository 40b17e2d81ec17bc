"""Tell which published file lies before us, by its content and never by its name."""

from __future__ import annotations

from dataclasses import dataclass

from attendance_toolkit.loaders.published import group_comparators, performance, social_care
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
    feeds: str = ""
    """What can be made from it, in words."""
    describes: bool = False
    """Whether it describes other files and holds no figures."""


_EES = {
    "time_period",
    "time_identifier",
    "geographic_level",
    "country_code",
    "region_code",
    "old_la_code",
    "new_la_code",
}
_SESSIONS = {"sess_possible", "sess_overall", "sess_authorised", "sess_unauthorised"}
_ABSENCE = _EES | _SESSIONS
_ATTENDANCE = _EES | {"possible_sessions", "overall_attendance", "overall_absence", "attendance_perc"}
_PHASE = frozenset({"school_type", "education_phase"})
_CHARACTERISTIC = frozenset({"characteristic", "characteristic_breakdown", "breakdown"})

_OVERVIEW = "the overview's comparisons"
_LIBRARY = "own analyses with read_published, and checks of printed figures"

#: Layouts with a header, in the order in which they are tried.
LAYOUTS = (
    Layout(
        "la_time_series",
        "LA time series (Short Desc, Years, LA and Regions, Values, LA Number)",
        frozenset({"short desc", "years", "la and regions", "values", "la number"}),
        feeds=f"{_OVERVIEW} of census years, and figures of children in need and looked after",
    ),
    Layout(
        "absence_by_characteristic",
        "absence by characteristic (sess_possible ..., characteristic or breakdown)",
        frozenset(_SESSIONS | {"enrolments"}),
        one_of=_CHARACTERISTIC,
        feeds=_LIBRARY,
    ),
    Layout(
        "annual_geography",
        "absence by geography (sess_possible ..., enrolments_pa_10_exact)",
        frozenset(_ABSENCE | {"enrolments", "enrolments_pa_10_exact"}),
        refuses=frozenset({"term"}) | _CHARACTERISTIC,
        one_of=_PHASE,
        feeds=f"{_OVERVIEW} and trends of census years, and figures of single schools",
    ),
    Layout(
        "alternative_provision",
        "absence in alternative provision (sess_possible ..., no school type)",
        frozenset(_ABSENCE | {"enrolments", "enrolments_pa_10_exact"}),
        refuses=_PHASE | {"term"} | _CHARACTERISTIC,
        feeds=_LIBRARY,
    ),
    Layout(
        "absence_by_term",
        "absence by term (term, sess_possible ...)",
        frozenset(_ABSENCE | {"term"}),
        one_of=_PHASE,
        feeds=_LIBRARY,
    ),
    Layout(
        "attendance_dashboard",
        "attendance dashboard (attendance_date, breakdown)",
        frozenset(_ATTENDANCE | {"attendance_date", "breakdown"}),
        feeds=_LIBRARY,
    ),
    Layout(
        "attendance_daily",
        "attendance series by day (attendance_date)",
        frozenset(_ATTENDANCE | {"attendance_date"}),
        feeds=_LIBRARY,
    ),
    Layout(
        "attendance_series",
        "attendance series (attendance_perc, possible_sessions, pa_perc)",
        frozenset(_ATTENDANCE | {"pa_perc"}),
        one_of=_PHASE,
        feeds=f"{_OVERVIEW} of the attendance series",
    ),
    Layout(
        "attendance_weekly",
        "attendance series by week (no pa_perc)",
        frozenset(_ATTENDANCE),
        one_of=_PHASE,
        feeds=_LIBRARY,
    ),
    Layout(
        "attendance_persistent",
        "attendance series, persistent absence at each release",
        frozenset({"time_period", "time_frame", "geographic_level", "persistent_absence_percent"}),
        feeds=_LIBRARY,
    ),
    Layout(
        "attendance_reasons",
        "reasons for absence and attendance, one figure a row (attendance_reason, session_count)",
        frozenset({"time_period", "time_identifier", "time_frame", "geographic_level", "attendance_type",
                   "attendance_reason", "session_count", "session_percent"}),
        feeds=_LIBRARY,
    ),
    Layout(
        "absence_bands_named",
        "absence bands with a header (enrolments_overall_0_5 ...)",
        frozenset({"time_period", "time_identifier", "geographic_level", "nc_year", "sex", "sen_status",
                   "fsm_eligibility", "enrolments_overall_0_5", "enrolments_overall_95_99", "enrolments_overall_100"}),
        feeds=f"{_OVERVIEW}, bands of absence and pupil groups of census years",
    ),
    Layout(
        "absence_bands_early",
        "national absence bands, one band a row (Absence_band, TotalPupils)",
        frozenset({"time_period", "time_identifier", "geographic_level", "school_type", "fsm_eligible", "gender",
                   "ncyearactual", "absence_band", "totalpupils"}),
        feeds=_LIBRARY,
    ),
    Layout(
        "percent_bands",
        "national one-point absence bands (percent_bands, enrolments_overall)",
        frozenset({"time_period", "time_identifier", "geographic_level", "percent_bands", "enrolments_overall",
                   "enrolments_authorised", "enrolments_unauthorised"}),
        one_of=_PHASE,
        feeds=_LIBRARY,
    ),
    Layout(
        "missed_any",
        "enrolments that missed at least one session (enrol_overall, enrol_auth_illness ...)",
        frozenset(_EES | {"enrolments", "enrol_overall", "enrol_authorised", "enrol_unauthorised"}),
        one_of=_PHASE,
        feeds=_LIBRARY,
    ),
    Layout(
        "four_year_olds",
        "absence of four-year-olds (no authorised absence)",
        frozenset({"geographic_level", "enrolments", "sess_possible", "sess_overall", "sess_overall_percent"}),
        refuses=frozenset({"sess_authorised"}),
        one_of=_PHASE,
        feeds=_LIBRARY,
    ),
    *(Layout(**about) for about in (*social_care.LAYOUTS, *performance.LAYOUTS, *group_comparators.LAYOUTS)),
)  # fmt: skip

#: Files that describe data files.
METADATA = (
    Layout(
        "ees_metadata",
        "EES metadata: what each column of a data file is (col_name, col_type, label, indicator_unit)",
        frozenset({"col_name", "col_type", "label", "indicator_grouping", "indicator_unit"}),
        describes=True,
    ),
    Layout(
        "la_time_series_dictionary",
        "the data dictionary of the LA time series (Measure_short, Measure, Table_status)",
        frozenset({"measure_code", "topic", "measure", "measure_short"}),
        describes=True,
    ),
    Layout(
        "data_dictionary",
        "DfE's data dictionary (col_name, col_type, filter_item)",
        frozenset({"col_name", "col_type", "filter_item", "cbds_code"}),
        describes=True,
    ),
    Layout(
        "data_dictionary_columns",
        "DfE's data dictionary, names of columns (context, col_name, breakdown_label)",
        frozenset({"context", "col_name", "breakdown_label", "known_aliases"}),
        describes=True,
    ),
    Layout(
        "school_types",
        "DfE's standard items of school type and phase (col_name, breakdown_topic, filter_item)",
        frozenset({"col_name", "breakdown_topic", "filter_item", "school_census_code"}),
        describes=True,
    ),
)
BANDS_TITLE = f"absence bands ({BANDS_FIELDS} columns without a header)"
BANDS = Layout(
    "absence_bands",
    BANDS_TITLE,
    frozenset(),
    feeds=f"{_OVERVIEW}, bands of absence and pupil groups of census years",
)


def layout_of(source: Source) -> Layout | None:
    """Return the layout of a file, None if it has none that is known."""
    if is_bands(source):
        return BANDS
    names = set(source.first)
    for layout in (*LAYOUTS, *METADATA):
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
    best = max(LAYOUTS, key=lambda layout: (len(layout.needs & names) / len(layout.needs), -LAYOUTS.index(layout)))
    lacking = sorted(best.needs - names)
    titles = "; ".join([*(layout.title for layout in LAYOUTS), BANDS_TITLE])
    if not best.needs & names:
        return f"Give one of the known layouts: {titles}."
    lack = f", but the file has no column {', '.join(lacking[:6])}" if lacking else ", but it also has other breakdowns"
    return f"The nearest known layout is {best.title}{lack}. Give one of the known layouts: {titles}."
