"""Districts side by side: dots with intervals, gaps, and how sure their order is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    DEFINED,
    HEADLINE,
    SHORT,
    Lookup,
    Record,
    capital,
    count_of,
    or_nothing,
    or_notice,
    rate_of,
    rounding_note,
    the_area,
)
from attendance_toolkit.deepdives.districts_data import COUNTED
from attendance_toolkit.deepdives.districts_derived import NEIGHBOURS, DistrictsDerived, has_counts
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.series_guard import breaks_between, label_of, selection_of
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_shown,
    points,
    said,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import Area, find_area
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.series_breaks import SeriesBreak

#: More dots than these do not read: then the highest and the lowest are drawn, and the table has all.
MOST_DOTS = 20


class DistrictsCompared(DistrictsDerived):
    """Blocks that hold districts against each other and against wider areas."""

    @cached_property
    def district_word(self) -> str:
        """What the places compared are to the area."""
        if self.whole is None:
            return f"{self.area.name} and its statistical neighbours"
        kind = "authorities" if self.whole.level == "Regional" else "districts"
        return f"the {kind} of {the_area(self.whole)}"

    def name(self, code: str) -> str:
        """Return the name of a place."""
        return "Statistical neighbours" if code == NEIGHBOURS else self.inputs.area_name(code)

    def the(self, code: str) -> str:
        """Return the name of a place in running text."""
        return "its statistical neighbours together" if code == NEIGHBOURS else the_area(find_area(code))

    def shown_districts(self, measure: str, phase: str = ALL_SCHOOLS) -> list[tuple[Area, Record]]:
        """Return the districts that have a row, by name.

        Raises
        ------
        NoDataError
            Fewer than two have one.
        """
        self.require_districts()
        found = [(area, self.compared(area.code, measure, phase=phase)) for area in self.districts]
        there = [(area, record) for area, record in found if record is not None and record["symbol"] != "x"]
        if len(there) < 2:
            raise NoDataError(
                f"{SHORT[measure]} in {self.shown_year} cannot be compared between {self.district_word}: there are no"
                " figures of other districts for this year."
            )
        return there

    # -- districts compared --------------------------------------------------------------------------

    def comparison_notice(self) -> Notice | Result:
        """Return on which figures the districts are compared, where that is not plain."""
        try:
            self.shown_districts("severe_absence_rate")
        except NoDataError as error:
            return Notice(str(error), "No comparison between districts")
        if not self.is_local or self.is_between_local:
            return Result(())
        return Notice(
            f"The store holds {self.area.name} alone. The districts are compared on DfE's census figures, those of"
            f" {self.area.name} among them; its own figures stand in the tiles and under gaps.",
            "Published figures",
        )

    @or_nothing
    def district_figure(self, measure: str) -> Figure | Result:
        """Return the districts' rates as dots with intervals, the area bold, the rate of all of them as a line."""
        there = self.shown_districts(measure)
        drawn, left_out = _extremes(there, self.area.code)
        whole = self.compared(self.whole.code, measure) if self.whole is not None else None
        reference = (self.whole.name, whole["rate"]) if self.whole is not None and is_shown(whole) else None
        if reference is None:
            england = self.compared(self.wider[-1].code, measure) if self.wider else None
            if not self.is_between_local and is_shown(england):
                reference = (self.wider[-1].name, england["rate"])
        table = derived_from([{**record, "district": area.name} for area, record in drawn], self._between)
        notes = [] if any(has_interval(record) for _, record in drawn) else [_NO_COUNTS]
        if left_out:
            notes.append("The highest and the lowest rates that can be shown are drawn; the table below has all.")
        return dot_interval(
            table,
            id=f"districts-{measure.split('_')[0]}",
            title=self._district_title(measure, there),
            subtitle=f"{capital(DEFINED[measure])}, {self.district_word}, all schools, {self.shown_year}",
            category="district",
            highlight=self.area.name,
            reference=reference,
            notes=notes,
        )

    @property
    def _between(self) -> ProtectedTable:
        """The table the districts are compared on."""
        return self.rates if self.is_between_local else self.published

    def _district_title(self, measure: str, there: Sequence[tuple[Area, Record]]) -> str:
        shown = sorted(
            ((record["rate"], area, record) for area, record in there if is_shown(record)), key=lambda e: e[0]
        )
        plain = f"{SHORT[measure]} by district, {self.shown_year}"
        if len(shown) < 2:
            return plain
        (_, low_area, low), (_, top_area, top) = shown[0], shown[-1]
        is_clear = has_interval(low) and has_interval(top) and top["lower"] > low["upper"]
        if not is_clear:
            return plain
        return f"{SHORT[measure]} ran from {said(low)} in {low_area.name} to {said(top)} in {top_area.name}"

    @or_nothing
    def district_table(self) -> Table | Result:
        """Return enrolments and the three measures of each district by phase, the wider areas below."""
        there = {area.code for measure in HEADLINE for area, _ in self._districts_of(measure)}
        places = [area for area in self.districts if area.code in there]
        if not places:
            self.shown_districts("severe_absence_rate")
        # Of wider areas only those of the same series stand in one table.
        wider = dict.fromkeys([*([self.whole] if self.whole else []), *self.wider])
        below = [area for area in wider if not self.is_between_local or area.code in self.local_codes]
        rows = []
        counted = any(has_counts(self.compared(area.code, name)) for area in places for name in COUNTED)
        for phase in (ALL_SCHOOLS, *MAIN_PHASES):
            for area in dict.fromkeys([*places, *below]):
                severe, persistent, overall = (
                    self.compared(area.code, measure, phase=phase)
                    for measure in ("severe_absence_rate", "persistent_absence_rate", "overall_absence_rate")
                )
                if severe is None and persistent is None and overall is None:
                    continue
                cells = [rate_of(severe), rate_of(persistent), rate_of(overall)]
                if counted:
                    cells.insert(2, interval_cell(persistent))
                    cells.insert(1, interval_cell(severe))
                    cells = [count_of(severe, "denominator"), count_of(severe), *cells]
                rows.append(Row(area.name, tuple(cells), phase, area.code == self.area.code))
        columns = [Column("Area", align="left")]
        columns += [Column("Enrolments"), Column("Number", "Severe absence")] if counted else []
        for measure in COUNTED:
            columns.append(Column("Rate", SHORT[measure], "%"))
            columns += [Column("95% interval", SHORT[measure])] if counted else []
        columns.append(Column("Rate", SHORT[HEADLINE[0]], "%"))
        return Table(
            "by-district",
            f"Absence by district and school type, {self.shown_year}",
            f"{capital(self.district_word)} and the areas around them; by name",
            tuple(columns),
            tuple(rows),
            source_of(self._between),
            ("Persistent absence: 10% or more of own possible sessions missed. Severe absence: 50% or more.",),
        )

    def _districts_of(self, measure: str) -> list[tuple[Area, Record]]:
        try:
            return self.shown_districts(measure)
        except NoDataError:
            return []

    # -- gaps ----------------------------------------------------------------------------------------

    @cached_property
    def gaps_lookup(self) -> Lookup:
        """The gaps by the two places, measure and phase."""
        return Lookup(self.gaps, ["place", "against", "about", "phase"])

    @or_notice
    def gap_table(self) -> Table | Notice:
        """Return each place's rate, the rate it is held against, and the gap with its interval."""
        is_local_authority = self.area.level == "Local authority"
        with_intervals = bool(self.gaps.rows["lower"].notna().any())
        rows = []
        for about in HEADLINE[::-1]:
            for phase in (ALL_SCHOOLS, *MAIN_PHASES):
                for first, second in self.pairs:
                    is_own = first == self.area.code
                    one, two = self.place(first, about, phase), self.place(second, about, phase)
                    if (one is None and two is None) or (not is_own and about not in COUNTED and phase != ALL_SCHOOLS):
                        continue
                    gap = self.gaps_lookup(place=first, against=second, about=about, phase=phase)
                    other = "statistical neighbours" if second == NEIGHBOURS else self.the(second)
                    header = self.name(first)
                    if is_own:
                        header = f"Against {other}" if is_local_authority else f"{header} against {other}"
                    cells = [rate_of(one), rate_of(two), rate_of(gap)]
                    cells += [interval_cell(gap)] if with_intervals else []
                    rows.append(Row(header, tuple(cells), f"{SHORT[about]}, {phase[:1].lower()}{phase[1:]}"))
        if not rows:
            raise NoDataError(f"There is nothing to hold {self.area.name} against in {self.shown_year}.")
        return Table(
            "gaps-to-areas",
            f"Gaps between {self.area.name} and other areas, {self.shown_year}",
            "Percentage points; a minus sign means less absence than the area it is held against."
            + ("" if is_local_authority else f" Districts are held against {self.the(self.area.code)}"),
            (
                Column("Comparison", align="left"),
                Column("Rate", "", "%"),
                Column("Rate held against", "", "%"),
                Column("Gap", "", "percentage points"),
                *([Column("95% interval", "", "percentage points")] if with_intervals else []),
            ),
            tuple(rows),
            source_of(self.gaps),
            tuple(self._gap_notes(with_intervals)),
        )

    def _gap_notes(self, with_intervals: bool) -> list[str]:
        notes = [f"Gaps {rounding_note(self.inputs)} Rates published without counts are taken as exact."]
        if not with_intervals:
            notes = [f"Gaps {rounding_note(self.inputs)} Rates published without counts have no interval."]
        elif self.whole is not None:
            notes.append(
                "A district is part of the wider areas; the interval takes the two as independent, so it is a little wider"
                " than it need be."
            )
        if self.neighbours and self._neighbours_lookup is not None:
            notes.append(
                "Statistical neighbours are the authorities DfE's model finds most alike. For persistent and severe absence"
                " their counts are added up where they are published, else the rate is the mean of their rates."
            )
        return notes + self._break_notes()

    def _break_notes(self) -> list[str]:
        """Return what must stand beside gaps between figures of two series."""
        breaks: dict[str, SeriesBreak] = {}
        for first, second in self.pairs:
            one, two = (self.place(code, "severe_absence_rate") for code in (first, second))
            if one is not None and two is not None:
                breaks |= {known.id: known for known in breaks_between(selection_of(one), selection_of(two))}
        label = label_of(breaks.values())
        return [label] if label else []

    @or_nothing
    def gap_sentences(self) -> Findings | Result:
        """Return the gaps over all schools that are clear of chance, and which are not."""
        if not self.pairs:
            return Result(())
        sentences = []
        for about in HEADLINE[::-1]:
            if self.area.level == "Local authority":
                sentences += self._own_sentences(about)
            else:
                sentences += self._own_sentences(about) + self._district_sentences(about)
        if not sentences:
            sentences = ["No gap can be shown: the figures are hidden to protect small numbers, or not available."]
        elif any(break_note for break_note in self._break_notes()):
            sentences += self._break_notes()
        return Findings(tuple(sentences))

    def _gap(self, first: str, second: str, about: str) -> Record | None:
        return self.gaps_lookup(place=first, against=second, about=about, phase=ALL_SCHOOLS)

    def _own_sentences(self, about: str) -> list[str]:
        """Say where the area stands against each wider area and the neighbours, in one sentence."""
        own = self.own(about)
        if not is_shown(own):
            return []
        parts = []
        for first, second in self.pairs:
            other, gap = self.place(second, about), self._gap(first, second, about)
            if first != self.area.code or not is_shown(other) or not is_shown(gap):
                continue
            parts.append(_stands(gap, other, self.the(second)))
        if not parts:
            return []
        return [f"{SHORT[about]} in {the_area(self.area)} was {said(own)} in {self.shown_year}: {'; '.join(parts)}."]

    def _district_sentences(self, about: str) -> list[str]:
        """Say which districts are clearly above or below the area, and that others cannot be told from it."""
        sides: dict[str, list[str]] = {"above": [], "below": [], "near": [], "hidden": []}
        for area in self.districts:
            gap = self._gap(area.code, self.area.code, about)
            if gap is None or gap["symbol"] in ("x", "z"):
                continue
            if not is_shown(gap):
                sides["hidden"].append(area.name)
            elif not has_interval(gap):
                return []
            else:
                clear = "above" if gap["lower"] > 0 else "below" if gap["upper"] < 0 else "near"
                sides[clear].append(f"{area.name} ({_points_of(gap)})" if clear != "near" else area.name)
        parts = [
            f"{SHORT[about]} was clearly {side} {self.area.name}'s in {sentence_list(sides[side])}"
            for side in ("above", "below")
            if sides[side]
        ]
        text = "; it was ".join([parts[0], *(part.split(" was ", 1)[1] for part in parts[1:])]) + "." if parts else ""
        if sides["near"]:
            text += f" No clear difference: {sentence_list(sides['near'])}."
        if sides["hidden"]:
            text += f" Cannot tell, because figures are hidden: {sentence_list(sides['hidden'])}."
        return [text.strip()] if text else []


_NO_COUNTS = "DfE publishes these rates without counts, so they have no intervals here."


def _extremes(there: Sequence[tuple[Area, Record]], own: str) -> tuple[list[tuple[Area, Record]], int]:
    """Return the rows to draw: all, or the highest and the lowest shown with the area's own, and how many are left out."""
    if len(there) <= MOST_DOTS:
        return list(there), 0
    shown = sorted(
        (entry for entry in there if is_shown(entry[1])), key=lambda entry: (-entry[1]["rate"], entry[0].name)
    )
    half = MOST_DOTS // 2
    ends = {area.code for area, _ in (*shown[:half], *shown[-half:])} | {own}
    drawn = [entry for entry in there if entry[0].code in ends]
    return drawn, len(there) - len(drawn)


def _stands(gap: Record, other: Record, name: str) -> str:
    """Say where a rate stands against another, in words of a list."""
    if has_interval(gap):
        if gap["lower"] <= 0 <= gap["upper"]:
            return f"not clearly different from {name} ({said(other)})"
        word = "above" if gap["rate"] > 0 else "below"
        return f"{points(gap['rate'])} {word} {name} ({said(other)}; {interval_in_points(gap)})"
    size = points(gap["rate"])
    if size.startswith("0.0 "):
        return f"level with {name} ({said(other)}) when rounded"
    return f"{size} {'above' if gap['rate'] > 0 else 'below'} {name} ({said(other)})"


def _points_of(gap: Record) -> str:
    return f"{show_number(gap['rate'] * 100, 1, signed=True)} percentage points, {interval_in_points(gap)}"
