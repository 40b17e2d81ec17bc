"""Read the header of a file of one row a pupil: what each column is, in any order and spelling of case and spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from attendance_toolkit.errors import did_you_mean
from attendance_toolkit.loaders._text import clean_header
from attendance_toolkit.loaders.school_census.layouts._dated import FLAT_CODES, FLAT_REASONS, Layout, codes
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import NAME_COLUMNS

FIRST_HALF, SECOND_HALF = "termlysessions", "summerhalfterm2sessions"
#: Spelling of a header here -> the column it is. What such files call the second half of the summer term was not
#: seen: these spellings are assumed.
NAMES = {
    **dict.fromkeys(("upn", "uniquepupilnumber"), "upn"),
    **dict.fromkeys(("laestab", "dfenumber", "dfeno", "schoollaestab"), "laestab"),
    **dict.fromkeys(("estab", "establishmentnumber", "estabnumber"), "estab"),
    **dict.fromkeys(("la", "lea", "lacode", "leacode", "lanumber"), "la"),
    "nativeid": "nativeid",
    **dict.fromkeys(("dob", "dateofbirth"), "dob"),
    **dict.fromkeys(("sex", "gender"), "sex"),
    "entrydate": "entrydate",
    **dict.fromkeys(("leavingdate", "dateofleaving"), "leavingdate"),
    **dict.fromkeys(("enrolstatus", "enrolmentstatus"), "enrolstatus"),
    **dict.fromkeys(("ncyearactual", "ncyear", "actualncyear"), "ncyearactual"),
    "ncyearleaving": "ncyearleaving",
    "boarder": "boarder",
    "formerupn": "formerupn",
    **{name: name for name in NAME_COLUMNS},
    **dict.fromkeys(("legalforename", "firstname"), "forename"),
    **dict.fromkeys(("legalsurname", "lastname"), "surname"),
    **dict.fromkeys(("senprovision", "sen"), "senprovision"),
    "language": "language",
    "ethnicity": "ethnicity",
    **dict.fromkeys(("fsmeoncensusday", "fsmeligibleoncensusday", "fsmoncensusday"), "fsmeoncensusday"),
    **{
        f"{prefix}sessions{kind}": f"{item}{kind}"
        for item, prefixes in (
            (FIRST_HALF, ("termly", "t")),
            (SECOND_HALF, ("summerhalfterm2", "sht2", "s")),
        )
        for prefix in prefixes
        for kind in ("possible", "authorised", "unauthorised", "coronavirus")
    },
}
_REASON = re.compile(r"(?P<half>t|termly|s|s2|sht2|summerhalfterm2)_?(?P<word>reason)?_(?P<code>[^_]+)")
_SECOND = ("s", "s2", "sht2", "summerhalfterm2")
#: A file with these columns is one of characteristics when it has no sessions.
_CHARACTERISTICS = frozenset({"ethnicity", "language", "senprovision", "fsmeoncensusday"})
_SCHOOL = ("laestab", "estab", "nativeid")


@dataclass(frozen=True)
class Reason:
    """A column that counts the sessions of one register code."""

    place: int
    code: str
    item: str
    spelt: str
    dated: str
    """Name of the column in the dated layouts."""


@dataclass
class FlatHeader:
    """What the columns of a file of one row a pupil are.

    Attributes
    ----------
    places
        Column -> place in the row.
    spelt
        Column -> the header as it is written.
    reasons
        The columns that count sessions, both halves of a summer term.
    repeated
        Headers that mean a column another one already is.
    """

    width: int
    places: dict[str, int] = field(default_factory=dict)
    spelt: dict[str, str] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    @property
    def dated(self) -> dict[str, str]:
        """Return the names of the columns in the dated layouts, each with the header as it is written."""
        return {
            **self.spelt,
            **{reason.dated: reason.spelt for reason in self.reasons if reason.item == FIRST_HALF},
        }

    @property
    def layout(self) -> Layout:
        """Return the dated layout: by code columns when there are any."""
        return FLAT_CODES if any(name.startswith("code_") for name in self.dated) else FLAT_REASONS

    @property
    def kind(self) -> str:
        """Return what the file is: attendance, totals, characteristics, or "" when it is no such file."""
        has = self.places.keys()
        if "upn" not in has or not has & set(_SCHOOL):
            return ""
        possible = {f"{FIRST_HALF}possible", f"{SECOND_HALF}possible"} & has
        if self.reasons and (possible or len(self.reasons) >= 5):
            return "attendance"
        if "nativeid" in has and not has & {"estab", "laestab"}:
            # The pupil table of a return in tables, with its key left out, looks like this.
            return ""
        if possible and {f"{FIRST_HALF}authorised", f"{FIRST_HALF}unauthorised"} <= has:
            return "totals"
        return "characteristics" if len(_CHARACTERISTICS & has) >= 2 and not possible else ""

    def is_second_half(self) -> bool:
        """Whether there are columns of the second half of a summer term."""
        return f"{SECOND_HALF}possible" in self.places or any(r.item == SECOND_HALF for r in self.reasons)


def read_header(cells: Sequence[str]) -> FlatHeader:
    """Return what the columns are.

    >>> header = read_header(["Estab", "UPN", "Termly Sessions Possible", "T_Reason_I", "S_Reason_I", "Notes"])
    >>> header.places, [(r.code, r.item) for r in header.reasons]
    ({'estab': 0, 'upn': 1, 'termlysessionspossible': 2}, [('I', 'termlysessions'), ('I', 'summerhalfterm2sessions')])
    """
    found = FlatHeader(len(cells))
    plain = ["".join(cell.lstrip("\ufeff").split()).lower() for cell in cells]
    # Letters alone are register codes only beside the marks of presence, which nothing else is called.
    has_codes = "/" in plain and "\\" in plain
    seen: set[tuple[str, str]] = set()
    for place, (cell, text) in enumerate(zip(cells, plain, strict=True)):
        reason = _reason(place, cell.strip(), text, has_codes=has_codes)
        if reason is not None:
            if (reason.code, reason.item) in seen:
                found.repeated.append(reason.spelt)
                continue
            seen.add((reason.code, reason.item))
            found.reasons.append(reason)
            continue
        name = NAMES.get(clean_header(text))
        if name is None:
            continue
        if name in found.places:
            found.repeated.append(cell.strip())
            continue
        found.places[name], found.spelt[name] = place, cell.strip()
    return found


def _reason(place: int, spelt: str, text: str, *, has_codes: bool) -> Reason | None:
    """Return the column as one of a register code, or None."""
    if has_codes and (text in codes() or re.fullmatch(r"[a-z][0-9]{0,2}", text)):
        return Reason(place, text.upper(), FIRST_HALF, spelt, f"code_{text}")
    match = _REASON.fullmatch(text)
    if match is None:
        return None
    code, is_known = match["code"], match["code"] in codes()
    if not match["word"] and not is_known:
        return None
    item = SECOND_HALF if match["half"] in _SECOND else FIRST_HALF
    kind = "t_reason" if match["word"] else "code"
    return Reason(place, code.upper(), item, spelt, f"{kind}_{code}")


def check_header(header: FlatHeader, file: str, cells: Sequence[str]) -> list[Finding]:
    """Return what is wrong with the header; blocking findings mean that the file cannot be used."""
    found = [
        finding("column_repeated", file, f"'{name}' is in the header twice, or another column means the same.", row=1,
                column=name, fix="Keep one of the two columns.")
        for name in header.repeated
    ]  # fmt: skip
    required = ["dob", "sex"]
    if header.kind != "characteristics":
        required.append(f"{FIRST_HALF}possible")
    if header.kind != "characteristics" and any(r.item == SECOND_HALF for r in header.reasons):
        required.append(f"{SECOND_HALF}possible")
    strangers = [cell for cell in cells if NAMES.get(clean_header(cell)) is None]
    for name in required:
        if name not in header.places:
            hint = did_you_mean(name, strangers).replace("Did you mean", "Is it")
            found.append(
                finding("column_missing", file, f"the column '{name}' is missing.{hint}", row=1, column=name,
                        fix=f"Add it, or name the column that holds it '{name}'.")
            )  # fmt: skip
    if header.kind != "characteristics" and "enrolstatus" not in header.places:
        hint = did_you_mean("enrolstatus", strangers).replace("Did you mean", "Is it")
        found.append(
            finding("column_absent", file,
                    "there is no column 'enrolstatus', so it is Unknown for everybody, and a pupil who left is only told by a"
                    f" leaving date or by the year group 'Leaver'.{hint}",
                    row=1, column="enrolstatus", fix="Add it, or name the column that holds it 'EnrolStatus'.")
        )  # fmt: skip
    return found
