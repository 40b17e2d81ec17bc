from __future__ import annotations

import re
import zlib

import pytest

VIEWS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "360 px": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "360 px dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


@pytest.fixture(params=VIEWS)
def view(request, browser, page_file):
    """The page opened in one theme and width. The policy is bypassed so that axe can be injected."""
    context = browser.new_context(bypass_csp=True, **VIEWS[request.param])
    page = context.new_page()
    page.goto(page_file.as_uri())
    yield page
    context.close()


def open_all(page):
    page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")


def test_axe_finds_nothing(view):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    open_all(view)
    violations = axe.run(view).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []


def test_nothing_sticks_out(view):
    open_all(view)
    assert view.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_text_in_drawings_has_contrast(view):
    """Axe does not judge text in SVG."""
    low = view.evaluate(
        """() => {
          const parts = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const lum = c => { const [r, g, b] = parts(c).map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const page = lum(getComputedStyle(document.body).backgroundColor);
          return [...document.querySelectorAll('figure svg text')]
            .filter(t => t.getBoundingClientRect().width > 0)
            .map(t => { const a = lum(getComputedStyle(t).fill);
              return [t.textContent, (Math.max(a, page) + 0.05) / (Math.min(a, page) + 0.05)]; })
            .filter(([_, ratio]) => ratio < 4.5);
        }"""
    )
    assert low == []


def test_text_in_drawings_stays_inside_and_apart(view):
    """No text of a drawing leaves it or lies on another one."""
    wrong = view.evaluate(
        """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
          const frame = svg.getBoundingClientRect();
          if (!frame.width) return [];
          const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
          const out = texts.filter(([_, b]) => b.left < frame.left - 1 || b.right > frame.right + 1
            || b.top < frame.top - 1 || b.bottom > frame.bottom + 1).map(([text]) => text + ' is outside');
          texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
            const x = Math.min(p.right, q.right) - Math.max(p.left, q.left);
            const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
            if (x > 1 && y > 4) out.push(a + ' lies on ' + b);
          }));
          return out;
        })"""
    )
    assert wrong == []


def test_one_request_and_no_console_message(browser, page_file):
    context = browser.new_context()
    page = context.new_page()
    requests, messages = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(page_file.as_uri(), wait_until="networkidle")
    open_all(page)
    assert requests == [page_file.as_uri()]
    assert messages == []
    context.close()


def test_the_page_needs_no_script(browser, page_file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.click("summary >> nth=0")
    assert page.locator("details table").first.is_visible()
    context.close()


def test_the_csv_link_downloads_under_the_policy(browser, page_file, tmp_path):
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    with page.expect_download() as waiting:
        page.click("text=Download table 1")
    assert waiting.value.suggested_filename == "synthetic-aldermoor-2023-24-phase-year.csv"
    waiting.value.save_as(tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text(encoding="utf-8-sig")
    assert text.startswith("Section,Academic year,Overall absence: Number")
    context.close()


@pytest.mark.parametrize("width", [1280, 360])
def test_keyboard_walk(browser, page_file, width):
    """Everything that acts is reached by Tab, in order, with a focus ring; the skip link comes first and works."""
    context = browser.new_context(viewport={"width": width, "height": 740})
    page = context.new_page()
    page.goto(page_file.as_uri())
    script = """() => { const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();
      return [e.tagName, (e.textContent || '').trim().slice(0, 40), e.getAttribute('role') || '',
        s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, b.width > 0 && b.height > 0]; }"""
    walk = []
    for _ in range(60):
        page.keyboard.press("Tab")
        step = page.evaluate(script)
        if step[0] == "BODY":
            break
        walk.append(step)
    names = [step[1] for step in walk]
    assert names[0] == "Skip to main content"
    assert names[1:4] == ["Summary", "Trends", "Groups"]
    assert sum(step[0] == "SUMMARY" for step in walk) == 7
    assert sum("Download table" in name for name in names) == 3
    assert any(step[2] == "region" for step in walk)
    assert all(step[3] and step[4] for step in walk), [s for s in walk if not (s[3] and s[4])]
    page.goto(page_file.as_uri())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    context.close()


def test_drawings_by_width(browser, page_file):
    for width, shown, other in ((1280, ".wide", ".narrow"), (360, ".narrow", ".wide")):
        context = browser.new_context(viewport={"width": width, "height": 740})
        page = context.new_page()
        page.goto(page_file.as_uri())
        assert page.locator(f"{shown} svg").first.is_visible()
        assert not page.locator(f"{other} svg").first.is_visible()
        context.close()


def test_shades_are_printed_and_seen_beside_their_numbers(browser, page_file):
    """Each shade has a ground of its own, in every theme and on paper; cells with a symbol have none."""
    script = """() => [...document.querySelectorAll('table.heat td')].map(td => [td.className, td.textContent,
      getComputedStyle(td).backgroundColor, getComputedStyle(td).printColorAdjust])"""
    for theme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        context = browser.new_context(color_scheme=theme)
        page = context.new_page()
        page.emulate_media(media=media)
        page.goto(page_file.as_uri())
        cells = page.evaluate(script)
        grounds = {name: ground for name, text, ground, _ in cells if "heat-" in name}
        assert len(set(grounds.values())) == len(grounds) == 5
        assert all(adjust == "exact" for name, _, _, adjust in cells if "heat-" in name)
        plain = {ground for name, text, ground, _ in cells if text in ("c", "u")}
        assert plain == {"rgba(0, 0, 0, 0)"}
        context.close()


def _pdf_streams(pdf: bytes) -> bytes:
    parts = []
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(match[1]))
        except zlib.error:
            continue
    return b"\n".join(parts)


def test_pdf_is_a4_tagged_and_small(browser, page_file):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(page_file.as_uri())
    pdf = page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    context.close()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert len(boxes) >= 2
    assert all(abs(float(w) - 595) < 2 and abs(float(h) - 842) < 2 for w, h in boxes)
    assert len(pdf) < 500_000
    assert b"/MarkInfo" in pdf
    assert _pdf_streams(pdf)


def test_print_shows_what_belongs_on_paper(browser, page_file):
    context = browser.new_context(viewport={"width": 680, "height": 1000}, color_scheme="dark")
    page = context.new_page()
    page.emulate_media(media="print")
    page.goto(page_file.as_uri())
    for hidden in (".skip", ".contents", ".download", "details", ".narrow"):
        assert not page.locator(hidden).first.is_visible()
    for shown in (".banner", "h1", ".wide svg", ".table caption", ".foot"):
        assert page.locator(shown).first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    assert page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"
    context.close()
