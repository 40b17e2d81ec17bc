"""A small page made as the runner makes one: in page mode, from tables whose rows have ids, with drawings sealed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat.v4 as v4

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.disclosure.gate import Evidence, evidence_for, notebook_texts
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.presentation.blocks import (
    Block,
    Cell,
    Column,
    Findings,
    Notice,
    Result,
    Row,
    Table,
    Tile,
    Tiles,
)
from attendance_toolkit.presentation.figures import (
    Membership,
    bars,
    dot_panels,
    line_by_level,
    small_multiples_by_year,
    upset_rows,
)
from attendance_toolkit.presentation.formats import rate_cell, records
from attendance_toolkit.presentation.narrative import change_sentence, compared_with, one_in, percent, said
from attendance_toolkit.presentation.tables import heat_table, measure_table
from attendance_toolkit.reporting.exporter import PageOutputs, collect_outputs
from attendance_toolkit.versions import toolkit_versions
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.rounding import show_number
from tests.unit.presentation.examples import code, make_head, protected, row

MARKDOWN = ("## Summary\n\nOf 190 school days. More at [GOV.UK](https://www.gov.uk/).", "## Tables")
SEAL = "key of this test"


@dataclass(frozen=True)
class Made:
    """A page and what the gate knows of it."""

    outputs: PageOutputs
    evidence: Evidence
    table: ProtectedTable


@contextmanager
def page_mode(seal: str = SEAL) -> Iterator[None]:
    """Do as a kernel does while a page is made."""
    before = {name: os.environ.get(name) for name in (ledger.OUTPUT_VARIABLE, "ATTENDANCE_SEAL")}
    ledger.drain()
    os.environ.update({ledger.OUTPUT_VARIABLE: "page", "ATTENDANCE_SEAL": seal})
    try:
        yield
    finally:
        ledger.drain()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def with_ids(table: ProtectedTable) -> ProtectedTable:
    """Return the table with an id for each row, as a release gives them."""
    groups = [name for name in table.rows.columns if name not in ("numerator", "denominator", "rate", "lower", "upper")]
    texts = table.rows[groups].astype(str).agg("|".join, axis=1)
    ids = ["c" + hashlib.sha256(text.encode()).hexdigest()[:10] for text in texts]
    return ProtectedTable(table.rows.assign(cell=ids), table.rule, table.source, table.is_synthetic)


def figures(area: str = "E90000001", shift: float = 0.0) -> list[dict]:
    """Return rows of three phases and years; severe absence of special schools is hidden."""
    return [
        {
            **row(measure, round((base + 0.01 * i) * factor, 5) + shift, half=0.00613, phase=phase, academic_year=year),
            "area_code": area,
            "symbol": "c" if phase == "Special" and measure.startswith("severe") else "",
        }
        for phase, base in (("Primary", 0.0613), ("Secondary", 0.0917), ("Special", 0.1371))
        for i, year in enumerate((202122, 202223, 202324))
        for measure, factor in (("overall_absence_rate", 1.0), ("severe_absence_rate", 0.31))
    ]


def cleared() -> ProtectedTable:
    """Return the cleared table of the page: the area and England."""
    return with_ids(protected([*figures(), *figures("E92000001", 0.00417)], synthetic=False))


def make_page(table: ProtectedTable | None = None, *, extra: tuple[str, ...] = ()) -> Made:
    """Return the page; ``extra`` sentences are added to its findings."""
    table = table or cleared()
    own = table.select(area_code="E90000001")
    found = {(r["area_code"], r["phase"], r["academic_year"], r["measure"]): r for r in records(table)}

    def of(measure: str, year: int = 202324, area: str = "E90000001", phase: str = "Primary") -> dict:
        return found[(area, phase, year, measure)]

    with page_mode():
        now, was = of("overall_absence_rate"), of("overall_absence_rate", 202223)
        change = record_difference(now, was)
        gap = record_difference(now, of("overall_absence_rate", area="E92000001"))
        mean = sum(of("overall_absence_rate", year)["rate"] for year in (202122, 202223, 202324)) / 3
        sentences = (
            change_sentence("Overall absence", was, now, change, "2023/24", "2022/23"),
            f"The mean of the three yearly rates, 2021/22 to 2023/24, is {percent(mean)}.",
            f"About {one_in(of('severe_absence_rate')['rate'])} enrolments missed 50% or more of their sessions.",
            ledger.phrase("3 of 12 schools were received.", "schools"),
            *extra,
        )
        tile = Tile(
            "Overall absence", said(now), compared_with(now, of("overall_absence_rate", area="E92000001"), "England"),
            tuple(of("overall_absence_rate", year)["rate"] for year in (202122, 202223, 202324)),
        )  # fmt: skip
        head = make_head(synthetic=False)
        cells = [
            code(head),
            v4.new_markdown_cell(MARKDOWN[0]),
            code(Tiles((tile,)), Findings(sentences)),
            code(Notice("Figures for 2023/24 are provisional.", "Note")),
            v4.new_markdown_cell(MARKDOWN[1]),
            code(
                measure_table(
                    own, id="by-phase", rows=["phase", "academic_year"], value="both", title="Absence, 2021/22 to 2023/24"
                ),
                Table(
                    "gaps", "Gap to England", "Percentage points", (Column("Phase"), Column("Gap"), Column("Pupils")),
                    (Row("Primary", (rate_cell(gap), Cell(show_number(now["denominator"]), now["denominator"]))),),
                ),
            ),
            code(
                small_multiples_by_year(
                    own.select(measure="overall_absence_rate").__class__(
                        own.select(measure="overall_absence_rate").rows.assign(series_label="Aldermoor"),
                        own.rule, own.source, own.is_synthetic,
                    ),
                    id="trend", panel="phase", title="Absence rose", subtitle="Share of sessions missed",
                ),
                bars(
                    own.select(measure="severe_absence_rate", academic_year=202324), id="severe", category="phase",
                    title="Severe absence by school type", subtitle="Aldermoor, 2023/24",
                ),
            ),
            code(*_crossed(own, of("severe_absence_rate", area="E92000001"))),
            code(Result(({"id": "overall:202324", "area": "Aldermoor", "academic_year": 202324, "groups": {}, **_core(now)},))),
        ]  # fmt: skip
        outputs = collect_outputs(v4.new_notebook(cells=cells), index_href="../../../index.html")
    words = ("Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.")
    return Made(outputs, evidence_for([table], outputs, words=words, texts=MARKDOWN), table)


def _crossed(own: ProtectedTable, england: dict) -> list[Block]:
    """Return a shaded table and the charts of groups that are crossed."""
    severe = own.select(measure="severe_absence_rate")
    severe = ProtectedTable(severe.rows.assign(pupils="All"), severe.rule, severe.source, severe.is_synthetic)
    words = {"title": "Severe absence by school type", "subtitle": "Aldermoor"}
    last = severe.select(academic_year=202324)
    sets = [Membership("Secondary", "phase", ("Secondary",)), Membership("Special", "phase", ("Special",))]
    reference = ("England", england["rate"])
    return [
        heat_table(severe, id="heat", rows="phase", columns="academic_year", **words),
        line_by_level(last, id="levels", x="phase", series="pupils", **words),
        dot_panels(
            severe, id="panels", panel="academic_year", category="phase", references={202324: reference}, **words
        ),
        upset_rows(last, id="combined", sets=sets, reference=reference, most=2, **words),
    ]  # fmt: skip


def _core(record: dict) -> dict:
    return {
        name: record[name]
        for name in ("cell", "measure", "numerator", "denominator", "rate", "lower", "upper", "symbol")
    }


def notebook_page(notebook: Path, page: DeepDive, *, words: tuple[str, ...] = ()) -> Made:
    """Return a real notebook's page, its cells run in this process on a deep dive."""
    tables = []
    for name in page.declared():
        with suppress(NoDataError):
            tables.append(page.cleared(name))
    cells = []
    with page_mode():
        names: dict = {"page": page}
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                cells.append(v4.new_markdown_cell(source, metadata=cell["metadata"]))
            elif "open_inputs" in source:
                cells.append(code(page.head()))
            elif "parameters" not in cell["metadata"].get("tags", []):
                cells.append(code(*_shown(source, names)))
        outputs = collect_outputs(v4.new_notebook(cells=cells), index_href="../../../index.html")
    area = (page.inputs.area.name, page.inputs.area.code, toolkit_versions(), *words)
    derived = page.derived() if hasattr(page, "derived") else ()
    evidence = evidence_for(tables, outputs, words=area, texts=notebook_texts(notebook), derived=derived)
    return Made(outputs, evidence, tables[0])


def _shown(source: str, names: dict) -> list[Block]:
    """Run a cell and return the blocks it shows: those given to ``display`` and that of its last line."""
    shown: list[Block] = []
    names["display"] = lambda *blocks: shown.extend(blocks)
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    return [*shown, *([value] if isinstance(value, Block) else [])]
