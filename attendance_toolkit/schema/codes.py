"""Census code sets: what each code of a characteristic means here."""

from __future__ import annotations

from functools import cache

from attendance_toolkit.vocabulary._reference import read_reference
from attendance_toolkit.vocabulary.columns import NC_YEARS

#: N, K and E are in use; S (statement), A and P (school action, action plus) ended by 2018 and still turn up.
SEN = {"N": "No SEN", "K": "SEN support", "E": "EHC plan", "S": "EHC plan", "A": "SEN support", "P": "SEN support"}
SEX = {"M": "Male", "F": "Female"}
ENROL_STATUS = {"C": "Single", "M": "Main", "S": "Subsidiary", "F": "Other", "O": "Other", "G": "Other"}
BOARDER = {"B": "true", "6": "true", "7": "true", "N": "false"}
NC_YEAR = {
    **{year: year for year in NC_YEARS if year != "Unknown"},
    **{f"0{n}": str(n) for n in range(1, 10)},
    "M": "X",  # mixed year class, in old returns
}
#: All-through schools are counted with secondary schools: an assumption, since DfE splits them by age range.
PHASE = {
    "NS": "Primary",
    "PS": "Primary",
    "MP": "Primary",
    "MS": "Secondary",
    "SS": "Secondary",
    "SP": "Special",
    "AT": "Secondary",
    "PR": "Pupil referral unit",
}
_ENGLISH = {"ENG", "ENB"}
_LANGUAGE_UNKNOWN = {"REF", "NOT", "ZZZ"}


@cache
def ethnicities() -> dict[str, tuple[str, str]]:
    """Return census ethnicity code -> (major, minor) group.

    >>> ethnicities()["MWBC"], ethnicities()["REFU"], ethnicities()["AWEL"][1]
    (('Mixed', 'White and Black Caribbean'), ('Unknown', 'Unknown'), 'Any other Asian background')
    """
    return {
        row["code"]: (row["ethnicity_major"], row["ethnicity_minor"]) for row in read_reference("ethnicity_codes.csv")
    }


def language_level(code: str) -> str | None:
    """Return the level of a language code; every code but a few means another language than English.

    >>> language_level("ENB"), language_level("URD"), language_level("REF"), language_level("12")
    ('English', 'Other than English', 'Unknown', None)
    """
    if code in _ENGLISH:
        return "English"
    if code in _LANGUAGE_UNKNOWN:
        return "Unknown"
    return "Other than English" if 3 <= len(code) <= 4 and code.isalpha() else None


def level_of(column: str, code: str) -> str | None:
    """Return the level a code of a column means, or None when the code is unknown.

    >>> level_of("senprovision", "K"), level_of("sex", "f"), level_of("ncyearactual", "07"), level_of("boarder", "Q")
    ('SEN support', 'Female', '7', None)
    """
    text = code.strip().upper()
    if column == "language":
        return language_level(text)
    if column == "ethnicity":
        # The code itself is kept: major and minor group are looked up from it later.
        return text if text in ethnicities() else None
    if column in ("ncyearactual", "ncyearleaving") and text.endswith(".0"):
        text = text[:-2]
    if column == "sex" and text in ("MALE", "FEMALE"):
        text = text[0]
    return CODE_SETS[column].get(text)


CODE_SETS: dict[str, dict[str, str]] = {
    "senprovision": SEN,
    "sex": SEX,
    "enrolstatus": ENROL_STATUS,
    "boarder": BOARDER,
    "ncyearactual": NC_YEAR,
    "ncyearleaving": NC_YEAR,
    "phase": PHASE,
}
CODE_LABELS = {
    "senprovision": "special educational needs",
    "sex": "sex",
    "enrolstatus": "enrolment status",
    "boarder": "boarders",
    "ncyearactual": "year group",
    "ncyearleaving": "year group",
    "language": "language",
    "ethnicity": "ethnicity",
    "phase": "school phase",
}


def allowed_codes(column: str) -> str:
    """Return the codes of a column as a person is told them.

    >>> allowed_codes("senprovision"), allowed_codes("sex")
    ('E, K, N', 'F, M')
    """
    if column == "senprovision":
        return "E, K, N"
    if column == "language":
        return "a three-letter language code such as ENG"
    if column in ("ncyearactual", "ncyearleaving"):
        return "E1, E2, N1, N2, R, 1 to 14, X"
    codes = ethnicities() if column == "ethnicity" else CODE_SETS[column]
    main = [c for c in codes if column != "ethnicity" or c in _MAIN_ETHNICITIES]
    return ", ".join(sorted(main))


_MAIN_ETHNICITIES = frozenset(
    [
        "WBRI",
        "WIRI",
        "WIRT",
        "WROM",
        "WOTH",
        "MWBC",
        "MWBA",
        "MWAS",
        "MOTH",
        "AIND",
        "APKN",
        "ABAN",
        "AOTH",
        "BCRB",
        "BAFR",
        "BOTH",
        "CHNE",
        "OOTH",
        "REFU",
        "NOBT",
        "ABRI",
        "AWEL",
        "BBRI",
        "BWEL",
    ]
)


def year_before(level: str) -> str:
    """Return the year group a pupil was in one year earlier, or Unknown.

    >>> year_before("7"), year_before("1"), year_before("R"), year_before("X")
    ('6', 'R', 'N2', 'Unknown')
    """
    order = ("N1", "N2", "R", *(str(n) for n in range(1, 15)))
    return order[order.index(level) - 1] if level in order[1:] else "Unknown"
