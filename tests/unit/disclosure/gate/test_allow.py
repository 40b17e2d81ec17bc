"""Clean pages pass the allow-list; every poisoned copy is refused, for the reason it should be."""

from __future__ import annotations

import dataclasses

import pytest

from attendance_toolkit.disclosure.gate import check_csv, check_page, check_result, self_test
from attendance_toolkit.disclosure.gate import selftest as selftest_module
from attendance_toolkit.disclosure.gate.poisons import MORE, QUICK
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.presentation.blocks import Figure
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.reporting.page_lint import lint_page
from tests.unit.disclosure.gate.pages import SEAL, cleared, make_page, page_mode
from tests.unit.presentation.examples import code, make_figures, notebook

ALL = (*QUICK, *MORE)


@pytest.fixture(scope="module")
def made():
    return make_page()


def rules(findings):
    return {finding.rule for finding in findings}


# -- clean pages ------------------------------------------------------------------------------------------


def test_a_clean_page_passes(made):
    assert [str(finding) for finding in check_page(made.outputs.html, made.evidence)] == []
    assert lint_page(made.outputs.html) == []


def test_its_tables_and_results_pass(made):
    assert made.outputs.tables
    for text in made.outputs.tables.values():
        assert check_csv(text, made.evidence) == []
    assert check_result(made.outputs.result, made.evidence) == []


def test_the_page_says_how_much_is_hidden(made):
    # 3 of 18 figures of the table by phase and year are hidden, count and rate of each; counted by hand in the fixture.
    hidden = made.outputs.html.count('<td class="n sym"')
    assert f"{hidden} of " in made.outputs.html
    assert "figures in the tables of this page are hidden to protect small numbers" in made.outputs.html


def test_every_cell_of_a_cleared_row_carries_its_id(made):
    ids = set(made.table.rows["cell"])
    carried = {part.split('"')[0] for part in made.outputs.html.split('data-cell="')[1:]}
    assert len(carried) >= 18
    assert carried <= ids


# -- poisoned pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", ALL, ids=lambda poison: poison.name)
def test_a_poisoned_page_is_refused(made, poison):
    spoilt = poison.make(made.outputs.html, made.evidence.cells)
    assert spoilt is not None, "the clean page has nothing to spoil in this way: put it there"
    assert spoilt != made.outputs.html
    found = rules(check_page(spoilt, made.evidence))
    assert found & poison.rules, f"{sorted(found)} has none of {sorted(poison.rules)}"


def test_there_are_more_than_sixty_ways():
    assert len({poison.name for poison in ALL}) == len(ALL) >= 60


SENTENCES = {
    "a number formatted by hand": "There were 83 severe absentees.",
    "a small whole number": "Only 4 were girls.",
    "a percentage formatted by hand": "The rate was 12.34%.",
    "a number of something else, of pupils": "There were 12 pupils.",
    "an area that is not the page's": "The rate of E08000009.",
    "a day that is not the page's": "On 12 March a pupil left.",
    "a time": "At 9:07 they were late.",
    "a fraction": "2/7 of them were absent.",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_of_the_notebook_with_a_number_nobody_cleared_is_refused(name):
    made = make_page(extra=(SENTENCES[name],))
    assert rules(check_page(made.outputs.html, made.evidence)) == {"unexplained_number"}


def test_a_number_written_by_the_toolkit_from_a_figure_nobody_cleared_is_refused():
    """The value goes through our own formatting, so it is in the ledger, but no cleared row explains it."""
    from attendance_toolkit.presentation.narrative import percent

    table = cleared()
    with page_mode():
        sentence = f"Severe absence in special schools was {percent(0.41723)}."
    made = make_page(table, extra=(sentence,))
    noted = (*made.evidence.said, ("41.7", 41.723, "figure"))
    evidence = dataclasses.replace(made.evidence, said=noted)
    assert rules(check_page(made.outputs.html, evidence)) == {"unexplained_number"}


def test_a_small_count_is_refused_in_a_sentence_even_if_a_difference_explains_it(made):
    # Two published counts may differ by 7; that explains no 7 pupils of a sentence.
    cells = {
        f"c000000000{i}": {
            "measure": "severe_absence_rate", "numerator": 100.0 + 7 * i, "denominator": 1000.0, "rate": 0.1 + 0.007 * i,
            "lower": None, "upper": None, "symbol": "", "academic_year": 202223 + 101 * i, "area_code": "E90000001",
        }
        for i in range(2)
    }  # fmt: skip
    html = made.outputs.html.replace("</main>", "<p>There were 7 more.</p>\n</main>")
    evidence = dataclasses.replace(
        made.evidence, cells={**made.evidence.cells, **cells}, said=(*made.evidence.said, ("7", 7.0, "figure"))
    )
    assert evidence.explainer.explain(7.0) == "a change of a cleared count"
    assert rules(check_page(html, evidence)) == {"unexplained_number"}


def test_a_missing_drawing_key_of_another_run_is_refused():
    with page_mode("another key"):
        figure = make_figures()[0]
    with pytest.raises(DisclosureError, match="not drawn by the toolkit"):
        collect_outputs(notebook(code(figure)), seal=SEAL)
    assert collect_outputs(notebook(code(figure)), seal="another key").drawings


def test_a_figure_drawn_by_hand_is_refused():
    with page_mode():
        figure = make_figures()[0]
    forged = dataclasses.replace(figure, svg_wide=figure.svg_wide.replace("<path", '<path opacity="1"', 1))
    assert isinstance(forged, Figure)
    with pytest.raises(DisclosureError, match="not drawn by the toolkit"):
        collect_outputs(notebook(code(forged)), seal=SEAL)


# -- files ------------------------------------------------------------------------------------------------

CSV = {
    "another number": ("6.13", "6.14", "unexplained_number"),
    "a hidden one": (",c", ",0.0719", "unexplained_number"),
    "a formula": ("Primary", "=1+1", "formula"),
    "a number in a name": ("Primary", "Primary (7 pupils)", "unexplained_number"),
    "a number in words": ("Primary", "Primary: seven", "number_in_words"),
    "another line": ("\nSpecial", "\n91731\nSpecial", "unexplained_number"),
    "an invisible character": ("Primary", "Pri\u200bmary", "strange_character"),
}


@pytest.mark.parametrize("name", CSV)
def test_a_poisoned_table_is_refused(made, name):
    old, new, rule = CSV[name]
    text = made.outputs.tables["by-phase.csv"]
    assert old in text
    assert rule in rules(check_csv(text.replace(old, new, 1), made.evidence))


RESULTS = {
    "another rate": ({"rate": 0.5}, "wrong_cell_value"),
    "another row": ({"cell": "c0000000000"}, "unknown_cell"),
    "no row": ({"cell": None, "numerator": 7.25}, "unexplained_number"),
    "hidden": ({"symbol": "c"}, "hidden_cell_shown"),
    "text for a number": ({"rate": "0.5"}, "result"),
    "a number in its id": ({"id": "overall:7"}, "unexplained_number"),
    "a remark": ({"remark": "7 pupils"}, "unexplained_number"),
    "a list": ({"pupils": [7]}, "result"),
    "no year": ({"academic_year": 7}, "result"),
    "a group": ({"groups": {"phase": "7 girls"}}, "unexplained_number"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_poisoned_result_is_refused(made, name):
    change, rule = RESULTS[name]
    assert rule in rules(check_result([{**made.outputs.result[0], **change}], made.evidence))


# -- the gate's own test ------------------------------------------------------------------------------------


def test_the_gate_proves_itself_on_a_page(made):
    tried, missed = self_test(made.outputs.html, made.evidence)
    assert [str(finding) for finding in missed] == []
    assert tried == len(ALL)


def test_on_later_pages_a_handful_is_enough(made):
    assert self_test(made.outputs.html, made.evidence, is_first=False) == (len(QUICK), [])


def test_a_gate_that_sees_nothing_is_found_out(made, monkeypatch):
    monkeypatch.setattr(selftest_module, "check_page", lambda html, evidence: [])
    tried, missed = self_test(made.outputs.html, made.evidence)
    assert len(missed) == tried == len(ALL)
    assert rules(missed) == {"gate_blind"}


def test_a_gate_that_refuses_for_another_reason_is_found_out(made, monkeypatch):
    whole = check_page("", made.evidence)
    monkeypatch.setattr(selftest_module, "check_page", lambda html, evidence: whole)
    assert rules(self_test(made.outputs.html, made.evidence, is_first=False)[1]) == {"gate_blind"}
