"""Five findings reported for Greater Manchester, each tested for this area: it holds, does not hold, or cannot be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import Record, derived_from, gap_row, symbol_of
from attendance_toolkit.deepdives._shared import (
    COVID_NOTE,
    COVID_YEARS,
    NO_DATA_YEARS,
    Lookup,
    or_nothing,
    or_notice,
    rate_of,
)
from attendance_toolkit.deepdives.severe_girls import AFTER, BEFORE, NOT_COHORTS, SevereGirls
from attendance_toolkit.deepdives.severe_interaction import FSM, SEN, SevereInteraction
from attendance_toolkit.deepdives.severe_patterns import SeverePatterns
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.overview import latest_year
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, interval_words, is_missing, source_of
from attendance_toolkit.presentation.narrative import has_interval, interval_in_points, is_shown, points, said
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

Verdict = Literal["Holds", "Does not hold", "Cannot tell"]
HOLDS: Verdict = "Holds"
FAILS: Verdict = "Does not hold"
OPEN: Verdict = "Cannot tell"

_TITLES = {
    "phases": "Severe absence falls in primary schools and rises in secondary schools",
    "spring": "Severe absence is highest in the spring term",
    "fsm": "Severe absence is higher among pupils eligible for free school meals",
    "sen": "Severe absence is higher among pupils with SEN, and with an EHC plan",
    "girls": "Girls' severe absence rises against boys' at the step from Year 6 to Year 7",
}
_NO_YEAR = "there are no figures of a full year for 2019/20"
#: What would be compared, where there are no figures.
_WITHOUT = {
    "phases": "This year against the year before",
    "spring": "Spring against the other terms",
    "fsm": "Eligible for free school meals against other pupils",
    "sen": "With SEN against no SEN",
}


@dataclass(frozen=True)
class Part:
    """One comparison that a finding rests on.

    Attributes
    ----------
    finding, name
        Which finding, and which of its parts: "phases", "Primary".
    words
        What is held against what, as a row of a table says it.
    first, second
        The two figures.
    result
        Row of the derived table with their difference (or ratio) and its interval.
    sign
        1 where the finding says that the first is the higher, -1 where the lower.
    null
        The value of no difference: 0, or 1 of a ratio.
    why
        Why the data have no such figures, if they have none.
    """

    finding: str
    name: str
    words: str
    first: Record | None
    second: Record | None
    result: Record | None
    sign: int = 1
    null: float = 0.0
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the figures say what the finding says: by the interval alone."""
        if not is_shown(self.result) or not has_interval(self.result):
            return OPEN
        low, high = sorted(self.sign * (float(self.result[name]) - self.null) for name in ("lower", "upper"))
        return HOLDS if low > 0 else FAILS if high < 0 else OPEN

    @property
    def reason(self) -> str:
        """Why it cannot be told; empty where it can."""
        if self.verdict != OPEN:
            return ""
        if self.why:
            return self.why
        if not is_shown(self.result):
            is_hidden = symbol_of(self.first, self.second, self.result) == "c"
            return "a figure is hidden to protect small numbers" if is_hidden else "the data have no such figures"
        return "the interval includes no difference" if has_interval(self.result) else "the figures have no intervals"


@dataclass(frozen=True)
class ReportedFinding:
    """A finding with its parts. It holds if all its parts do, and does not if one of them clearly does not."""

    name: str
    parts: tuple[Part, ...]
    scope: str = ""
    """What was tested, where that is less than what the finding says."""

    @property
    def title(self) -> str:
        """What the finding says."""
        return _TITLES[self.name]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the finding as a whole."""
        verdicts = [part.verdict for part in self.parts]
        if FAILS in verdicts:
            return FAILS
        return HOLDS if verdicts and set(verdicts) == {HOLDS} else OPEN

    @property
    def said(self) -> str:
        """The verdict with its scope, as a sentence part.

        >>> ReportedFinding("sen", (), "tested for SEN as a whole").said
        'cannot tell (tested for SEN as a whole)'
        """
        return f"{self.verdict[:1].lower()}{self.verdict[1:]}{f' ({self.scope})' if self.scope else ''}"


class SevereFindings(SeverePatterns, SevereGirls, SevereInteraction):
    """The five findings, never assumed: a table with the figures and a sentence each."""

    # -- tables --------------------------------------------------------------------------------------

    @derived_table
    def finding_gaps(self) -> ProtectedTable:
        """Difference of the two figures of each part, but for girls beside boys (``girls_boys`` has these)."""
        rows: list[dict[str, Any]] = []
        tables = []
        for maker, names in (
            (self._phase_pairs, ("phases",)),
            (self._term_pairs, ("terms",)),
            (self._group_pairs, ("crossed",)),
        ):
            try:
                pairs = list(maker())
                tables += [getattr(self, name) for name in names]
            except NoDataError:
                continue
            rows += [gap_row(first, second, finding=finding, part=part) for finding, part, _, first, second in pairs]
        return derived_from(rows, *tables, nothing="None of the findings can be tested: the data have no such figures.")

    @cached_property
    def _phase_year(self) -> int:
        """The last academic year with figures by school type."""
        rows = self.phases.select(area_code=self.area.code, measure="severe_absence_rate").rows
        return latest_year(rows, self.year, "figures by school type")

    @property
    def _previous(self) -> int:
        return academic_year_before(self._phase_year)

    def _phase_pairs(self) -> Iterable[tuple[str, str, str, Record | None, Record | None]]:
        table = self.phases.select(area_code=self.area.code, measure="severe_absence_rate")
        year, previous = self._phase_year, self._previous
        lookup = Lookup(table, ["academic_year", "phase"])
        for phase in ("Primary", "Secondary"):
            after, before = (lookup(academic_year=y, phase=phase) for y in (year, previous))
            words = f"{phase} schools, {show_academic_year(year)} against {show_academic_year(previous)}"
            yield "phases", phase, words, after, before

    def _term_pairs(self) -> Iterable[tuple[str, str, str, Record | None, Record | None]]:
        table = self.terms.select(area_code=self.area.code, measure="severe_absence_rate", phase=ALL_SCHOOLS)
        lookup = Lookup(table, ["term"])
        spring = lookup(term="spring")
        for term in ("autumn", "summer"):
            words = f"{TERM_LABELS['spring']} against {TERM_LABELS[term].lower()}"
            yield "spring", term, words, spring, lookup(term=term)

    def _group_pairs(self) -> Iterable[tuple[str, str, str, Record | None, Record | None]]:
        fsm = [self.crossing(fsm_eligible=level) for level in (FSM.level, FSM.against)]
        yield "fsm", "FSM", "Eligible for free school meals against other pupils", fsm[0], fsm[1]
        without = self.crossing(sen_provision=SEN.against)
        kinds = {kind: self.crossing(sen_provision=kind) for kind in ("SEN support", "EHC plan")}
        if not any(kinds.values()):
            kinds = {SEN.level: self.crossing(sen_provision=SEN.level)}
        for kind, record in kinds.items():
            yield "sen", kind, f"{kind} against no SEN", record, without

    # -- the findings --------------------------------------------------------------------------------

    @cached_property
    def tested(self) -> tuple[ReportedFinding, ...]:
        """The five findings, in the order they were reported."""
        parts: dict[str, list[Part]] = {name: [] for name in _TITLES}
        why = {
            "spring": "the data do not tell the terms apart",
            "phases": "the data have no figures by school type and year",
        }
        for maker in (self._phase_pairs, self._term_pairs, self._group_pairs):
            try:
                pairs = list(maker())
            except NoDataError:
                continue
            for finding, name, words, first, second in pairs:
                sign = -1 if name == "Primary" else 1
                reason = _NO_YEAR if finding == "phases" and self._previous in NO_DATA_YEARS else ""
                part = Part(finding, name, words, first, second, self._gap(finding, name), sign, why=reason)
                parts[finding].append(part)
        parts["girls"].append(self._girls_part())
        for name, found in parts.items():
            if not found:
                reason = why.get(name, "the data have no figures by pupil group")
                found.append(Part(name, name, _WITHOUT[name], None, None, None, why=reason))
        only_any = [part.name for part in parts["sen"]] == [SEN.level]
        scope = "tested for SEN as a whole: the data do not tell EHC plans from SEN support" if only_any else ""
        return tuple(
            ReportedFinding(name, tuple(found), scope if name == "sen" else "") for name, found in parts.items()
        )

    def _gap(self, finding: str, part: str) -> Record | None:
        return self._gap_lookup(finding=finding, part=part)

    @cached_property
    def _gap_lookup(self) -> Lookup:
        return Lookup(self.finding_gaps, ["finding", "part"])

    def _girls_part(self, area: str = "") -> Part:
        words = f"Girls over boys, Year {AFTER} against Year {BEFORE} (ratios)"
        try:
            year = self.girls_year
            first, second = (self.girls_row("risk_ratio", level, year, area) for level in (AFTER, BEFORE))
            result = self.girls_row("ratio_of_risk_ratios", "All", year, area)
        except NoDataError:
            return Part(
                "girls",
                "girls",
                words,
                None,
                None,
                None,
                null=1.0,
                why="the data have no figures by year group and sex",
            )
        return Part("girls", "girls", words, first, second, result, null=1.0)

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def finding_table(self) -> Table | Notice:
        """Return the figures each finding was tested with, and the verdicts."""
        rows = []
        for finding in self.tested:
            section = f"{finding.title}: {finding.said}"
            for part in finding.parts:
                result = part.result
                cells = (
                    rate_of(part.first),
                    rate_of(part.second),
                    rate_of(result),
                    interval_cell(result),
                    Cell(part.verdict if not part.reason else f"{part.verdict}: {part.reason}"),
                )
                rows.append(Row(part.words, cells, section))
        return Table(
            "five-findings",
            f"What was reported for Greater Manchester, tested with the figures of {self.area.name}",
            "Severe absence in percent of enrolments, and differences in percentage points; of girls over boys, ratios",
            (
                Column("Comparison", align="left"),
                Column("First figure"),
                Column("Second figure"),
                Column("Difference or ratio"),
                Column("95% interval"),
                Column("Verdict", align="left"),
            ),
            tuple(rows),
            source_of(self._tables_behind()),
            (
                "Holds: the interval lies wholly on the side the finding says. Does not hold: wholly on the other side. Cannot"
                " tell: it includes no difference, or there are no figures. A finding of several parts holds if all of them do.",
                "Terms and years are mostly the same pupils, taken here as if they were others: their intervals are rather too"
                " wide.",
                NOT_COHORTS,
                *self._covid_notes(),
            ),
        )

    def _covid_notes(self) -> tuple[str, ...]:
        """Return the caution for years of the pandemic, where the years compared are among them."""
        try:
            years = {self._phase_year, self._previous}
        except NoDataError:
            return ()
        return (COVID_NOTE,) if years & set(COVID_YEARS) else ()

    def _tables_behind(self) -> ProtectedTable:
        try:
            return self.finding_gaps
        except NoDataError:
            return self.crossed

    @or_nothing
    def finding_sentences(self) -> Findings | Result:
        """Return each finding with its verdict, the figures, and the reason where it cannot be told."""
        sentences = []
        for finding in self.tested:
            details = " ".join(filter(None, (_part_sentence(part) for part in finding.parts)))
            sentences.append(f"{finding.title}: {finding.said}. {details}".strip())
        england = self._england_girls()
        return Findings((*sentences, *([england] if england else []), NOT_COHORTS, *self._covid_notes()))

    def _england_girls(self) -> str:
        if self.area.code == ENGLAND:
            return ""
        part = self._girls_part(ENGLAND)
        if not is_shown(part.result):
            return ""
        return _ratio_sentence(part, "In England girls")


def _part_sentence(part: Part) -> str:
    """Return the figures of a part in a sentence, and why it cannot be told."""
    if not (is_shown(part.first) and is_shown(part.second) and is_shown(part.result)):
        return f"{part.words}: {part.reason}."
    if part.null:
        return _ratio_sentence(part)
    size = points(part.result["rate"], 2 if round_half_up(abs(part.result["rate"]) * 100, 1) == 0 else 1)
    if part.verdict == OPEN:
        sign = show_number(part.result["rate"] * 100, 1, signed=True)
        how = f" ({sign} percentage points, {interval_in_points(part.result)})" if has_interval(part.result) else ""
        difference = f"not clearly different{how}"
    else:
        word = "higher" if part.result["rate"] > 0 else "lower"
        difference = f"{size} {word} ({interval_in_points(part.result)})"
    counts = _counts_words(part) if part.finding == "phases" else ""
    return f"{part.words}: {said(part.first)} against {said(part.second)}{counts}, {difference}."


def _counts_words(part: Part) -> str:
    first, second = part.first, part.second
    assert first is not None
    assert second is not None
    if is_missing(first["numerator"]) or is_missing(second["numerator"]):
        return ""
    return f" ({show_number(first['numerator'])} severe absentees after {show_number(second['numerator'])} the year before)"


def _ratio_sentence(part: Part, start: str = "Girls") -> str:
    result, first, second = part.result, part.first, part.second
    assert result is not None
    assert first is not None
    assert second is not None
    text = (
        f"{start} were severely absent {show_number(second['rate'], 2)} times as often as boys in Year {BEFORE} and"
        f" {show_number(first['rate'], 2)} times in Year {AFTER}"
    )
    if not has_interval(result):
        return f"{text}."
    size = f"{show_number(result['rate'], 2)} times, {interval_words(result)}"
    words: Mapping[str, str] = {
        HOLDS: f"the ratio was clearly higher in Year {AFTER} ({size})",
        FAILS: f"the ratio was clearly lower in Year {AFTER} ({size})",
        OPEN: f"the two ratios are not clearly different ({size})",
    }
    return f"{text}: {words[part.verdict]}."
