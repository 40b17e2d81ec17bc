"""Charts of flows and limits pass the gate, as long as every figure they write is a cleared or derived one."""

from __future__ import annotations

import pytest

from attendance_toolkit.disclosure.gate import check_csv, check_page, evidence_for
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.presentation import figures
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.reporting.page_lint import lint_page
from tests.unit.disclosure.gate.pages import MARKDOWN, Made, page_mode, with_ids
from tests.unit.presentation.examples import (
    BANDS,
    code,
    course,
    flows,
    limits_at,
    make_head,
    notebook,
    schools,
)

WORDS = {"title": "What was found", "subtitle": "Aldermoor"}
#: Mean and limits no cleared row has; the centre of the funnel is a row of its own as well.
_LINES = [
    {"measure": "overall_absence_rate", "rate": 0.07163, "lower": 0.06017, "upper": 0.08309},
    {"measure": "persistent_absence_rate", "rate": 0.20171},
]


def page(derived: list[dict], *, signals: bool = True) -> Made:
    """Return a page of the charts, every row with an id, and what the gate knows of it."""
    flow = with_ids(flows(hidden=[(BANDS[0], BANDS[4])], steps=["Year to year", "Autumn to spring"]))
    time = with_ids(course(hidden=(201819, "Summer")))
    every = with_ids(schools(hidden="Elm"))
    line, centre = _LINES
    flagged = {"beyond limits": [(202223, "Spring")], "run of 7": [(201718, "Autumn"), (201718, "Spring")]}
    with page_mode():
        blocks = [
            figures.flow_bars(flow, id="flows", step="step", **WORDS),
            figures.control_chart(
                time, id="control", x="term", year="academic_year", centre=line["rate"], lower=line["lower"],
                upper=line["upper"], signals=flagged if signals else {}, is_trial=True, marked_years=[202021], **WORDS,
            ),
            figures.funnel_chart(
                every, limits_at(range(100, 1700, 25)), id="funnel", category="school", label="label",
                centre=("All schools", centre["rate"]), **WORDS,
            ),
        ]  # fmt: skip
        outputs = collect_outputs(notebook(code(*blocks), head=make_head()))
    tables: list[ProtectedTable] = [flow, time, every]
    words = ("Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.")
    return Made(outputs, evidence_for(tables, outputs, words=words, texts=MARKDOWN, derived=derived), flow)


@pytest.mark.parametrize("signals", [True, False])
def test_the_page_and_its_downloads_pass(signals):
    made = page(_LINES, signals=signals)
    assert [str(finding) for finding in check_page(made.outputs.html, made.evidence)] == []
    assert lint_page(made.outputs.html) == []
    assert len(made.outputs.tables) == 3
    for text in made.outputs.tables.values():
        assert check_csv(text, made.evidence) == []


def test_a_mean_or_limit_nobody_derived_is_refused():
    made = page([])
    rules = {finding.rule for finding in check_page(made.outputs.html, made.evidence)}
    assert "unexplained_number" in rules
