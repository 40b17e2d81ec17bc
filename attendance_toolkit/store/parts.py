"""What a load hands to the store: sessions, records of characteristics, and flags.

The records and flags of every return are kept in the store, since a later return may change which of them
describes a pupil in a year. Sessions are kept in PUPIL_TERM itself: a return's own are known by their half
terms and schools.
"""

from __future__ import annotations

from attendance_toolkit.vocabulary.columns import PUPIL_TERM

#: Sessions as one return carried them: a row for each pupil row and half term (or span).
SESSION_COLUMNS = {
    "upn": "BIGINT",
    "la_code": "VARCHAR",
    "laestab": "INTEGER",
    "urn": "INTEGER",
    "academic_year": "INTEGER",
    "term": "VARCHAR",
    "half_term": "VARCHAR",
    "phase": "VARCHAR",
    "age": "SMALLINT",
    "enrol_status": "VARCHAR",
    "is_boarder": "BOOLEAN",
    "on_roll": "BOOLEAN",
    **{name: kind for name, kind in PUPIL_TERM.items() if name.startswith("sessions_")},
}
#: Characteristics as one return recorded them; null is not known. ``place`` orders the records of a pupil.
RECORD_COLUMNS = {
    "upn": "BIGINT",
    "la_code": "VARCHAR",
    "laestab": "INTEGER",
    "census": "VARCHAR",
    "academic_year": "INTEGER",
    "place": "BIGINT",
    "nc_year": "VARCHAR",
    "nc_year_before": "VARCHAR",
    "sex": "VARCHAR",
    "fsm_eligible": "VARCHAR",
    "fsm6": "VARCHAR",
    "sen_provision": "VARCHAR",
    "ethnicity_major": "VARCHAR",
    "ethnicity_minor": "VARCHAR",
    "first_language": "VARCHAR",
}
#: Characteristics from elsewhere than the census.
FLAG_COLUMNS = {"upn": "BIGINT", "academic_year": "INTEGER", "looked_after": "VARCHAR", "social_worker": "VARCHAR"}
