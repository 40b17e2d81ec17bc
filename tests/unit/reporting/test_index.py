from __future__ import annotations

import hashlib
import json
import re

import pytest

from attendance_toolkit.errors import NoDataError, ReportError
from attendance_toolkit.reporting.index import write_index
from attendance_toolkit.reporting.page_lint import lint_page

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
