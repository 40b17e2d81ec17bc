from __future__ import annotations

import base64

import pytest

from attendance_toolkit.reporting.exporter import CONTENT_SECURITY_POLICY
from attendance_toolkit.reporting.page_lint import MAX_BYTES, lint_page

UPN = "B801200005001"
DEFAULT_ALT = "No description has been provided for this image"
ALT = "Line chart: absence rose from 5% to 6%"


def page(body: str = "", *, head: str = "", policy: str = CONTENT_SECURITY_POLICY, lang: str = "en-GB") -> str:
    return (
        f'<!DOCTYPE html><html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>Absence</title>{head}</head>'
        f'<body><a href="#main">Skip</a><header><h1>Absence</h1></header><main id="main">{body}</main></body></html>'
    )


def csv_link(text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="a.csv" href="data:text/csv;charset=utf-8;base64,{data}">Download</a>'


TABLE = (
    '<table><caption>C</caption><tr><th scope="col">A</th><th scope="col">B</th></tr>'
    '<tr><th scope="row">R</th><td>1</td></tr></table>'
)
FINE = {
    "empty": page(),
    "table": page(TABLE),
    "drawing": page(f'<figure><svg role="img" aria-label="{ALT}"></svg><figcaption>F</figcaption></figure>'),
    "decoration": page('<p><svg aria-hidden="true"></svg>7.7%</p>'),
    "source": page('<a href="https://www.gov.uk/">GOV.UK</a>'),
    "csv": page(csv_link("Phase,Rate\nPrimary,5.5\n")),
    "years and fractions": page("<p>From 2022/23 to 2023/24, and/or 1/2; authorised/unauthorised/late.</p>"),
    "long number": page("<p>1234567890123 and 7,515,215</p>"),
}
BAD = {
    "no h1": (page().replace("h1>", "h2>"), "first-level headings"),
    "two h1": (page("<h1>B</h1>"), "2 first-level headings"),
    "jump": (page("<h3>B</h3>"), "jump from level 1 to level 3"),
    "empty heading": (page("<h2> </h2>"), "heading is empty"),
    "language": (page(lang="en"), "language"),
    "title": (page().replace("<title>Absence", "<title>"), "no title"),
    "policy missing": (page(policy="img-src data:"), "policy lacks default-src"),
    "policy with scripts": (page(policy=CONTENT_SECURITY_POLICY + "; script-src 'self'"), "allows scripts"),
    "script": (page("<script></script>"), "<script>"),
    "iframe": (page("<iframe></iframe>"), "<iframe>"),
    "style sheet": (page(head='<link rel="stylesheet" href="https://a.example/a.css">'), "<link>"),
    "refresh": (page(head='<meta http-equiv="refresh" content="0">'), "kind refresh"),
    "event": (page('<p onclick="x()">a</p>'), "event attribute"),
    "javascript": (page('<a href="javascript:x()">a</a>'), "neither https"),
    "remote picture": (page('<img src="https://a.example/a.png" alt="A chart of absence">'), "loads something"),
    "remote style": (page(head="<style>p{background:url(https://a.example)}</style>"), "style sheet loads"),
    "import": (page(head="<style>@import 'a.css'</style>"), "style sheet loads"),
    "inline style": (page('<p style="background:url(a.png)">a</p>'), "loads something"),
    "svg use": (page(f'<svg role="img" aria-label="{ALT}"><use href="https://a.example/#x"/></svg>'), "loads"),
    "data html": (page('<a href="data:text/html,hello">a</a>'), "not a CSV download"),
    "absolute link": (page('<a href="/reports/index.html">a</a>'), "not relative"),
    "comment": (page("<!-- note -->"), "HTML comment"),
    "hidden": (page("<p hidden>a</p>"), "hidden"),
    "display none": (page('<p style="display: none">a</p>'), "hidden"),
    "no alt": (page("<svg></svg>"), "no text equivalent"),
    "default alt": (page(f'<img src="data:image/png;base64,AA" alt="{DEFAULT_ALT}">'), "picture has no text"),
    "short alt": (page('<svg role="img" aria-label="chart"></svg>'), "no text equivalent"),
    "hidden figure": (page('<figure><svg aria-hidden="true"></svg><figcaption>F</figcaption></figure>'), "hidden from"),
    "figure without caption": (page(f'<figure><svg role="img" aria-label="{ALT}"></svg></figure>'), "no caption"),
    "no caption": (page(TABLE.replace("<caption>C</caption>", "")), "no caption"),
    "empty caption": (page(TABLE.replace("<caption>C", "<caption>")), "empty caption"),
    "no scope": (page(TABLE.replace(' scope="row"', "")), "no scope"),
    "empty header": (page(TABLE.replace(">A<", "><")), "header is empty"),
    "empty cell": (page(TABLE.replace(">1<", "><")), "cell is empty"),
    "nan": (page(TABLE.replace(">1<", ">nan<")), "not a value"),
    "no headers": (page("<table><caption>C</caption><tr><td>1</td></tr></table>"), "no headers"),
    "summary": (page("<details><p>a</p></details>"), "no summary"),
    "repeated id": (page('<p id="a">1</p><p id="a">2</p>'), "more than once: a"),
    "dangling": (page('<a href="#nowhere">a</a>'), "lead nowhere: nowhere"),
    "size": (page("a" * MAX_BYTES), "1024 KB are allowed"),
    "upn": (page(f"<p>{UPN}</p>"), "UPN"),
    "upn in small letters": (page(f"<p>{UPN.lower()}</p>"), "UPN"),
    "upn, wrong letter": (page(f"<p>C{UPN[1:]}</p>"), "UPN"),
    "upn, temporary": (page("<p>M80120000500A</p>"), "UPN"),
    "upn across tags": (page(f"<p>{UPN[:5]}<b>{UPN[5:]}</b></p>"), "UPN"),
    "upn in entities": (page("<p>" + "".join(f"&#{ord(c)};" for c in UPN) + "</p>"), "UPN"),
    "upn in alt": (page(f'<svg role="img" aria-label="Chart of absence {UPN}"></svg>'), "UPN"),
    "upn in csv": (page(csv_link(f"upn\n{UPN}\n")), "UPN"),
    "upn in a data attribute": (page(f'<p data-x="{UPN}">a</p>'), "UPN"),
    "posix path": (page("<p>from /home/analyst/census.csv</p>"), "file path"),
    "windows path": (page("<p>C:\\Users\\a\\census.csv</p>"), "file path"),
    "share": (page("<p>\\\\server\\share$\\census.csv</p>"), "file path"),
    "path in csv": (page(csv_link("source\n/home/analyst/census.csv\n")), "file path"),
    "traceback": (page("<pre>Traceback (most recent call last):</pre>"), "error message"),
    "exception": (page("<p>KeyError: 'a'</p>"), "error message"),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_a_fine_page_has_no_finding(name):
    assert lint_page(FINE[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_page_is_found_out(name):
    html, words = BAD[name]
    findings = lint_page(html)
    assert any(words in finding for finding in findings), findings


@pytest.mark.parametrize("name", [name for name in BAD if name.startswith("upn")])
def test_findings_do_not_repeat_the_pupil(name):
    assert UPN.lower() not in " ".join(lint_page(BAD[name][0])).lower()
