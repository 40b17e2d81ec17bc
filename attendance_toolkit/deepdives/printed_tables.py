"""A printed report checked: every figure as printed, what is wrong with it, and the cards worked out again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.inputs import PrintedInputs
from attendance_toolkit.metrics.printed_cards import CARD_NAMES, check_cards, quantity_label, recompute_cards
from attendance_toolkit.metrics.printed_cards import TABLE as CARDS
from attendance_toolkit.metrics.reconciliation import (
    PrintedFinding,
    check_claims,
    column_series,
    compare_with_published,
    printed_measure_rows,
    reconcile,
)
from attendance_toolkit.presentation.blocks import (
    Block,
    Cell,
    Column,
    Findings,
    Notice,
    PageHead,
    Result,
    Row,
    Table,
    Tile,
    Tiles,
)
from attendance_toolkit.versions import toolkit_versions
from attendance_toolkit.vocabulary.areas import ENGLAND, find_area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.series import SERIES

WHAT_TO_GIVE = (
    "No printed table was given, so there is nothing to check. Give CSV files of the tables as they are printed, for"
    " example: attendance reconcile table1.csv table2.csv --area Trafford. In a notebook, list them in the parameter"
    " 'printed'."
)
#: Stands in a cell in which nothing is printed.
BLANK = "–"
_MEASURES = {"attendance_rate": "attendance", "persistent_absence_rate": "persistent absence"}


class Blocks(tuple[Block, ...]):
    """Several blocks shown by one cell."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for block in self:
            display(block)


def sentence(finding: PrintedFinding) -> str:
    """Return a finding as a sentence that holds what is printed, what it should be, and why."""
    return str(finding) + _expected(finding)


def _expected(finding: PrintedFinding) -> str:
    """Return the expected value where it is a number and the sentence does not say it."""
    if finding.expected in finding.says or not re.search(r"\d", finding.expected):
        return ""
    return f" Expected: {finding.expected}."


class PrintedTables:
    """The tables and cards of a printed report, checked.

    Printed reports are public documents: every figure is shown as it stands there.
    """

    def __init__(self, inputs: PrintedInputs) -> None:
        self.area = inputs.inputs.area
        self.year = inputs.inputs.academic_year
        self.audience = inputs.inputs.audience
        self.report_date = inputs.inputs.report_date
        self.contact = inputs.inputs.contact
        self.has_files = inputs.inputs.published is not None
        self.printed = inputs.printed
        self._inputs = inputs

    # -- what the checks say -------------------------------------------------------------------------

    @property
    def _has_tables(self) -> bool:
        return self.printed is not None and bool(self.printed.tables)

    @property
    def _has_cards(self) -> bool:
        return self.printed is not None and len(self.printed.cards) > 0

    @property
    def _claim_count(self) -> int:
        return 0 if self.printed is None else sum(len(report.claims) for report in self.printed.claims)

    @cached_property
    def _cells(self) -> pd.DataFrame:
        assert self.printed is not None
        return self.printed.cells

    @cached_property
    def all_findings(self) -> tuple[PrintedFinding, ...]:
        """Every finding, by table and then by check."""
        found: list[PrintedFinding] = []
        if self._has_tables:
            found += sorted(reconcile(self._cells, self._inputs.rates), key=lambda finding: finding.table)
        if self._has_cards:
            assert self.printed is not None
            found += check_cards(self.printed.cards)
        if self._claim_count:
            assert self.printed is not None
            found += check_claims(self.printed.claims, self._cells if self._has_tables else None)
        return tuple(found)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every finding as a sentence."""
        return tuple(sentence(finding) for finding in self.all_findings)

    @cached_property
    def marks(self) -> Mapping[tuple[str, int, str], str]:
        """What is wrong with a cell, by table, row and column."""
        marks: dict[tuple[str, int, str], list[str]] = {}
        for finding in self.all_findings:
            for row, column in finding.cells if finding.flags else ():
                marks.setdefault((finding.table, row, column), []).append(finding.says + _expected(finding))
        return {place: " ".join(dict.fromkeys(says)) for place, says in marks.items()}

    @cached_property
    def figure_count(self) -> int:
        """How many figures are printed."""
        tables = int(self._cells["value"].notna().sum()) if self._has_tables else 0
        cards = int(self.printed.cards["value"].notna().sum()) if self._has_cards and self.printed else 0
        return tables + cards

    @cached_property
    def _checked(self) -> dict[str, set[tuple[Any, ...]]]:
        """The figures each kind of comparison reaches."""
        reached: dict[str, set[tuple[Any, ...]]] = {"published": set(), "counts": set(), "cards": set()}
        if self._has_tables:
            compared = compare_with_published(self._cells, self._inputs.rates)
            reached["published"] = _places(compared)
            rows = printed_measure_rows(self._cells)
            reached["counts"] = _places(rows[rows["denominator"].notna() & rows["numerator"].notna()])
        if self._has_cards:
            assert self.printed is not None
            recomputed = recompute_cards(self.printed.cards)["recomputed"]
            reached["cards"] = {(CARDS, number) for number, value in enumerate(recomputed) if value == value}
        return reached

    # -- blocks --------------------------------------------------------------------------------------

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        against = "DfE's published files" if self.has_files else "Reference values of DfE's statistics"
        if self.printed is not None and not self._has_tables:
            against = "The other figures of the cards"
        facts = [
            ("Area", f"{self.area.name} ({self.area.code})"),
            ("Period", f"Academic year {show_academic_year(self.year)}"),
            ("Data", _capital(self._what())),
            ("Held against", against),
            ("Status", "Printed figures are public"),
        ]
        names = [] if self.printed is None else [table.name for table in self.printed.tables]
        if self.printed is not None and self.printed.cards_name:
            names.append(self.printed.cards_name)
        if self.printed is not None:
            names += [f"{report.name} ({report.source})" for report in self.printed.claims]
        sources = [f"Printed figures: {', '.join(names)}."] if names else []
        if self._has_tables or self.printed is None:
            sources += [SERIES[name].note for name in ("census", "attendance")]
        footer = [
            ("Small numbers", "Nothing is hidden: a printed report is a public document and is shown as printed."),
            ("Sources", " ".join(sources)),
            ("Parameters", f"area {self.area.name}; academic year {show_academic_year(self.year)}"),
        ]
        if self.report_date:
            footer.append(("Made on", self.report_date))
        footer.append(("Made with", toolkit_versions()))
        if self.contact:
            footer.append(("Contact", self.contact))
        return PageHead(
            f"Printed attendance figures of {self.area.name}, checked",
            "Every figure as printed, held against its own counts, its own totals and DfE's published figures",
            tuple(facts),
            False,
            tuple(footer),
            "printed_tables",
            self.area.code,
            self.area.name,
            self.year,
        )

    def _what(self) -> str:
        if self.printed is None:
            return "nothing given"
        parts = [_counted(len(self.printed.tables), "table")] if self._has_tables else []
        parts += ["a set of cards"] if self._has_cards else []
        parts += [f"{_counted(self._claim_count, 'claim')} of the text"] if self._claim_count else []
        return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)

    def tiles(self) -> Tiles | None:
        """Return how many figures were read, how many are marked and how many findings there are."""
        if self.printed is None:
            return None
        reached = self._checked
        words = [
            f"{len(reached['published'])} with DfE's figures" if reached["published"] else "",
            f"{len(reached['counts'])} with their own counts" if reached["counts"] else "",
            f"{len(reached['cards'])} with the rest of the cards" if reached["cards"] else "",
        ]
        compared = "; ".join(word for word in words if word) or "None with published figures or counts"
        count, marked = len(self.all_findings), len(self.marks)
        return Tiles(
            (
                Tile("Figures read", show_number(self.figure_count), f"In {self._what()}"),
                Tile("Figures compared", show_number(len(set().union(*reached.values()))), compared),
                Tile("Findings", show_number(count), f"{_counted(marked, 'figure')} marked"),
            )
        )

    def notice(self) -> Notice:
        """Return how the page is to be read, or what to give where nothing was."""
        if self.printed is None:
            return Notice(WHAT_TO_GIVE, "Nothing to check")
        return Notice(
            "Every figure below is shown as it is printed. A figure with [note] beside it is marked, and its row is bold:"
            " the note under the table says what is wrong and what it should be. A mark is made only where no rounding can"
            " explain the figure. A figure without a mark agrees with whatever it could be held against, which for some"
            " figures is nothing.",
            "How to read this page",
        )

    def tables(self) -> Blocks | Notice:
        """Return each printed table, marked."""
        if self.printed is None or not self.printed.tables:
            return Notice("No printed table was given.")
        return Blocks(self._tables())

    def _tables(self) -> Iterator[Table]:
        assert self.printed is not None
        for table in self.printed.tables:
            keys = [meaning for _, meaning in table.layout.keys]
            columns = (Column(_KEY_NAMES[keys[-1]], align="left"), *(self._column(c) for c in table.layout.columns))
            rows: list[Row] = []
            for number, cells in table.cells.groupby("row", sort=False):
                texts = table.headings[int(str(number))]
                section = ", ".join(texts[:-1])
                shown = tuple(self._cell(record) for record in cells.to_dict("records"))
                rows.append(Row(texts[-1] or BLANK, shown, section, any(cell.note for cell in shown)))
            blank = any(cell.shown == BLANK for row in rows for cell in row.cells)
            yield Table(
                _slug(table.layout.name),
                f"{table.layout.title} ({table.layout.name} as printed)",
                f"{self._places_of(table.layout.columns)}; figures and decimals as printed",
                columns,
                tuple(rows),
                f"{table.name}, typed from the printed report.",
                (f"{BLANK} stands where nothing is printed.",) if blank else (),
            )

    def _places_of(self, columns: Iterable[Any]) -> str:
        return " and ".join(dict.fromkeys(self._place_of(column) for column in columns))

    def _place_of(self, column: Any) -> str:
        if column.area == "local":
            return self.area.name
        return find_area(ENGLAND if column.area == "national" else column.area).name

    def _column(self, column: Any) -> Column:
        name = self._place_of(column)
        group, _, rest = column.label.partition(": ")
        unit = "%" if column.role == "rate" else ""
        if column.published:
            what = _MEASURES.get(column.measure, "")
            return Column(f"{name}, {what}" if what else name, group, unit)
        return Column(_capital(rest) if column.measure or column.role == "size" else name, group, unit)

    def _cell(self, record: Mapping[str, Any] | dict[Any, Any]) -> Cell:
        place = (record["table"], record["row"], record["column"])
        return Cell(record["printed"] or BLANK, note=self.marks.get(place, ""))

    def findings(self) -> Findings | Notice:
        """Return the findings as sentences."""
        if self.printed is None:
            return Notice("Nothing was checked.")
        return Findings(self.sentences or (self.verdict,))

    @property
    def verdict(self) -> str:
        """One sentence: how many findings in how many figures."""
        where = f"{show_number(self.figure_count)} figures of {self._what()}"
        count = len(self.all_findings)
        if not count:
            return f"Nothing was found against the {where}."
        marked = len(self.marks)
        return (
            f"{_counted(count, 'finding')} on the {where};"
            f" {_counted(marked, 'figure')} {'is' if marked == 1 else 'are'} marked."
        )

    def series_table(self) -> Table | Notice:
        """Return which published series each column agrees with."""
        known = column_series(self._cells, self._inputs.rates) if self._has_tables else pd.DataFrame()
        if known.empty:
            return Notice("No column of the given tables could be held against a published figure.")
        rows = []
        assert self.printed is not None
        order = [(t.layout.name, c.name) for t in self.printed.tables for c in t.layout.columns]
        labels = {
            (t.layout.name, c.name): _MEASURES.get(c.measure, "") for t in self.printed.tables for c in t.layout.columns
        }
        records = {(record["table"], record["column"]): record for record in known.to_dict("records")}
        for place in order:
            if place not in records:
                continue
            record = records[place]
            series = SERIES[record["series"]].label if record["series"] else "Not clear"
            status = _capital(SERIES[record["series"]].status) if record["series"] else BLANK
            parts = [
                find_area(record["area_code"]).name,
                show_academic_year(int(record["academic_year"])),
                labels[place],
            ]
            cells = (Cell(series), Cell(status), Cell(f"{record['agree']} of {record['compared']}"))
            rows.append(Row(", ".join(part for part in parts if part), cells, place[0]))
        return Table(
            "series-of-columns",
            "Series with which each column agrees",
            "The series with which most figures of a column agree, and in how many of those compared",
            (
                Column("Column", align="left"),
                Column("Agrees with", align="left"),
                Column("Status", align="left"),
                Column("Figures that agree"),
            ),
            tuple(rows),
            " ".join(SERIES[name].note for name in sorted({str(s) for s in known["series"] if s})),
        )

    def cards_table(self) -> Table | Notice:
        """Return the printed figures of the cards beside the recomputed ones."""
        if self.printed is None or not self._has_cards:
            return Notice("No cards were given.")
        rows = []
        for number, row in enumerate(recompute_cards(self.printed.cards).to_dict("records")):
            mark = self.marks.get((CARDS, number, "printed"), "")
            decimals = int(row["decimals"]) + 1
            new = row["recomputed"]
            cells = (
                Cell(row["printed"] or BLANK, None if row["value"] != row["value"] else row["value"], note=mark),
                Cell(BLANK) if new != new else Cell(show_number(new, decimals), float(new)),
                Cell(row["unit"]),
                Cell(_from_what(row["basis"], row["derived_from"])),
            )
            section = CARD_NAMES.get(str(row["card"]), str(row["card"]))
            rows.append(Row(quantity_label(str(row["quantity"])), cells, section, bool(mark)))
        return Table(
            "cards",
            "Cards: each figure as printed, and worked out again",
            f"Recomputed figures have one decimal more; {BLANK} stands beside a given figure",
            (
                Column("Figure", align="left"),
                Column("Printed"),
                Column("Recomputed"),
                Column("Unit", align="left"),
                Column("From what", align="left"),
            ),
            tuple(rows),
            f"{self.printed.cards_name}, typed from the printed cards.",
            (
                "Differences of percentages are percentage points, whatever sign is printed. The equivalent at the current"
                " cohort is this year's enrolments less last year's printed rate of this year's enrolments: it is not the"
                " difference of two counts.",
            ),
        )

    def results(self) -> Result:
        """Return the counts of figures, marks and findings, and every finding, for ``result.json``."""
        if self.printed is None:
            return Result(())
        whole = {"area": self.area.name, "area_code": self.area.code, "academic_year": self.year, "series": "printed"}
        counts = (
            ("printed_figures", self.figure_count, None),
            ("printed_figures_marked", len(self.marks), self.figure_count),
            ("printed_findings", len(self.all_findings), None),
        )
        rows: list[Mapping[str, Any]] = [
            {
                "id": f"{name}:{self.year}",
                "measure": name,
                **whole,
                "groups": {},
                "numerator": count,
                "denominator": among,
                "rate": count / among if among else None,
                "symbol": "",
            }
            for name, count, among in counts
        ]
        for number, finding in enumerate(self.all_findings, 1):
            rows.append(
                {
                    "id": f"printed_finding:{number}",
                    "measure": "printed_finding",
                    **whole,
                    "groups": {"table": finding.table, "check": finding.check},
                    "numerator": None,
                    "denominator": None,
                    "rate": None,
                    "symbol": "z",
                    "printed": finding.printed,
                    "expected": finding.expected,
                    "cells": [list(cell) for cell in finding.cells],
                    "says": sentence(finding),
                }
            )
        return Result(tuple(rows))


_KEY_NAMES = {"phase": "School type", "group": "Pupils", "nc_year": "Year group", "measure": "Measure"}


def _counted(number: int, word: str) -> str:
    return f"{show_number(number)} {word}{'' if number == 1 else 's'}"


def _from_what(basis: str, in_file: str) -> str:
    """Return the figures a card's figure was worked out from, and what the file says of it."""
    if basis.startswith(in_file):
        return basis
    return f"{basis}; in the file: {in_file}" if in_file else basis


def _places(rows: pd.DataFrame) -> set[tuple[Any, ...]]:
    return set(zip(rows["table"], rows["row"], rows["column"], strict=True))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _slug(text: str) -> str:
    return "printed-" + re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
