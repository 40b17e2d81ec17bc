"""The words of the template, and the strict reading of a page."""

from __future__ import annotations

import hashlib

import pytest

from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.numbers import NumberCheck, cell_texts
from attendance_toolkit.disclosure.gate.reading import read_page
from attendance_toolkit.disclosure.gate.words import notebook_texts, package_texts, template_words, words_of
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.presentation.formats import count_cell, rate_cell
from attendance_toolkit.vocabulary.measures import MEASURES


def allows(text, words):
    found = words_of(text)
    return all(words.allows(found, at) for at, word in enumerate(found) if any(map(str.isdigit, word)))


@pytest.fixture(scope="module")
def words():
    return template_words()


def test_texts_of_the_toolkit_are_known(words):
    assert allows(
        "an enrolment that missed 10% or more of its own possible sessions; severe absence: 50% or more.", words
    )


@pytest.mark.parametrize(
    "text",
    ["7 severe absentees", "10% of girls", "There were 5 of them", "Of 190 pupils", "the 3 pupils", "4 boys", "2 of 3"],
)
def test_other_words_with_the_same_numbers_are_not(words, text):
    assert not allows(text, words)


def test_examples_in_docstrings_are_no_texts_of_the_toolkit():
    # vocabulary.rounding and presentation.narrative have these in their doctests.
    joined = "\n".join(package_texts())
    assert "1.8 percentage points" not in joined
    assert "7.7%" not in joined


def test_the_gates_own_poisons_are_no_texts_of_the_toolkit():
    assert not any("severe absentees." in text and "7" in text for text in package_texts())


def test_a_notebook_that_is_none_is_refused(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(DisclosureError, match=r"'a\.ipynb' cannot be read as a notebook"):
        notebook_texts(path)


def test_text_of_inline_elements_runs_on_and_blocks_part_it():
    page = read_page("<!DOCTYPE html><div><p>7<strong>3</strong> of</p><p>x<br>y</p></div>")
    assert page.faults == []
    assert [text.text for text in page.texts] == ["73 of", "x y"]


def test_a_drawings_hash_is_that_of_its_source():
    svg = '<svg class="spark" viewBox="0 0 9 9"><path d="M0 0L1 1"/></svg>'
    page = read_page(f"<!DOCTYPE html><p>a{svg}b</p>")
    assert page.faults == []
    assert [digest for _, digest in page.drawings] == [hashlib.sha256(svg.encode()).hexdigest()]


@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p>",
        "<!DOCTYPE html><p>a < b</p>",
        "<!DOCTYPE html><p a=b>x</p>",
        "<!DOCTYPE html><p a='b'>x</p>",
        "<!DOCTYPE html><p></div>",
        "<!DOCTYPE html><p/>",
        "<!DOCTYPE html><p",
        "<!DOCTYPE html><?php x ?>",
        "<!DOCTYPE html><p>x</p a>",
        '<!DOCTYPE html><p a="<">x</p>',
        "<!DOCTYPE html>x",
    ],
)
def test_what_is_not_written_as_ours_is_malformed(html):
    assert "malformed" in {rule for _, rule, _ in read_page(html).faults}


def test_cells_are_written_as_presentation_writes_them():
    """The gate writes figures by itself; presentation is the other side of the comparison, for every measure."""
    for name in [*MEASURES, "overall_absence_rate_change"]:
        row = {
            "measure": name, "numerator": 1235.0, "denominator": 41230.5, "rate": 0.0299533, "lower": 0.0283456,
            "upper": None, "symbol": "", "decimals": None,
        }  # fmt: skip
        for record in (row, {**row, "decimals": 2}, {**row, "symbol": "u"}):
            texts = cell_texts(record)
            assert {rate_cell(record, c).shown for c in ("rate", "lower", "upper")} <= texts | {"x"}
            assert {count_cell(record, c).shown for c in ("numerator", "denominator")} <= texts


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("Free school meals in the last six years 0.0%; Year 7 29.2%", True),
        ("Year 7", True),
        ("Years 41%", False),
        ("Girls, Years 7 to 9, FSM", True),
        ("Years 10 and 11", True),
        ("Years 7 to 41", False),
        ("Years 7 to 9.5", False),
        ("In Autumn 2021/22", True),
        ("the autumn census 2021", True),
        ("1 in 2", False),
    ],
)
def test_a_year_group_is_told_from_the_number_after_it(text, is_fine):
    row = {"measure": "severe_absence_rate", "rate": 0.292, "numerator": 292.0, "denominator": 1000.0, "symbol": ""}
    zero = {**row, "rate": 0.0, "numerator": 0.0}
    said = (("29.2", 29.2, "figure"), ("0.0", 0.0, "figure"))
    check = NumberCheck(Evidence(cells={"c0000000001": row, "c0000000002": zero}, said=said), None)
    assert (check.faults(text) == []) is is_fine


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("7% of the variation", True),
        ("There were 7 severe absentees.", False),
        ("7 pupils", False),
        ("About 1 in 4 enrolments", True),
        ("4 pupils", False),
        ("1 in 7 pupils", True),
        ("about 10 fewer than if last year's rate had applied", True),
    ],
)
def test_a_whole_percent_allows_no_count_of_as_many_pupils(text, is_fine):
    # 7 is noted twice: as a share of 7.2% without decimals, and 1 in 7 (14.2%); 4 as 1 in 4 (25%).
    rows = {
        f"c000000000{n}": {"measure": "severe_absence_rate", "rate": rate, "numerator": 1000 * rate, "denominator": 1000.0,
                           "symbol": ""}
        for n, rate in enumerate((0.072, 0.142, 0.25))
    }  # fmt: skip
    said = (("7", 7.2, "figure"), ("7", 1 / 0.142, "figure"), ("4", 4.0, "figure"), ("10", 9.6, "figure"))
    derived = ({"measure": "enrolments", "numerator": 9.6, "rate": None},)
    check = NumberCheck(Evidence(cells=rows, said=said, derived=derived), None)
    assert (check.faults(text) == []) is is_fine
