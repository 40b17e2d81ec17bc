"""Reading a page the strict way: what is not written as our exporter writes it is refused, never guessed at.

A lenient parser and a browser may see two different pages in the same bytes, and something can hide between them. Here a
page is a sequence of tags and texts of one spelling, properly nested, and every character belongs to one of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

_TAG = re.compile(r'<(/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z_:][\w:.-]*(?:="[^"<>]*")?)*)\s*(/?)>')
_ATTRIBUTE = re.compile(r'([A-Za-z_:][\w:.-]*)(?:="([^"<>]*)")?')
_DOCTYPE = re.compile(r"<!DOCTYPE html>\s*")
_EMPTY = frozenset(("meta", "br", "hr", "wbr", "col", "colgroup", "img", "input", "link", "base", "embed", "source"))
#: Elements whose text stands by itself; that of the others runs on in the text around them.
BLOCKS = frozenset(
    ("html", "head", "body", "title", "style", "header", "footer", "main", "nav", "section", "div", "p", "h1", "h2", "h3",
     "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure",
     "figcaption", "details", "summary", "blockquote", "pre", "svg", "g", "text", "script", "iframe", "object", "template",
     "noscript", "textarea", "select", "option", "button", "form")
)  # fmt: skip
#: Inline elements the style sheet shows as lines of their own.
_OWN_LINE = frozenset(("title", "subtitle", "cap"))


@dataclass
class Element:
    """An element: its tag in small letters, its attributes with entities resolved, and where it stands."""

    tag: str
    attributes: dict[str, str]
    place: str
    start: int
    in_drawing: bool = False
    parent: Element | None = field(default=None, repr=False, compare=False)

    @property
    def classes(self) -> list[str]:
        """Return the names of its classes."""
        return self.attributes.get("class", "").split()

    def within(self, tag: str) -> Element | None:
        """Return the nearest element of a tag around it."""
        found = self.parent
        while found is not None and found.tag != tag:
            found = found.parent
        return found


@dataclass
class Text:
    """The text of one block: all of it, and without footnote marks."""

    element: Element
    parts: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the text, spaces squeezed."""
        return " ".join("".join(self.parts).split())

    @property
    def without_marks(self) -> str:
        """Return the text without footnote marks: what a cell's figure is compared with."""
        return " ".join("".join(self.own).split())


@dataclass
class Page:
    """What was read."""

    elements: list[Element] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    drawings: list[tuple[Element, str]] = field(default_factory=list)
    """Each drawing's element and the sha256 of its source."""
    styles: list[str] = field(default_factory=list)
    """sha256 of each style sheet's text."""
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    """Place, rule, sentence."""

    def count(self, tag: str) -> int:
        """Return how many elements of a tag the page has."""
        return sum(element.tag == tag for element in self.elements)


def read_page(html: str) -> Page:
    """Return what a page is made of, with a fault for everything that is not in its place.

    >>> page = read_page('<!DOCTYPE html><p id="a">Of <em>190</em> days</p>')
    >>> [text.text for text in page.texts], page.faults
    (['Of 190 days'], [])
    >>> read_page("<!DOCTYPE html><p>1<!-- 7 --></p>").faults[0][1]
    'comment'
    """
    return _Reader(html).read()


class _Reader:
    def __init__(self, html: str) -> None:
        self.html = html
        self.page = Page()
        self.stack: list[Element] = []
        self.open_texts: list[Text] = []
        self.numbers: dict[str, int] = {}
        self.named = ""

    def read(self) -> Page:
        start = _DOCTYPE.match(self.html)
        if not start:
            self.fault("malformed", "The page does not begin as a page of ours.")
        at = start.end() if start else 0
        while at < len(self.html):
            at = self._next(at)
        for element in reversed(self.stack):
            self.fault("malformed", f"<{element.tag}> is not closed.")
        self.page.texts = [text for text in self.page.texts if text.text]
        return self.page

    def fault(self, rule: str, says: str) -> None:
        self.page.faults.append((self.stack[-1].place if self.stack else "", rule, says))

    def _next(self, at: int) -> int:
        if self.html[at] != "<":
            end = self.html.find("<", at)
            end = len(self.html) if end < 0 else end
            self._text(self.html[at:end])
            return end
        match = _TAG.match(self.html, at)
        if match is None:
            return self._odd(at)
        if match[1]:
            self._close(match[2].lower(), match.end())
            if match[3].strip():
                self.fault("malformed", "A closing tag has attributes.")
        else:
            self._open(match)
        return match.end()

    def _odd(self, at: int) -> int:
        if self.html.startswith("<!--", at):
            self.fault("comment", "The page has a comment, which a reader does not see.")
            end = self.html.find("-->", at)
            return len(self.html) if end < 0 else end + 3
        self.fault("malformed", "There is something that is neither a text nor a tag as our pages have them.")
        return at + 1

    def _open(self, match: re.Match[str]) -> None:
        tag = match[2].lower()
        attributes: dict[str, str] = {}
        for name, value in _ATTRIBUTE.findall(match[3]):
            if name.lower() in attributes:
                self.fault("malformed", f"<{tag}> has the attribute {name} twice.")
            attributes[name.lower()] = unescape(value)
        if attributes.get("id"):
            self.named, self.numbers = attributes["id"], {}
        self.numbers[tag] = self.numbers.get(tag, 0) + 1
        place = f"{self.named + ', ' if self.named else ''}{tag} {self.numbers[tag]}"
        inside = any(element.tag == "svg" for element in self.stack)
        element = Element(
            tag, attributes, place, match.start(), inside or tag == "svg", self.stack[-1] if self.stack else None
        )
        self.page.elements.append(element)
        self._part(element)
        if tag in _EMPTY or match[4]:
            # Only a drawing's elements may close themselves; elsewhere a browser would not close them.
            if match[4] and not (element.in_drawing or tag in _EMPTY):
                self.fault("malformed", f"<{tag}/> closes itself outside a drawing.")
            if tag == "svg":
                self._drawing(element, match.end())
            return
        self.stack.append(element)
        if tag in BLOCKS or (inside and tag == "title"):
            self.open_texts.append(Text(element))
            self.page.texts.append(self.open_texts[-1])

    def _part(self, element: Element) -> None:
        """Part the texts before and after an element that begins a new line."""
        names = element.attributes.get("class", "").split()
        if self.open_texts and (element.tag in BLOCKS or element.tag == "br" or _OWN_LINE & set(names)):
            for parts in (self.open_texts[-1].parts, self.open_texts[-1].own):
                parts.append(" ")

    def _close(self, tag: str, end: int) -> None:
        if not self.stack or self.stack[-1].tag != tag:
            self.fault("malformed", f"</{tag}> closes nothing, or elements overlap.")
            # Go on from the nearest one of its name, so that what follows is still checked.
            if not any(element.tag == tag for element in self.stack):
                return
        while self.stack:
            element = self.stack.pop()
            if self.open_texts and self.open_texts[-1].element is element:
                self.open_texts.pop()
            self._part(element)
            if element.tag == "svg":
                self._drawing(element, end)
            if element.tag == tag:
                return

    def _drawing(self, element: Element, end: int) -> None:
        source = self.html[element.start : end]
        self.page.drawings.append((element, hashlib.sha256(source.encode("utf-8")).hexdigest()))

    def _text(self, raw: str) -> None:
        if self.stack and self.stack[-1].tag == "style":
            self.page.styles.append(hashlib.sha256(raw.encode("utf-8")).hexdigest())
            return
        if not self.open_texts:
            if raw.strip():
                self.fault("malformed", "There is text outside all elements.")
            return
        text = unescape(raw)
        self.open_texts[-1].parts.append(text)
        if not any(self._is_mark(element) for element in self.stack):
            self.open_texts[-1].own.append(text)

    @staticmethod
    def _is_mark(element: Element) -> bool:
        return element.tag == "span" and element.attributes.get("class") == "ref"


def attribute_texts(page: Page) -> Iterator[tuple[Element, str, str]]:
    """Return the attributes a reader, or a reader's software, meets as words: element, name, text."""
    for element in page.elements:
        for name in ("alt", "title", "aria-label", "aria-description", "summary", "placeholder", "download", "lang"):
            if element.attributes.get(name):
                yield element, name, element.attributes[name]
