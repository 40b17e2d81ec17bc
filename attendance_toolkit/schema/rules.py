"""The registry of screening rules. A finding can only be made for a rule that is listed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

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
xml_malformed         | file         | blocking   | the XML is well formed and does not break off
xml_doctype           | file         | blocking   | the XML declares no document type and no entities
file_damaged          | file         | blocking   | a compressed file, workbook or Parquet file is whole
file_delimiter        | file         | blocking   | columns are separated by commas
file_encoding         | file         | blocking   | the text is UTF-8, Windows-1252 or UTF-16
file_converted        | file         | warning    | the text is UTF-8 and did not have to be converted
file_unknown          | file         | blocking   | the file is a table this toolkit knows
file_ignored          | file         | warning    | every CSV file in a folder is a known table
file_set_aside        | file         | blocking   | the file is an extract, not a list of rows an earlier load set aside
file_repeated         | file         | warning    | the same file is not given twice
file_ragged           | file         | blocking   | every row has as many cells as the header
file_no_rows          | file         | blocking   | the pupil table has rows
portal_note           | file         | warning    | every row below the header of a portal list is a pupil's
column_missing        | columns      | blocking   | every column a figure depends on is there
column_absent         | columns      | warning    | the columns of the characteristics are there
column_respelt        | columns      | warning    | headers are spelt as in the census extract
column_repeated       | columns      | blocking   | no header occurs twice
portal_column         | columns      | warning    | every column of a portal list of pupils is known
table_missing         | columns      | blocking   | the return has its pupil table and its session details
school_list_columns   | columns      | warning    | a list of schools has the columns that tell a school's authority and phase
la_missing            | columns      | blocking   | a school named by four digits has its local authority
school_table_missing  | columns      | warning    | the return has its school table
census_unknown        | population   | blocking   | it can be told which census the return is
portal_year           | population   | blocking   | the academic year of a portal list of pupils is known
census_guessed        | population   | warning    | the return says itself which census it is
census_conflict       | population   | blocking   | the return is one census, and the one it is said to be
census_wrong_columns  | population   | blocking   | the columns are those of that census
census_wrong_dates    | population   | blocking   | entry and leaving dates fit that census
entry_after_census    | population   | warning    | no pupil on roll joined after the census day
upn_blank             | population   | quarantine | every pupil has a UPN
upn_spreadsheet       | population   | quarantine | no UPN was turned into a number by a spreadsheet
upn_format            | population   | quarantine | a UPN is a letter, eleven digits and a digit or letter
upn_check_letter      | population   | quarantine | the check letter of a UPN fits its digits
upn_temporary         | population   | warning    | every pupil has a permanent UPN
date_spreadsheet      | population   | warning    | dates are written as in the extract, not as a day number
date_day_first        | population   | warning    | dates are written as in the extract, not as dd/mm/yyyy
date_unreadable       | population   | quarantine | every date can be read
birth_blank           | population   | warning    | every pupil has a date of birth
birth_unlikely        | population   | quarantine | a date of birth fits a pupil of school age
school_several        | population   | blocking   | the return of one school has the pupils of one school
school_unknown        | population   | quarantine | every pupil's school has an LAESTAB of a known local authority
date_month_first      | population   | blocking   | dates are written with the day first
mark_year             | population   | quarantine | marks are of a year that can be
mark_wrong_year       | population   | blocking   | a register is of the year that was asked for, and of one that can be
mark_weekend          | population   | quarantine | no session of a Saturday or Sunday is marked
session_unknown       | population   | quarantine | every mark says whether it is of the morning or the afternoon
school_missing        | columns      | blocking   | a register says which school its marks are of
session_header        | columns      | blocking   | the header of a column for one session is a day that exists
marks_none            | population   | blocking   | a file of marks has marks that can be used
school_la_unknown     | population   | warning    | a school of a list lies in a local authority this toolkit knows
offer_conflict        | keys         | quarantine | a pupil has one offer of a school for a year, not two that differ
key_repeated          | keys         | quarantine | a pupil key belongs to one pupil of a school
pupil_repeated        | keys         | quarantine | a pupil is on the roll of a school once
pupil_in_two_files    | keys         | quarantine | a pupil is on the roll of a school in one file only
former_upn_shared     | keys         | warning    | no former UPN is the UPN of another pupil
enrolment_overlap     | keys         | warning    | a pupil has one single or main registration on the census day
spell_overlap         | keys         | warning    | a pupil's spells at two schools follow each other
characteristics_unmatched | keys     | warning    | pupils on roll are in the file of sessions and of characteristics
session_orphan        | keys         | quarantine | every session row belongs to a pupil row
reason_repeated       | keys         | quarantine | a pupil has one session row for each register code
mark_repeated         | keys         | warning    | a session of a pupil is marked once
mark_conflict         | keys         | quarantine | a session of a pupil has one mark, not two that differ
mark_two_schools      | keys         | warning    | a session is possible at one school for a pupil
transfer_repeated     | keys         | warning    | a pupil's year at a school is in one transfer file
school_urn_blank      | keys         | quarantine | a school of a list has a URN of six digits, or an LAESTAB
school_urn_repeated   | keys         | quarantine | a school is in a list once
school_laestab        | keys         | quarantine | the establishment number of a school is four digits
fsm_code              | codes        | quarantine | free-meal eligibility on the census day is yes or no
sex_code              | codes        | quarantine | sex is a code of the census
sen_code              | codes        | quarantine | special educational needs is a code of the census
year_group_code       | codes        | quarantine | the year group is a code of the census
enrol_status_code     | codes        | quarantine | the enrolment status is a code of the census
boarder_code          | codes        | quarantine | the boarder marker is a code of the census
language_code         | codes        | quarantine | the language is a code of the census
ethnicity_code        | codes        | quarantine | the ethnicity is a code of the census
phase_code            | codes        | quarantine | the school phase is a code of the census
school_phase_unknown  | codes        | warning    | the phase of a school is one of DfE's words
school_date           | codes        | quarantine | the dates of a list of schools can be read
register_code         | codes        | quarantine | every attendance reason is a register code
register_code_new     | codes        | quarantine | no register code is used before it existed
register_code_old     | codes        | warning    | no register code is used after it ended
mark_spreadsheet      | codes        | quarantine | no register code was turned into a number or date by a spreadsheet
flag_value            | codes        | quarantine | a pupil flag is Yes or No
flag_year             | codes        | quarantine | a pupil flag has an academic year
flag_authority        | codes        | warning    | the authority responsible for a child is a local authority of England
offer_year            | codes        | quarantine | a school offer has the academic year of entry, or a day of it
offer_blank           | codes        | quarantine | a school offer names the school
offer_laestab         | codes        | quarantine | the school of an offer is the LAESTAB of a school of a local authority
offer_urn             | codes        | quarantine | the school of an offer has a URN that is known from a list of schools
support_year          | codes        | quarantine | a supported pupil has an academic year
support_name          | codes        | quarantine | a group of supported pupils has a short name without a UPN
meeting_school        | codes        | quarantine | the school of a meeting is the LAESTAB of a school, or a URN that is known
meeting_date          | codes        | quarantine | a meeting with a school has a day
meeting_kind          | codes        | warning    | a meeting with a school is in person, online or by request
meeting_colour        | codes        | warning    | the colour of a school that was met is a word
meeting_school_unlisted | codes      | warning    | the school of a meeting is in a list or return that is loaded
meeting_repeated      | keys         | quarantine | a school has one row for a meeting on a day
sessions_not_number   | arithmetic   | quarantine | sessions are whole numbers
sessions_negative     | arithmetic   | quarantine | sessions are not negative
school_number         | arithmetic   | quarantine | pupils on roll, ages and percentages of a list of schools are numbers of 0 or more
sessions_too_many     | arithmetic   | quarantine | a session row has no more sessions than the term has weekdays for
sessions_blank        | arithmetic   | warning    | every session row has a number of sessions
possible_blank        | arithmetic   | quarantine | a pupil with session rows has possible sessions
possible_too_many     | arithmetic   | quarantine | possible sessions fit into the weekdays of the term
possible_unlikely     | arithmetic   | warning    | possible sessions are no more than a long term has
absent_over_possible  | arithmetic   | quarantine | nobody misses more sessions than were possible
marks_unclear         | arithmetic   | warning    | a string of marks can be laid over the days of its term
transfer_totals       | arithmetic   | warning    | the totals of a transfer file are those of its marks
portal_units          | arithmetic   | blocking   | it can be told whether a portal list has sessions or percentages
portal_parts_differ   | arithmetic   | quarantine | authorised and unauthorised absence of a portal list add up to the missed sessions
portal_percent        | arithmetic   | quarantine | a percentage of a portal list is a number from 0 to 100
portal_from_percent   | arithmetic   | warning    | one whole number of sessions fits a percentage of a portal list
portal_totals         | arithmetic   | warning    | attendance and absence of a portal list are those of its sessions
reasons_below_total   | arithmetic   | warning    | the session rows add up to the supplied totals, not to less
reasons_above_total   | arithmetic   | warning    | the session rows add up to the supplied totals, not to more
published_year        | codes        | quarantine | a row of a published file names an academic year, term, week or day
published_area        | codes        | quarantine | a row of a published file names a known area or school
published_level       | codes        | quarantine | a level of a published file is one DfE uses
published_number      | codes        | quarantine | a figure of a published file is a number in range or a symbol of DfE
published_repeated    | keys         | quarantine | a published figure is in the file once
published_parts       | arithmetic   | quarantine | a published total is the sum of its parts
published_rate        | arithmetic   | warning    | a published rate is its numerator over its denominator
published_order       | arithmetic   | warning    | severe absentees are persistent ones, and persistent ones are enrolments
term_no_sessions      | plausibility | warning    | the return has possible sessions for the half terms it carries
year_group_beside     | plausibility | warning    | the year group is that of the date of birth
year_group_far        | plausibility | warning    | the year group is within a year of that of the date of birth
school_no_reasons     | plausibility | warning    | a school with possible sessions has session rows
mark_missing          | plausibility | warning    | every session of a register has a mark
mark_stray_day        | plausibility | warning    | a school has marks on school days only
school_no_marks       | plausibility | warning    | a school has marks in every week of term
school_no_absence     | plausibility | warning    | somebody missed a session in a school with marks
possible_above_usual  | plausibility | warning    | few pupils have more possible sessions than most of their school
possible_unlike_area  | plausibility | warning    | a school's possible sessions are near those of the others of its area
possible_unlike_year  | plausibility | warning    | a school's possible sessions of a year come to about 380
school_roll_list      | plausibility | warning    | a school's pupils on roll are near its roll in the list of schools
school_roll_step      | plausibility | warning    | a school has about as many pupils as the term before
school_absence_step   | plausibility | warning    | a school's absence changes like that of the others of its area
term_copied           | plausibility | warning    | a school's sessions are not those of another half term
area_term_copied      | plausibility | warning    | an area's school rates are not those of another half term
school_missing_term   | plausibility | warning    | a school that has sent one term of a year has sent the others
school_not_received   | plausibility | warning    | every open school of the list with pupils has been received
pupils_not_received   | plausibility | warning    | as many pupils were received as the list of schools has
pupils_unmatched      | plausibility | warning    | pupils of one term are found in the next, or it is known why not
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


class Advice(TypedDict, total=False):
    """What a finding says besides what is wrong."""

    allowed: str
    fix: str


class Details(Advice, total=False):
    """Everything about a finding that may be left out: the keyword arguments of ``finding``."""

    row: int | None
    column: str | None
    value: str | None
    count: int


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
