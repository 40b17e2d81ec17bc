from __future__ import annotations

import csv
import dataclasses
import io
import json
import math

import pytest

from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.presentation.blocks import (
    MIME,
    Cell,
    Column,
    Figure,
    Findings,
    Notice,
    Paragraph,
    Result,
    Row,
    Table,
    Tile,
    Tiles,
    block_from_document,
)
from tests.unit.presentation.examples import make_figures, make_head, make_heat_table, make_new_figures, make_tables


def every_block():
    return [
        *make_figures(),
        *make_new_figures(),
        *make_tables(),
        make_heat_table(),
        make_head(),
        Findings(("One.",), "Title"),
        Paragraph("Text."),
        Notice("Missing."),
        Tiles((Tile("L", "1%", "more", (1.0, math.nan, 2.0)),)),
        Result(({"rate": math.nan, "groups": {"phase": "Primary"}},)),
    ]


@pytest.mark.parametrize("block", every_block(), ids=lambda b: b.kind)
def test_a_block_survives_the_notebook_file(block):
    data, _ = block._repr_mimebundle_()
    document = json.loads(json.dumps(data[MIME], allow_nan=False))
    again = block_from_document(document)
    assert again == block
    assert again.document() == block.document()
    assert data["text/plain"]


def test_an_output_of_another_version_is_refused():
    with pytest.raises(ReportError, match="another version"):
        block_from_document({**Paragraph("x").document(), "version": 99})


def test_a_figure_shows_png_in_jupyterlab_and_not_for_the_page(monkeypatch):
    figure = make_figures()[0]
    monkeypatch.delenv("ATTENDANCE_OUTPUT", raising=False)
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert metadata["image/png"]["alt"] == figure.alt
    monkeypatch.setenv("ATTENDANCE_OUTPUT", "page")
    data, _ = figure._repr_mimebundle_()
    assert set(data) == {MIME, "text/plain"}


@pytest.mark.parametrize("symbol", ["c", "x", "z", "low", "k"])
def test_a_symbol_instead_of_a_number_refuses_the_number(symbol):
    with pytest.raises(DisclosureError):
        Cell("7.7", 7.7, symbol)
    assert Cell(symbol=symbol).shown == symbol


def test_low_reliability_stands_beside_its_number_or_alone():
    assert Cell("7.7", 7.7, "u").shown == "7.7 u"
    assert Cell(symbol="u").shown == Cell(symbol="u").csv_text() == "u"


@pytest.mark.parametrize("symbol", ["c", "x", "z", "low", "k", "u"])
def test_a_cell_with_a_symbol_has_no_shade(symbol):
    with pytest.raises(DisclosureError, match="shade"):
        Cell(symbol=symbol, shade=0)
    with pytest.raises(DisclosureError, match="shade"):
        Cell("7.7", 7.7, shade=5)


def test_a_table_with_shades_of_its_own_is_refused():
    table = make_heat_table()
    first = table.rows[0]
    cells = (*first.cells[:-1], dataclasses.replace(first.cells[-1], shade=0))
    with pytest.raises(DisclosureError, match="do not follow from the figures"):
        dataclasses.replace(table, rows=(dataclasses.replace(first, cells=cells), *table.rows[1:]))


def test_an_output_stored_before_there_were_shades_is_read():
    document = json.loads(json.dumps(make_tables()[0].document()))
    del document["key"]
    for line in document["rows"]:
        for cell in line["cells"]:
            del cell["shade"]
    assert block_from_document(document) == make_tables()[0]


def test_csv_has_what_is_shown_and_no_formula():
    table = Table(
        "t",
        "Title",
        "",
        (Column("School", align="left"), Column("Rate", "Primary", "%"), Column("Pupils", "Primary")),
        (
            Row("=cmd()", (Cell("7.7", 7.712345), Cell("1,234", 1234)), "A, B"),
            Row("Plain", (Cell(symbol="c"), Cell("−2", -2)), "A, B"),
        ),
    )
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows == [
        ["Section", "School", "Primary: Rate (%)", "Primary: Pupils"],
        ["A, B", "'=cmd()", "7.712345", "1234"],
        ["A, B", "Plain", "c", "-2"],
    ]


def test_a_row_of_the_wrong_length_is_named():
    with pytest.raises(ReportError, match="row 'Primary': 1 cells for 2 columns"):
        Table("t", "T", "", (Column("a"), Column("b"), Column("c")), (Row("Primary", (Cell("1"),)),))


def test_a_figure_needs_words():
    table = make_tables()[1]
    with pytest.raises(ReportError, match="text equivalent"):
        Figure("f", "Title", "", "chart", "<svg />", "<svg />", table)


@pytest.mark.parametrize("name", ["Phase", "1st", "a b", ""])
def test_ids_are_plain(name):
    with pytest.raises(ReportError, match="cannot be the id"):
        Table(name, "T", "", (Column("a"),), ())
