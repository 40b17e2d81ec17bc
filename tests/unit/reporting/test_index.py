from __future__ import annotations

import hashlib
import json
import os
import re

import pytest

from attendance_toolkit.disclosure.gate.allow import check_page
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.errors import DisclosureError, NoDataError, ReportError
from attendance_toolkit.reporting.index import index_evidence, index_page, write_index
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.reporting.restricted import open_restricted

MEASURES = ("overall_absence_rate", "persistent_absence_rate", "severe_absence_rate")


def number(measure, rate, year=202324, *, code="E1", area="Aldermoor", series="synthetic", **extra):
    return {
        "id": f"{measure}-{year}", "measure": measure, "area": area, "area_code": code, "academic_year": year,
        "groups": {}, "numerator": None, "denominator": None, "rate": rate, "lower": None, "upper": None,
        "series": series, "symbol": "", **extra,
    }  # fmt: skip


def report(out, folder, rows, manifest=None):
    here = out / folder
    here.mkdir(parents=True)
    (here / "index.html").write_text("page", encoding="utf-8")
    (here / "result.json").write_text(json.dumps(rows), encoding="utf-8")
    (here / "manifest.json").write_text(json.dumps(manifest or {}), encoding="utf-8")


def rows_of(code, area, series="synthetic"):
    rows = []
    for measure, rate in zip(MEASURES, (0.07, 0.2, 0.02), strict=True):
        rows += [number(measure, rate + 0.01, 202223, code=code, area=area, series=series)]
        rows += [number(measure, rate, 202324, code=code, area=area, series=series)]
    changes = ((-0.01, -0.02, -0.001), (0.01, 0.002, 0.02), (0.001, -0.002, 0.004))
    for measure, (rate, lower, upper) in zip(MEASURES, changes, strict=True):
        rows.append(number(f"{measure}_change", rate, code=code, area=area, series=series, lower=lower, upper=upper))
    rows.append(number("overall_absence_rate", 0.99, code=code, area=area, series=series, groups={"phase": "Special"}))
    return rows


@pytest.fixture
def out(tmp_path):
    report(tmp_path, "brackwell/2023-24/overview", rows_of("E2", "Brackwell"))
    report(tmp_path, "aldermoor/2023-24/overview", rows_of("E1", "Aldermoor"))
    report(tmp_path, "aldermoor/2022-23/overview", [number(MEASURES[0], 0.08, 202223)])
    return tmp_path


def read(out):
    return write_index(out).read_text(encoding="utf-8")


def test_areas_stand_in_order_with_links_and_words(out):
    html = read(out)
    assert lint_page(html) == []
    heads = re.findall(r'<th scope="row">(.*?)</th>', html)
    assert heads[0] == '<a href="aldermoor/2023-24/overview/index.html">Aldermoor</a>'
    assert "Brackwell" in heads[1]
    assert 'href="aldermoor/2022-23/overview/index.html"' in html
    assert html.count("Down (−1.0)") == 2
    assert html.count("Up (+1.0)") == 2
    assert html.count("Similar (+0.1)") == 2
    assert "99.0" not in html


def test_sparklines_share_a_scale_and_say_their_course(out):
    html = read(out)
    assert "Overall absence, Brackwell: 8.0% in 2022/23, 7.0% in 2023/24" in html
    paths = re.findall(r'<path d="([^"]+)"', html)
    assert len(set(paths)) == 1


def test_a_synthetic_index_says_so(out):
    assert 'class="banner"' in read(out)


def test_real_and_made_up_areas_are_told_apart(out):
    report(out, "trafford/2023-24/overview", rows_of("E08000009", "Trafford", "census"))
    html = read(out)
    assert 'class="banner"' not in html
    assert "Aldermoor</a> (synthetic)" in html
    assert "Trafford</a></th>" in html
    assert "DfE school census, full year" in html


def test_another_series_is_not_mixed_in(tmp_path):
    rows = [number(MEASURES[0], 0.07, series="census"), number(MEASURES[1], 0.33, series="attendance")]
    report(tmp_path, "a/2023-24/overview", rows)
    html = read(tmp_path)
    assert "33.0" not in html
    assert "x = not available" in html


def test_a_hidden_number_shows_its_symbol(tmp_path):
    report(tmp_path, "a/2023-24/overview", [number(MEASURES[2], None, symbol="c")])
    html = read(tmp_path)
    assert '<td class="n">c</td>' in html
    assert "c = confidential" in html


def test_checksums_cover_every_file_and_rewriting_changes_nothing(out):
    (out / "aldermoor/2023-24/overview/.hidden").write_text("x", encoding="utf-8")
    first = read(out)
    sums = (out / "sha256sums.txt").read_text(encoding="utf-8")
    assert read(out) == first
    assert (out / "sha256sums.txt").read_text(encoding="utf-8") == sums
    listed = dict(reversed(line.split("  ", 1)) for line in sums.splitlines())
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert set(listed) == files - {"sha256sums.txt", "aldermoor/2023-24/overview/.hidden"}
    for name, digest in listed.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


def test_nothing_to_list(tmp_path):
    with pytest.raises(NoDataError):
        write_index(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_result_is_named(out):
    (out / "aldermoor/2023-24/overview/result.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"aldermoor/2023-24/overview/result\.json is not a JSON file"):
        write_index(out)
    assert not (out / "index.html").exists()


def test_names_are_escaped(tmp_path):
    report(tmp_path, "a/2023-24/overview", [number(MEASURES[0], 0.07, area='<b>"St" & Sons')])
    html = read(tmp_path)
    assert "<b>" not in html
    assert lint_page(html) == []


# --- cleared figures, the gate and the two audiences ----------------------------------------------------------

REF = "c0123456789"


def test_figures_carry_the_id_of_their_row_in_the_release(tmp_path):
    rows = [
        number(MEASURES[0], 0.07, cell=REF),
        number(f"{MEASURES[0]}_change", 0.01),
        number(MEASURES[1], 0.2, cell="bad id"),
    ]
    rows += [number(MEASURES[2], None, symbol="c", cell="cfedcba9876")]
    report(tmp_path, "a/2023-24/overview", rows)
    html = read(tmp_path)
    assert f'<td class="n" data-cell="{REF}">7.0</td>' in html
    assert '<td class="n" data-cell="cfedcba9876">c</td>' in html
    assert html.count("data-cell") == 2
    assert lint_page(html) == []


def test_the_index_says_what_it_wrote_and_drew(out):
    page = index_page(out)
    said = {text for text, value, _ in page.said if value is not None}
    assert {"7.0", "20.0", "2.0", "\u22121.0", "+1.0", "+0.1"} <= said
    drawings = re.findall(r"<svg .*?</svg>", page.html, re.DOTALL)
    assert page.drawings == {hashlib.sha256(svg.encode()).hexdigest() for svg in drawings}
    assert len(drawings) == 2
    (style,) = re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)
    assert page.styles == {hashlib.sha256(style.encode()).hexdigest()}
    assert len(page.rows) == 10 * 2 + 1


def numbers_and_drawings(page, html):
    """Return what the gate says of them; links to the pages below are not asked about here."""
    found = check_page(html, index_evidence(page))
    return [finding.rule for finding in found if finding.rule not in ("remote_address", "attribute")]


def test_the_gate_explains_every_number_and_drawing_of_the_index(out):
    page = index_page(out)
    assert numbers_and_drawings(page, page.html) == []


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (">7.0<", ">7.1<"),
        ("(−1.0)", "(−1.3)"),
        ("8.0% in 2022/23", "8.4% in 2022/23"),
        ('<path d="M4', '<path d="M5'),
        ("<dd>2</dd>", "<dd>3</dd>"),
        (".banner{", ".banner{color:red;"),
    ],
)
def test_the_gate_refuses_an_index_that_was_changed(out, what, instead):
    page = index_page(out)
    assert what in page.html
    assert numbers_and_drawings(page, page.html.replace(what, instead, 1))


def test_the_environment_is_as_before(out, monkeypatch):
    monkeypatch.delenv("ATTENDANCE_OUTPUT", raising=False)
    read(out)
    assert "ATTENDANCE_OUTPUT" not in os.environ
    monkeypatch.setenv("ATTENDANCE_OUTPUT", "page")
    read(out)
    assert os.environ["ATTENDANCE_OUTPUT"] == "page"


def test_what_the_gate_finds_refuses_the_index(out):
    asked = []

    def gate(page):
        asked.append(page)
        return [Finding("index.html", "table 1", "unexplained_number", "A number is no cleared figure.")]

    with pytest.raises(DisclosureError, match="unexplained_number"):
        write_index(out, check=gate)
    assert not (out / "index.html").exists()
    assert not (out / "sha256sums.txt").exists()
    assert len(asked) == 1
    assert write_index(out, check=lambda page: []).is_file()


def test_an_internal_page_in_the_folder_for_partners_stops_the_index(out):
    report(out, "aldermoor/2023-24/data_quality", [number(MEASURES[0], 0.07)], {"parameters": {"audience": "internal"}})
    with pytest.raises(DisclosureError, match=r"aldermoor/2023-24/data_quality/index\.html"):
        read(out)
    assert not (out / "index.html").exists()


def test_the_restricted_folder_has_a_marked_index_of_its_own(tmp_path):
    room = open_restricted(tmp_path / "inside", tmp_path / "out")
    report(room.pages, "a/2023-24/overview", rows_of("E1", "Aldermoor"), {"parameters": {"audience": "internal"}})
    html = read(room.pages)
    assert lint_page(html) == []
    assert html.count("<strong>OFFICIAL-SENSITIVE</strong>") == 2
    assert '@top-center{content:"OFFICIAL-SENSITIVE"' in html


def test_pages_for_partners_are_not_marked(out):
    html = read(out)
    assert "OFFICIAL" not in html
    assert "marking" not in html
