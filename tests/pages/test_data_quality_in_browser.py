"""The page on data quality in a real browser: of data without a fault, and with planted ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.loaders.load import load_files
from tests.pages.test_page_in_browser import VIEWS, open_all
from tests.unit.deepdives.test_data_quality import year_of


def _page(folder: Path, store: Path, area: str, audience: str) -> Path:
    arguments = ["report", "data_quality", "--area", area, "--year", "2023/24", "--store", str(store)]
    result = CliRunner().invoke(
        main, [*arguments, "--audience", audience, "--out", str(folder), "--key", str(store.with_name("key"))]
    )
    assert result.exit_code == 0, result.output
    return next(folder.parent.rglob("data_quality/index.html"))


@pytest.fixture(scope="module")
def clean_page(tmp_path_factory, synthetic_store):
    return _page(tmp_path_factory.mktemp("clean") / "out", synthetic_store, "Irwell Bank", "partner")


@pytest.fixture(scope="module")
def planted_page(tmp_path_factory):
    """The page of two terms of three schools, one of them missing once, with blank UPNs, for those who hold the data."""
    folder = tmp_path_factory.mktemp("planted")
    spring, summer, _ = year_of(schools=3)
    for table, rows in summer.tables.items():
        summer.tables[table] = [row for row in rows if row.get("NativeId") != "9812003"]
    for row in spring.tables["pupilonroll"][:3]:
        row["upn"] = ""
    for made in (spring, summer):
        made.write(folder / "in")
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return _page(folder / "out", folder / "store", "Aldermoor", "internal")


@pytest.mark.parametrize("which", ["clean_page", "planted_page"])
@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out(name, which, browser, request):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page_file = request.getfixturevalue(which)
    context = browser.new_context(bypass_csp=True, **VIEWS[name])
    page = context.new_page()
    page.goto(page_file.as_uri())
    open_all(page)
    violations = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_planted_faults_are_on_the_page(browser, planted_page):
    page = browser.new_page()
    page.goto(planted_page.as_uri())
    text = page.inner_text("main")
    assert "Cannot be reported for all schools of Aldermoor in the full year 2023/24: all figures listed below." in text
    assert "All schools in the spring term of 2023/24: cannot be reported." in text
    assert "9812003" in text
    assert page.locator("tr.strong").count() > 0
    page.close()
