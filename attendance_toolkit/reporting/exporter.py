"""An executed notebook as one self-contained HTML page.

Built on nbconvert's ``TemplateExporter`` with a template of our own. Only Markdown cells and blocks
(``presentation.blocks``) reach the page: whatever else a cell printed is refused, because an unforeseen
output is how pupil records leak.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import mistune
from nbconvert.exporters import TemplateExporter
from nbformat import NotebookNode
from traitlets.config import Config

from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import (
    MIME,
    SAID,
    Block,
    Figure,
    PageHead,
    Result,
    Table,
    block_from_document,
)
from attendance_toolkit.presentation.markup import (
    SYNTHETIC,
    SYNTHETIC_BANNER,
    PageContext,
    render,
    slug,
)
from attendance_toolkit.presentation.narrative import hidden_share
from attendance_toolkit.presentation.style import FONT_STACK, css_variables
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.calendar import show_academic_year

TEMPLATES = Path(__file__).parent / "templates"

#: Nothing may be loaded and nothing may run: styles and data addresses inside the file are all there is.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)

#: Tag of Markdown cells that speak to the notebook's user, not to the page's reader.
NOTEBOOK_ONLY = "notebook-only"


@dataclass(frozen=True)
class PageOutputs:
    """What one executed notebook gives.

    Attributes
    ----------
    html
        The page.
    tables
        File name -> text of every table's CSV file, those behind the figures included.
    result
        The rows of ``result.json``.
    head
        Title block, with area and year.
    said
        Every number noted while the page's blocks were made: text, value before rounding, what it is about
        (``vocabulary.ledger``). Values drawn in the tiles' small lines have no text.
    drawings
        sha256 of every drawing on the page.
    styles
        sha256 of the template's style sheet, filled in for this page.
    """

    html: str
    tables: dict[str, str]
    result: list[dict[str, Any]]
    head: PageHead
    said: tuple[ledger.Entry, ...] = ()
    drawings: frozenset[str] = frozenset()
    styles: frozenset[str] = frozenset()


@dataclass
class _Section:
    id: str = ""
    title: str = ""
    parts: list[str] = field(default_factory=list)

    def html(self) -> str:
        inner = "\n".join(part for part in self.parts if part.strip())
        if not self.id:
            return f"<section>\n{inner}\n</section>" if inner else ""
        heading = f'<h2 id="{self.id}">{self.title}</h2>'
        return f'<section aria-labelledby="{self.id}">\n{heading}\n{inner}\n</section>'


class _PageRenderer(mistune.HTMLRenderer):
    """Markdown as HTML: raw HTML is shown as text; headings below the second get no id."""

    def __init__(self) -> None:
        super().__init__(escape=True)

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        return f"<h{level}>{text}</h{level}>\n"


_HEADING = re.compile(r"<h([12])>(.*?)</h\1>\n?", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


class _PageBuilder:
    """Walks the cells once and gathers sections, CSV files and headline numbers."""

    def __init__(self, head: PageHead, seal: str | None = None) -> None:
        self.head = head
        self.context = PageContext(head=head, ids={"main", "contents-title"}, seal=seal)
        self.sections = [_Section()]
        self.result: list[dict[str, Any]] = []
        self.data: list[Table] = []
        self._markdown = mistune.create_markdown(renderer=_PageRenderer())

    def add_markdown(self, source: str, cell: int) -> None:
        """Add prose: every second-level heading opens a section; the notebook's own title is left out."""
        html = str(self._markdown(source))
        at = 0
        for match in _HEADING.finditer(html):
            self._add(html[at : match.start()])
            at = match.end()
            if match[1] == "2":
                text = match[2].strip()
                name = self._free_id(slug(_TAG.sub("", text)))
                self.sections.append(_Section(name, text))
            elif len(self.sections) > 1 or any(self.sections[0].parts):
                raise ReportError(
                    f"Cell {cell} has a first-level heading. The page title comes from PageHead;"
                    " begin sections with ##."
                )
        self._add(html[at:])

    def add_block(self, block: Block, cell: int) -> None:
        """Add a block, or take its numbers."""
        if isinstance(block, PageHead):
            return
        if isinstance(block, Result):
            self.result += [dict(row) for row in block.rows]
            return
        if isinstance(block, (Table, Figure)):
            self.data.append(block.data if isinstance(block, Figure) else block)
        try:
            self._add(render(block, self.context))
        except ReportError as error:
            raise ReportError(f"Cell {cell}: {error}") from error

    def _add(self, html: str) -> None:
        if html.strip():
            self.sections[-1].parts.append(html.strip())

    def _free_id(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.context.ids:
            name, number = f"{wanted}-{number}", number + 1
        return self.context.take_id(name)


def _said(nb: NotebookNode) -> tuple[ledger.Entry, ...]:
    """Return what the blocks of a notebook carry of the ledger, each entry once, in their order."""
    found: dict[ledger.Entry, None] = {}
    for cell in nb.cells:
        for output in cell.get("outputs", []) if cell.cell_type == "code" else []:
            for text, value, kind in output.get("data", {}).get(MIME, {}).get(SAID, []):
                found[(str(text), None if value is None else float(value), str(kind))] = None
    return tuple(found)


def _cell_blocks(nb: NotebookNode) -> list[tuple[int, NotebookNode, list[Block]]]:
    """Return each cell with its number (from 1) and the blocks in its outputs.

    Raises
    ------
    ReportError
        A cell failed, or an output is anything but a block. The message names the cell, never the output.
    """
    found = []
    for number, cell in enumerate(nb.cells, start=1):
        blocks = []
        for output in cell.get("outputs", []) if cell.cell_type == "code" else []:
            if output.output_type == "error":
                raise ReportError(f"Cell {number} failed with {output.get('ename', 'an error')}. No page is made.")
            if output.output_type == "stream":
                raise ReportError(
                    f"Cell {number} wrote to {output.get('name', 'stdout')}. Only blocks may be shown;"
                    " remove the print, the progress bar or the cause of the warning."
                )
            document = output.get("data", {}).get(MIME)
            if document is None:
                raise ReportError(
                    f"Cell {number} shows something that is not a block. End the line with a semicolon"
                    " or show it as a table, figure or sentence."
                )
            blocks.append(block_from_document(document))
        found.append((number, cell, blocks))
    return found


def _css_string(text: str) -> str:
    r"""Return text as a CSS string.

    >>> print(_css_string('a "b"'))
    "a \22 b\22 "
    """
    special = {character: f"\\{ord(character):x} " for character in '"\\<>\n'}
    return '"' + "".join(special.get(character, character) for character in text) + '"'


def frame_values(
    *,
    title: str,
    subtitle: str = "",
    facts: tuple[tuple[str, str], ...] = (),
    footer: tuple[tuple[str, str], ...] = (),
    contents: tuple[tuple[str, str], ...] = (),
    body: str,
    synthetic: bool,
    document_title: str,
    index_href: str = "",
    marking: str = "",
) -> dict[str, Any]:
    """Return everything ``frame.html.j2`` needs.

    Parameters
    ----------
    marking
        Protective marking, such as OFFICIAL-SENSITIVE; stands in header and footer and on every printed page.
    """
    marks = [mark for mark in (marking, SYNTHETIC.upper() if synthetic else "") if mark]
    return {
        "csp": CONTENT_SECURITY_POLICY,
        "light": css_variables("light"),
        "dark": css_variables("dark"),
        "fonts": FONT_STACK,
        "title": title,
        "subtitle": subtitle,
        "facts": facts,
        "footer": footer,
        "contents": contents,
        "body": body,
        "synthetic": synthetic,
        "synthetic_banner": SYNTHETIC_BANNER,
        "document_title": f"{document_title} ({SYNTHETIC.lower()})" if synthetic else document_title,
        "print_title": _css_string(". ".join([*marks, document_title])),
        "index_href": index_href,
        "marking": marking,
        "print_marking": _css_string(marking),
    }


_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)


def style_hashes(frame: str) -> frozenset[str]:
    """Return the sha256 of every style sheet in a page's frame.

    >>> len(style_hashes("<style>p{}</style>"))
    1
    """
    return frozenset(hashlib.sha256(text.encode("utf-8")).hexdigest() for text in _STYLE.findall(frame))


class PageExporter(TemplateExporter):
    """nbconvert exporter for report pages.

    >>> PageExporter().template_name
    'attendance_page'
    """

    export_from_notebook = "Attendance page"
    output_mimetype = "text/html"

    def __init__(
        self, config: Config | None = None, *, index_href: str = "", seal: str | None = None, **options: Any
    ) -> None:
        # extra_template_basedirs must reach the constructor: nbconvert looks for the template there already.
        super().__init__(
            config=config,
            template_name="attendance_page",
            extra_template_basedirs=[str(TEMPLATES)],
            **options,
        )
        self.index_href = index_href
        self.seal = seal

    def _file_extension_default(self) -> str:
        return ".html"

    def _template_extension_default(self) -> str:
        return ".html.j2"

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page, with the CSV files and headline numbers under ``attendance`` in the resources.

        Raises
        ------
        ReportError
            A cell failed or showed something else than blocks, or the notebook has not exactly one PageHead.
        """
        cells = _cell_blocks(nb)
        heads = [block for _, _, blocks in cells for block in blocks if isinstance(block, PageHead)]
        if len(heads) != 1:
            raise ReportError(f"The notebook shows {len(heads)} title blocks (PageHead); a page needs exactly one.")
        head = heads[0]
        builder = _PageBuilder(head, self.seal)
        for number, cell, blocks in cells:
            tags = cell.get("metadata", {}).get("tags", [])
            if cell.cell_type == "markdown" and NOTEBOOK_ONLY not in tags:
                builder.add_markdown(cell.source, number)
            for block in blocks:
                builder.add_block(block, number)

        year = show_academic_year(head.academic_year)
        # A heading over nothing (a section of an area's districts on the page of one district) is left out.
        sections = [section for section in builder.sections if any(part.strip() for part in section.parts)]
        document_title = head.title if head.area_name in head.title else f"{head.title}, {head.area_name}"
        if year not in document_title:
            document_title = f"{document_title}, {year}"
        resources = dict(resources or {})
        hidden = hidden_share(builder.data)
        values = frame_values(
            title=head.title,
            subtitle=head.subtitle,
            facts=head.facts,
            footer=((("Hidden figures", hidden),) if hidden else ()) + head.footer,
            contents=tuple((s.id, unescape(_TAG.sub("", s.title))) for s in sections if s.id),
            body="\n".join(html for html in (section.html() for section in sections) if html),
            synthetic=head.synthetic,
            document_title=document_title,
            index_href=self.index_href,
            marking=head.marking,
        )
        resources["page"] = values
        # The page is already gathered: nbconvert only fills the template, so it need not copy the outputs.
        shell = NotebookNode(nbformat=4, nbformat_minor=5, metadata=NotebookNode(), cells=[])
        html, resources = super().from_notebook_node(shell, resources, **options)
        drawn = tuple(("", value, ledger.FIGURE) for value in builder.context.drawn)
        resources["attendance"] = {
            "tables": builder.context.tables,
            "result": builder.result,
            "head": head,
            "said": _said(nb) + drawn,
            "drawings": frozenset(builder.context.drawings),
            "styles": self._styles(values),
        }
        return html, resources

    def _styles(self, values: dict[str, Any]) -> frozenset[str]:
        """Return the hashes of the template's own style sheets, from a frame in which nothing of the page stands."""
        bare = {**values, "body": "", "title": "", "subtitle": "", "facts": (), "footer": (), "contents": ()}
        return style_hashes(str(self.environment.get_template("frame.html.j2").render(page=bare)))


def collect_outputs(nb: NotebookNode, *, index_href: str = "", seal: bytes | str | None = None) -> PageOutputs:
    """Return page, CSV files and headline numbers of an executed notebook.

    Parameters
    ----------
    index_href
        Relative address of the index of all areas; empty leaves the link out, as for a page sent by itself.
    seal
        The run's key, which kernels have in ``ATTENDANCE_SEAL`` (bytes stand for their hexadecimal text); by default
        that of this process. With a key, a figure our chart functions did not draw in this run is refused.

    Raises
    ------
    ReportError
        As ``PageExporter.from_notebook_node``.
    DisclosureError
        A figure has not the seal of this run.
    """
    key = seal.hex() if isinstance(seal, bytes) else seal
    html, resources = PageExporter(index_href=index_href, seal=key).from_notebook_node(nb)
    found = resources["attendance"]
    return PageOutputs(html=html, **found)


def render_frame(values: dict[str, Any]) -> str:
    """Return a page of the same family without a notebook, as the index is."""
    exporter = PageExporter()
    return str(exporter.environment.get_template("frame.html.j2").render(page=values)).lstrip()


__all__ = [
    "CONTENT_SECURITY_POLICY",
    "NOTEBOOK_ONLY",
    "PageExporter",
    "PageOutputs",
    "collect_outputs",
    "frame_values",
    "render_frame",
    "style_hashes",
]
