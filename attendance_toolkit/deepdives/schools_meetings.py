"""Schools that were met, in words, a table and a drawing: never the bare before and after."""

from __future__ import annotations

from collections.abc import Iterator

from attendance_toolkit.deepdives._before_after_words import change_figure, effect_title, signed, with_interval
from attendance_toolkit.deepdives._shared import Record, once_notice, or_nothing, rate_of
from attendance_toolkit.deepdives.schools_data import schools_words
from attendance_toolkit.deepdives.schools_meetings_data import (
    AFTER,
    BEFORE,
    CHANGE,
    EFFECT,
    EXPECTED_CHANGE,
    MET,
    OTHERS,
    SchoolsMeetingsData,
)
from attendance_toolkit.metrics.before_after import Round
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import interval_in_points, is_clear, is_shown, said
from attendance_toolkit.vocabulary.ledger import phrase

_FLATTERS = (
    "Before and after say little by themselves. Schools are met because their attendance was low, and the lowest of a term tend"
    " to come back towards what is usual for them, with or without a meeting (regression to the mean); terms differ, too. So"
    " the schools met are held against schools of the same type with attendance as low that were not met."
)
_MEANS = "Attendance is the mean of the schools' own rates, so that each school counts once."
_HELD = (
    "Change expected: what schools of the same type with the same attendance before came to without a meeting, this year and"
    " in the same terms of earlier years; where it is known, the level of the year before counts as well. The term of the meetings"
    " itself belongs to neither side. The interval holds how much schools differ."
)
_EARLIER_NOTE = "Meetings of earlier years that are not on the list cannot be told from none."
_NOT_CHANCE_ALONE = (
    "Other things that set these schools apart may have a part in it: no lot was drawn over whom to meet."
)
_OTHERS_NOTE = "Of schools not met the mean is weighted by school type as the schools met are."


class SchoolsMeetings(SchoolsMeetingsData):
    """Blocks on the schools that were met about attendance."""

    @once_notice
    def meetings_sentences(self) -> Findings | Notice | Result:
        """Return who was met, the bare change and why it flatters, what was expected, and what is left; or a notice."""
        self.need_pupils()
        sentences = [sentence for one in self.rounds for sentence in self._round_sentences(one)]
        return Findings((*(self._met_sentence(one) for one in self.rounds), _FLATTERS, *sentences))

    def _met_sentence(self, one: Round) -> str:
        days = sorted(one.schools.values())
        when = f"on {_day(days[0])}" if days[0] == days[-1] else f"between {_day(days[0])} and {_day(days[-1])}"
        kinds = [
            f"{count} {kind}" if kind != "other" else f"{count} in another way"
            for kind, count in self.kinds_of(one).items()
        ]
        verb = "was" if len(days) == 1 else "were"
        text = (
            f"{len(days)} school{'' if len(days) == 1 else 's'} of {self.area.name} {verb} met about attendance {when}"
            f" ({', '.join(kinds)})."
        )
        return phrase(text, "schools")

    def _round_sentences(self, one: Round) -> Iterator[str]:
        terms = self._terms_of(one)
        size, effect = self.meeting_figure_of(one, "enrolments"), self.meeting_figure_of(one, EFFECT)
        before, after, change, expected = (
            self.meeting_figure_of(one, measure) for measure in (BEFORE, AFTER, CHANGE, EXPECTED_CHANGE)
        )
        start = f"Meetings in the {one.term} term: " if len(self.rounds) > 1 else ""
        if size is None:
            yield f"{start}what became of the schools cannot be told, since the data do not have the terms before and after."
        elif effect is not None and effect["symbol"] == "z":
            yield f"{start}{effect['about']}"
        elif not (
            is_shown(before) and is_shown(after) and is_shown(change) and is_shown(expected) and is_shown(effect)
        ):
            yield f"{start}what became of the schools cannot be told: figures are hidden."
        else:
            schools = phrase(str(size["about"]), "schools")
            text = (
                f"{start}attendance at the {schools} met that can be compared was {said(before)} in {terms[0]} and"
                f" {said(after)} in {terms[1]}: a bare change of {signed(change)} percentage points. For schools of the same type"
                f" with attendance as low that were not met, a change of {signed(expected)} percentage points was to be expected in"
                f" the same terms ({interval_in_points(expected)})."
            )
            yield f"{text[:1].upper()}{text[1:]}"
            yield _verdict(effect)
            yield from self._others_sentence(one, str(expected["about"]))
            yield from self._left_out(one)

    def _others_sentence(self, one: Round, held: str) -> Iterator[str]:
        size, before, change = (
            self.meeting_figure_of(one, measure, OTHERS) for measure in ("enrolments", BEFORE, CHANGE)
        )
        if is_shown(size) and is_shown(before) and is_shown(change):
            schools, years = phrase(str(size["about"]), "schools"), phrase(held, "years")
            yield (
                f"The {schools} not met were at {said(before)} before; their mean change was"
                f" {signed(change)} percentage points. What was to be expected at the level of the schools met was worked out from"
                f" schools without a meeting in {years}."
            )

    def _left_out(self, one: Round) -> Iterator[str]:
        size = self.meeting_figure_of(one, "enrolments")
        lost = len(one.schools) - int(str((size or {}).get("about") or "0").split()[0])
        if lost > 0:
            verb = "is" if lost == 1 else "are"
            yield (
                f"{phrase(schools_words(lost), 'schools')} met in the {one.term} term {verb} not compared: without sessions in all of"
                " the terms, or of a type with too few others."
            )

    @staticmethod
    def _terms_of(one: Round) -> tuple[str, str]:
        """Return the term before and the terms after, in words."""
        later = [f"the {term}" for _, term in one.after]
        return f"the {one.before[1]} term before", f"{' and '.join(later)} term{'s' if len(later) > 1 else ''} after"

    # -- table and drawing ---------------------------------------------------------------------------

    @or_nothing
    def meetings_table(self) -> Table | Result:
        """Return what became of the schools of each round, beside what was to be expected."""
        return Table(
            "schools-met",
            "Attendance at schools before and after a meeting, beside what was to be expected",
            f"{self.area.name}, {self.shown_year}; schools with sessions in the terms before and after",
            (
                Column("Figure", align="left"), Column("Value"), Column("95% interval"),
                Column("Schools"),
            ),
            tuple(row for one in self.rounds_shown for row in self._round_table(one)),
            source_of(self.school_meetings),
            (_MEANS, _HELD, _OTHERS_NOTE, _EARLIER_NOTE),
        )  # fmt: skip

    def _round_table(self, one: Round) -> Iterator[Row]:
        section = f"Meetings in the {one.term} term"
        terms = self._terms_of(one)
        for label, measure, comparison in (
            (f"Schools met: attendance in {terms[0]} (%)", BEFORE, MET),
            (f"Schools met: attendance in {terms[1]} (%)", AFTER, MET),
            ("Schools met: bare change (percentage points)", CHANGE, MET),
            ("Change expected without a meeting (percentage points)", EXPECTED_CHANGE, MET),
            ("Beyond what was expected (percentage points)", EFFECT, MET),
            (f"Schools not met: attendance in {terms[0]} (%)", BEFORE, OTHERS),
            ("Schools not met: change (percentage points)", CHANGE, OTHERS),
        ):
            record = self.meeting_figure_of(one, measure, comparison)
            if record is not None:
                cells = (rate_of(record), interval_cell(record), self._schools_cell(one, comparison))
                yield Row(label, cells, section, measure == EFFECT)

    def _schools_cell(self, one: Round, comparison: str) -> Cell:
        size = self.meeting_figure_of(one, "enrolments", comparison)
        return Cell(symbol="x") if size is None else Cell(phrase(str(size["about"]), "schools"))

    @or_nothing
    def meetings_figure(self) -> Figure | Result:
        """Return the change of schools met, of others, the one expected and the difference, as dots with intervals."""
        rounds = self.rounds_shown
        rows: list[tuple[str, Record | None]] = []
        for one in rounds:
            start = f"{one.term} term: " if len(rounds) > 1 else ""
            rows += [
                (f"{start}bare change of schools met", self.meeting_figure_of(one, CHANGE)),
                (f"{start}change expected of schools as low", self.meeting_figure_of(one, EXPECTED_CHANGE)),
                (f"{start}beyond what was expected", self.meeting_figure_of(one, EFFECT)),
                (f"{start}change of all schools not met", self.meeting_figure_of(one, CHANGE, OTHERS)),
            ]
        effect = self.meeting_figure_of(rounds[0], EFFECT) if len(rounds) == 1 else None
        return change_figure(
            rows,
            EFFECT,
            self.school_meetings,
            id="schools-met-change",
            title=effect_title(effect, "Attendance at schools met", "a meeting"),
            subtitle=f"Change of attendance from the term before the meetings to the terms after, percentage points, {self.area.name}",
            notes=[_HELD, _MEANS, _OTHERS_NOTE],
        )


def _verdict(effect: Record) -> str:
    """Say whether the schools met did better or worse than expected, if the interval allows it."""
    size = with_interval(effect)
    if not is_clear(effect):
        return (
            f"The difference is not clear ({size}): the figures neither show that the meetings raised attendance nor rule it"
            " out."
        )
    word = "higher" if effect["rate"] > 0 else "lower"
    return f"Attendance at the schools met was clearly {word} than that ({size}). {_NOT_CHANCE_ALONE}"


def _day(day: object) -> str:
    return f"{day:%-d %B %Y}"
