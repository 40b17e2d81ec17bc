"""The registry of screening rules. A finding can only be made for a rule that is listed here."""

from __future__ import annotations

from dataclasses import dataclass

from attendance_toolkit.schema.findings import IDENTIFYING_COLUMNS, SEVERITIES, STAGES, Finding, mask


@dataclass(frozen=True)
class Rule:
    """One rule: its stage, what happens to what breaks it, and what it asks."""

    id: str
    stage: str
    severity: str
    asks: str


_TABLE = """
file_missing          | file         | blocking   | the file can be opened
file_empty            | file         | blocking   | the file is not empty
file_not_csv          | file         | blocking   | the file is text with a header, not a workbook under another name
file_delimiter        | file         | blocking   | columns are separated by commas
file_encoding         | file         | blocking   | the text is UTF-8, Windows-1252 or UTF-16
file_converted        | file         | warning    | the text is UTF-8 and did not have to be converted
file_unknown          | file         | blocking   | the file is a table this toolkit knows
file_ignored          | file         | warning    | every CSV file in a folder is a known table
file_set_aside        | file         | blocking   | the file is an extract, not a list of rows an earlier load set aside
file_repeated         | file         | warning    | the same file is not given twice
file_ragged           | file         | blocking   | every row has as many cells as the header
file_no_rows          | file         | blocking   | the pupil table has rows
column_missing        | columns      | blocking   | every column a figure depends on is there
column_absent         | columns      | warning    | the columns of the characteristics are there
column_respelt        | columns      | warning    | headers are spelt as in the census extract
column_repeated       | columns      | blocking   | no header occurs twice
table_missing         | columns      | blocking   | the return has its pupil table and its session details
school_table_missing  | columns      | warning    | the return has its school table
census_unknown        | population   | blocking   | it can be told which census the return is
census_guessed        | population   | warning    | the return says itself which census it is
census_conflict       | population   | blocking   | the return is one census, and the one it is said to be
census_wrong_columns  | population   | blocking   | the columns are those of that census
census_wrong_dates    | population   | blocking   | entry and leaving dates fit that census
entry_after_census    | population   | warning    | no pupil on roll joined after the census day
upn_blank             | population   | quarantine | every pupil has a UPN
upn_spreadsheet       | population   | quarantine | no UPN was turned into a number by a spreadsheet
upn_format            | population   | quarantine | a UPN is a letter, eleven digits and a digit or letter
upn_check_letter      | population   | quarantine | the check letter of a UPN fits its digits
date_spreadsheet      | population   | warning    | dates are written as in the extract, not as a day number
date_day_first        | population   | warning    | dates are written as in the extract, not as dd/mm/yyyy
date_unreadable       | population   | quarantine | every date can be read
birth_blank           | population   | warning    | every pupil has a date of birth
birth_unlikely        | population   | quarantine | a date of birth fits a pupil of school age
school_unknown        | population   | quarantine | every pupil's school has an LAESTAB of a known local authority
key_repeated          | keys         | quarantine | a pupil key belongs to one pupil of a school
pupil_repeated        | keys         | quarantine | a pupil is on the roll of a school once
pupil_in_two_files    | keys         | quarantine | a pupil is on the roll of a school in one file only
session_orphan        | keys         | quarantine | every session row belongs to a pupil row
reason_repeated       | keys         | quarantine | a pupil has one session row for each register code
sex_code              | codes        | quarantine | sex is a code of the census
sen_code              | codes        | quarantine | special educational needs is a code of the census
year_group_code       | codes        | quarantine | the year group is a code of the census
enrol_status_code     | codes        | quarantine | the enrolment status is a code of the census
boarder_code          | codes        | quarantine | the boarder marker is a code of the census
language_code         | codes        | quarantine | the language is a code of the census
ethnicity_code        | codes        | quarantine | the ethnicity is a code of the census
phase_code            | codes        | quarantine | the school phase is a code of the census
register_code         | codes        | quarantine | every attendance reason is a register code
register_code_new     | codes        | quarantine | no register code is used before it existed
register_code_old     | codes        | warning    | no register code is used after it ended
flag_value            | codes        | quarantine | a pupil flag is Yes or No
flag_year             | codes        | quarantine | a pupil flag has an academic year
sessions_not_number   | arithmetic   | quarantine | sessions are whole numbers
sessions_negative     | arithmetic   | quarantine | sessions are not negative
sessions_too_many     | arithmetic   | quarantine | a session row has no more sessions than the term has weekdays for
sessions_blank        | arithmetic   | warning    | every session row has a number of sessions
possible_blank        | arithmetic   | quarantine | a pupil with session rows has possible sessions
possible_too_many     | arithmetic   | quarantine | possible sessions fit into the weekdays of the term
possible_unlikely     | arithmetic   | warning    | possible sessions are no more than a long term has
absent_over_possible  | arithmetic   | quarantine | nobody misses more sessions than were possible
totals_differ         | arithmetic   | warning    | supplied totals agree with the session rows
term_no_sessions      | plausibility | warning    | the return has possible sessions for the half terms it carries
school_no_reasons     | plausibility | warning    | a school with possible sessions has session rows
characteristic_blank  | plausibility | warning    | a characteristic is filled in for most pupils
year_gap              | plausibility | warning    | no academic year between two others is without data
"""

RULES: dict[str, Rule] = {}
for _line in _TABLE.strip().splitlines():
    _id, _stage, _severity, _asks = (cell.strip() for cell in _line.split("|"))
    assert _stage in STAGES
    assert _severity in SEVERITIES
    assert _id not in RULES
    RULES[_id] = Rule(_id, _stage, _severity, _asks)


def finding(
    rule: str,
    file: str,
    says: str,
    *,
    row: int | None = None,
    column: str | None = None,
    value: str | None = None,
    allowed: str = "",
    fix: str = "",
    count: int = 1,
) -> Finding:
    """Return a finding of a registered rule, with the value masked when it could point at a child.

    Raises
    ------
    KeyError
        The rule is not in the registry.
    """
    known = RULES[rule]
    if column in IDENTIFYING_COLUMNS and value is not None:
        value = mask(value)
    return Finding(rule, known.stage, known.severity, file, row, column, value, says, allowed, fix, count)
