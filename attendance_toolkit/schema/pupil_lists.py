"""Specifications of lists of pupils from an authority's other systems: school offers, and pupils given support."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from attendance_toolkit.schema.tables import TableSpec

#: Names of the tables, as the manifest and the quarantine of a store have them.
ADMISSIONS, SUPPORT_GROUPS = "admissions", "support_groups"

_UPN = dict.fromkeys(("upn", "uniquepupilnumber", "pupilupn", "studentupn", "childupn", "upnnumber"), "upn")
_ACADEMIC_YEAR = dict.fromkeys(("academic_year", "academicyear", "schoolyear"), "academic_year")
#: Here a year alone is that of a September, and a date tells the academic year.
_ENTRY = {
    **dict.fromkeys(
        ("yearofentry", "entryyear", "intakeyear", "yearofintake", "admissionyear", "yearofadmission"), "entry_year"
    ),
    **dict.fromkeys(
        ("entrydate", "dateofentry", "admissiondate", "dateofadmission", "expectedentrydate", "expectedadmissiondate",
         "expectedstartdate", "intakedate"), "entry_date"
    ),
}  # fmt: skip
_OFFER_WORDS = ("offered", "offer", "allocated", "allocation", "destination", "receiving", "expected", "proposed")
_LAESTAB_WORDS = ("laestab", "laestabnumber", "dfe", "dfenumber", "dfeno", "dfecode", "dfesnumber", "dfesno")
_URN_WORDS = ("urn", "urnnumber", "uniquereferencenumber")


def _offered(words: Iterable[str], column: str) -> dict[str, str]:
    """Return the headers of a number of the school offered: "Allocated school DfE number", "School offered LAESTAB"."""
    pairs = list(product(_OFFER_WORDS, words))
    return {
        spelling: column
        for offer, word in pairs
        for spelling in (f"{offer}{word}", f"{offer}school{word}", f"{offer}schools{word}", f"school{offer}{word}")
    }


_SCHOOL = {
    **_offered(_LAESTAB_WORDS, "offered_laestab"),
    **_offered(_URN_WORDS, "offered_urn"),
    **{spelling: "offered_school" for w in _OFFER_WORDS for spelling in (f"{w}school", f"school{w}")},
    **dict.fromkeys(("laestab", *_LAESTAB_WORDS[3:], "dfenumber", "schooldfenumber", "schoollaestab"), "laestab"),
    **dict.fromkeys(("urn", "schoolurn"), "urn"),
}
#: Columns of the school, the plainest words for the offer first: beside one of them "laestab" may be the school of today.
SCHOOL_COLUMNS = ("offered_laestab", "offered_urn", "offered_school", "laestab", "urn")
ENTRY_COLUMNS = ("academic_year", "entry_year", "entry_date")
_GROUP = dict.fromkeys(
    ("support_group", "supportgroup", "supportgroupname", "nameofsupportgroup", "support", "supportprogramme",
     "intervention", "interventionname", "interventiongroup", "prioritygroup"), "support_group"
)  # fmt: skip

OFFERS = TableSpec(
    ADMISSIONS, "", ("upn",), (), (*ENTRY_COLUMNS, *SCHOOL_COLUMNS), aliases=_UPN | _ACADEMIC_YEAR | _ENTRY | _SCHOOL
)
SUPPORTED = TableSpec(
    SUPPORT_GROUPS, "", ("upn", "academic_year", "support_group"), aliases=_UPN | _ACADEMIC_YEAR | _GROUP
)
PUPIL_LISTS = {spec.name: spec for spec in (OFFERS, SUPPORTED)}
#: Columns of registers, returns and portal lists, which name pupils, schools and years, too.
_ATTENDANCE = re.compile(r"attend|absen|session|mark|possible|nativeid|tableid|ncyear")


def list_of_header(columns: Iterable[str]) -> str | None:
    """Return which list of pupils a header is of, or None.

    Parameters
    ----------
    columns
        The header without capitals, blanks and hyphens; words for whole files (a group named above the header) may be
        among them.

    >>> list_of_header(["upn", "academic_year", "laestab"]), list_of_header(["upn", "yearofentry", "allocatedschooldfenumber"])
    ('admissions', 'admissions')
    >>> list_of_header(["upn", "academicyear", "supportgroup", "name"])
    'support_groups'
    >>> list_of_header(["upn", "laestab", "entrydate", "termlysessionspossible"]) is None
    True
    """
    given = set(columns)
    if SUPPORTED.aliases.keys() & given and {"upn", "support_group"} <= {SUPPORTED.aliases.get(c) for c in given}:
        return SUPPORT_GROUPS
    names = {OFFERS.aliases.get(c) for c in given}
    if "upn" not in names:
        return None
    if names & {"offered_laestab", "offered_urn"}:
        return ADMISSIONS
    if "offered_school" in names and names & set(ENTRY_COLUMNS):
        return ADMISSIONS
    is_plain = names & {"laestab", "urn"} and names & {"academic_year", "entry_year"}
    return ADMISSIONS if is_plain and not any(_ATTENDANCE.search(c) for c in given) else None
