"""The pages on districts, on change over time and on severe absence, through runner and gate, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from tests.pages.test_page_in_browser import VIEWS, open_all

REPORTS = (
    "districts", "longitudinal", "schools", "severe_absence_intersectional", "transition_y6_y7", "vulnerable_groups",
)  # fmt: skip
#: Every view of a page is tested on the overview; here each source in the one that is hardest for it.
VIEW_OF = {"synthetic": "360 px dark", "published": "light"}


def _pages(folder: Path, *arguments: str) -> Path:
    result = CliRunner().invoke(main, ["report", *REPORTS, *arguments, "--out", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return folder / "out"


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory, synthetic_store):
    folder = tmp_path_factory.mktemp("synthetic_pages")
    key = str(synthetic_store.with_name("key"))
    return _pages(
        folder, "--area", "Irwell Bank", "--year", "2023/24", "--store", str(synthetic_store), "--key", key
    )  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory, shared):
    folder = tmp_path_factory.mktemp("published_pages")
    real = shared / "data" / "real"
    files = [real / "absence_bands_la_year_group", real / "absence_social_care_groups"]
    given = [text for file in files for text in ("--published", str(file))]
    return _pages(folder, "--area", "Trafford", "--year", "2022/23", *given)


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("source", ["synthetic", "published"])
def test_axe_finds_nothing_and_nothing_sticks_out(source, report, browser, request):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page_file = next(request.getfixturevalue(source).rglob(f"{report}/index.html"))
    context = browser.new_context(bypass_csp=True, **VIEWS[VIEW_OF[source]])
    page = context.new_page()
    page.goto(page_file.as_uri())
    open_all(page)
    violations = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_the_published_page_says_what_the_figures_say(published, browser):
    """DfE's absence bands file: severe absentees of Trafford's primary schools, 64 in 2021/22 and 72 in 2022/23."""
    page = browser.new_page()
    page.goto(next(published.rglob("severe_absence_intersectional/index.html")).as_uri())
    text = page.inner_text("main")
    assert "(72 severe absentees after 64 the year before), not clearly different" in text
    assert "Severe absence falls in primary schools and rises in secondary schools: cannot tell." in text
    page.close()


def test_the_published_page_of_vulnerable_groups_says_what_it_must_not_be_held_against(published, browser):
    """DfE's file of children in need, on protection plans and looked after; its pages pass the gate with all their notes."""
    page = browser.new_page()
    page.goto(next(published.rglob("vulnerable_groups/index.html")).as_uri())
    text = page.inner_text("main")
    assert "DfE advises against comparing them." in text
    assert "children looked after for a year or more missed 10.1% of their sessions" in text
    tile = page.get_by_text("Overall absence of looked-after children").locator("..").inner_text()
    assert "10.1%" in tile
    assert "England: 8.3%" in tile
