from __future__ import annotations

import base64
import json
import re

import nbformat
import nbformat.v4 as v4
import pytest

from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Paragraph, Result
from attendance_toolkit.reporting.exporter import CONTENT_SECURITY_POLICY, PageExporter, collect_outputs
from attendance_toolkit.reporting.page_lint import lint_page
from tests.unit.presentation.examples import code, full_notebook, make_figures, make_head, make_tables, notebook


@pytest.fixture(scope="module")
def page():
    return collect_outputs(full_notebook())


def test_the_page_passes_its_own_checks(page):
    assert lint_page(page.html) == []


def test_the_same_notebook_gives_the_same_bytes(page):
    assert collect_outputs(full_notebook()).html == page.html


def test_a_notebook_read_from_disk_gives_the_same_page(page, tmp_path):
    path = tmp_path / "executed.ipynb"
    nbformat.write(full_notebook(), path)
    again, _ = PageExporter().from_filename(str(path))
    assert again == page.html


def test_the_page_stands_alone(page):
    assert CONTENT_SECURITY_POLICY in page.html
    for unwanted in ("<script", "<iframe", "<link", "<img", "src=", "@import", "url(", "MathJax", "<!--"):
        assert unwanted not in page.html
    assert len(page.html.encode()) < 200_000


def test_contents_follow_the_headings(page):
    nav = page.html.split("<nav")[1].split("</nav>")[0]
    assert re.findall(r'<a href="#([^"]+)">([^<]+)</a>', nav) == [
        ("summary", "Summary"), ("trends", "Trends"), ("groups", "Groups"),
    ]  # fmt: skip
    assert page.html.count("<h1>") == 1


def test_code_and_notebook_notes_stay_in_the_notebook(page):
    assert "show()" not in page.html
    assert "How to run it" not in page.html


def test_synthetic_is_said_in_banner_title_sources_and_file_names(page):
    assert 'class="banner"' in page.html
    assert "(synthetic data)</title>" in page.html
    sources = re.findall(r'<p class="source">(.*?)</p>', page.html)
    assert sources
    assert all("Synthetic data" in source for source in sources)
    names = re.findall(r'download="([^"]+)"', page.html)
    assert names
    assert all(name.startswith("synthetic-aldermoor-2023-24-") for name in names)


def test_a_source_that_forgot_it_is_still_marked():
    table = make_tables()[1]
    object.__setattr__(table, "source", "Census")
    html = collect_outputs(notebook(v4.new_markdown_cell("## A"), code(table))).html
    assert "Source: Synthetic data. Census" in html


def test_a_real_page_has_no_banner():
    html = collect_outputs(notebook(code(Paragraph("x")), head=make_head(synthetic=False))).html
    assert "ynthetic" not in html


def test_every_download_is_the_table_of_the_result(page):
    links = re.findall(r'download="[^"]*?2023-24-([^"]+)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page.html)
    found = {name: base64.b64decode(data).decode("utf-8-sig") for name, data in links}
    assert found == page.tables
    assert set(page.tables) == {
        "phase-year.csv", "small.csv", "trend-data.csv", "panels-data.csv", "areas-data.csv", "change-data.csv",
        "heat.csv", "levels-data.csv", "dots-data.csv", "combined-data.csv",
    }  # fmt: skip


def test_results_are_gathered_and_not_shown(page):
    assert page.result == [{"id": "overall", "measure": "overall_absence_rate", "rate": 0.077}]
    assert json.dumps(page.result, allow_nan=False)
    assert "overall_absence_rate" not in page.html


def test_figures_and_tables_are_numbered_in_order(page):
    assert re.findall(r"(Figure \d|Table \d):", page.html) == [
        "Figure 1", "Table 1", "Table 2", "Figure 2", "Figure 3", "Figure 4", "Table 3", "Figure 5", "Figure 6", "Figure 7",
    ]  # fmt: skip


def stream(name, text):
    return v4.new_code_cell("x", outputs=[v4.new_output("stream", name=name, text=text)])


SECRET = "B801200005001"
REFUSED = {
    "stdout": stream("stdout", SECRET),
    "stderr": stream("stderr", f"UserWarning: {SECRET}"),
    "error": v4.new_code_cell(
        "x", outputs=[v4.new_output("error", ename="ValueError", evalue=SECRET, traceback=[SECRET])]
    ),
    "text": v4.new_code_cell("x", outputs=[v4.new_output("execute_result", data={"text/plain": SECRET})]),
    "html": v4.new_code_cell("x", outputs=[v4.new_output("display_data", data={"text/html": f"<b>{SECRET}</b>"})]),
    "png": v4.new_code_cell("x", outputs=[v4.new_output("display_data", data={"image/png": "aaaa"})]),
    "json": v4.new_code_cell("x", outputs=[v4.new_output("display_data", data={"application/json": {"a": SECRET}})]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_anything_but_a_block_is_refused_without_repeating_it(kind):
    with pytest.raises(ReportError, match="Cell 3") as caught:
        collect_outputs(notebook(v4.new_markdown_cell("## A"), REFUSED[kind]))
    assert SECRET not in str(caught.value)


def test_html_in_prose_is_shown_as_text():
    html = collect_outputs(notebook(v4.new_markdown_cell("## A\n\n<script>alert(1)</script> <!-- note -->"))).html
    assert "<script" not in html
    assert "<!--" not in html


def test_a_page_needs_exactly_one_title_block():
    with pytest.raises(ReportError, match="shows 0 title blocks"):
        collect_outputs(v4.new_notebook(cells=[code(Paragraph("x"))]))
    with pytest.raises(ReportError, match="shows 2 title blocks"):
        collect_outputs(notebook(code(make_head())))


def test_two_tables_of_one_id_are_refused():
    table = make_tables()[1]
    with pytest.raises(ReportError, match="Cell 2: Two parts of the page have the id 'small'"):
        collect_outputs(notebook(code(table, table)))


def test_headings_of_the_same_words_get_their_own_ids():
    html = collect_outputs(notebook(v4.new_markdown_cell("## Trends\n\na\n\n## Trends\n\nb"))).html
    assert 'id="trends"' in html
    assert 'id="trends-2"' in html
    assert lint_page(html) == []


def test_a_table_may_have_the_id_a_heading_has_taken_only_once():
    figure = make_figures()[0]
    with pytest.raises(ReportError, match="id 'trend'"):
        collect_outputs(notebook(v4.new_markdown_cell("## Trend"), code(figure)))


def test_the_notebook_title_is_left_out_and_a_second_one_refused():
    html = collect_outputs(notebook(v4.new_markdown_cell("# Overview\n\n## A\n\ntext"))).html
    assert "Overview</h1>" not in html
    with pytest.raises(ReportError, match="first-level heading"):
        collect_outputs(notebook(v4.new_markdown_cell("## A\n\ntext\n\n# B")))


def test_the_link_to_all_areas_is_optional():
    nb = notebook(code(Result(({"id": "a"},))))
    assert "All areas" not in collect_outputs(nb).html
    assert '<a href="../../../index.html">All areas</a>' in collect_outputs(nb, index_href="../../../index.html").html


def test_titles_are_escaped_everywhere():
    head = make_head(synthetic=False)
    object.__setattr__(head, "title", 'A "b" <c> & d\\')
    html = collect_outputs(notebook(head=head)).html
    assert "<c>" not in html
    assert lint_page(html) == []
