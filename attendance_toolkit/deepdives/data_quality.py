"""Data quality on one page: what can be reported from a store and what cannot, and what screening found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives.data_quality_data import (
    ALL_CENSUSES,
    COLLECTED,
    LOST,
    counted,
    table_records,
    with_store,
)
from attendance_toolkit.deepdives.data_quality_screening import ScreeningBlocks
from attendance_toolkit.errors import NoDataError, SeriesBreakError
from attendance_toolkit.metrics.coverage import FROM_LIST, term_name
from attendance_toolkit.metrics.reportable import CARE, NO, REPORTING_RULES, SUBJECTS, YES
from attendance_toolkit.metrics.series_guard import Selection, guard
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
from attendance_toolkit.presentation.figures import bars
from attendance_toolkit.presentation.formats import count_cell, rate_cell, source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.versions import toolkit_versions
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.audiences import marking_for
from attendance_toolkit.vocabulary.calendar import TERMS, WHOLE_YEAR, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, LABELS, MAIN_PHASES, PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.rounding import number_text, show_number
from attendance_toolkit.vocabulary.series import SERIES

NEEDS_STORE = (
    "Nothing is known here about the quality of the data: this page is about an authority's own pupil-level files, and"
    " only published statistics were given. Load the files with: attendance load FILE… --store FOLDER"
)
#: A local rate outside these multiples of England's is more often a fault of the data than the truth.
FAR_FROM_ENGLAND = (0.5, 2.0)
#: What each rule of reporting says.
_SAYS = {rule.id: rule.says for rule in REPORTING_RULES}
_COMPARED = ("overall_absence_rate", "persistent_absence_rate", "severe_absence_rate")


class DataQuality(ScreeningBlocks):
    """The quality of the data behind one area and year, as blocks.

    Verdicts come from ``metrics.coverage``; counts of pupils pass through the disclosure rule like every other figure.
    """

    # -- head ----------------------------------------------------------------------------------------

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        inputs = self.inputs
        for_whom = (
            "Partners of the attendance taskforce" if inputs.audience == "partner" else "Local authority staff only"
        )
        status = marking_for(inputs.audience) or "Small numbers hidden"
        loaded = self.loaded_on()
        series = SERIES[inputs.series].label if self.is_local else "No pupil-level data"
        facts = [
            ("Area", f"{self.area.name} ({self.area.code})"),
            ("Period", f"Academic year {self.shown_year}"),
            ("Data", f"{series}, loaded {loaded}" if loaded and not inputs.is_synthetic else series),
            ("Audience", for_whom),
            ("Status", status if self.is_local else "Published statistics"),
        ]
        footer = [
            ("Small numbers", inputs.policy.rule),
            ("Sources", f"{inputs.source} What is found is found by the screening rules of this toolkit."),
            ("Definitions", _DEFINITIONS),
            ("Parameters", f"area {self.area.name}; academic year {self.shown_year}; audience {inputs.audience}"),
            ("Made with", toolkit_versions()),
        ]
        if inputs.contact:
            footer.append(("Contact", inputs.contact))
        if inputs.report_date:
            footer.append(("Made on", inputs.report_date))
        return PageHead(
            f"Data quality: school attendance in {self.area.name}",
            f"What can be reported for {self.shown_year} from the data received, what cannot, and why",
            tuple(facts),
            inputs.is_synthetic,
            tuple(footer),
            "data_quality",
            self.area.code,
            self.area.name,
            self.year,
            marking_for(inputs.audience),
        )

    # -- verdict -------------------------------------------------------------------------------------

    def verdict(self) -> Findings | Notice:
        """Return in a few sentences what can be reported for the year and what cannot."""
        if not self.is_local:
            return Notice(NEEDS_STORE, "No pupil-level data")
        return Findings(tuple(self._verdict_sentences()))

    def _verdict_sentences(self) -> Iterable[str]:
        yield from self._year_sentences()
        yield from self._phase_sentences()
        yield from self._term_sentences()
        yield self.screening_sentence()

    def _year_sentences(self) -> Iterable[str]:
        """Say for all schools what can be reported for the year, then what cannot, reason by reason."""
        can: list[str] = []
        why: dict[tuple[str, str], list[str]] = {}
        for subject in SUBJECTS:
            row = self.verdict_on(self.year, WHOLE_YEAR, ALL_SCHOOLS, subject.name)
            if row is not None and row["verdict"] == YES:
                can.append(_lower(subject.label))
            for rule in () if row is None else row["rules"]:
                why.setdefault((row["verdict"], _SAYS[rule]), []).append(_lower(subject.label))  # type: ignore[index]
        where = f"all schools of {self.area.name} in the full year {self.shown_year}"
        if not can and not why:
            yield f"Nothing can be said about {where}: no primary, secondary or special school was received."
        if can:
            yield f"Can be reported for {where}: {_what(can)}."
        for verdict, start in ((CARE, "Can be reported with care"), (NO, "Cannot be reported")):
            for (of, reason), labels in why.items():
                if of == verdict:
                    yield f"{start} for {where}: {_what(labels)}. {reason}"

    def _phase_sentences(self) -> Iterable[str]:
        """Say where a phase can be reported less than all schools together."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for phase in self.phases():
            row = self.verdict_on(self.year, WHOLE_YEAR, phase, "absence")
            whole = self.verdict_on(self.year, WHOLE_YEAR, ALL_SCHOOLS, "absence")
            if row is not None and row["verdict"] != YES and (whole is None or row["reasons"] != whole["reasons"]):
                reasons.setdefault((row["verdict"], row["reasons"]), []).append(_phase_words(phase))
        for (verdict, reason), phases in reasons.items():
            start = "Can be reported with care" if verdict == CARE else "Cannot be reported"
            yield f"{start} for the full year {self.shown_year}: figures of {sentence_list(phases)}. {reason}"

    def _term_sentences(self) -> Iterable[str]:
        for term in TERMS:
            row = self.verdict_on(self.year, term, ALL_SCHOOLS, "absence")
            whole = self.verdict_on(self.year, WHOLE_YEAR, ALL_SCHOOLS, "absence")
            if row is not None and row["verdict"] != YES and (whole is None or row["reasons"] != whole["reasons"]):
                start = "can be reported with care" if row["verdict"] == CARE else "cannot be reported"
                yield f"All schools in the {term_name(term).lower()} term of {self.shown_year}: {start}. {row['reasons']}"

    @with_store
    def tiles(self) -> Tiles | Result:
        """Return files, rows, schools and pupils matched at a glance."""
        return Tiles((self._files_tile(), self._rows_tile(), self._schools_tile(), self._matched_tile()))

    def _files_tile(self) -> Tile:
        assert self.inputs.store is not None
        loads = self.inputs.store.manifest.get("loads", [])
        returns = {load["census"] for load in loads if load["census"] and load["census"] not in COLLECTED}
        words = f"Of {counted(len(returns), 'census', 'censuses')}" if returns else "None of them a school census"
        # A return in one file is several tables of the manifest.
        number = len({(load["census"], load["file"]) for load in loads})
        return Tile("Files loaded", phrase(number_text(number), "files"), words)

    def _rows_tile(self) -> Tile:
        lines = self.rows_read
        total, aside = lines[(ALL_CENSUSES, ALL)], lines[(ALL_CENSUSES, "aside")]
        if aside["symbol"]:
            words = "How many were set aside is hidden to protect small numbers"
        elif not aside["numerator"]:
            words = "All of them loaded"
        else:
            words = f"{show_number(aside['numerator'])} set aside, the others loaded"
        value = "Hidden" if total["symbol"] else show_number(total["numerator"])
        is_census = not {line for line, _ in lines} & set(COLLECTED)
        return Tile("Pupil rows read" if is_census else "Rows of pupils or marks read", value, words)

    def _schools_tile(self) -> Tile:
        rows = self.area_rows(self.year)
        if rows.empty:
            return Tile("Schools received", "None", f"No school was received for {self.shown_year}")
        terms = rows.groupby("term")[["schools_received", "schools_expected"]].sum()
        term, came, due = min(
            ((str(name), int(a), int(b)) for name, a, b in terms.itertuples()), key=lambda entry: entry[1] / entry[2]
        )
        source = "the list of schools" if (rows["expected_from"] == FROM_LIST).all() else "the other terms of the year"
        where = "In every term" if (terms["schools_received"] == came).all() else f"In the {term} term, the fewest"
        return Tile("Schools received", _of(came, due), f"{where}; expected by {source}")

    def _matched_tile(self) -> Tile:
        shares = self.shares_followed
        if not shares:
            return Tile("Pupils followed", "Not available", "No two terms that follow each other can be compared")
        words = "Found in the next term, or known to have left: the term with the lowest share"
        return Tile("Pupils followed", f"{show_number(min(shares) * 100, 1)}%", words)

    @with_store
    def verdict_by_term(self) -> Table | Result:
        """Return the verdict on all schools for each term of the year and the whole year."""
        places = [(term_name(term), (self.year, term, ALL_SCHOOLS)) for term in (*TERMS, WHOLE_YEAR)]
        return self._verdict_table(
            "verdict-by-term",
            f"What can be reported for {self.shown_year}, all schools",
            f"{self.area.name}; primary, secondary and special schools; each verdict other than Yes has its reason below",
            places,
        )

    @with_store
    def verdict_by_phase(self) -> Table | Result:
        """Return the verdict on each phase for the whole year."""
        places = [(phase, (self.year, WHOLE_YEAR, phase)) for phase in self.phases()]
        return self._verdict_table(
            "verdict-by-phase",
            f"What can be reported for the full year {self.shown_year}, by school type",
            f"{self.area.name}; each verdict other than Yes has its reason below",
            places,
        )

    @with_store
    def verdict_by_year(self) -> Table | Result:
        """Return the verdict on all schools for each whole year the store has, up to the year."""
        if len(self.years) < 2:
            return Result(())
        places = [(show_academic_year(year), (year, WHOLE_YEAR, ALL_SCHOOLS)) for year in self.years]
        return self._verdict_table(
            "verdict-by-year",
            "What can be reported for each full year, all schools",
            f"{self.area.name}; primary, secondary and special schools; each verdict other than Yes has its reason below",
            places,
        )

    def _verdict_table(
        self, id: str, title: str, subtitle: str, places: Sequence[tuple[str, tuple[int, str, str]]]
    ) -> Table:
        rows = []
        for subject in SUBJECTS:
            found = [self.verdict_on(*place, subject.name) for _, place in places]
            rows.append(Row(subject.label, tuple(_verdict_cell(row) for row in found)))
        columns = (Column("Figures", align="left"), *(Column(name, align="left") for name, _ in places))
        return Table(id, title, subtitle, columns, tuple(rows), self.inputs.source)

    # -- coverage ------------------------------------------------------------------------------------

    @with_store
    def coverage_table(self) -> Table | Notice:
        """Return schools received of expected for each term, by authority or school type."""
        here = self.area_rows()
        lines = [(ALL_SCHOOLS, self.area_rows(phase=ALL_SCHOOLS))]
        if len(self.la_codes) > 1:
            lines += [(find_area(code).name, here[here["la_code"] == code]) for code in self.la_codes]
        lines += [(phase, self.area_rows(phase=phase)) for phase in PHASES]
        # A section for each year, a column for each term: as wide as a phone, however many years there are.
        rows = [
            self._coverage_row(name, found, year)
            for year in reversed(self.years)
            for name, found in lines
            if len(found)
        ]
        if not rows:
            return Notice("No school was received.", "Schools received")
        return Table(
            "schools-received",
            "Schools received of those expected, term by term",
            f"{self.area.name}; bold where a term lacks a school. All schools here include alternative provision",
            (Column("Schools", align="left"), *(Column(term_name(term), align="left") for term in TERMS)),
            tuple(rows),
            self.inputs.source,
            (self._expected_note(),),
        )

    def _coverage_row(self, name: str, rows: pd.DataFrame, year: int) -> Row:
        cells, is_short = [], False
        for term in TERMS:
            here = rows[(rows["academic_year"] == year) & (rows["term"] == term)]
            came, due = int(here["schools_received"].sum()), int(here["schools_expected"].sum())
            is_short |= came < due or not due
            word = ", none" if not came else "" if came >= due else ", part"
            cells.append(Cell(f"{_of(came, due)}{word}" if due else "nothing"))
        return Row(name, tuple(cells), section=show_academic_year(year), emphasis=is_short)

    def _expected_note(self) -> str:
        sources = set(self.area_rows()["expected_from"])
        if sources == {FROM_LIST}:
            return "Expected are the open, state-funded schools of the loaded list of schools."
        return (
            "No list of schools was loaded"
            + (" for every authority and year" if FROM_LIST in sources else "")
            + ", so a school is expected in a term when it sent another term of the year: a school that sent nothing at all"
            " is not seen to be missing. Load a list of schools to see it."
        )

    @with_store
    def unmatched_table(self) -> Table | Notice:
        """Return the pupils of each term by whether they are found in the next, and why not."""
        if not self.lost_lines:
            return Notice("No two terms that follow each other were received.", "Pupils from term to term")
        levels = [level for level in LOST if level != ALL]
        rows = [
            Row(
                line,
                tuple(count_cell(self.lost[(line, level)]) for level in (ALL, *levels)),
            )
            for line in self.lost_lines
        ]
        return Table(
            "pupils-followed",
            "Pupils of each term, and whether they are found in the next",
            f"{self.area.name}; pupils with sessions. A pupil found in any school of the store counts as found",
            (Column("Term", align="left"), *(Column(LOST[level]) for level in (ALL, *levels))),
            tuple(rows),
            source_of(self.lost_table),
            ("A pupil whose UPN changes, from a temporary one for example, is not found again.",),
        )

    # -- what is not known, and whether the figures look right -----------------------------------------

    @with_store
    def unknown_figure(self) -> Figure | Notice:
        """Return how much of each characteristic is not known."""
        table = self.overview.not_known.select(area_code=self.area.code, academic_year=self.year)
        if table.rows.empty or not (table.rows["symbol"] == "").any():
            return Notice("No share can be shown.", "What is not known")
        shown = table.rows[table.rows["symbol"] == ""]
        largest = max(table_records(shown), key=lambda row: row["rate"])
        title = (
            f"{LABELS[str(largest['characteristic'])]} is not known for {show_number(largest['rate'] * 100, 1)}% of enrolments,"
            " the largest share shown"
            if largest["rate"] > 0
            else "Every characteristic shown is known for all enrolments"
        )
        return bars(
            table,
            id="not-known",
            title=title,
            subtitle=f"Share of enrolments whose characteristic is not known, {self.area.name}, {self.shown_year}",
            category="characteristic",
            labels={"characteristic": LABELS},
        )

    @with_store
    def comparison_table(self) -> Table | Notice:
        """Return the rates of the data beside England's: far from them, the data are more often wrong than right."""
        complete = self.verdict_on(self.year, WHOLE_YEAR, ALL_SCHOOLS, "absence")
        is_part = complete is None or "year_incomplete" in complete["rules"]
        try:
            labels = guard(
                Selection(self.inputs.series, self.year, "part of the year" if is_part else WHOLE_YEAR),
                Selection("census", self.year, WHOLE_YEAR),
            )
        except SeriesBreakError as error:
            return Notice(str(error), "Not compared with published figures")
        data = self.overview
        rows = []
        for phase in MAIN_PHASES:
            for measure in _COMPARED:
                try:
                    own, england = data.own(measure, self.year, phase), data.england(measure, self.year, phase)
                except NoDataError:
                    continue
                if own is not None and england is not None:
                    verdict = _against(own, england)
                    is_far = verdict.startswith("Far")
                    rows.append(
                        Row(MEASURES[measure].label, (rate_cell(own), rate_cell(england), Cell(verdict)), phase, is_far)
                    )
        if not rows:
            return Notice(
                f"There are no published figures of England for {self.shown_year} to hold the data against.",
                "Not compared with published figures",
            )
        low, high = (phrase(number_text(edge, 1), "rule") for edge in FAR_FROM_ENGLAND)
        return Table(
            "beside-england",
            f"Do the figures look right? {self.area.name} beside England, {self.shown_year}",
            f"Far: below {low} or above {high} times England's rate, which is more often a fault of the data than the truth",
            (
                Column("Measure", align="left"),
                Column(self.area.name, SERIES[self.inputs.series].label, "%"),
                Column("England", SERIES["census"].label, "%"),
                Column("How it looks", align="left"),
            ),
            tuple(rows),
            " ".join((self.inputs.source, SERIES["census"].note)),
            tuple(label.says for label in labels),
        )

    # -- results -------------------------------------------------------------------------------------

    def results(self) -> Result:
        """Return verdicts and coverage for ``result.json``."""
        if not self.is_local:
            return Result(())
        whole = {"area": self.area.name, "area_code": self.area.code, "series": self.inputs.series, "symbol": ""}
        rows: list[Mapping[str, Any]] = [
            {
                "id": f"reportable:{row['academic_year']}:{row['term']}:{_slug(row['phase'])}:{row['subject']}",
                "measure": "reportable",
                **whole,
                "academic_year": int(row["academic_year"]),
                "groups": {name: row[name] for name in ("term", "phase", "subject")},
                "numerator": None,
                "denominator": None,
                "rate": None,
                "verdict": row["verdict"],
                "reasons": row["reasons"],
            }
            for row in table_records(self.verdicts)
        ]
        for (year, term), here in self.area_rows().groupby(["academic_year", "term"], sort=True):  # type: ignore[misc]
            came, due = int(here["schools_received"].sum()), int(here["schools_expected"].sum())
            rows.append(
                {
                    "id": f"schools_received:{year}:{term}",
                    "measure": "schools_received",
                    **whole,
                    "academic_year": int(str(year)),
                    "groups": {"term": term},
                    "numerator": float(phrase(number_text(came), "schools").replace(",", "")),
                    "denominator": float(phrase(number_text(due), "schools").replace(",", "")),
                    "rate": None,
                }
            )
        return Result(tuple(rows))


_DEFINITIONS = (
    "Yes: nothing speaks against reporting it. With care: it can be reported with the reason beside it. No: it would"
    " mislead. Verdicts follow rules about what was received, not about how well a school or authority does. A rule of"
    " screening asks one thing of the files; a finding says where the answer was no."
)


def _verdict_cell(row: Mapping[str, Any] | None) -> Cell:
    return Cell(symbol="z") if row is None else Cell(row["verdict"], note=row["reasons"])


def _against(own: Mapping[str, Any], england: Mapping[str, Any]) -> str:
    """Return in a word or two whether a rate is near England's."""
    if not (is_shown(own) and is_shown(england)) or not england["rate"]:
        return "Cannot be said"
    times = own["rate"] / england["rate"]
    low, high = FAR_FROM_ENGLAND
    return "Far below England" if times < low else "Far above England" if times > high else "Likely"


def _of(came: int, due: int) -> str:
    return phrase(f"{number_text(came)} of {number_text(due)}", "schools")


def _what(labels: Sequence[str]) -> str:
    return "all figures listed below" if len(labels) == len(SUBJECTS) else sentence_list(list(labels))


def _phase_words(phase: str) -> str:
    return {"Pupil referral unit": "pupil referral units", "Unknown": "schools whose phase is not known"}.get(
        phase, f"{phase.lower()} schools"
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _slug(text: str) -> str:
    return text.lower().replace(" ", "-")
