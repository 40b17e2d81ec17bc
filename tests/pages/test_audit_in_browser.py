"""The audit page, and a marked page on paper, in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from attendance_toolkit.reporting.audit import audit_page, facts_of
from tests.pages.test_page_in_browser import VIEWS, open_all
from tests.unit.reporting.test_audit import DAY, PASSED, REFUSED, released


@pytest.fixture(scope="module")
def audit_file(tmp_path_factory):
    facts = facts_of(released(4), [PASSED, REFUSED], inputs=[{"name": "a.csv", "sha256": "b" * 64}], today=DAY)
    path = tmp_path_factory.mktemp("audit") / "audit.html"
    path.write_text(audit_page(facts), encoding="utf-8", newline="\n")
    return path


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out(name, browser, audit_file):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(bypass_csp=True, **VIEWS[name])
    page = context.new_page()
    page.goto(audit_file.as_uri())
    open_all(page)
    violations = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


@pytest.mark.parametrize("name", VIEWS)
def test_the_marking_is_seen_first_and_last_and_not_by_colour_alone(name, browser, audit_file):
    context = browser.new_context(**VIEWS[name])
    page = context.new_page()
    page.goto(audit_file.as_uri())
    marks = page.locator(".marking")
    assert marks.count() == 2
    boxes = [marks.nth(n).bounding_box() for n in range(2)]
    height = page.evaluate("document.documentElement.scrollHeight")
    assert boxes[0]["y"] == 0
    # Beside the room below the footer nothing follows.
    assert height - (boxes[1]["y"] + boxes[1]["height"]) < 60
    for n in range(2):
        assert "OFFICIAL-SENSITIVE" in marks.nth(n).inner_text()
        assert float(marks.nth(n).evaluate("e => parseFloat(getComputedStyle(e).borderTopWidth)")) >= 2
    context.close()


def test_every_printed_page_carries_the_marking(browser, audit_file, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    page.goto(audit_file.as_uri())
    pdf = page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    context.close()
    pages = len(re.findall(rb"/MediaBox", pdf))
    assert pages >= 2
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext, which reads the printed pages back, is not installed")
    path = tmp_path / "audit.pdf"
    path.write_bytes(pdf)
    text = subprocess.run([reader, "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    printed = text.split("\f")[:-1]
    assert len(printed) == pages
    for sheet in printed:
        lines = [line.strip() for line in sheet.splitlines() if line.strip()]
        assert lines[0] == "OFFICIAL-SENSITIVE"
        assert lines[-1].startswith("OFFICIAL-SENSITIVE.")
        assert re.search(r"Page \d+ of \d+$", lines[-1])
