"""What a load hands to the store: sessions, records of characteristics, flags, school offers and supported pupils.

The records and flags of every return are kept in the store, since a later return may change which of them
describes a pupil in a year. Sessions are kept in PUPIL_TERM itself: a return's own are known by their half
terms and schools.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

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
#: Characteristics from elsewhere than the census; null is not known. The first two are held in PUPIL_TERM, too.
FLAG_COLUMNS = {
    "upn": "BIGINT",
    "academic_year": "INTEGER",
    "looked_after": "VARCHAR",
    "social_worker": "VARCHAR",
    "protection_plan": "VARCHAR",
    "young_carer": "VARCHAR",
    "responsible_la": "VARCHAR",  # nine-character code of the authority that looks after the child
}
#: School offers: the school a pupil is to go to in an academic year.
DESTINATION_COLUMNS = {"upn": "BIGINT", "academic_year": "INTEGER", "laestab": "INTEGER"}
#: Pupils given support in an academic year, by the name of the group.
SUPPORT_COLUMNS = {"upn": "BIGINT", "academic_year": "INTEGER", "support_group": "VARCHAR"}

#: Meetings with schools about attendance; ``kind`` is in person, online, by request or other, ``colour`` null if not said.
MEETING_COLUMNS = {
    "laestab": "INTEGER",
    "academic_year": "INTEGER",
    "day": "DATE",
    "kind": "VARCHAR",
    "colour": "VARCHAR",
}

#: Single marks of registers: a row for each pupil, school, day and session with a usable mark. ``code`` is a register code in
#: capitals; what it counts as depends on the day (``vocabulary.register_codes.read_mark``).
MARK_COLUMNS = {
    "upn": "BIGINT",
    "la_code": "VARCHAR",
    "laestab": "INTEGER",
    "academic_year": "INTEGER",
    "half_term": "VARCHAR",
    "day": "DATE",
    "session": "VARCHAR",  # AM or PM
    "code": "VARCHAR",
}


@dataclass(frozen=True)
class ListPart:
    """Where rows of a list (of pupils, or of meetings) go: from a working table to a folder of the store, by academic year."""

    table: str
    folder: str
    columns: dict[str, str]
    keys: tuple[str, ...] = ("upn", "academic_year")
    """What a row stands for: a new row takes the place of the store's own with the same."""


LIST_PARTS = (
    ListPart("flag_parts", "flags", FLAG_COLUMNS),
    ListPart("destination_parts", "destinations", DESTINATION_COLUMNS),
    ListPart("support_parts", "support_groups", SUPPORT_COLUMNS, ("upn", "academic_year", "support_group")),
    ListPart("meeting_parts", "meetings", MEETING_COLUMNS, ("laestab", "day")),
)

#: Where sessions come from, the most trusted first. Those of one school and term are never added across collections.
COLLECTIONS = ("census", "register", "portal", "transfer")
#: Sessions that do not come from a census, with their collection.
COLLECTED_COLUMNS = {**SESSION_COLUMNS, "collection": "VARCHAR"}
#: What collected sessions take the place of: a half term of a school, or a pupil's year at a school.
SCOPE_COLUMNS = {
    "collection": "VARCHAR",
    "academic_year": "INTEGER",
    "half_term": "VARCHAR",
    "laestab": "INTEGER",
    "upn": "BIGINT",
}


def make_collected_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``collected_parts`` and ``collected_scopes`` of a connection if they are not there.

    A reader of sessions from elsewhere than the census adds rows of its collection to both. A scope with a half term and
    no pupil replaces that half term of the school; one with a pupil and no half term replaces the pupil's year there.
    """
    for name, columns in (("collected_parts", COLLECTED_COLUMNS), ("collected_scopes", SCOPE_COLUMNS)):
        listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        con.execute(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({listed})")


def record_place(academic_year: str, laestab: str) -> str:
    """Return SQL for the place of a record that does not come from a census: after all that do."""
    return f"5000000000000 + {academic_year}::BIGINT * 10000000 + {laestab}"
