"""Specifications of the tables a school-census extract comes in, and of the pupil flags file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Ways a header is spelt in extracts and hand-made copies -> the name used here.
ALIASES = {
    "gender": "sex",  # until the summer 2023 returns
    "absencesessions": "sessions",  # until the summer 2020 returns
    "uniquepupilnumber": "upn",
    "dfenumber": "laestab",
    "dfeno": "laestab",
}


@dataclass(frozen=True)
class TableSpec:
    """The columns a table must have, should have, and may have, by their names in the extract."""

    name: str
    key: str
    required: tuple[str, ...]
    expected: tuple[str, ...] = ()
    """Without one of these a characteristic is Unknown for everybody: a warning."""
    optional: tuple[str, ...] = ()
    respelt: tuple[str, ...] = ()
    """Optional columns that are asked for where a header is nearly one of them."""
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Ways a header of this table alone may be spelt, without capitals, blanks and hyphens."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        return (*self.required, *self.expected, *self.optional)

    def name_of(self, header: str) -> str:
        """Return the name used here for a header without capitals, blanks and hyphens."""
        return self.aliases.get(header) or ALIASES.get(header, header)


_SESSION_TOTALS = tuple(
    f"{item}{kind}"
    for item in ("termlysessions", "summerhalfterm2sessions")
    for kind in ("authorised", "unauthorised", "coronavirus")
)
#: Read for one thing only: what leaves for partners is searched for them (``store.identifiers``).
NAME_COLUMNS = ("forename", "middlenames", "surname", "preferredsurname", "formersurname", "postcode")
_PUPIL_OPTIONAL = (
    "formerupn",
    "entrydate",
    "enrolstatus",
    "boarder",
    "language",
    "ethnicity",
    "fsmeoncensusday",
    "summerhalfterm2sessionspossible",
    *_SESSION_TOTALS,
    *NAME_COLUMNS,
)

_PUPIL = "pupilonrolltableid"
_LEAVER = "pupilnolongeronrolltableid"


def _details(name: str, key: str) -> TableSpec:
    return TableSpec(name, key, (key, "nativeid", "sessions", "attendancereason"))


def _periods(name: str, key: str) -> TableSpec:
    return TableSpec(name, key, (key, "nativeid", "fsmstartdate", "fsmenddate"))


#: Tables that are read, by the ending of the file name.
CENSUS_TABLES = {
    spec.name: spec
    for spec in (
        TableSpec("school", "", ("nativeid",), ("phase",), ("laestab", "urn", "schoolname", "lea", "estab")),
        TableSpec("schoolcensus", "", ("term", "year"), (), ("nativeid", "collection", "referencedate")),
        TableSpec(
            "pupilonroll",
            _PUPIL,
            (_PUPIL, "nativeid", "upn", "dob", "sex", "termlysessionspossible"),
            ("ncyearactual", "senprovision"),
            _PUPIL_OPTIONAL,
        ),
        TableSpec(
            "pupilnolongeronroll",
            _LEAVER,
            (_LEAVER, "nativeid", "upn", "dob", "sex", "termlysessionspossible"),
            ("ncyearleaving", "leavingdate"),
            ("senprovision", *_PUPIL_OPTIONAL),
        ),
        _details("termlysessiondetailsonroll", _PUPIL),
        _details("termlysessiondetailsoffroll", _LEAVER),
        _details("summerhalfterm2sessiondetailsonroll", _PUPIL),
        _details("summerhalfterm2sessiondetailsoffroll", _LEAVER),
        _periods("fsmperiod", _PUPIL),
        _periods("fsmperiodsonroll", _PUPIL),
        _periods("fsmperiodsoffroll", _LEAVER),
    )
}

#: Characteristics of pupils on roll in a file of their own, beside a file of one row a pupil.
CHARACTERISTICS = "pupilcharacteristics"
CENSUS_TABLES[CHARACTERISTICS] = TableSpec(
    CHARACTERISTICS,
    "",
    ("nativeid", "upn"),
    (),
    (
        "dob",
        "sex",
        "entrydate",
        "enrolstatus",
        "ncyearactual",
        "senprovision",
        "language",
        "ethnicity",
        "fsmeoncensusday",
    ),
)

#: Tables of an extract that this toolkit knows of and does not use.
UNUSED_TABLES = (
    "addresses",
    "addressesonroll",
    "addressesoffroll",
    "admissions",
    "annualsessiondetailsonroll",
    "annualsessiondetailsoffroll",
    "approvisiondetail",
    "approvisiondetailonroll",
    "approvisiondetailoffroll",
    "classes",
    "fundingbasisitems",
    "learningaimsonroll",
    "learningaimsoffroll",
    "learnersupport",
    "learnersupportonroll",
    "learnersupportoffroll",
    "levels",
    "postlookedafterarrangements",
    "schoolarrangedapdetailonroll",
    "schoolarrangedapdetailoffroll",
    "senneeds",
    "termlyexclusionsonroll",
    "termlyexclusionsoffroll",
    "tlevelonroll",
    "tleveloffroll",
    "workplacementonroll",
    "workplacementoffroll",
)

#: Tables with a row for each pupil: their rows are what a load counts.
PUPIL_TABLES = ("pupilonroll", "pupilnolongeronroll", "pupil_flags", "admissions", "support_groups")
_FLAGS = ("looked_after", "social_worker", "protection_plan", "young_carer", "responsible_la")
_FLAG_SPELLINGS = {
    **dict.fromkeys(("academicyear", "schoolyear"), "academic_year"),
    **dict.fromkeys(("lookedafter", "childlookedafter", "lookedafterchild"), "looked_after"),
    **dict.fromkeys(("socialworker", "hassocialworker", "withsocialworker"), "social_worker"),
    **dict.fromkeys(
        ("protectionplan", "childprotectionplan", "onprotectionplan", "onchildprotectionplan", "cpplan", "cpp"),
        "protection_plan",
    ),
    **dict.fromkeys(("youngcarer", "isyoungcarer", "youngcarerindicator"), "young_carer"),
    **dict.fromkeys(
        ("responsiblela", "responsibleauthority", "responsiblelocalauthority", "placingauthority", "placingla",
         "placinglocalauthority", "caringauthority"),
        "responsible_la",
    ),
}  # fmt: skip
PUPIL_FLAGS = TableSpec("pupil_flags", "", ("upn", "academic_year"), (), _FLAGS, _FLAGS[:2], _FLAG_SPELLINGS)


def table_of_name(stem: str) -> tuple[str, str] | None:
    """Return the prefix and the table a file name (without ``.csv``) ends in, or None.

    >>> table_of_name("358_2024_spring_pupilonroll"), table_of_name("notes")
    (('358_2024_spring', 'pupilonroll'), None)
    """
    low = stem.lower()
    for name in sorted({*CENSUS_TABLES, *UNUSED_TABLES} - {CHARACTERISTICS}, key=lambda n: (-len(n), n)):
        if low == name:
            return "", name
        if low.endswith("_" + name):
            return stem[: -len(name) - 1], name
    return None


def table_of_header(columns: set[str]) -> str | None:
    """Return the table a header can only belong to, or None.

    >>> table_of_header({"upn", "academic_year", "looked_after"})
    'pupil_flags'
    >>> table_of_header({"nativeid", "term", "year", "referencedate"})
    'schoolcensus'
    """
    columns = {ALIASES.get(name, name) for name in columns}
    flags = {PUPIL_FLAGS.name_of(name) for name in columns}
    if {"upn", "academic_year"} <= flags and flags & {*_FLAGS}:
        return "pupil_flags"
    if {_LEAVER, "upn"} <= columns:
        return "pupilnolongeronroll"
    if {_PUPIL, "upn"} <= columns:
        return "pupilonroll"
    for name, spec in CENSUS_TABLES.items():
        if spec.key and f"{name}tableid" in columns and set(spec.required) <= columns:
            return name
    if "nativeid" in columns and "upn" not in columns:
        if {"term", "year", "referencedate"} <= columns:
            return "schoolcensus"
        if {"schoolname", "phase"} <= columns and columns & {"laestab", "estab"}:
            return "school"
    return None
