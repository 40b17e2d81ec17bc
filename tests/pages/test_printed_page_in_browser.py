"""The page of a printed report in a real browser, with a mark in its table. No file from outside is needed."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from tests.pages.test_page_in_browser import VIEWS, open_all

TABLE = """phase,characteristic,national_attendance_2023_24,trafford_attendance_2023_24,national_pa_2023_24,\
trafford_pa_2023_24,enrolments,attendance_rate,pa_number,pa_rate,sa_number,sa_rate
Secondary,All,90.90,93.00,26.70,18.20,17535,94.20,2665,15.20,316,1.80
Secondary,Girls,90.60,92.80,28.00,18.70,8507,93.90,1323,1.60,185,2.20
Pupil Referral Unit (PRU),All,,,,,117,49.60,98,83.80,58,49.60
"""
CARDS = """card,quantity,printed,unit,derived_from
overall,enrolments,32144,enrolments,given
persistent,enrolments,6885,enrolments,given
persistent,rate,24.1,percent,enrolments / 32144
"""


@pytest.fixture(scope="module")
def printed_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("printed")
    (folder / "table.csv").write_text(TABLE, encoding="utf-8")
    (folder / "cards.csv").write_text(CARDS, encoding="utf-8")
    files = [str(folder / name) for name in ("table.csv", "cards.csv")]
    result = CliRunner().invoke(main, ["reconcile", *files, "--area", "Trafford", "--out", str(folder / "out")])
    assert result.exit_code == 1, result.output
    return folder / "out" / "trafford" / "2023-24" / "printed_tables" / "index.html"


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out(name, browser, printed_page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(bypass_csp=True, **VIEWS[name])
    page = context.new_page()
    page.goto(printed_page.as_uri())
    open_all(page)
    violations = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("tr.strong td .ref").count() == 2
    context.close()
