"""The sections of a pack that name pupils, and those that are written on: questions, actions, what was agreed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.list_writing import Names, pupil_cells, pupil_headers
from attendance_toolkit.reporting.school_pack.counts import percent_text
from attendance_toolkit.reporting.school_pack.incoming import Incoming
from attendance_toolkit.reporting.school_pack.marks import MarkFacts
from attendance_toolkit.reporting.school_pack.parts import NO_FIGURE, Item, PackTable, Part, Points, Text, part
from attendance_toolkit.reporting.school_pack.pupils import Absentee

_EMPTY_ACTIONS = 4
#: Room to write on.
_ROOM = "…" * 12
_NUMBERS = ("Year group", "Missed of possible", "Missed (%)", "Unauthorised")
_RULES = (
    "Counted as in DfE's absence statistics: pupils aged 5 to 15, no boarders, sessions at this school. Pupils are chosen by"
    " counts of sessions, before rounding. No characteristic of a pupil beyond the year group is printed."
)
_PLAN = "A plan is that the pupil is in a group of supported pupils of the year; the authority's own list says who is."


def pupils_part(laestab: int, listed: Sequence[Absentee], marks: MarkFacts, names: Names) -> Part:
    """Return the section that names severe and persistent absentees, and who met the threshold of a penalty notice."""
    severe = [one for one in listed if one.is_severe]
    others = [one for one in listed if not one.is_severe]
    nothing = [one for one in listed if one.attended_nothing]

    def table(table_id: str, title: str, pupils: Iterable[Absentee], none: str) -> PackTable | Text:
        return _table(table_id, title, list(pupils), none, laestab, marks, names)

    return part(
        "pupils",
        "Pupils",
        [
            Text(f"{_RULES} {_PLAN}", is_note=True),
            table(
                "severe-without-plan",
                "Severely absent pupils (50% or more missed) without a plan",
                (one for one in severe if not one.support),
                "No severely absent pupil is without a plan.",
            ),
            table(
                "severe-with-plan",
                "Severely absent pupils with a plan",
                (one for one in severe if one.support),
                "No severely absent pupil has a plan.",
            ),
            table("attended-nothing", "Pupils who attended no session", nothing, "Every pupil attended some session."),
            table(
                "persistent",
                "Other persistent absentees (10% to under 50% missed) and their pattern",
                others,
                "No other pupil is persistently absent.",
            ),
            marks.penalty_table(laestab, names),
        ],
    )


def _table(
    table_id: str, title: str, pupils: Sequence[Absentee], none: str, laestab: int, marks: MarkFacts, names: Names
) -> PackTable | Text:
    if not pupils:
        return Text(none)
    last = ("Plan", "Pattern") if marks.is_there else ("Plan", "Terms (missed of possible)")
    rows = tuple(
        (
            *pupil_cells(one.upn, names),
            one.nc_year,
            f"{one.missed} of {one.possible}",
            percent_text(one.share),
            f"{one.unauthorised}",
            sentence_list(list(one.support)) if one.support else "No plan",
            marks.pattern_of(one.upn, laestab) or one.terms or NO_FIGURE,
        )
        for one in pupils
    )
    headers = pupil_headers(names)
    return PackTable(
        table_id, f"{title}: {len(pupils):,}", (*headers, *_NUMBERS, *last), rows, frozenset((*headers, *last))
    )


def incoming_part(laestab: int, incoming: Incoming, names: Names) -> Part | None:
    """Return the section about pupils coming into Year 7 who are on the priority list."""
    pupils = incoming.of.get(laestab, ())
    if not incoming.is_for(laestab):
        return None
    if not pupils:
        return part("incoming", "Incoming Year 7", [Text("No pupil coming to the school is on the priority list.")])
    columns = (*pupil_headers(names), "Missed of possible in Year 6", "Missed (%)", *incoming.extra_columns)
    rows = tuple((*pupil_cells(one.upn, names), *one.cells) for one in pupils)
    table = PackTable(
        "incoming-table", f"Priority pupils for Year 7: {len(pupils):,}", columns, rows, frozenset(pupil_headers(names)),
        incoming.rule,
    )  # fmt: skip
    return part("incoming", "Incoming Year 7", [table])


def questions_part(questions: Sequence[tuple[str, str]]) -> Part:
    """Return the questions to ask."""
    none = Text("No question of the list is tied to a figure of this school.")
    note = Text("Each question is asked because of the figure of this school that it names.", is_note=True)
    asked: list[Item] = [Points(tuple(text for _, text in questions)), note] if questions else [none]
    return part("questions", "Questions to ask", asked)


def actions_part(listed: Sequence[Absentee], names: Names) -> Part:
    """Return the table of actions to fill in, begun with the severely absent pupils without a plan."""
    without = [one for one in listed if one.is_severe and not one.support]
    rows = [(f"Agree a plan for {' '.join(pupil_cells(one.upn, names)).strip()}", _ROOM, _ROOM) for one in without]
    rows += [(f"{number}. {_ROOM}", _ROOM, _ROOM) for number in range(len(rows) + 1, len(rows) + 1 + _EMPTY_ACTIONS)]
    columns = ("Action", "By whom", "By when")
    return part(
        "actions",
        "Actions",
        [PackTable("actions-table", "Actions agreed", columns, tuple(rows), frozenset(columns), is_form=True)],
    )


def meetings_part(meetings: Sequence[tuple[date, str, str]]) -> Part | None:
    """Return the meetings held with the school before; None where none is known."""
    if not meetings:
        return None
    rows = tuple((day.isoformat(), kind or NO_FIGURE, colour or NO_FIGURE, _ROOM) for day, kind, colour in meetings)
    columns = ("Day", "Kind of meeting", "Colour then", "What was agreed, and what came of it")
    table = PackTable("meetings-table", "Meetings with the school", columns, rows, frozenset(columns), is_form=True)
    return part("meetings", "What was agreed last time", [table])
