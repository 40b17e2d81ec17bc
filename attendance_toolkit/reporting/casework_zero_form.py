"""Read the outcome form of an audit back: what spreadsheets and people do to it is told by row, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import ScreeningError, UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.metrics.zero_attendance import digest_of
from attendance_toolkit.reporting.casework_zero import FORM, OUTCOME, SCHOOL_NUMBER, STRATUM
from attendance_toolkit.reporting.casework_zero_cases import DRAWN_WITH, STRATA, DrawnWith, parse_drawn_with
from attendance_toolkit.reporting.list_writing import store_key
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from attendance_toolkit.vocabulary.zero_attendance import Outcome, audit_rules

_PUPIL, _UPN = "pupil", "upn"
_MOST_SAID = 20
#: Errors a spreadsheet shows in a cell.
_CELL_ERROR = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)", re.IGNORECASE)
_SHORTENED = re.compile(r"\d[.,]?\d*E\+?\d+", re.IGNORECASE)
_KEY_NEEDED = "The form has UPNs, and telling whose they are needs the key the store was made with: give its file."
#: A pupil (pseudonym) at a school.
Case = tuple[int, int]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row of the form; never with a value that tells of a pupil."""

    row: int
    column: str
    says: str
    fix: str

    def __str__(self) -> str:
        """Return it as a line.

        >>> str(Problem(12, "Outcome", "'perhaps' is not an outcome.", "Choose one of the list."))
        "row 12, column Outcome: 'perhaps' is not an outcome. Choose one of the list."
        """
        return f"row {self.row}, column {self.column}: {self.says} {self.fix}"


@dataclass(frozen=True, eq=False)
class Form:
    """A form that was filled in.

    Attributes
    ----------
    drawn_with
        How its pupils were drawn, as it says itself.
    strata
        Stratum -> (pupils, drawn), as it says itself.
    outcomes
        Pupil and school -> outcome; an empty cell is that of a row nobody has filled in.
    stratum_of
        Pupil and school -> stratum.
    rows
        Pupil and school -> row of the file.
    head
        The rows above the table: label -> text.
    """

    name: str
    drawn_with: DrawnWith
    strata: Mapping[str, tuple[int, int]]
    outcomes: Mapping[Case, Outcome]
    stratum_of: Mapping[Case, str]
    rows: Mapping[Case, int]
    head: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether its pupils are those it was written for."""
        return digest_of(*zip(*sorted(self.outcomes), strict=True)) == self.drawn_with.sample

    @property
    def keep_until(self) -> date | None:
        """The day until which it may be kept; None if it does not say."""
        found = re.match(r"\d{4}-\d{2}-\d{2}", self.head.get("Keep until", ""))
        return date.fromisoformat(found[0]) if found else None


def read_form(path: Path, store: Store, key_file: str | Path | None = None) -> Form:
    """Return a form as it was filled in.

    Parameters
    ----------
    path
        Workbook or CSV file, as ``casework_zero.write_zero_sample`` wrote it.
    key_file
        The store's key; needed where the form has UPNs.

    Raises
    ------
    UnreadableFileError
        The file cannot be read, or is not such a form.
    ScreeningError
        A cell is not as it should be: the message says each by row and column.
    ParameterError, StoreError
        The form has UPNs and there is no key, or another one.
    """
    try:
        rows = list(table_rows(look(path)))
    except NotReadableError as error:
        place = f", row {error.row}" if error.row else ""
        raise UnreadableFileError(f"{path.name}{place}: {error.says} {error.fix}") from None
    top, columns = _header(rows)
    head = {cells[0].strip(): cells[1].strip() for _, cells in rows[:top] if len(cells) > 1 and cells[0].strip()}
    drawn_with = parse_drawn_with(head.get(DRAWN_WITH, ""))
    strata = _strata(head.get(STRATA, ""))
    if not columns or drawn_with is None or not strata:
        raise UnreadableFileError(
            f"{path.name} is not an outcome form: it needs the rows '{STRATA}' and '{DRAWN_WITH}' above the table, and the"
            f" columns Pupil or UPN, {SCHOOL_NUMBER}, {STRATUM} and {OUTCOME}. Give the file {FORM} as attendance casework"
            " zero-sample wrote it, filled in."
        )
    problems: list[Problem] = []
    cells = [(row, [_cell(of, columns[name]) for name in _NEEDED]) for row, of in rows[top + 1 :]]
    who = _pupils(cells, columns["is_upn"] > 0, store, key_file, problems)
    outcomes: dict[Case, Outcome] = {}
    stratum_of: dict[Case, str] = {}
    rows_of: dict[Case, int] = {}
    for row, (_, school, stratum, said) in cells:
        outcome = _outcome(row, said, problems)
        number = _school(row, school, problems)
        pupil = who.get(row)
        if pupil is None or number is None or outcome is None:
            continue
        case = (pupil, number)
        if case in outcomes:
            problems.append(
                Problem(
                    row,
                    "Pupil",
                    f"this pupil and school are in row {rows_of[case]} already.",
                    "Delete one of the rows.",
                )
            )
            continue
        outcomes[case], stratum_of[case], rows_of[case] = outcome, stratum, row
    if problems or not outcomes:
        raise ScreeningError(_said(path.name, problems))
    return Form(path.name, drawn_with, strata, outcomes, stratum_of, rows_of, head)


_NEEDED = ("pupil", SCHOOL_NUMBER.casefold(), STRATUM.casefold(), OUTCOME.casefold())


def _header(rows: Sequence[tuple[int, Sequence[str]]]) -> tuple[int, dict[str, int]]:
    """Return the place of the header and of its columns; no columns where there is none."""
    for top, (_, cells) in enumerate(rows):
        names = [" ".join(cell.split()).casefold() for cell in cells]
        who = _UPN if _UPN in names else _PUPIL
        if who in names and all(name in names for name in _NEEDED[1:]):
            found = {name: names.index(name) for name in _NEEDED[1:]}
            return top, {**found, "pupil": names.index(who), "is_upn": int(who == _UPN)}
    return 0, {}


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place].strip().lstrip("'") if len(cells) > place else ""


def _pupils(
    cells: Sequence[tuple[int, Sequence[str]]],
    is_upn: bool,
    store: Store,
    key_file: str | Path | None,
    problems: list[Problem],
) -> dict[int, int]:
    """Return row -> pseudonym; a cell that is none adds a problem."""
    column = "UPN" if is_upn else "Pupil"
    kept: dict[int, str] = {}
    for row, (text, *_) in cells:
        if not text:
            problems.append(
                Problem(row, column, "the cell is empty.", "Put the pupil back, or delete the row if you added it.")
            )
        elif _SHORTENED.fullmatch(text):
            problems.append(
                Problem(
                    row,
                    column,
                    "a spreadsheet has cut the number short.",
                    "Take the column from the form as it was written.",
                )
            )
        elif not (text.isalnum() if is_upn else re.fullmatch(r"\d{1,19}", text)):
            problems.append(
                Problem(
                    row,
                    column,
                    "this is not a pupil as the form had it.",
                    "Take the column from the form as it was written.",
                )
            )
        else:
            kept[row] = text.upper()
    if not is_upn:
        return {row: int(text) for row, text in kept.items()}
    upns = sorted(set(kept.values()))
    known = dict(zip(upns, pseudonyms(upns, store_key(store, key_file, _KEY_NEEDED)), strict=True)) if upns else {}
    return {row: int(known[text]) for row, text in kept.items()}


def _school(row: int, text: str, problems: list[Problem]) -> int | None:
    if re.fullmatch(r"\d{7}(?:\.0)?", text):
        return int(float(text))
    fix = "It has seven digits; take it from the form as it was written."
    problems.append(Problem(row, SCHOOL_NUMBER, f"'{text[:20]}' is not a school's number.", fix))
    return None


def _outcome(row: int, text: str, problems: list[Problem]) -> Outcome | None:
    rules = audit_rules()
    found = rules.unfilled if not text else rules.outcome(text)
    if found is None:
        labels = ", ".join(outcome.label for outcome in rules.outcomes)
        if _CELL_ERROR.fullmatch(text):
            problems.append(
                Problem(row, OUTCOME, f"the spreadsheet shows an error ({text}).", f"Choose one of: {labels}.")
            )
        else:
            # What somebody typed may name a child.
            shown = f"'{text}'" if re.fullmatch(r"[\w ]{1,3}", text) else f"a text of {len(text)} letters"
            problems.append(Problem(row, OUTCOME, f"{shown} is not an outcome.", f"Choose one of: {labels}."))
    return found


def _strata(text: str) -> dict[str, tuple[int, int]]:
    """Return stratum -> (pupils, drawn); nothing if the text does not say them.

    >>> _strata("EHC plan, secondary: 2 of 12; None of these, primary: 4 of 30")["EHC plan, secondary"]
    (12, 2)
    """
    found = [re.fullmatch(r"(.+): (\d+) of (\d+)", part.strip()) for part in text.split(";")]
    return {one[1]: (int(one[3]), int(one[2])) for one in found if one} if all(found) else {}


def _said(name: str, problems: Sequence[Problem]) -> str:
    if not problems:
        return f"{name} has no row of a pupil. Give the form as it was written, filled in."
    lines = [str(problem) for problem in sorted(problems, key=lambda one: (one.row, one.column))]
    more = f"\n… and {len(lines) - _MOST_SAID:,} more." if len(lines) > _MOST_SAID else ""
    return f"{name} cannot be used:\n" + "\n".join(lines[:_MOST_SAID]) + more
