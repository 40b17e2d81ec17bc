"""Workbooks (xlsx): every text in them, and everything in them that a reader does not see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as Tree
from xml.parsers import expat

#: Members a plain workbook has. Everything else is refused, by what it is where that is known.
_PLAIN = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(?:app|core)\.xml|xl/(?:workbook|styles|sharedStrings|metadata)\.xml"
    r"|xl/theme/theme\d+\.xml|xl/worksheets/sheet\d+\.xml|xl/tables/table\d+\.xml|xl/_rels/workbook\.xml\.rels"
    r"|xl/worksheets/_rels/sheet\d+\.xml\.rels|xl/calcChain\.xml|xl/drawings/(?:_rels/)?drawing\d+\.xml(?:\.rels)?"
)
_IMAGE = re.compile(r"xl/media/[\w.-]+\.(?:png|jpe?g)")
_HIDDEN_PARTS = (
    ("pivot", "It holds a pivot table's cache, with every row it was made from."),
    ("externalLinks", "It refers to another workbook, and holds its name and values."),
    ("comments", "It holds comments."),
    ("threadedComments", "It holds comments."),
    ("persons", "It holds names of people who wrote comments."),
    ("vbaProject", "It holds a program."),
    ("connections", "It holds a connection to a source of data."),
    ("queryTables", "It holds a connection to a source of data."),
    ("printerSettings", "It holds the settings of a printer, with its name."),
    ("docProps/custom", "It has properties that somebody added."),
    ("customXml", "It holds data beside the sheets."),
    ("embeddings", "It holds another file."),
)
#: Who may have made a workbook: programs, not people.
_MAKERS = frozenset(("", "attendance-toolkit", "openpyxl", "xlsxwriter"))
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_FORMULA = re.compile(r"[\s\u00a0]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]|[\t\r]")
_NUMBER = re.compile(r"[+\-−]?(?:\d[\d,]*)?(?:\.\d+)?(?:[eE][+-]?\d+)?\s?(?:%|pp)?")


@dataclass
class Workbook:
    """The texts of a workbook, its images, and its problems: (place, rule, sentence)."""

    texts: list[str] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    problems: list[tuple[str, str, str]] = field(default_factory=list)

    def refuse(self, place: str, rule: str, says: str) -> None:
        """Note a problem, once for each place."""
        if (place, rule, says) not in self.problems:
            self.problems.append((place, rule, says))


def is_formula(text: str) -> bool:
    r"""Whether a spreadsheet would run the text of a cell. A number with its sign, or a dash, is none.

    >>> [is_formula(text) for text in ("=1+1", "@SUM(A1)", "-2+3", "\t=1", "-0.5", "+1.2 pp", "-", "a=1")]
    [True, True, True, True, False, False, False, False]
    """
    return _FORMULA.match(text) is not None and not _NUMBER.fullmatch(text.strip(" "))


def is_workbook(members: Mapping[str, bytes]) -> bool:
    """Whether the files of an archive are those of a workbook."""
    return "[Content_Types].xml" in members and any(name.startswith("xl/") for name in members)


def read_workbook(members: Mapping[str, bytes]) -> Workbook:
    """Return the texts of a workbook and what is wrong with it.

    Parameters
    ----------
    members
        Name -> content of every file in it.
    """
    book = Workbook()
    for name, content in members.items():
        if _IMAGE.fullmatch(name):
            book.images[name] = content
            continue
        if not _PLAIN.fullmatch(name):
            says = next((says for part, says in _HIDDEN_PARTS if part in name), "It holds a part that is not known.")
            book.refuse("", "workbook_part", says)
        if not name.endswith((".xml", ".rels", ".vml")):
            book.texts.append(content.decode("latin-1"))
            book.texts.append(content.replace(b"\0", b"").decode("latin-1"))
            continue
        root = _parsed(content, name, book)
        if root is not None:
            _read_member(name, root, book)
    return book


def _parsed(content: bytes, name: str, book: Workbook) -> Tree.Element | None:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        book.refuse(name, "workbook_part", "It defines entities, which a workbook never does.")
        book.texts.append(content.decode("latin-1"))
        return None
    if b"<!--" in content:
        book.texts.append(content.decode("utf-8", errors="replace"))
        book.refuse(name, "workbook_part", "It holds a comment of XML.")
    try:
        return Tree.fromstring(content)  # noqa: S314 -- a document type, where entities would be, is refused above
    except (Tree.ParseError, expat.ExpatError, ValueError, LookupError):
        book.refuse(name, "unreadable", "A part of the workbook cannot be read.")
        book.texts.append(content.decode("latin-1"))
        return None


def _read_member(name: str, root: Tree.Element, book: Workbook) -> None:
    cells = list(_cell_texts(root))
    if name == "xl/sharedStrings.xml" or name.startswith("xl/worksheets/sheet"):
        for text in cells:
            if is_formula(text):
                book.refuse(name, "formula", "The text of a cell would be run as a formula by a spreadsheet.")
    beside = []
    for element in root.iter():
        tag = _local(element.tag)
        # When a workbook was made is in every workbook, and is nobody's date of birth.
        is_made = (
            tag in ("created", "modified") and name == "docProps/core.xml" and _MOMENT.fullmatch(element.text or "")
        )
        beside += ["" if is_made else element.text or "", element.tail or "", *_said(name, element)]
        _check(name, tag, element, book)
    book.texts.append("\n".join(text for text in (*cells, *beside) if text.strip()))


def _said(name: str, element: Tree.Element) -> Iterator[str]:
    """Give the attributes of an element that may say something; theme and styles are full of ids and colours."""
    for key, value in element.attrib.items():
        if not name.startswith(("xl/styles", "xl/theme", "[Content_Types]")) and _local(key) not in (
            "uid",
            "Target",
            "Type",
        ):
            yield value


def _cell_texts(root: Tree.Element) -> Iterator[str]:
    """Give the text of every shared or inline string, with its runs put together."""
    for element in root.iter():
        if _local(element.tag) in ("si", "is"):
            yield "".join(inner.text or "" for inner in element.iter() if _local(inner.tag) == "t")


def _check(name: str, tag: str, element: Tree.Element, book: Workbook) -> None:
    if tag == "sheet" and element.get("state", "visible") != "visible":
        book.refuse(name, "hidden_sheet", "It has a hidden sheet.")
    elif tag in ("row", "col") and element.get("hidden", "0") in ("1", "true"):
        book.refuse(name, "hidden_sheet", "It has hidden rows or columns.")
    elif tag == "f" and name.startswith("xl/worksheets/"):
        book.refuse(name, "formula", "It has cells with formulas; a release holds values only.")
    elif tag == "definedName" and not (element.get("name") or "").startswith("_xlnm.Print_"):
        book.refuse(name, "defined_name", "It has a defined name.")
    elif tag in ("creator", "lastModifiedBy", "manager", "company", "Manager", "Company", "title", "subject",
                 "description", "keywords", "category", "contentStatus") and name.startswith("docProps/"):  # fmt: skip
        if (element.text or "").strip().casefold() not in _MAKERS:
            book.refuse(name, "document_properties", "Its properties name a person or say something of the document.")
    elif tag == "Relationship" and element.get("TargetMode") == "External":
        book.texts.append(element.get("Target") or "")
        book.refuse(name, "external_link", "It refers to something outside the workbook.")
    elif tag in ("oleObject", "control", "legacyDrawing", "dataValidation"):
        book.refuse(name, "workbook_part", "It holds a control, an object or a list of allowed values.")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
