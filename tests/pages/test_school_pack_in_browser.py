"""A school's pack in a real browser: accessible in both themes and on a phone, marked on every printed page."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date

import pytest

from attendance_toolkit.reporting.restricted import open_restricted
from attendance_toolkit.reporting.school_pack import build_packs
from attendance_toolkit.store import Store
from tests.pages.test_page_in_browser import VIEWS


@pytest.fixture(scope="module")
def pack(synthetic_store, tmp_path_factory):
    """The pack of the secondary school of an authority with the most pupils."""
    room = open_restricted(tmp_path_factory.mktemp("pack") / "inside")
    made = build_packs(
        Store.open(synthetic_store), "Irwell Bank", "2023/24", room, purpose="Meetings", retain_until=date(2999, 7, 31)
    )
    assert not made.failed
    return max(made.files, key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_and_nothing_sticks_out(name, browser, pack):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(bypass_csp=True, **VIEWS[name])
    page = context.new_page()
    page.goto(pack.as_uri())
    violations = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("p.badge svg").first.is_visible()
    context.close()


def test_every_printed_page_is_marked_and_says_until_when(browser, pack, tmp_path):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pack.as_uri())
    pdf = page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    context.close()
    assert [url for url in asked if not url.startswith("file:")] == []
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert len(boxes) > 2
    assert all(abs(float(w) - 595) < 2 and abs(float(h) - 842) < 2 for w, h in boxes)
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext, which reads the printed pages back, is not installed")
    path = tmp_path / "pack.pdf"
    path.write_bytes(pdf)
    text = subprocess.run([reader, "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    printed = text.split("\f")[:-1]
    assert len(printed) == len(boxes)
    for number, one in enumerate(printed, 1):
        assert "OFFICIAL-SENSITIVE" in one
        assert "Keep until" in one or "2999-07-31" in one
        assert re.search(rf"Page {number} of", one)
