"""Column names and levels of the toolkit's own tables: PUPIL_TERM, CELLS and MEASURE rows."""

from __future__ import annotations

from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, UNAUTHORISED_REASONS

PHASES = ("Primary", "Secondary", "Special", "Pupil referral unit", "Unknown")
#: Phases in DfE's main absence tables. Alternative provision is published apart and is never in "all schools".
MAIN_PHASES = ("Primary", "Secondary", "Special")
ALL_SCHOOLS = "All schools"

SEXES = ("Female", "Male", "Unknown")
FSM_STATUSES = ("FSM eligible", "Not known to be FSM eligible", "Unknown")
FSM6_STATUSES = ("FSM in the last six years", "Not FSM in the last six years", "Unknown")
SEN_PROVISIONS = ("No SEN", "SEN support", "EHC plan", "Unknown")
ETHNICITY_MAJOR = ("Asian", "Black", "Mixed", "White", "Any other ethnic group", "Unknown")
LANGUAGES = ("English", "Other than English", "Unknown")
YES_NO = ("Yes", "No", "Unknown")
ENROL_STATUSES = ("Single", "Main", "Subsidiary", "Other", "Unknown")
#: Bands of year groups, each within a phase; which year group lies in which is in hierarchies.csv.
NC_YEAR_BANDS = ("Up to Year 2", "Years 3 to 6", "Years 7 to 9", "Years 10 and 11", "Other year groups")
NC_YEARS = ("E1", "E2", "N1", "N2", "R", *(str(n) for n in range(1, 15)), "X", "Unknown")

#: Key of PUPIL_TERM: one row per pupil, school, academic year and half term (or span of half terms).
PUPIL_TERM_KEY = ("upn", "laestab", "academic_year", "half_term")

REASON_COLUMNS = tuple(f"sessions_{name}" for name in (*AUTHORISED_REASONS, *UNAUTHORISED_REASONS))

#: Characteristics held for a pupil through the year (first available census record of the year).
CHARACTERISTICS = (
    "sex",
    "fsm_eligible",
    "fsm6",
    "sen_provision",
    "ethnicity_major",
    "ethnicity_minor",
    "first_language",
    "looked_after",
    "social_worker",
)

#: PUPIL_TERM as it lies in the store: column -> Arrow/DuckDB type. Text levels are categoricals in pandas.
PUPIL_TERM = {
    "upn": "BIGINT",  # keyed pseudonym of the UPN, never the UPN
    "la_code": "VARCHAR",  # nine characters
    "laestab": "INTEGER",  # seven digits
    "urn": "INTEGER",  # nullable
    "academic_year": "INTEGER",  # 202324
    "term": "VARCHAR",  # autumn, spring, summer, or year for a figure that cannot be split
    "half_term": "VARCHAR",  # 1..6, or a span such as 1-2; 1-6 is the whole year
    "phase": "VARCHAR",
    "nc_year": "VARCHAR",
    "age": "SMALLINT",  # completed years on 31 August before the year; nullable
    "sex": "VARCHAR",
    "fsm_eligible": "VARCHAR",
    "fsm6": "VARCHAR",
    "sen_provision": "VARCHAR",
    "ethnicity_major": "VARCHAR",
    "ethnicity_minor": "VARCHAR",
    "first_language": "VARCHAR",
    "looked_after": "VARCHAR",
    "social_worker": "VARCHAR",
    "enrol_status": "VARCHAR",
    "is_boarder": "BOOLEAN",
    "on_roll": "BOOLEAN",
    "sessions_possible": "INTEGER",
    "sessions_authorised": "INTEGER",
    "sessions_unauthorised": "INTEGER",
    "sessions_covid": "INTEGER",  # counted in possible sessions, not an absence
    **dict.fromkeys(REASON_COLUMNS, "INTEGER"),
}

#: Schools as they lie in the store: column -> Arrow/DuckDB type. One row a school: its URN, else its LAESTAB.
SCHOOL_COLUMNS = {
    "laestab": "INTEGER",  # nullable, as is every column but source
    "urn": "INTEGER",
    "school_name": "VARCHAR",
    "phase": "VARCHAR",  # one of PHASES
    "phase_source": "VARCHAR",  # DfE's own word, or the ages the phase was told from
    "la_code": "VARCHAR",  # nine characters
    "type": "VARCHAR",
    "status": "VARCHAR",
    "open_date": "DATE",
    "close_date": "DATE",
    "statutory_low_age": "SMALLINT",
    "statutory_high_age": "SMALLINT",
    "number_of_pupils": "INTEGER",
    "percent_fsm": "DOUBLE",  # 0 to 100
    "pupils_at": "DATE",  # day of the two figures before
    "postcode": "VARCHAR",
    "trust": "VARCHAR",
    "source": "VARCHAR",
    "as_at": "DATE",
}

#: The level pupils of unknown status are counted with where a policy says so: the one that asserts nothing of them.
UNKNOWN_COUNTED_WITH = {
    "fsm_eligible": "Not known to be FSM eligible",
    "fsm6": "Not FSM in the last six years",
    "sen_provision": "No SEN",
}

LABELS = {
    "la_code": "Local authority",
    "laestab": "School",
    "phase": "School type",
    "nc_year": "Year group",
    "nc_year_band": "Band of year groups",
    "sex": "Sex",
    "fsm_eligible": "Free school meals",
    "fsm6": "Free school meals in the last six years",
    "sen_provision": "Special educational needs",
    "ethnicity_major": "Ethnic group",
    "ethnicity_minor": "Ethnic group, detailed",
    "first_language": "First language",
    "looked_after": "Looked after",
    "social_worker": "Social worker",
    "protection_plan": "Child protection plan",
    "young_carer": "Young carer",
    "responsible_la": "Authority that looks after the child",
    "term": "Term",
    "half_term": "Half term",
    "academic_year": "Academic year",
    "time_on_roll": "Time on roll",
    "classification": "Whether characteristics are recorded",
}

#: Five-point bands of overall absence, as DfE's bands file cuts them: lower edge in percent.
BAND_EDGES = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
BAND_COLUMNS = tuple(f"band_{low:02d}_plus" if low == 50 else f"band_{low:02d}_{low + 5:02d}" for low in BAND_EDGES)

_SESSIONS = ("sessions_possible", "sessions_authorised", "sessions_unauthorised")
#: Additive counts of CELLS: a cell is one combination of groups; cells of the same groups may be added.
CELL_COUNTS = (
    "enrolments",
    *_SESSIONS,
    "sessions_covid",
    "persistent_absentees",
    "severe_absentees",
    "no_absence_enrolments",
    *(f"{name}_persistent" for name in _SESSIONS),
    *(f"{name}_severe" for name in _SESSIONS),
    *BAND_COLUMNS,
    *REASON_COLUMNS,
    # Sums over enrolments of squares and cross products: they give a session rate's interval with the
    # pupil as the unit. Sessions of one pupil are anything but independent (methods: funnel, trends).
    "square_possible",
    "square_absent",
    "square_authorised",
    "square_unauthorised",
    "cross_absent",
    "cross_authorised",
    "cross_unauthorised",
)

#: Counts made only where they are asked for: how many enrolments have any session of a kind or a reason, and the sums
#: of squares of the reasons. They tell whether a few pupils stand behind a sum of sessions.
CONTRIBUTOR_COUNTS = (
    "enrolments_authorised",
    "enrolments_unauthorised",
    *(f"enrolments_{name}" for name in (*AUTHORISED_REASONS, *UNAUTHORISED_REASONS)),
    *(f"square_{name}" for name in (*AUTHORISED_REASONS, *UNAUTHORISED_REASONS)),
)

#: Counts of severe absentees alone, made only where they are asked for: their sessions by reason, and what tells whether a
#: few of them stand behind a sum. Each is the count without its ending, of severe absentees.
SEVERE_COUNTS = tuple(
    f"{name}_severe"
    for name in (
        *REASON_COLUMNS,
        "square_possible",
        *(f"{part}_{kind}" for kind in ("absent", "authorised", "unauthorised") for part in ("square", "cross")),
        *CONTRIBUTOR_COUNTS,
    )
)

#: Length of an enrolment: possible sessions of the period, up to and without the upper limit. A school year has about 380.
TIME_ON_ROLL = (
    ("Under 50 sessions", 50),
    ("50 to 149 sessions", 150),
    ("150 to 249 sessions", 250),
    ("250 sessions or more", None),
)

#: Enrolments that missed every possible session, made only where they are asked for: all, those with at least as many
#: authorised sessions as unauthorised ones, the others, and those with sessions of a part-time timetable.
FULL_ABSENCE_COUNTS = (
    "full_absence_enrolments",
    "full_absence_authorised",
    "full_absence_unauthorised",
    "full_absence_part_time",
)

#: All additive counts there are.
ALL_COUNTS = (*CELL_COUNTS, *CONTRIBUTOR_COUNTS, *SEVERE_COUNTS, *FULL_ABSENCE_COUNTS)

#: What every MEASURE row carries besides its groups. ``rate`` is 0 to 1 (or sessions per enrolment for a
#: mean); numerator and denominator are counts and may be missing for a published rate; ``lower`` and
#: ``upper`` bound the 95% interval; ``symbol`` is a DfE symbol standing for a missing rate, else "".
MEASURE_CORE = ("measure", "numerator", "denominator", "rate", "lower", "upper", "symbol")
#: What disclosure asks of a MEASURE row and no page shows: how many enrolments stand behind it, how many of them have
#: any of its sessions, and the sum of their squares over the square of their sum (missing: not known).
MEASURE_BEHIND = ("enrolments", "contributors", "concentration")

#: Groups of a published row. "All" is DfE's Total row; a breakdown a file does not have is also "All".
PUBLISHED_GROUPS = (
    "series",
    "dataset",
    "academic_year",
    "period",
    "area_code",
    "area_level",
    "phase",
    "nc_year",
    "sex",
    "fsm_eligible",
    "sen_provision",
    # The one characteristic of files that give one at a time ("ethnicity_minor"), with its level.
    "characteristic",
    "characteristic_level",
)
ALL = "All"
