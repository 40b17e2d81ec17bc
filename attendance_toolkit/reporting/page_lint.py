"""Check a finished page for what must hold of every page. A page with a finding is not published."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

from attendance_toolkit.disclosure.gate.patterns import PATHS, TRACEBACKS, UPN

MAX_BYTES = 1024 * 1024
#: The one finding that a page which is to name pupils may have.
UPN_FOUND = "The page holds something shaped like a pupil's UPN."

#: Directives the page's policy must have.
_POLICY = ("default-src 'none'", "base-uri 'none'", "form-action 'none'")
_FORBIDDEN = frozenset(
    [
        "script",
        "iframe",
        "object",
        "embed",
        "applet",
        "link",
        "base",
        "form",
        "input",
        "button",
        "video",
        "audio",
        "source",
        "track",
        "canvas",
        "portal",
        "foreignobject",
        "animate",
        "set",
    ]
)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
#: Elements whose text is read as one, whatever is marked up inside.
_PARTS = frozenset(
    [
        "p",
        "td",
        "th",
        "li",
        "dt",
        "dd",
        "caption",
        "figcaption",
        "summary",
        "h1",
        "h2",
        "h3",
        "h4",
        "text",
        "pre",
        "blockquote",
    ]
)
_LOADING = frozenset(("src", "srcset", "poster", "data", "background", "action", "formaction", "ping"))
_NO_ALT = re.compile(
    r"^(no description has been provided.*|image|figure|chart|graph|png|svg|plot|picture)$", re.IGNORECASE
)
#: Id of a row of the release, the one thing an element may carry beside its text.
_REF = re.compile(r"^c[0-9a-f]{10}$")
_NOT_A_VALUE = frozenset(("nan", "none", "nat", "<na>", "inf", "-inf", "null"))
_DATA = re.compile(r"data:([\w/+.-]+)((?:;[\w=.-]+)*),([A-Za-z0-9+/=%]*)")


@dataclass
class _Open:
    """An element that has not been closed yet."""

    tag: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


class _Walker(HTMLParser):
    """Reads the page once and notes findings."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.findings: list[str] = []
        self.ids: Counter[str] = Counter()
        self.references: set[str] = set()
        self.count: Counter[str] = Counter()
        self.headings: list[int] = []
        self.policy = ""
        self.title = ""
        self.lang = ""
        self.first_link = ""
        self.stack: list[_Open] = []
        self.texts: list[str] = []

    # -- parser events

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.count[tag] += 1
        for element in self.stack:
            element.seen.add(tag)
        self._check_attributes(tag, attributes)
        self._check_element(tag, attributes)
        if tag not in _VOID:
            self.stack.append(_Open(tag, attributes))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not any(element.tag == tag for element in self.stack):
            return
        while self.stack:
            element = self.stack.pop()
            self._close(element)
            if self.stack:
                self.stack[-1].text += element.text
            if element.tag == tag:
                return

    def handle_data(self, data: str) -> None:
        if self.stack:
            self.stack[-1].text.append(data)
        if self.stack and self.stack[-1].tag == "style":
            if "@import" in data or re.search(r"url\(\s*['\"]?(?!data:|#)", data):
                self.note("The style sheet loads something from elsewhere.")
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.note("The page has an HTML comment.")

    # -- checks

    def note(self, finding: str) -> None:
        if finding not in self.findings:
            self.findings.append(finding)

    def _check_attributes(self, tag: str, attributes: dict[str, str]) -> None:
        if "id" in attributes:
            self.ids[attributes["id"]] += 1
        for name in ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers"):
            self.references.update(attributes.get(name, "").split())
        for name, value in attributes.items():
            if name.startswith("on"):
                self.note(f"<{tag}> has an event attribute ({name}).")
            if name in _LOADING and not value.startswith("data:image/"):
                self.note(f"<{tag}> loads something from elsewhere ({name}).")
            if name == "style" and re.search(r"url\(\s*['\"]?(?!#)", value):
                self.note(f"<{tag}> loads something from elsewhere (style).")
            if name in ("alt", "title", "aria-label", "content") or name.startswith("data-"):
                self.texts.append(value)
            if name.startswith("data-") and not (tag == "td" and name == "data-cell" and _REF.match(value)):
                self.note(f"<{tag}> carries data of its own ({name}).")
        if "hidden" in attributes or re.search(r"display\s*:\s*none", attributes.get("style", "")):
            self.note(f"<{tag}> is hidden: what a reader may not see must not be in the page.")
        href = attributes.get("href", attributes.get("xlink:href"))
        if href is not None:
            self._check_href(tag, href, attributes)

    def _check_href(self, tag: str, href: str, attributes: dict[str, str]) -> None:
        if href.startswith("#"):
            self.references.add(href[1:])
        elif tag != "a":
            self.note(f"<{tag}> loads something from elsewhere (href).")
        elif href.startswith("data:"):
            if not href.startswith("data:text/csv") or "download" not in attributes:
                self.note("A link holds data that is not a CSV download.")
        elif re.match(r"^[a-z][a-z0-9+.-]*:", href, re.IGNORECASE):
            if not re.match(r"^(https?|mailto):", href, re.IGNORECASE):
                self.note("A link has an address that is neither https nor mailto.")
        elif href.startswith("/"):
            self.note("A link is not relative to the page.")
        if tag == "a" and not self.first_link:
            self.first_link = href

    def _check_element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _FORBIDDEN:
            self.note(f"The page has a <{tag}>.")
        if tag == "html":
            self.lang = attributes.get("lang", "")
        if tag == "meta":
            directive = attributes.get("http-equiv", "").lower()
            if directive == "content-security-policy":
                self.policy = attributes.get("content", "")
            elif directive:
                self.note(f"The page has a <meta> of kind {directive}.")
        if re.fullmatch(r"h[1-6]", tag):
            level = int(tag[1])
            if self.headings and level > self.headings[-1] + 1:
                self.note(f"The headings jump from level {self.headings[-1]} to level {level}.")
            self.headings.append(level)
        if tag == "svg" and attributes.get("aria-hidden") != "true":
            label = attributes.get("aria-label", "").strip()
            if attributes.get("role") != "img" or len(label) < 10 or _NO_ALT.match(label):
                self.note("A drawing has no text equivalent.")
        in_figure = any(element.tag == "figure" for element in self.stack)
        if tag == "svg" and attributes.get("aria-hidden") == "true" and in_figure:
            self.note("A figure's drawing is hidden from assistive technology.")
        if tag == "img" and (len(attributes.get("alt", "").strip()) < 10 or _NO_ALT.match(attributes["alt"].strip())):
            self.note("A picture has no text equivalent.")
        if tag == "th" and attributes.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
            self.note("A table header has no scope.")

    def _close(self, element: _Open) -> None:
        text = " ".join("".join(element.text).split())
        tag = element.tag
        if tag in _PARTS:
            self.texts.append(text)
        if tag == "title" and not any(open_.tag == "svg" for open_ in self.stack):
            self.title = text
        if tag == "th" and not text:
            self.note("A table header is empty.")
        if tag == "td" and "svg" not in element.seen and (not text or text.lower() in _NOT_A_VALUE):
            self.note(f"A table cell is empty or not a value ('{text}').")
        if tag == "caption" and not text:
            self.note("A table has an empty caption.")
        if tag == "table" and "caption" not in element.seen:
            self.note("A table has no caption.")
        if tag == "table" and "th" not in element.seen:
            self.note("A table has no headers.")
        if tag == "figure" and not {"figcaption", "svg"} <= element.seen and "img" not in element.seen:
            self.note("A figure has no caption or no drawing.")
        if tag == "details" and "summary" not in element.seen:
            self.note("A folded part has no summary.")
        if tag == "a" and not text:
            self.note("A link has no text.")
        if re.fullmatch(r"h[1-6]", tag) and not text:
            self.note("A heading is empty.")


def lint_page(html: str) -> list[str]:
    """Return what is wrong with a page, one sentence each; empty means nothing was found.

    No sentence repeats what it found, so the list can be shown when the page cannot.

    >>> lint_page("<p>no page</p>")[0]
    "The page's language is not en-GB."
    """
    walker = _Walker()
    walker.feed(html)
    walker.close()
    while walker.stack:
        walker.handle_endtag(walker.stack[-1].tag)
    found: list[str] = []
    if walker.lang != "en-GB":
        found.append("The page's language is not en-GB.")
    if not walker.title:
        found.append("The page has no title.")
    missing = [directive for directive in _POLICY if directive not in walker.policy]
    if missing:
        found.append(f"The content security policy lacks {', '.join(missing)}.")
    if "script-src" in walker.policy or "http" in walker.policy or "*" in walker.policy:
        found.append("The content security policy allows scripts or other hosts.")
    for tag, words in (("h1", "first-level headings"), ("main", "main parts"), ("header", "headers")):
        if walker.count[tag] != 1:
            found.append(f"The page has {walker.count[tag]} {words} instead of one.")
    if walker.first_link != "#main":
        found.append("The first link does not skip to the main content.")
    repeated = sorted(name for name, count in walker.ids.items() if count > 1)
    if repeated:
        found.append(f"Ids occur more than once: {', '.join(repeated[:5])}.")
    dangling = sorted(walker.references - set(walker.ids))
    if dangling:
        found.append(f"References lead nowhere: {', '.join(dangling[:5])}.")
    size = len(html.encode("utf-8"))
    if size > MAX_BYTES:
        found.append(f"The page has {size // 1024} KB; at most {MAX_BYTES // 1024} KB are allowed.")
    return found + walker.findings + _leaks(html, walker.texts)


def _leaks(html: str, texts: list[str]) -> list[str]:
    """Search the source, the texts a reader meets (entities resolved) and every data address."""
    bare = _DATA.sub("", html)
    words = "\n".join(texts)
    layers = [bare, words, *_decoded(html)]
    found = []
    if any(UPN.search(layer) for layer in layers):
        found.append(UPN_FOUND)
    if any(path.search(layer) for layer in layers[1:] for path in PATHS):
        found.append("The page holds a file path.")
    if any(trace.search(layer) for layer in layers for trace in TRACEBACKS):
        found.append("The page holds an error message of the program.")
    return found


def _decoded(html: str) -> list[str]:
    decoded = []
    for match in _DATA.finditer(html):
        if ";base64" not in match[2]:
            continue
        try:
            decoded.append(base64.b64decode(match[3], validate=True).decode("utf-8", errors="replace"))
        except (binascii.Error, ValueError):
            decoded.append("")
    return decoded
