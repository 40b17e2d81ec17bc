"""A pack as one self-contained page: no script, nothing from elsewhere, marked on every printed page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from attendance_toolkit.errors import ReportError
from attendance_toolkit.reporting.exporter import TEMPLATES, frame_values
from attendance_toolkit.reporting.page_lint import UPN_FOUND, lint_page
from attendance_toolkit.reporting.school_pack.parts import Part
from attendance_toolkit.vocabulary.audiences import SENSITIVE

_PAGE, _BODY = "pack.html.j2", "body.html"


@dataclass(frozen=True)
class PackHead:
    """The head of a pack. ``running`` stands at the foot of every printed page."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    footer: tuple[tuple[str, str], ...]
    running: str
    is_synthetic: bool


def pack_page(head: PackHead, parts: Sequence[Part], *, is_identified: bool) -> bytes:
    """Return the page of a pack.

    Parameters
    ----------
    is_identified
        Whether it is to have UPNs: without it, one on the page stops the pack.

    Raises
    ------
    ReportError
        The page does not pass the checks of all pages.
    """
    given = [part for part in parts if part.items]
    body = _templates().get_template(_BODY).render(parts=given)
    values = frame_values(
        title=head.title,
        subtitle=head.subtitle,
        facts=head.facts,
        footer=head.footer,
        contents=tuple((part.id, part.title) for part in given),
        body=body,
        synthetic=head.is_synthetic,
        document_title=head.running,
        marking=SENSITIVE,
    )
    html = _templates().get_template(_PAGE).render(page=values).lstrip()
    problems = [problem for problem in lint_page(html) if not (is_identified and problem == UPN_FOUND)]
    if problems:
        raise ReportError(f"The pack did not pass its own checks: {'; '.join(problems)}")
    return html.encode("utf-8")


@cache
def _templates() -> Environment:
    # Of .html all is escaped: what is of schools and pupils stands there. The frame (.html.j2) escapes what it is given
    # itself, and takes style sheets and the body as they are.
    return Environment(
        loader=FileSystemLoader([TEMPLATES / "school_pack", TEMPLATES / "attendance_page"]),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
    )
