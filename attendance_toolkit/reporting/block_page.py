"""A page of blocks without a notebook: the same frame, the same blocks, the same checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Block, PageHead
from attendance_toolkit.presentation.markup import PageContext, render, slug, text_html
from attendance_toolkit.reporting.exporter import frame_values, render_frame
from attendance_toolkit.reporting.page_lint import lint_page


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


def block_page(head: PageHead, sections: Sequence[Section]) -> str:
    """Return the page of some sections; those without blocks are left out.

    Raises
    ------
    ReportError
        The page does not pass its own checks.
    """
    context = PageContext(head=head, ids={"main", "contents-title"})
    parts, contents = [], []
    for section in sections:
        if not section.blocks:
            continue
        name = context.take_id(slug(section.title))
        inner = "\n".join(html for html in (render(block, context) for block in section.blocks) if html)
        heading = f'<h2 id="{name}">{text_html(section.title)}</h2>'
        parts.append(f'<section aria-labelledby="{name}">\n{heading}\n{inner}\n</section>')
        contents.append((name, section.title))
    html = render_frame(
        frame_values(
            title=head.title,
            subtitle=head.subtitle,
            facts=head.facts,
            footer=head.footer,
            contents=tuple(contents),
            body="\n".join(parts),
            synthetic=head.synthetic,
            document_title=head.title,
            marking=head.marking,
        )
    )
    problems = lint_page(html)
    if problems:
        raise ReportError(f"The page '{head.title}' did not pass its own checks: {'; '.join(problems)}")
    return html
