"""Vulnerable groups beside all pupils: in tables, a drawing and sentences; and needs that come together."""

from __future__ import annotations

from collections.abc import Sequence

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import SHORT, Record, capital, count_of, or_nothing, rate_of
from attendance_toolkit.deepdives.vulnerable_data import HIDDEN, or_notice
from attendance_toolkit.deepdives.vulnerable_groups_data import (
    ALL_PUPILS,
    LISTED,
    PHASES,
    TOGETHER,
    TOGETHER_LEVELS,
    VulnerableGroupsData,
    group_words,
    together_words,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import (
    figure_words,
    interval_cell,
    interval_words,
    rate_cell,
    source_of,
)
from attendance_toolkit.presentation.narrative import (
    change_sentence,
    compared_with,
    is_clear,
    is_shown,
    points,
    sentence_list,
)
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, LABELS
from attendance_toolkit.vocabulary.ledger import phrase

ABSENCE, PERSISTENT, SEVERE = "overall_absence_rate", "persistent_absence_rate", "severe_absence_rate"
#: Groups in running text.
WORDS = {
    ("looked_after", "Yes"): "looked-after children",
    ("social_worker", "Yes"): "children with a social worker",
    ("protection_plan", "Yes"): "children on a child protection plan",
    ("young_carer", "Yes"): "young carers",
    ("sen_provision", "EHC plan"): "pupils with an EHC plan",
    ("sen_provision", "SEN support"): "pupils with SEN support",
    ("fsm_eligible", "FSM eligible"): "pupils eligible for free school meals",
}
ENROLMENTS_NOTE = (
    "Pupils are counted as enrolments, as in DfE's figures: a child at two schools in the year is counted at both."
)
_OVERLAP_NOTE = (
    "Groups overlap: a child may be in several of them, and looked-after children are among those with a social worker."
)
_SAME_CHILDREN = (
    "Most pupils of a group are in it in both years; the intervals take the years as independent, which makes them wider than"
    " they need be."
)


class VulnerableGroupBlocks(VulnerableGroupsData):
    """Blocks on the groups."""

    @or_notice
    def groups_table(self) -> Table | Notice | Result:
        """Return absence of all pupils and of each group in the year."""
        rows = [
            Row(group_words(*group), self._group_cells(group), emphasis=group == ALL_PUPILS)
            for group in (ALL_PUPILS, *self.groups_shown)
        ]
        return Table(
            "vulnerable-groups",
            f"Absence of vulnerable groups beside all pupils, {self.shown_year}",
            f"{self.area.name}; primary, secondary and special schools",
            group_columns("Pupils", has_interval=True),
            tuple(rows),
            source_of(self.vulnerable),
            (ENROLMENTS_NOTE, _OVERLAP_NOTE),
        )

    def _group_cells(self, group: tuple[str, str], phase: str = ALL_SCHOOLS, *, year: int = 0) -> tuple[Cell, ...]:
        absence, persistent, severe = (
            self.figure_of(group, measure, phase=phase, year=year) for measure in (ABSENCE, PERSISTENT, SEVERE)
        )
        size = rate_of(self.figure_of(group, "enrolments", phase=phase, year=year))
        interval = (interval_cell(absence),) if phase == ALL_SCHOOLS and not year else ()
        both = (count_of(persistent), rate_of(persistent), count_of(severe), rate_of(severe))
        return (size, rate_of(absence), *interval, *both)

    @or_nothing
    def missing_groups(self) -> Notice | Result:
        """Return which groups are not known, and how to make them known."""
        shown = {name for name, _ in self.groups_shown}
        missing = [name for name in LISTED if name not in shown]
        if not missing:
            return Result(())
        words = sentence_list([LABELS[name].lower() for name in missing])
        return Notice(
            f"Not known of any pupil in {self.shown_year}: {words}. The census does not carry them: load a list of pupil"
            f" flags, a CSV of UPN, academic_year and {sentence_list(missing)}.",
            "Groups that are not known",
        )

    @or_nothing
    def phase_groups_table(self) -> Table | Result:
        """Return the same by school type."""
        rows = []
        for phase in PHASES:
            here = [g for g in (ALL_PUPILS, *self.groups_shown) if self.figure_of(g, "enrolments", phase=phase)]
            rows += [Row(group_words(*g), self._group_cells(g, phase), phase, g == ALL_PUPILS) for g in here]
        return Table(
            "vulnerable-groups-by-school-type",
            f"Absence of vulnerable groups by school type, {self.shown_year}",
            self.area.name,
            group_columns("Pupils", has_interval=False),
            tuple(rows),
            source_of(self.vulnerable),
            (
                "A group nobody of a school type is in has no row there. Pupil referral units are in no total, as in DfE's tables.",
            ),
        )

    # -- the drawing ---------------------------------------------------------------------------------

    @or_nothing
    def groups_figure(self) -> Figure | Result:
        """Return average absence of each group with its interval, all pupils as the line to compare with."""
        whole = self.figure_of(ALL_PUPILS, ABSENCE)
        shown = [(g, record) for g in self.groups_shown if is_shown(record := self.figure_of(g, ABSENCE))]
        if not shown or not is_shown(whole):
            raise NoDataError("There is nothing to draw.")
        rows = [{**record, "group": group_words(*group)} for group, record in shown]
        clear = sum(is_clear(record, whole["rate"]) and record["rate"] > whole["rate"] for _, record in shown)
        count = phrase(f"{clear} of {len(shown)} groups", "groups") if clear else "No group"
        return dot_interval(
            derived_from(rows, self.vulnerable),
            id="vulnerable-groups-absence",
            title=f"{count} clearly missed more of their sessions than all pupils, {self.shown_year}"
            if clear
            else f"{count} clearly missed more of its sessions than all pupils, {self.shown_year}",
            subtitle=f"Sessions missed as a share of possible sessions, {self.area.name}; groups whose figures are hidden are"
            " left out",
            category="group",
            reference=("All pupils", whole["rate"]),
            source=source_of(self.vulnerable),
            notes=(_OVERLAP_NOTE,),
        )

    # -- sentences -----------------------------------------------------------------------------------

    @or_nothing
    def groups_sentences(self) -> Findings | Result:
        """Return what each group missed beside all pupils, and how many of it missed half or more."""
        whole = {measure: self.figure_of(ALL_PUPILS, measure) for measure in (ABSENCE, PERSISTENT)}
        sentences, hidden = [], []
        for group in self.groups_shown:
            absence, persistent, severe = (self.figure_of(group, m) for m in (ABSENCE, PERSISTENT, SEVERE))
            everybody = whole[ABSENCE]
            if not (is_shown(absence) and is_shown(everybody)):
                hidden.append(WORDS[group])
                continue
            text = (
                f"{capital(WORDS[group])} missed {figure_words(absence)} of their sessions ({interval_words(absence)}),"
                f" {compared_with(absence, everybody, 'all pupils')}."
            )
            if is_shown(persistent):
                text += f" {figure_words(persistent)} of them missed 10% or more of their own"
                text += f", and {figure_words(severe)} half or more." if is_shown(severe) else "."
            sentences.append(text)
        if hidden:
            sentences.append(f"How much {sentence_list(hidden)} missed cannot be told: {HIDDEN}.")
        return Findings(tuple(sentences)) if sentences else Result(())

    # -- the year before -----------------------------------------------------------------------------

    @or_notice
    def change_table(self) -> Table | Notice | Result:
        """Return the change of each group since the year before, in percentage points."""
        self._need_year_before()
        rows = []
        for group in (ALL_PUPILS, *self.groups_shown):
            cells: list[Cell] = []
            for measure in (ABSENCE, PERSISTENT):
                before, after = (self.figure_of(group, measure, year=year) for year in (self.year_before, self.year))
                change = _change(before, after)
                cells += [
                    rate_of(before),
                    rate_of(after),
                    rate_cell(change) if change else Cell(symbol=_why(before, after)),
                ]
                cells += [interval_cell(change) if change else Cell(symbol=_why(before, after))]
            rows.append(Row(group_words(*group), tuple(cells), emphasis=group == ALL_PUPILS))
        earlier, later = show_academic_year(self.year_before), self.shown_year
        columns = [Column("Pupils", align="left")]
        for name in ("Average absence", "Persistent absence"):
            columns += [
                Column(earlier, name, "%"),
                Column(later, name, "%"),
                Column("Change", name, "percentage points"),
            ]
            columns += [Column("95% interval", name)]
        return Table(
            "vulnerable-groups-change",
            f"Vulnerable groups in {earlier} and {later}",
            f"{self.area.name}; primary, secondary and special schools; changes in percentage points",
            tuple(columns),
            tuple(rows),
            source_of(self.vulnerable),
            ("Changes are worked out before rates are rounded to one decimal.", _SAME_CHILDREN),
        )

    def _need_year_before(self) -> None:
        self.need_pupils()
        if not self.has_year_before:
            raise NoDataError(
                "Changes of vulnerable groups need the academic year before that of the page; the store lacks it."
            )

    @or_nothing
    def change_sentences(self) -> Findings | Result:
        """Return which groups' absence clearly changed, and that the others' did not clearly."""
        self._need_year_before()
        clear, unclear = [], []
        for group in self.groups_shown:
            before, after = (self.figure_of(group, ABSENCE, year=year) for year in (self.year_before, self.year))
            change = _change(before, after)
            if change is None or not (is_shown(before) and is_shown(after)):
                continue
            if is_clear(change):
                period = (self.shown_year, show_academic_year(self.year_before))
                clear.append(change_sentence(f"Absence of {WORDS[group]}", before, after, change, *period))
            else:
                unclear.append(WORDS[group])
        if unclear:
            clear.append(
                f"Absence of {sentence_list(unclear)} did not clearly change between {show_academic_year(self.year_before)} and"
                f" {self.shown_year}."
            )
        return Findings(tuple(clear)) if clear else Result(())

    # -- needs together ------------------------------------------------------------------------------

    @or_nothing
    def together_table(self) -> Table | Result:
        """Return absence by how many of the needs a pupil has."""
        levels = [level for level in TOGETHER_LEVELS if self.figure_of((TOGETHER, level), "enrolments") is not None]
        if not levels:
            raise NoDataError("There are no groups.")
        rows = [Row(group_words(*ALL_PUPILS), self._group_cells(ALL_PUPILS), emphasis=True)]
        rows += [Row(together_words(level), self._group_cells((TOGETHER, level))) for level in levels]
        return Table(
            "needs-together",
            f"Absence by how many needs come together, {self.shown_year}",
            f"{self.area.name}; primary, secondary and special schools",
            group_columns("Of social care, SEN, free school meals, young carer", has_interval=True),
            tuple(rows),
            source_of(self.vulnerable),
            (
                "Social care: looked after, with a social worker or on a child protection plan. SEN: an EHC plan or SEN"
                " support. What is not known of a pupil is not counted.",
            ),
        )

    @or_nothing
    def together_sentences(self) -> Findings | Result:
        """Return how absence differs between pupils with none of the needs and with two."""
        none, two, most = (
            self.figure_of((TOGETHER, level), PERSISTENT) for level in (*TOGETHER_LEVELS[:1], *TOGETHER_LEVELS[2:])
        )
        if not (is_shown(none) and is_shown(two)):
            raise NoDataError("The figures are hidden.")
        gap = _change(none, two)
        text = (
            f"Of pupils with two of the needs together {figure_words(two)} missed 10% or more of their"
            f" sessions ({interval_words(two)}), of pupils with none of them {figure_words(none)}"
        )
        if gap is not None and is_clear(gap):
            text += f": {points(gap['rate'])} {'more' if gap['rate'] > 0 else 'less'}"
        if is_shown(most):
            text += f". Where three or more come together it was {figure_words(most)} ({interval_words(most)})"
        return Findings((f"{text}.",))


def group_columns(first: str, *, has_interval: bool) -> tuple[Column, ...]:
    """Return the columns of a table of groups: enrolments, average, persistent and severe absence."""
    interval: Sequence[Column] = (Column("95% interval", "Average absence"),) if has_interval else ()
    return (
        Column(first, align="left"),
        Column("Enrolments"),
        Column("Rate", "Average absence", "%"),
        *interval,
        Column("Number", SHORT[PERSISTENT]),
        Column("Rate", SHORT[PERSISTENT], "%"),
        Column("Number", SHORT[SEVERE]),
        Column("Rate", SHORT[SEVERE], "%"),
    )


def _change(before: Record | None, after: Record | None) -> dict[str, object] | None:
    """Return after minus before with its interval; None where a side is not shown."""
    if not (is_shown(before) and is_shown(after)):
        return None
    return record_difference(after, before)


def _why(before: Record | None, after: Record | None) -> str:
    """Return the symbol that stands for a change that cannot be told."""
    found = {str((record or {}).get("symbol") or ("x" if record is None else "")) for record in (before, after)}
    return next(symbol for symbol in ("c", "x", "z", "") if symbol in found) or "x"
