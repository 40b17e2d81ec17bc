"""The allow-list: what is not known to be harmless is refused.

Every element, attribute, link and drawing of a page must be of a known kind, and every number must have a provenance:
a cleared row the cell names, a value noted when it was written and explained by cleared rows, or words of the template.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.explain import NUMBERS
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.numbers import NumberCheck, cell_texts
from attendance_toolkit.disclosure.gate.reading import Element, Page, Text, attribute_texts, read_page
from attendance_toolkit.disclosure.gate.shading import shade_faults
from attendance_toolkit.disclosure.gate.words import strange_characters
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.statistics import find_measure
from attendance_toolkit.vocabulary.symbols import SYMBOLS

PAGE = "index.html"

_EVERYWHERE = frozenset(("id", "class"))
_ACCESS = frozenset(("role", "tabindex", "aria-label", "aria-labelledby", "aria-hidden"))
#: Elements of a page and the attributes each may have besides id and class.
_ELEMENTS: Mapping[str, frozenset[str]] = {
    "html": frozenset(("lang",)),
    "head": frozenset(),
    "meta": frozenset(("charset", "http-equiv", "content", "name")),
    "title": frozenset(),
    "style": frozenset(),
    "body": frozenset(),
    "a": frozenset(("href", "download", "aria-label")),
    "div": _ACCESS,
    "table": _ACCESS,
    "main": frozenset(("tabindex",)),
    "nav": frozenset(("aria-labelledby", "aria-label")),
    "section": frozenset(("aria-labelledby", "aria-label")),
    "th": frozenset(("scope", "colspan", "rowspan")),
    "td": frozenset(("colspan", "data-cell")),
    "colgroup": frozenset(("span",)),
    **dict.fromkeys(
        ("p", "strong", "em", "b", "i", "code", "span", "header", "footer", "h1", "h2", "h3", "h4", "dl", "dt", "dd", "ol",
         "ul", "li", "caption", "thead", "tbody", "tr", "figure", "figcaption", "details", "summary", "br", "hr",
         "blockquote"),
        frozenset[str](),
    ),
}  # fmt: skip
_DRAWN = frozenset(
    ("svg", "g", "defs", "path", "use", "text", "title", "clippath", "rect", "circle", "line", "polyline")
)
#: What a page says of itself to browsers, word for word.
_METAS = {
    "viewport": "width=device-width, initial-scale=1",
    "color-scheme": "light dark",
    "referrer": "no-referrer",
    "robots": "noindex",
}
_SCOPES = frozenset(("col", "row", "colgroup", "rowgroup"))
_CLASS = re.compile(r"^[a-z][a-z-]*(?: [a-z][a-z-]*)*$")
_NAME = re.compile(r"^[a-z][a-z0-9-]*$")
_SPAN = re.compile(r"^[1-9]\d?$")
#: Hidden by an attribute of its own; the style sheet is known by its hash.
_HIDES = re.compile(
    r"display\s*:|visibility\s*:|opacity\s*:\s*0?\.?0*(?:;|$)|font-size\s*:\s*0|clip-path\s*:(?!\s*url\(#)", re.I
)
_CSV_LINK = re.compile(r"^data:text/csv;charset=utf-8;base64,([A-Za-z0-9+/]*={0,2})$")
_SAFE_PATH = re.compile(r"^(?:\.\./)*[A-Za-z0-9_.-]+\.html$")
_ADDRESS = re.compile(r"^(?:https://|mailto:)")


def check_page(html: str, evidence: Evidence, *, file: str = PAGE) -> list[Finding]:
    """Return everything on a page that is not known to be harmless; an empty list lets it pass.

    >>> html = '<!DOCTYPE html><html lang="en-GB"><body><p>There were 7.</p></body></html>'
    >>> [finding.rule for finding in check_page(html, Evidence())]
    ['unknown_style', 'unexplained_number']
    """
    page = read_page(html)
    found = [Finding(file, place, rule, says) for place, rule, says in page.faults]
    if strange_characters(html):
        says = "The page has characters none of ours has: digits of other scripts, invisible ones or direction marks."
        found.append(Finding(file, "", "strange_character", says))
    check = _PageCheck(page, evidence, file)
    return found + check.run()


class _PageCheck:
    """Looks at a page's elements, then at its texts."""

    def __init__(self, page: Page, evidence: Evidence, file: str) -> None:
        self.page, self.evidence, self.file = page, evidence, file
        self.numbers = NumberCheck(evidence, page)
        self.found: list[Finding] = []
        self.downloads: list[str] = []
        self.known_drawing = {id(e) for e, digest in page.drawings if digest in evidence.drawings}

    def note(self, element: Element, rule: str, says: str) -> None:
        self.found.append(Finding(self.file, element.place, rule, says))

    def run(self) -> list[Finding]:
        for element in self.page.elements:
            self._element(element)
        for element, digest in self.page.drawings:
            if digest not in self.evidence.drawings:
                self.note(element, "unknown_drawing", "The drawing was not made by the toolkit's chart functions.")
        if any(digest not in self.evidence.styles for digest in self.page.styles) or self.page.count("style") != 1:
            says = "The style sheet is not the template's: something may be hidden or written by it."
            self.found.append(Finding(self.file, "style", "unknown_style", says))
        if sorted(self.downloads) != sorted(self.evidence.tables):
            says = "The downloads are not the tables of the page: one is missing, or one is there twice."
            self.found.append(Finding(self.file, "", "downloads", says))
        for value in self.evidence.drawn:
            if self.evidence.explainer.explain(value) is None:
                says = "A small line shows a value no cleared figure explains."
                self.found.append(Finding(self.file, "tiles", "unexplained_number", says))
        for element, says in shade_faults(self.page):
            self.note(element, "shade", says)
        for text in self.page.texts:
            self._text(text)
        for element, name, words in attribute_texts(self.page):
            if name != "download":
                self._say(element, name, words, is_alone=False)
        return self.found

    # -- elements

    def _element(self, element: Element) -> None:
        tag, attributes = element.tag, element.attributes
        if element.in_drawing:
            self._drawn(element)
            return
        allowed = _ELEMENTS.get(tag)
        if allowed is None:
            self.note(element, "element", f"<{tag}> is no element of our pages.")
            return
        for name, value in attributes.items():
            if name.startswith("on"):
                self.note(element, "event", f"<{tag}> has an event attribute ({name}).")
            elif name == "style" or name == "hidden":
                self.note(element, "hidden", f"<{tag}> has a style of its own, which may hide it or write something.")
            elif name.startswith("data-") and name not in allowed:
                self.note(element, "data_attribute", f"<{tag}> carries data of its own ({name}).")
            elif name not in allowed and name not in _EVERYWHERE:
                self.note(element, "attribute", f"<{tag}> has an attribute our pages do not have ({name}).")
            else:
                self._attribute(element, name, value)

    def _attribute(self, element: Element, name: str, value: str) -> None:
        tag = element.tag
        fits = {
            "class": _CLASS, "id": _NAME, "aria-labelledby": _NAME, "role": _NAME, "colspan": _SPAN, "rowspan": _SPAN,
            "span": _SPAN,
        }.get(name)  # fmt: skip
        if fits is not None and not fits.match(value):
            self.note(element, "attribute", f"<{tag}> has a value of {name} our pages do not have.")
        if name in ("id", "aria-labelledby"):
            self._hides_number(element, value)
        if name == "scope" and value not in _SCOPES:
            self.note(element, "attribute", "A header of a table has an unknown scope.")
        if tag == "meta" and name == "name" and element.attributes.get("content") != _METAS.get(value, ""):
            self.note(element, "attribute", "A <meta> says something our pages do not say.")
        if tag == "meta" and name == "http-equiv":
            policy = element.attributes.get("content", "")
            if value != "Content-Security-Policy" or not _is_strict(policy):
                self.note(element, "policy", "The content security policy is not the template's.")
        if tag == "a" and name == "href":
            self._link(element, value)
        if name == "data-cell" and value not in self.evidence.cells:
            self.note(element, "unknown_cell", "A cell names a row this release does not have.")

    def _hides_number(self, element: Element, value: str) -> None:
        """An id made from a heading may have a year in it, and "-2" where it occurs twice; longer numbers are no id."""
        if any(len(digits) > 4 for digits in re.findall(r"\d+", value)):
            self.note(element, "attribute", f"The id of <{element.tag}> has a long number in it.")

    def _link(self, element: Element, href: str) -> None:
        if href.startswith("#"):
            return
        if href.startswith("data:"):
            self._download(element, href)
        elif _ADDRESS.match(href):
            known = (*self.evidence.texts, *self.evidence.words)
            if not any(href.removeprefix("mailto:") in text for text in known):
                self.note(element, "remote_address", "A link leads to an address the notebook's text does not have.")
        elif href not in self.evidence.words and not _SAFE_PATH.match(href):
            self.note(element, "remote_address", "A link is neither within the page nor to a page beside it.")

    def _download(self, element: Element, href: str) -> None:
        match = _CSV_LINK.match(href)
        try:
            text = base64.b64decode(match[1], validate=True).decode("utf-8-sig") if match else None
        except (binascii.Error, UnicodeDecodeError):
            text = None
        name = element.attributes.get("download", "")
        known = [table for table in self.evidence.tables if name == table or name.endswith(f"-{table}")]
        if text is None or not known:
            self.note(element, "data_address", "A link holds data that is not the CSV file of a table of the page.")
            return
        table = max(known, key=len)
        self.downloads.append(table)
        self._say(element, "download", name.removesuffix(table).replace("-", " "), is_alone=False, is_name=True)
        if text != self.evidence.tables[table]:
            self.note(element, "data_address", "A download is not the CSV file of the table it stands under.")
        self.found += check_csv(text, self.evidence, file=f"{self.file}!{table}", numbers=self.numbers)

    def _drawn(self, element: Element) -> None:
        if element.tag not in _DRAWN:
            self.note(element, "element", f"<{element.tag}> is no element of our drawings.")
        for name, value in element.attributes.items():
            if name.startswith("on"):
                self.note(element, "event", f"<{element.tag}> has an event attribute ({name}).")
            if name in ("href", "xlink:href") and not value.startswith("#"):
                self.note(element, "remote_address", "A drawing refers to something outside itself.")
            if name == "style" and (_HIDES.search(value) or re.search(r"url\(\s*['\"]?(?!#)", value)):
                self.note(element, "hidden", "A part of a drawing is hidden, or loads something from elsewhere.")
            if name.startswith("data-") or name in ("display", "visibility", "hidden"):
                self.note(element, "hidden", "A part of a drawing is hidden or carries data of its own.")

    # -- texts

    def _text(self, text: Text) -> None:
        element = text.element
        if element.tag == "td" and element.attributes.get("data-cell"):
            self._cell(text, element.attributes["data-cell"])
            return
        self._say(element, "", text.text, is_alone=element.tag == "td", in_drawing=element.in_drawing)

    def _cell(self, text: Text, ref: str) -> None:
        row = self.evidence.cells.get(ref)
        shown = text.without_marks
        if row is not None and shown not in cell_texts(row):
            is_hidden = row.get("symbol") not in ("", "u", None)
            rule = "hidden_cell_shown" if is_hidden else "wrong_cell_value"
            says = "it shows a figure where the release hides it." if is_hidden else "it is not what the release has."
            self.note(text.element, rule, f"A cell names a row of the release, but {says}")
        marks = text.text.removeprefix(shown).strip()
        if marks:
            self._say(text.element, "footnote", marks, is_alone=False)

    def _say(
        self,
        element: Element,
        name: str,
        words: str,
        *,
        is_alone: bool,
        in_drawing: bool = False,
        is_name: bool = False,
    ) -> None:
        for rule, says in self.numbers.faults(words, is_alone=is_alone, in_drawing=in_drawing, is_name=is_name):
            place = f"{element.place}, {name}" if name else element.place
            self.found.append(Finding(self.file, place, rule, says))


def _is_strict(policy: str) -> bool:
    return policy.startswith("default-src 'none'") and not re.search(r"script-src|https?:|\*|unsafe-eval", policy)


# -- files beside the page -------------------------------------------------------------------------------------


def check_csv(
    text: str, evidence: Evidence, *, file: str = "table.csv", numbers: NumberCheck | None = None
) -> list[Finding]:
    r"""Return what in a CSV file no cleared figure explains. Its numbers are unrounded, so each is looked up as it is.

    >>> row = {"measure": "severe_absence_rate", "rate": 0.025, "numerator": 25.0, "denominator": 1000.0, "symbol": ""}
    >>> known = Evidence(cells={"c0123456789": row})
    >>> check_csv("Phase,Rate\nPrimary,2.5\n", known), len(check_csv("Phase,Rate\nPrimary,2.6\n", known))
    ([], 1)
    """
    numbers = numbers or NumberCheck(evidence, None)
    found = []
    for line, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        for column, entry in enumerate(row, start=1):
            for rule, says in _csv_faults(entry, numbers, is_header=line == 1 or column == 1):
                found.append(Finding(file, f"line {line}, column {column}", rule, says))
    return found


_NUMBER = re.compile(r"^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$")


def _csv_faults(entry: str, numbers: NumberCheck, *, is_header: bool) -> Iterable[tuple[str, str]]:
    if entry in SYMBOLS or not entry:
        return
    if _NUMBER.match(entry) and not is_header:
        if not numbers.explains_value(float(entry)):
            yield "unexplained_number", "A number is not a cleared figure and does not follow from any."
        return
    if entry[:1] in ("=", "+", "-", "@", "\t", "\r") and len(entry) > 1:
        yield "formula", "A cell begins like a formula of a spreadsheet program."
    if strange_characters(entry):
        yield "strange_character", "A cell has characters none of ours has."
    yield from numbers.faults(entry.removeprefix("'"), is_alone=True)


#: Keys of a result row that are words, numbers and codes of ours.
_RESULT_NUMBERS = frozenset(NUMBERS)


def check_result(rows: Sequence[Mapping[str, Any]], evidence: Evidence, *, file: str = "result.json") -> list[Finding]:
    """Return what in the headline numbers no cleared figure explains.

    A row with the id of a cleared row (``cell``) must have its numbers; of others each number must be explained.
    """
    numbers = NumberCheck(evidence, None)
    found = []
    for count, row in enumerate(rows, start=1):
        for rule, says in _result_faults(row, evidence, numbers):
            found.append(Finding(file, f"row {count}", rule, says))
    return found


def _result_faults(row: Mapping[str, Any], evidence: Evidence, numbers: NumberCheck) -> Iterable[tuple[str, str]]:
    cell = row.get("cell")
    known = evidence.cells.get(str(cell)) if cell else None
    if cell and known is None:
        yield "unknown_cell", "A row names a row this release does not have."
    given = {name: row.get(name) for name in NUMBERS if row.get(name) is not None}
    if row.get("symbol") not in ("", "u", None) and given:
        yield "hidden_cell_shown", "A row with a symbol in place of its figure has a number."
    for name, value in given.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            yield "result", f"'{name}' is not a number."
        elif known is not None and known.get("measure") == row.get("measure"):
            expected = known.get(name)
            if expected is None or abs(expected - value) > 1e-9 * max(1.0, abs(value)):
                yield "wrong_cell_value", "A row names a row of the release, but its numbers are others."
        elif not numbers.explains_value(float(value)):
            yield "unexplained_number", "A number is not a cleared figure and does not follow from any."
    yield from _result_words(row, numbers)


def _result_words(row: Mapping[str, Any], numbers: NumberCheck) -> Iterable[tuple[str, str]]:
    groups = row.get("groups") or {}
    said = {
        str(value) for value in (*groups.values(), row.get("academic_year"), row.get("measure"), row.get("area_code"))
    }
    for name, value in row.items():
        if name in _RESULT_NUMBERS or name in ("symbol", "cell", "groups") or value is None:
            continue
        if name == "academic_year":
            if not isinstance(value, int) or show_year(value) is None:
                yield "result", "The academic year is not one."
        elif name == "measure":
            if find_measure(str(value)) is None and not re.fullmatch(r"[a-z_]+(?:_1[05])?(?:_change)?", str(value)):
                yield "result", "The measure is not one."
        elif name == "id":
            # An id repeats what the row says of itself; any other digits in it say something more.
            if any(not any(digits in text for text in said) for digits in re.findall(r"\d+", str(value))):
                yield "unexplained_number", "The id has a number in it that the row does not have."
        elif isinstance(value, str):
            yield from numbers.faults(value, is_alone=False)
        else:
            yield "result", f"'{name}' is no key of a headline number."
    for value in groups.values():
        if isinstance(value, str):
            yield from numbers.faults(value, is_alone=True)


def show_year(value: int) -> str | None:
    """Return an academic year as text, or None if it is none.

    >>> show_year(202324), show_year(7)
    ('2023/24', None)
    """
    text = f"{value}"
    is_year = len(text) == 6 and (int(text[:4]) + 1) % 100 == int(text[4:]) and 1990 <= int(text[:4]) <= 2099
    return show_academic_year(value) if is_year else None
