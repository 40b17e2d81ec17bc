"""Pages of the real notebooks on made-up pupils: every number is explained, with no case made for any sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from attendance_toolkit import notebook as at
from attendance_toolkit.disclosure.gate import check_page, check_result, self_test
from attendance_toolkit.reporting.page_lint import lint_page
from tests.unit.disclosure.gate.pages import notebook_page

NOTEBOOKS = Path(__file__).resolve().parents[4] / "notebooks"
AREA = {"area": "Irwell Bank", "academic_year": "2023/24", "report_date": "2024-11-22", "contact": "a@example.org"}


def made_page(name, kind, **given):
    inputs = at.open_inputs(**AREA, **given)
    return notebook_page(NOTEBOOKS / name, kind(inputs), words=("2024-11-22", "a@example.org"))


@pytest.fixture(scope="module")
def overview(synthetic_store):
    return made_page("01_overview.ipynb", at.Overview, store=str(synthetic_store))


def test_every_number_of_the_overview_is_explained(overview):
    assert lint_page(overview.outputs.html) == []
    assert [str(finding) for finding in check_page(overview.outputs.html, overview.evidence)] == []
    assert check_result(overview.outputs.result, overview.evidence) == []
    # And there was something to explain: hundreds of figures in cells with ids, hundreds noted in sentences and charts.
    assert overview.outputs.html.count("data-cell=") > 500
    assert len(overview.evidence.noted) > 100


def test_the_gate_sees_every_poison_on_the_overview(overview):
    tried, missed = self_test(overview.outputs.html, overview.evidence)
    assert [str(finding) for finding in missed] == []
    assert tried >= 70


def test_every_number_of_the_page_on_data_quality_is_explained(synthetic_store):
    made = made_page("00_data_quality.ipynb", at.DataQuality, store=str(synthetic_store))
    assert [str(finding) for finding in check_page(made.outputs.html, made.evidence)] == []
    assert check_result(made.outputs.result, made.evidence) == []


def test_a_page_of_another_area_is_not_explained(overview, synthetic_store):
    """The same notebook, another authority: its figures are not the first one's."""
    other = notebook_page(
        NOTEBOOKS / "01_overview.ipynb",
        at.Overview(at.open_inputs(**{**AREA, "area": "Aldermoor"}, store=str(synthetic_store))),
        words=("2024-11-22", "a@example.org"),
    )
    assert [str(finding) for finding in check_page(other.outputs.html, other.evidence)] == []
    rules = {finding.rule for finding in check_page(other.outputs.html, overview.evidence)}
    assert {"unexplained_number", "unknown_cell", "unknown_drawing"} <= rules
