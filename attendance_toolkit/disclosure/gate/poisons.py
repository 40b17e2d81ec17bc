"""Poisoned copies of a page: each has one thing that must not leave, and the gate must name the rule it breaks."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: A made-up pupil number with the right check letter: nobody's.
CANARY = "B801200005001"
_END = "</main>"


@dataclass(frozen=True)
class Poison:
    """A way to spoil a page. ``make`` gives the spoilt page, or None where the page has nothing to spoil so."""

    name: str
    rules: frozenset[str]
    make: Callable[[str, Mapping[str, Mapping[str, Any]]], str | None]


def _poison(name: str, rules: str, make: Callable[..., str | None]) -> Poison:
    return Poison(name, frozenset(rules.split()), make)


def _put(text: str) -> Callable[..., str | None]:
    """Put something at the end of the main part."""
    return lambda html, cells: html.replace(_END, f"{text}\n{_END}", 1) if _END in html else None


def _swap(old: str, new: str, *, count: int = 1) -> Callable[..., str | None]:
    """Replace the first match of a pattern."""

    def make(html: str, cells: Mapping[str, Mapping[str, Any]]) -> str | None:
        made = re.sub(old, new, html, count=count)
        return None if made == html else made

    return make


def _other_digit(text: str) -> str:
    """Return a number with its first digit changed: far enough to be no bound of the same row's interval.

    >>> _other_digit("7.7"), _other_digit("1,009")
    ('3.7', '6,009')
    """
    at = min(index for index, character in enumerate(text) if character.isdigit())
    return f"{text[:at]}{(int(text[at]) + 4) % 9 + 1}{text[at + 1 :]}"


_CELL = re.compile(r'(<td[^>]*data-cell="(c[0-9a-f]{10})"[^>]*>)([^<]*)')


def _change_cell(is_hidden: bool, change: Callable[[str, str], str]) -> Callable[..., str | None]:
    """Change the first cell whose row is hidden (or shown); ``change`` gets the tag and the text."""

    def make(html: str, cells: Mapping[str, Mapping[str, Any]]) -> str | None:
        for match in _CELL.finditer(html):
            hidden = cells.get(match[2], {}).get("symbol") == "c"
            if hidden == is_hidden and (is_hidden or re.fullmatch(r"[\d.,]+", match[3])):
                return html[: match.start()] + change(match[1], match[3]) + html[match.end() :]
        return None

    return make


def _shaded(tag: str, shade: str = "heat-e") -> str:
    """Return a cell's tag with a shade instead of the one it may have.

    >>> _shaded('<td class="n sym" data-cell="c0">'), _shaded('<td class="n heat-e">'), _shaded("<td>")
    ('<td class="n sym heat-e" data-cell="c0">', '<td class="n heat-a">', '<td class="heat-e">')
    """
    if " heat-" in tag:
        return re.sub(r" heat-[a-e]", " heat-a" if shade in tag else f" {shade}", tag)
    return (
        re.sub(r'class="([^"]*)"', rf'class="\1 {shade}"', tag)
        if "class=" in tag
        else tag.replace(">", f' class="{shade}">')
    )


def _csv(text: str) -> str:
    return base64.b64encode(text.encode("utf-8-sig")).decode("ascii")


def _spoil_download(html: str, cells: Mapping[str, Mapping[str, Any]]) -> str | None:
    match = re.search(r"base64,([A-Za-z0-9+/=]+)", html)
    if not match:
        return None
    text = base64.b64decode(match[1]).decode("utf-8-sig")
    return html[: match.start(1)] + _csv(text + f"Hidden,{len(text)}.25\n") + html[match.end(1) :]


_NUMBER = "unexplained_number"

#: One of each family; tried on every page of a run.
QUICK: tuple[Poison, ...] = (
    _poison("a hidden number typed into a sentence", _NUMBER, _put("<p>There were 7 severe absentees.</p>")),
    _poison("a cell with another value", "wrong_cell_value", _change_cell(False, lambda tag, t: tag + _other_digit(t))),
    _poison("a hidden cell with its value", "hidden_cell_shown", _change_cell(True, lambda tag, t: f"{tag}7")),
    _poison("a comment", "comment", _put("<!-- 7 pupils -->")),
    _poison("a download with another line", "data_address", _spoil_download),
    _poison("a shade on a hidden cell", "shade", _change_cell(True, lambda tag, t: _shaded(tag) + t)),
    _poison("a drawing of somebody else", "unknown_drawing", _put('<svg viewBox="0 0 9 9"><path d="M0 0L7 7"/></svg>')),
)

#: All other ways; tried once in a run.
MORE: tuple[Poison, ...] = (
    _poison("a number in words", "number_in_words", _put("<p>There were seven severe absentees.</p>")),
    # Without a comma in it: a count of the page itself is no poison.
    _poison("a number in parts", _NUMBER, _put("<p>There were <strong>1</strong>7654 severe absentees.</p>")),
    _poison("a number as an entity", _NUMBER, _put("<p>There were &#55; severe absentees.</p>")),
    # With so many decimals that no figure of a long page happens to be the same.
    _poison("a number with a decimal", _NUMBER, _put("<p>The rate was 41.37194%.</p>")),
    _poison("digits of another script", "strange_character", _put("<p>There were \u0667 severe absentees.</p>")),
    _poison("full-width digits", "strange_character", _put("<p>There were \uff17 severe absentees.</p>")),
    _poison("an invisible character", "strange_character", _put("<p>Se\u200bven pupils.</p>")),
    _poison("a direction mark", "strange_character", _put("<p>Pupils: \u202e7</p>")),
    _poison("a number in a heading", _NUMBER, _put("<h3>The 7 pupils</h3>")),
    _poison("a number in a list", _NUMBER, _put("<ul><li>7 girls</li></ul>")),
    _poison("a number in a table header", _NUMBER, _swap(r'(<th scope="row">)[^<]*', r"\g<1>7 pupils, group")),
    _poison("a number in a caption", _NUMBER, _swap(r'(<strong class="title">)', r"\g<1>Of 7 pupils: ")),
    _poison("a number in the page's title", _NUMBER, _swap("<title>", "<title>7 pupils, ")),
    _poison("a number in the footer", _NUMBER, _swap("</dd></div>(?=\n</dl>\n</div>\n</footer>)", "; 7 pupils</dd></div>")),
    _poison("a number in a source line", _NUMBER, _swap(r'(<p class="source">)', r"\g<1>7 pupils. ")),
    _poison("a number in a folded part", _NUMBER, _put("<details>\n<summary>More</summary>\n<p>7 pupils</p>\n</details>")),
    _poison("a number in a cell without an id", _NUMBER, _change_cell(False, lambda tag, t: f'<td class="n">{t}91731')),
    _poison("a hidden number in a cell without an id", _NUMBER, _change_cell(True, lambda tag, t: '<td class="n">91.73')),
    _poison(
        "a number in a footnote mark", _NUMBER,
        _change_cell(False, lambda tag, t: f'{tag}{t} <span class="ref">[note 91731]</span>'),
    ),
    _poison("a cell of another release", "unknown_cell", _swap(r'data-cell="c[0-9a-f]{10}"', 'data-cell="c0000000000"')),
    _poison("a year that is none", _NUMBER, _put("<p>In 2023/27 it fell.</p>")),
    _poison("a table that is not there", _NUMBER, _put("<p>Table 9173: more</p>")),
    _poison("more values hidden than there are", _NUMBER, _put("<p>91731 values are hidden to protect small numbers.</p>")),
    _poison(
        "a share that does not add up", _NUMBER,
        _put("<p>1 of 7 figures in the tables of this page is hidden to protect small numbers (14.9%).</p>"),
    ),
    _poison("one in about seven", _NUMBER, _put("<p>About 1 in 7.31729 pupils.</p>")),
    _poison("a number in a text equivalent", f"{_NUMBER} unknown_drawing", _swap(r'aria-label="', 'aria-label="Of 7 pupils: ')),
    _poison("a number in a label", _NUMBER, _put('<div role="region" aria-label="7 pupils"><p>Text.</p></div>')),
    _poison("a number in a drawing", f"{_NUMBER} unknown_drawing", _swap(r"(<text[^>]*>)", r"\g<1>7 pupils ")),
    _poison("a number in a tip", f"{_NUMBER} unknown_drawing", _swap(r"(<g[^>]*>)(<title>)", r"\g<1>\g<2>7 pupils ")),
    _poison("a line of a drawing moved", "unknown_drawing", _swap(r'(<path[^>]* ?d="M)', r"\g<1>7 7L")),
    _poison("text hidden in a drawing", "hidden unknown_drawing", _swap(r"(<svg[^>]*>)", r'\g<1><text style="display:none">7</text>')),
    _poison("a page inside a drawing", "element unknown_drawing", _swap("(<svg[^>]*>)", r"\g<1><foreignObject>7</foreignObject>")),
    _poison("a script", "element", _put("<script>var pupils = 7</script>")),
    _poison("data for a script", "element", _put('<script type="application/json">{"pupils": 7}</script>')),
    _poison("a frame", "element", _put('<iframe src="https://example.org/"></iframe>')),
    _poison("an object", "element", _put('<object data="data:text/plain,7"></object>')),
    _poison("a template", "element", _put("<template><p>7 pupils</p></template>")),
    _poison("text for browsers without scripts", "element", _put("<noscript>7 pupils</noscript>")),
    _poison("a form", "element", _put('<form action="https://example.org/"></form>')),
    _poison("a hidden field", "element", _put('<input type="hidden" value="7">')),
    _poison("a text field", "element", _put("<textarea>7</textarea>")),
    _poison("a picture from elsewhere", "element", _put('<img alt="Absence by school type" src="https://example.org/7.png">')),
    _poison("a picture inside the page", "element", _put('<img alt="Absence" src="data:image/png;base64,iVBORw0KGgo=">')),
    _poison("a base address", "element", _swap("</title>", '</title>\n<base href="https://example.org/">')),
    _poison("a style sheet from elsewhere", "element", _swap("</title>", '</title><link rel="stylesheet" href="https://example.org/a">')),
    _poison("a redirection", "policy attribute", _swap("</title>", '</title>\n<meta http-equiv="refresh" content="7">')),
    _poison("a loose policy", "policy", _swap("default-src 'none'", "default-src *")),
    _poison("an author", "attribute", _swap("</title>", '</title>\n<meta name="author" content="Ada 7">')),
    _poison("an event", "event", _put('<p onclick="go()">Text.</p>')),
    _poison("a hidden part", "hidden", _put("<p hidden>Text.</p>")),
    _poison("a part hidden by style", "hidden", _put('<p style="display:none">Text.</p>')),
    _poison("a part too small to read", "hidden", _put('<p style="font-size:0">Text.</p>')),
    _poison("data of its own", "data_attribute", _put('<p data-pupils="7">Text.</p>')),
    _poison("a tooltip", "attribute", _put('<p title="7 pupils">Text.</p>')),
    _poison("an id with a pupil in it", "attribute", _put('<p id="p801200005001">Text.</p>')),
    _poison("a shade on a cell of no heat table", "shade", _change_cell(False, lambda tag, t: _shaded(tag) + t)),
    _poison("a shade in place of another", "shade", _swap(r'(<td class="n )heat-[ab]"', r'\g<1>heat-d"')),
    _poison("a shade taken away", "shade", _swap(r'<td class="n heat-[a-e]"', '<td class="n"')),
    _poison("a shade on a part of a cell", "shade", _swap(r"(<td[^>]*>)([^<]*)(</td>)", r'\1<span class="heat-e">\2</span>\3')),
    _poison("a look of its own of a part of a cell", "shade", _swap(r"(<td[^>]*>)([^<]*)(</td>)", r'\1<span class="unit">\2</span>\3')),
    _poison("a cell with another look", "shade", _swap('<td class="n', '<td class="note n')),
    _poison("a shade on a sentence", "shade", _put('<p class="heat-c">Text.</p>')),
    _poison("a class that is none", "attribute", _put('<p class="p7">Text.</p>')),
    _poison("a style sheet that writes", "unknown_style", _swap("</style>", 'main::after{content:"7"}</style>')),
    _poison("a second style sheet", "unknown_style", _put("<style>p{color:red}</style>")),
    _poison("a link to somewhere", "remote_address", _put('<p><a href="https://example.org/7">More</a></p>')),
    _poison("a link to a program", "remote_address", _put('<p><a href="javascript:go()">More</a></p>')),
    _poison("a link to a file", "remote_address", _put('<p><a href="file:///tmp/x">More</a></p>')),
    _poison("another download", "data_address", _put('<p><a download="a.txt" href="data:text/plain;base64,Nw==">More</a></p>')),
    _poison("a download twice", "downloads", _swap(r'(<p class="download">.*?</p>)', r"\g<1>\n\g<1>")),
    _poison("a download left out", "downloads", _swap(r'<p class="download">.*?</p>', "")),
    _poison("an attribute twice", "malformed", _put('<p class="note" class="source">Text.</p>')),
    _poison("an attribute in single quotes", "malformed", _put("<p class='note'>Text.</p>")),
    _poison("an element left open", "malformed", _put("<p>Text.")),
    _poison("elements that overlap", "malformed", _put("<p><strong>Text.</p></strong>")),
    _poison("a character section", "malformed", _put("<![CDATA[7 pupils]]>")),
    _poison("text after the page", "malformed", lambda html, cells: html + "7 pupils"),
    _poison("something before the page", "malformed", lambda html, cells: "\n7" + html),
)  # fmt: skip

#: Found by the search (``gate.search``): what must not leave whatever the template says.
SEARCHED: tuple[Poison, ...] = (
    _poison("a pupil's number", "upn_shape", _put(f"<p>Pupil {CANARY} was absent.</p>")),
    _poison("a pupil's number in a text equivalent", "upn_shape", _swap(r'aria-label="', f'aria-label="{CANARY}: ')),
    _poison(
        "a pupil's number in a comment, encoded", "upn_shape",
        _put(f"<!-- {base64.b64encode(f'pupil {CANARY} in class'.encode()).decode()} -->"),
    ),
)  # fmt: skip

__all__ = ["CANARY", "MORE", "QUICK", "SEARCHED", "Poison"]
