"""Notebooks hold parameters, calls and prose; everything else belongs in the package."""

from __future__ import annotations

import ast
from pathlib import Path

import jupytext
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
FORBIDDEN = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.For,
    ast.While,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.Lambda,
    ast.Try,
    ast.With,
)
FORBIDDEN_CALLS = {
    "groupby",
    "merge",
    "apply",
    "read_csv",
    "read_parquet",
    "Path",
    "open",
    "pivot",
    "pivot_table",
    "join",
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4), request.param


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_cells_are_thin(notebook):
    cells = [cell for cell in notebook[0].cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, 1):
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
        assert len(lines) <= 14, f"code cell {number} has {len(lines)} lines"
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, FORBIDDEN), f"code cell {number} has a {type(node).__name__}"
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                assert name not in FORBIDDEN_CALLS, f"code cell {number} calls {name}"


def test_imports_only_the_package(notebook):
    for cell in notebook[0].cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                assert [(a.name, a.asname) for a in node.names] == [("attendance_toolkit", "at")]
            assert not isinstance(node, ast.ImportFrom)


def test_markdown_types_no_numbers(notebook):
    for cell in notebook[0].cells:
        if cell.cell_type == "markdown":
            assert not any(character.isdigit() for character in cell.source), cell.source


def test_parameters_cell_is_first_and_has_help(notebook):
    from attendance_toolkit.reporting.params import notebook_parameters

    assert "parameters" in notebook[0].cells[0].metadata.tags
    found = notebook_parameters(notebook[1])
    assert {"area", "academic_year", "audience", "store", "published"} <= set(found)
    assert all(parameter.help for parameter in found.values())


def test_text_twin_is_the_same_notebook(notebook):
    book, path = notebook
    twin = jupytext.read(path.with_suffix(".py"))
    assert [(c.cell_type, c.source) for c in twin.cells] == [(c.cell_type, c.source) for c in book.cells]


def test_cells_with_headline_numbers_keep_their_output(notebook):
    # A stripped notebook passes any comparison: cells without stored output are never compared.
    checked = [c for c in notebook[0].cells if "nbval-check-output" in c.metadata.get("tags", [])]
    assert checked
    assert all(cell.outputs for cell in checked)
    others = [c for c in notebook[0].cells if c.cell_type == "code" and c not in checked]
    assert not any(cell.outputs for cell in others)
