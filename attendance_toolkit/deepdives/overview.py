"""The area overview: the Southampton cards, the Trafford tables, trends and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._shared import (
    COVID_NOTE,
    COVID_YEARS,
    DEFINED,
    HEADLINE,
    MAINSTREAM,
    NO_DATA_YEARS,
    SHORT,
    Lookup,
    Record,
    capital,
    count_of,
    counted,
    level_words,
    or_nothing,
    or_notice,
    ordered_levels,
    page_head,
    rate_of,
    rounding_note,
)
from attendance_toolkit.deepdives.overview_data import GROUPS, TABLE_1, OverviewData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.metrics.cards import (
    equivalent_at_current_cohort,
    lost_learning,
    three_year_mean,
)
from attendance_toolkit.metrics.overview import (
    latest_year,
)
from attendance_toolkit.presentation.blocks import (
    Cell,
    Column,
    Figure,
    Findings,
    Notice,
    PageHead,
    Result,
    Row,
    Table,
    Tile,
    Tiles,
)
from attendance_toolkit.presentation.figures import bars, small_multiples_by_year
from attendance_toolkit.presentation.formats import rate_cell, source_of
from attendance_toolkit.presentation.narrative import (
    change_sentence,
    compared_with,
    is_shown,
    one_in,
    percent,
    points,
    said,
    sentence_list,
    stands_against,
)
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import (
    ALL,
    ALL_SCHOOLS,
    LABELS,
    MAIN_PHASES,
    NC_YEARS,
    PHASES,
)
from attendance_toolkit.vocabulary.ledger import note, phrase
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.register_codes import REASON_LABELS
from attendance_toolkit.vocabulary.rounding import number_text, round_half_up, show_number
from attendance_toolkit.vocabulary.series import SERIES


class Overview(OverviewData):
    """The overview of one area and year as blocks; its tables are those of ``OverviewData``."""

    # -- blocks --------------------------------------------------------------------------------------

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        return page_head(
            self.inputs,
            report="overview",
            title=f"School attendance in {self.area.name}",
            subtitle=f"Absence from school, {self.shown_year}: how much, which pupils, and how it compares",
            tables=([self.cards] if self.is_local else []) + [self.published],
        )

    def tiles(self) -> Tiles:
        """Return the headline tiles, each with a comparison in words."""
        tiles = []
        for measure in HEADLINE:
            record = self.own(measure, self.year)
            if not is_shown(record):
                tiles.append(Tile(SHORT[measure], "Not available", f"No figure for {self.shown_year}."))
                continue
            england = self.england(measure, self.year)
            words = capital(compared_with(record, england, "England")) if is_shown(england) else ""
            spark = tuple((self.own(measure, year) or {"rate": None})["rate"] for year in self._own_years(measure))
            tiles.append(Tile(MEASURES[measure].label, said(record), words, spark))
        severe = self.own("severe_absence_rate", self.year)
        if is_shown(severe):
            count = severe["numerator"]
            if count == count:
                tiles.append(Tile("Severe absentees", show_number(count), f"About {one_in(severe['rate'])} enrolments"))
        return Tiles(tuple(tiles))

    def _own_years(self, measure: str, phase: str = ALL_SCHOOLS) -> list[int]:
        if self.is_local:
            return list(self.inputs.local_years)
        rows = self.published.select(series="census", area_code=self.area.code, measure=measure, phase=phase).rows
        return sorted(int(year) for year in rows.loc[rows["symbol"] == "", "academic_year"].unique())

    def findings(self, kind: str) -> Findings:
        """Return the sentences of one headline card: "overall", "persistent" or "severe"."""
        made = self._overall_sentences() if kind == "overall" else self._absentee_sentences(kind)
        sentences = tuple(made) or (f"There is no figure for {self.area.name} in {self.shown_year} that can be shown.",)
        return Findings(sentences, SHORT[f"{kind}_absence_rate"])

    def _overall_sentences(self) -> Iterable[str]:
        record = self.own("overall_absence_rate", self.year)
        if not is_shown(record):
            return
        if record["numerator"] == record["numerator"]:
            enrolments = self.own("persistent_absence_rate", self.year)
            if is_shown(enrolments):
                yield (
                    f"Of {show_number(record['denominator'])} possible sessions of {show_number(enrolments['denominator'])}"
                    f" enrolments, {show_number(record['numerator'])} were missed: overall absence was"
                    f" {percent(record['rate'])}."
                )
        mean = self.own("mean_sessions_missed", self.year)
        none = self.own("no_absence_rate", self.year)
        if is_shown(mean):
            yield f"That is {show_number(mean['rate'], 1)} sessions (half days) missed for each enrolment."
        if is_shown(none):
            yield f"{show_number(none['numerator'])} enrolments ({percent(none['rate'])}) missed no session."
        yield from self._change_sentences("overall_absence_rate")

    def _absentee_sentences(self, kind: str) -> Iterable[str]:
        measure = f"{kind}_absence_rate"
        record = self.own(measure, self.year)
        if not is_shown(record):
            return
        share = "10% or more" if kind == "persistent" else "50% or more"
        if record["numerator"] == record["numerator"]:
            yield (
                f"{show_number(record['numerator'])} of {show_number(record['denominator'])} enrolments"
                f" ({percent(record['rate'])}) missed {share} of their sessions: they were {kind} absentees."
            )
        extra = self.own("extra_sessions_missed_persistent", self.year) if kind == "persistent" else None
        if is_shown(extra):
            # Of a single half term there are few: a whole number below 10 would look like a count of pupils.
            decimals = 0 if abs(extra["rate"]) >= 10 else 1
            text = show_number(extra["rate"], decimals)
            yield f"A persistent absentee missed {text} more sessions, on average, than other pupils."
        missed = self.own("mean_sessions_missed_severe", self.year) if kind == "severe" else None
        if is_shown(missed):
            yield f"A severe absentee missed {show_number(missed['rate'], 1)} sessions on average."
        without = self.own(f"overall_absence_rate_without_{kind}", self.year)
        if is_shown(without):
            yield f"Without the {kind} absentees overall absence would have been {percent(without['rate'])}."
        yield from self._change_sentences(measure)

    def _change_sentences(self, measure: str) -> Iterable[str]:
        found = self._change(measure)
        if found is None:
            return
        before, after, change = found
        previous = show_academic_year(academic_year_before(self.year))
        yield change_sentence(SHORT[measure], before, after, change, self.shown_year, previous)
        if measure != "overall_absence_rate" and after["denominator"] == after["denominator"]:
            equivalent: Any = equivalent_at_current_cohort(
                after["numerator"], show_number(before["rate"] * 100, 1), after["denominator"]
            )
            yield (
                f"There were {self._more_or_fewer(equivalent, measure.split('_')[0])} the {previous} rate had applied to this"
                f" year's {show_number(after['denominator'])} enrolments. The count itself was"
                f" {show_number(before['numerator'])} in {previous} and {show_number(after['numerator'])} in {self.shown_year}."
            )
        years = [academic_year_before(self.year, back) for back in (2, 1, 0)]
        records = [self.own(measure, year) for year in years]
        if all(is_shown(record) for record in records):
            mean = three_year_mean([record["rate"] for record in records if record is not None])
            yield (
                f"The mean of the three yearly rates of {SHORT[measure].lower()}, {show_academic_year(years[0])} to"
                f" {self.shown_year}, is {percent(mean)}."
            )

    def _more_or_fewer(self, difference: float, kind: str) -> str:
        """Say how many more absentees of a kind there were, no finer than the counts it is made of are rounded."""
        policy = self.inputs.policy
        base, least = (policy.rounding, policy.threshold or 1) if self.is_local else (1, 1)
        size = round_half_up(abs(difference) / base) * base
        if size < least:
            return f"about as many {kind} absentees as if"
        word = "fewer" if difference < 0 else "more"
        text = note(number_text(size), abs(difference))
        return f"{'about ' if base > 1 else ''}{text} {word} {kind} absentee{'' if text == '1' else 's'} than if"

    @property
    def _rounding_note(self) -> str:
        return rounding_note(self.inputs)

    def missing_notice(self) -> Notice:
        """Return what these inputs cannot show."""
        if not self.is_local:
            parts = [
                "This page was made from published figures alone. Sessions missed per enrolment and what absence would be"
                " without persistent or severe absentees need pupil-level data, and so do intervals where DfE publishes"
                " rates without counts."
            ]
            if self.area.level == "Combined authority":
                parts.append(
                    f"DfE publishes no figures for {self.area.name}: those here are its authorities' counts, added up."
                )
            if not self._bands.empty:
                year = latest_year(self._bands, self.year, "figures by pupil group")
                if year != self.year:
                    parts.append(
                        f"Figures by pupil group and year group are for {show_academic_year(year)}, the last year in DfE's"
                        " absence bands file."
                    )
            return Notice(" ".join(parts), "What is not here")
        years = len(self.inputs.local_years)
        text = (
            "Each figure counts enrolments: a pupil of two schools counts twice, as in DfE's statistics. Pupils aged 5 to 15"
            " on 31 August are counted, boarders are not; of Year 11 the second half of the summer term is left out."
            f" Changes and gaps {self._rounding_note}"
        )
        if years < 3:
            held = phrase(f"{years} of the last three academic years", "years")
            text += f" The store holds {held}, so three-year means are missing."
        return Notice(text, "Who is counted")

    # -- trend ---------------------------------------------------------------------------------------

    @or_notice
    def trend(self, measure: str) -> Figure | Notice:
        """Return small multiples by phase: the area, its wider areas and England over the years."""
        records: list[Record] = []
        for phase in MAIN_PHASES:
            for label, code in self._lines():
                for year in self._trend_years():
                    record = (
                        self.own(measure, year, phase)
                        if code == self.area.code
                        else self._from("census", code, measure, year, phase)
                    )
                    if record is None or year in NO_DATA_YEARS:
                        continue
                    records.append({**record, "phase": phase, "series_label": label, "academic_year": year})
        rows = pd.DataFrame(records).reindex(
            columns=[
                "phase",
                "series_label",
                "academic_year",
                "measure",
                "numerator",
                "denominator",
                "rate",
                "lower",
                "upper",
                "symbol",
                "decimals",
                "cell",
            ]
        )
        rows["phase"] = pd.Categorical(rows["phase"], [p for p in MAIN_PHASES if p in set(rows["phase"])])
        table = ProtectedTable(rows, self.published.rule, self._source("census"), self.inputs.is_synthetic)
        return small_multiples_by_year(
            table,
            panel="phase",
            series="series_label",
            id=f"trend-{measure.split('_')[0]}",
            title=self._trend_title(measure),
            subtitle=f"{capital(DEFINED[measure])}, {sentence_list([name for name, _ in self._lines()])}, by school type",
            gap_years=NO_DATA_YEARS,
            notes=(COVID_NOTE,) if set(COVID_YEARS) & set(self._trend_years()) else (),
        )

    def _lines(self) -> list[tuple[str, str]]:
        lines = [(self.area.name, self.area.code)]
        for area in self.inputs.compared_areas[1:]:
            if not area.is_synthetic and area.level in ("Regional", "National"):
                lines.append((area.name, area.code))
        return lines

    def _trend_years(self) -> list[int]:
        if self.is_local:
            return list(self.inputs.local_years)
        rows = self.published.select(series="census").rows
        return sorted(int(year) for year in rows["academic_year"].unique())

    def _trend_title(self, measure: str) -> str:
        """Say where the area stands against England now, phase by phase, as far as the interval allows."""
        places: dict[str, list[str]] = {"below": [], "above": [], "not clearly different from": []}
        for phase in MAIN_PHASES:
            record, england = self.own(measure, self.year, phase), self.england(measure, self.year, phase)
            if is_shown(record) and is_shown(england):
                places[stands_against(record, england)].append(phase.lower())
        parts = [f"{word} England's in {sentence_list(phases)} schools" for word, phases in places.items() if phases]
        if not parts:
            return f"{SHORT[measure]} by school type"
        return f"{SHORT[measure]} in {self.shown_year} was {sentence_list(parts)}"

    # -- tables --------------------------------------------------------------------------------------

    @or_notice
    def phase_table(self) -> Table | Notice:
        """Return phase by measure for this year and last, England beside the area, each column's series named."""
        columns: list[tuple[Column, Any]] = []
        previous = academic_year_before(self.year)

        def published(series: str, year: int, code: str) -> Any:
            return lambda phase, measure: self._from(series, code, measure, year, phase)

        def own(year: int) -> Any:
            return lambda phase, measure: self.own(measure, year, phase)

        for year in (previous, self.year):
            shown = show_academic_year(year)
            places = [("England", ENGLAND)] + ([] if self.area.code == ENGLAND else [(self.area.name, self.area.code)])
            for series, label in (("census", "census"), ("attendance", "attendance series")):
                for name, code in places:
                    if self._has(series, code, year):
                        columns.append((Column(name, f"{shown}, DfE {label}", "%"), published(series, year, code)))
            if self.is_local and year in self.inputs.local_years:
                label = "synthetic" if self.inputs.is_synthetic else "local extract"
                columns.append((Column(self.area.name, f"{shown}, {label}", "%"), own(year)))
        rows = []
        for phase in (*MAIN_PHASES, ALL_SCHOOLS):
            for measure in TABLE_1:
                cells = tuple(rate_of(lookup(phase, measure)) for _, lookup in columns)
                rows.append(Row(SHORT[measure], cells, phase))
        return Table(
            "by-school-type",
            f"Attendance and absence by school type, {show_academic_year(previous)} and {self.shown_year}",
            f"{self.area.name} beside England. The census and the attendance series are different statistics and are not"
            " compared with each other",
            (Column("Measure", align="left"), *[column for column, _ in columns]),
            tuple(rows),
            self._source("census", "attendance"),
            ("Persistent absence: 10% or more of own possible sessions missed. Severe absence: 50% or more.",),
        )

    def _has(self, series: str, code: str, year: int) -> bool:
        rows = self.published.rows
        chosen = (rows["series"] == series) & (rows["area_code"] == code) & (rows["academic_year"] == year)
        return bool((chosen & (rows["symbol"] == "")).any())

    def _source(self, *series: str) -> str:
        """Return the source line of a block made from the local figures and these published series."""
        names = ([self.inputs.series] if self.is_local else []) + [name for name in series if self._has_series(name)]
        return " ".join(SERIES[name].note for name in names)

    def _has_series(self, name: str) -> bool:
        return bool((self.published.rows["series"] == name).any())

    @or_notice
    def gap_table(self) -> Table | Notice:
        """Return the gap to England in percentage points by phase and measure, with intervals where there are any."""
        rows = []
        for phase in (*MAIN_PHASES, ALL_SCHOOLS):
            for measure in ("overall_absence_rate", *TABLE_1[1:]):
                own = self.own(measure, self.year, phase)
                england = self._from("census", ENGLAND, measure, self.year, phase)
                if not (is_shown(own) and is_shown(england)):
                    symbol = (own or {}).get("symbol") or "x"
                    cells = (rate_of(own), rate_of(england), Cell(symbol=symbol), Cell(symbol=symbol))
                else:
                    gap = record_difference(own, england)
                    bounds = (
                        Cell(f"{show_number(gap['lower'] * 100, 1)} to {show_number(gap['upper'] * 100, 1)}")
                        if gap["lower"] == gap["lower"]
                        else Cell(symbol="z")
                    )
                    cells = (rate_of(own), rate_of(england), rate_cell(gap), bounds)
                rows.append(Row(SHORT[measure], cells if self.is_local else cells[:3], phase))
        return Table(
            "gap-to-england",
            f"The gap between {self.area.name} and England, {self.shown_year}",
            "Percentage points; a minus sign means less absence than England",
            (
                Column("Measure", align="left"),
                Column(self.area.name, "", "%"),
                Column("England", "", "%"),
                Column("Gap", "", "percentage points"),
                *([Column("95% interval")] if self.is_local else []),
            ),
            tuple(rows),
            self._source("census"),
            (
                f"Gaps {self._rounding_note} England is taken as exact."
                + ("" if self.is_local else " Published rates without counts have no interval."),
            ),
        )

    @cached_property
    def _group_year(self) -> int:
        rows = self.groups.select(area_code=self.area.code).rows
        return latest_year(rows, self.year, "figures by pupil group")

    @or_notice
    def group_table(self) -> Table | Notice:
        """Return attendance, persistent and severe absence by pupil characteristic and phase, England beside."""
        lookup = self._groups_lookup
        rows_of = self.groups.select(area_code=self.area.code, academic_year=self._group_year).rows
        has_england = ENGLAND in set(self.groups.rows["area_code"]) and self.area.code != ENGLAND
        has_attendance = "attendance_rate" in set(rows_of["measure"])
        body = []
        for phase in (*MAIN_PHASES, "Pupil referral unit", ALL_SCHOOLS):
            part = rows_of[rows_of["phase"] == phase]
            pairs = [(ALL, ALL)] + [
                (name, level)
                for name in (*GROUPS, "looked_after", "social_worker")
                for level in ordered_levels(name, part.loc[part["characteristic"] == name, "level"].unique())
            ]
            if part.empty:
                continue
            for name, level in pairs:

                def own(
                    measure: str, area: str = self.area.code, p: str = phase, n: str = name, v: str = level
                ) -> Record | None:
                    return lookup(
                        area_code=area,
                        phase=p,
                        characteristic=n,
                        level=v,
                        measure=measure,
                    )

                persistent, severe = own("persistent_absence_rate"), own("severe_absence_rate")
                cells = [rate_of(own("enrolments"))]
                cells += [rate_of(own("attendance_rate"))] if has_attendance else []
                cells += [count_of(persistent), rate_of(persistent)]
                cells += [rate_of(own("persistent_absence_rate", ENGLAND))] if has_england else []
                cells += [count_of(severe), rate_of(severe)]
                cells += [rate_of(own("severe_absence_rate", ENGLAND))] if has_england else []
                body.append(Row(level_words(name, level), tuple(cells), phase, name == ALL))
        columns = [Column("Pupils", align="left"), Column("Enrolments")]
        columns += [Column("Attendance", "", "%")] if has_attendance else []
        columns += [Column("Number", "Persistent absence"), Column("Rate", "Persistent absence", "%")]
        columns += [Column("England", "Persistent absence", "%")] if has_england else []
        columns += [Column("Number", "Severe absence"), Column("Rate", "Severe absence", "%")]
        columns += [Column("England", "Severe absence", "%")] if has_england else []
        year = show_academic_year(self._group_year)
        return Table(
            "by-pupil-group",
            f"Attendance by pupil characteristic and school type, {year}",
            f"{self.area.name}; enrolments",
            tuple(columns),
            tuple(body),
            source_of(self.groups),
            (self._group_note(),),
        )

    @cached_property
    def _groups_lookup(self) -> Lookup:
        chosen = self.groups.select(area_code=[self.area.code, ENGLAND], academic_year=self._group_year)
        return Lookup(chosen, ["area_code", "phase", "characteristic", "level", "measure"])

    def _group_note(self) -> str:
        note = "Pupils whose characteristic is not known are shown as not known; no pupil is left out."
        if self.merged:
            names = sentence_list([LABELS[name].lower() for name in self.merged])
            note += f" For {names} those not known are counted with those without; how many they are stands below."
        return note

    @or_nothing
    def group_sentences(self) -> Findings | Result:
        """Return what the table of pupil groups shows: the gaps within the area."""
        lookup = self._groups_lookup
        year = show_academic_year(self._group_year)
        pairs = (
            (
                "fsm_eligible",
                "FSM eligible",
                "Not known to be FSM eligible",
                "pupils eligible for free school meals",
                "other pupils",
            ),
            ("sen_provision", "EHC plan", "No SEN", "pupils with an EHC plan", "pupils without SEN"),
            ("sen_provision", "Any SEN", "No SEN", "pupils with SEN", "pupils without SEN"),
            ("sex", "Female", "Male", "girls", "boys"),
        )
        sentences = []
        compared = 0
        for phase in ("Primary", "Secondary"):
            for name, first, second, first_words, second_words in pairs:
                for measure, what in (("persistent_absence_rate", "persistently"), ("severe_absence_rate", "severely")):
                    keys = {
                        "area_code": self.area.code,
                        "academic_year": self._group_year,
                        "phase": phase,
                        "measure": measure,
                    }
                    one = lookup(**keys, characteristic=name, level=first)
                    two = lookup(**keys, characteristic=name, level=second)
                    if not (is_shown(one) and is_shown(two)):
                        continue
                    compared += 1
                    gap = record_difference(one, two)
                    if gap["lower"] != gap["lower"] or not (gap["lower"] > 0 or gap["upper"] < 0):
                        continue
                    low, high = sorted((abs(gap["lower"]) * 100, abs(gap["upper"]) * 100))
                    word = "more" if gap["rate"] > 0 else "less"
                    low_text, high_text = (show_number(end, 2 if low < 0.05 else 1) for end in (low, high))
                    sentences.append(
                        f"In {phase.lower()} schools {first_words} were {what} absent {word} often than {second_words} in"
                        f" {year}: {percent(one['rate'])} against {percent(two['rate'])}, a gap of {points(gap['rate'])}"
                        f" (95% interval {low_text} to {high_text})."
                    )
        if sentences:
            sentences.append(f"Gaps {self._rounding_note}")
        elif compared > 1:
            sentences = [phrase(f"None of the {compared} gaps that can be shown is clear of chance.", "gaps")]
        elif compared:
            sentences = ["The only gap that can be shown is not clear of chance."]
        else:
            sentences = ["No gap can be shown: the figures of the groups are hidden to protect small numbers."]
        return Findings(tuple(sentences))

    @or_notice
    def year_group_table(self) -> Table | Notice:
        """Return attendance, persistent and severe absence by year group, mainstream schools."""
        part = self.groups.select(
            area_code=self.area.code, academic_year=self._group_year, phase=MAINSTREAM, characteristic="nc_year"
        )
        lookup = Lookup(part, ["level", "measure"])
        measures = [
            m
            for m in ("attendance_rate", "persistent_absence_rate", "severe_absence_rate")
            if m in set(part.rows["measure"])
        ]
        rows = []
        for level in ordered_levels("nc_year", part.rows["level"].unique()):
            cells = tuple(rate_of(lookup(level=level, measure=m)) for m in ("enrolments", *measures))
            rows.append(Row(level_words("nc_year", level), cells))
        year = show_academic_year(self._group_year)
        return Table(
            "by-year-group",
            f"Attendance by year group, {year}",
            f"{self.area.name}; mainstream primary and secondary schools, special schools left out",
            (
                Column("Year group", align="left"),
                Column("Enrolments"),
                *[Column(SHORT[m], "", "%") for m in measures],
            ),
            tuple(rows),
            source_of(self.groups),
            (
                "Different pupils are in each year group, and some cross a boundary between Year 6 and Year 7: a step between two"
                " rows is not what happens to a pupil.",
            ),
        )

    @or_nothing
    def year_group_figure(self) -> Figure | Result:
        """Return persistent absence by year group as bars."""
        part = self.groups.select(
            area_code=self.area.code,
            academic_year=self._group_year,
            phase=MAINSTREAM,
            characteristic="nc_year",
            measure="persistent_absence_rate",
            level=[str(n) for n in range(1, 12)],
        )
        if part.rows.empty:
            raise NoDataError("The year group of no pupil is known, so there are no figures by year group.")
        order = [level for level in NC_YEARS if level in set(part.rows["level"])]
        rows = part.rows.assign(level=pd.Categorical(part.rows["level"], order)).sort_values("level")
        rows["year_group"] = pd.Categorical("Year " + rows["level"].astype(str), [f"Year {level}" for level in order])
        table = part.with_rows(rows)
        shown = rows[rows["symbol"] == ""]
        year = show_academic_year(self._group_year)
        title = f"Persistent absence by year group, {year}"
        if len(shown) > 1:
            ranked = shown.sort_values("rate")
            low, top = ranked.iloc[0], ranked.iloc[-1]
            if top["lower"] > low["upper"]:
                title = (
                    f"Persistent absence ranged from {percent(low['rate'])} in {low['year_group']} to"
                    f" {percent(top['rate'])} in {top['year_group']}"
                )
        return bars(
            table,
            category="year_group",
            id="persistent-by-year-group",
            title=title,
            subtitle=f"{capital(DEFINED['persistent_absence_rate'])}, {self.area.name}, mainstream schools, {year}",
        )

    @or_notice
    def reason_table(self) -> Table | Notice:
        """Return absence by reason for each phase as a share of possible sessions."""
        table = self.reasons
        columns: list[tuple[Column, Any]] = []
        lookup = Lookup(table, ["series", "area_code", "phase", "reason"])
        for series in dict.fromkeys(table.rows["series"]):
            for code in dict.fromkeys(table.rows.loc[table.rows["series"] == series, "area_code"]):
                name = self.inputs.area_name(code)
                if code not in (self.area.code, ENGLAND):
                    continue
                for phase in MAIN_PHASES:
                    if len(table.select(series=series, area_code=code, phase=phase).rows):
                        columns.append((Column(phase, f"{name}, {SERIES[series].label}", "%"), (series, code, phase)))
        reasons = [name for name in REASON_LABELS if name in set(table.rows["reason"])]
        rows = [
            Row(
                REASON_LABELS[reason],
                tuple(rate_of(lookup(series=s, area_code=a, phase=p, reason=reason)) for _, (s, a, p) in columns),
                "Authorised" if reason.startswith("auth") else "Unauthorised",
            )
            for reason in reasons
        ]
        return Table(
            "by-reason",
            f"Why sessions were missed, {self.shown_year}",
            f"{self.area.name}; sessions missed for each reason as a share of possible sessions",
            (Column("Reason", align="left"), *[column for column, _ in columns]),
            tuple(rows),
            source_of(table),
        )

    @or_notice
    def band_table(self) -> Table | Notice:
        """Return enrolments by band of overall absence and phase."""
        rows_all = self.bands.select(area_code=self.area.code)
        year = latest_year(rows_all.rows, self.year, "bands of absence")
        lookup = Lookup(rows_all.select(academic_year=year), ["phase", "band"])
        phases = [p for p in (*PHASES[:4], ALL_SCHOOLS) if p in set(rows_all.select(academic_year=year).rows["phase"])]
        rows = [
            Row(
                band,
                tuple(
                    cell
                    for phase in phases
                    for cell in (count_of(lookup(phase=phase, band=band)), rate_of(lookup(phase=phase, band=band)))
                ),
            )
            for band in dict.fromkeys(rows_all.rows["band"])
        ]
        columns = [Column("Sessions missed", align="left")]
        for phase in phases:
            columns += [Column("Number", phase), Column("Share", phase, "%")]
        return Table(
            "by-absence-band",
            f"Enrolments by how much they missed, {show_academic_year(year)}",
            f"{self.area.name}; share of own possible sessions missed",
            tuple(columns),
            tuple(rows),
            source_of(self.bands),
        )

    @or_notice
    def term_table(self) -> Table | Notice:
        """Return the headline measures by term and phase."""
        lookup = Lookup(
            self.terms.select(area_code=self.area.code, academic_year=self.year), ["phase", "term", "measure"]
        )
        measures = [m for m in HEADLINE if m in set(self.terms.rows["measure"])]
        rows = [
            Row(
                TERM_LABELS[term],
                tuple(rate_of(lookup(phase=phase, term=term, measure=m)) for m in measures),
                phase,
            )
            for phase in (*MAIN_PHASES, ALL_SCHOOLS)
            for term in TERM_LABELS
            if lookup(phase=phase, term=term, measure=HEADLINE[0]) is not None
        ]
        return Table(
            "by-term",
            f"Absence by term, {self.shown_year}",
            f"{self.area.name}; each term's thresholds apply to that term's own sessions, so terms do not average to the year",
            (Column("Term", align="left"), *[Column(SHORT[m], "", "%") for m in measures]),
            tuple(rows),
            source_of(self.terms),
        )

    def lost_learning_table(self) -> Table:
        """Return what attendance rates mean in lost learning: printed steps, then this area's phases."""
        rows = []

        def row(label: str, rate: float, section: str) -> Row:
            lost = lost_learning(rate)
            return Row(
                label,
                (
                    Cell(show_number(float(lost.sessions)), float(lost.sessions)),
                    Cell(show_number(lost.days), float(lost.days)),
                    Cell(f"{counted(lost.weeks, 'week')} and {counted(lost.rest_days, 'day')}"),
                ),
                section,
            )

        for step in (100, 95, 90, 85, 80):
            rows.append(row(f"{step}% attendance", step / 100, "Steps"))
        for phase in MAIN_PHASES:
            record = self.own("attendance_rate", self.year, phase)
            if is_shown(record):
                rows.append(
                    row(f"{phase}, {percent(record['rate'])} attendance", round(record["rate"], 3), self.area.name)
                )
        return Table(
            "lost-learning-steps",
            "What an attendance rate means over a school year",
            "Of 190 school days (380 sessions); part days are left off, as in the printed rule",
            (
                Column("Attendance", align="left"),
                Column("Sessions missed"),
                Column("Whole days missed"),
                Column("In school weeks of 5 days", align="left"),
            ),
            tuple(rows),
            f"{self._source('census')} The rule is as printed in Trafford's scrutiny report of January 2025, section 5.1.",
        )

    @or_notice
    def unknown_table(self) -> Table | Notice:
        """Return how much is not known about the pupils."""
        year = latest_year(self.not_known.rows, self.year, "figures on what is not known")
        lookup = Lookup(self.not_known.select(area_code=self.area.code, academic_year=year), ["characteristic"])
        names = list(dict.fromkeys(self.not_known.rows["characteristic"]))
        rows = [
            Row(LABELS[name], (count_of(lookup(characteristic=name)), rate_of(lookup(characteristic=name))))
            for name in names
        ]
        return Table(
            "not-known",
            f"What is not known about the pupils, {show_academic_year(year)}",
            f"{self.area.name}; enrolments in primary, secondary and special schools whose characteristic is not recorded or refused",
            (
                Column("Characteristic", align="left"),
                Column("Enrolments not known"),
                Column("Share of enrolments", "", "%"),
            ),
            tuple(rows),
            source_of(self.not_known),
        )

    # -- results -------------------------------------------------------------------------------------

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        rows: list[Record] = []
        for phase in (ALL_SCHOOLS, *MAIN_PHASES):
            for measure in ("attendance_rate", "overall_absence_rate", *TABLE_1[1:]):
                for year in self._own_years(measure, phase) or [self.year]:
                    record = self.own(measure, year, phase)
                    if record is not None:
                        rows.append(self._result(record, measure, year, phase))
                found = self._change(measure, phase)
                if found is not None:
                    rows.append(self._result(found[2], f"{measure}_change", self.year, phase))
        if self.is_local:
            extra = (
                "no_absence_rate",
                "mean_sessions_missed",
                "extra_sessions_missed_persistent",
                "overall_absence_rate_without_persistent",
            )
            for measure in (*extra, "overall_absence_rate_without_severe", "mean_sessions_missed_severe"):
                record = self.own(measure, self.year)
                if record is not None:
                    rows.append(self._result(record, measure, self.year, ALL_SCHOOLS))
        return Result(tuple(rows))

    def _result(self, record: Record, measure: str, year: int, phase: str) -> Record:
        return {
            "id": f"{measure}:{year}:{phase.lower().replace(' ', '-')}",
            "measure": measure,
            "area": self.area.name,
            "area_code": self.area.code,
            "academic_year": year,
            "groups": {"phase": phase},
            "series": self.inputs.series if self.is_local else "census",
            **{name: record[name] for name in ("numerator", "denominator", "rate", "lower", "upper", "symbol")},
        }
