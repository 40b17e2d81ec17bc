"""What a pack is made of: parts with text, lists, tables and drawings, put into the template as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

#: Stands where a figure is not there.
NO_FIGURE = "–"


@dataclass(frozen=True)
class Text:
    """A paragraph; ``is_note`` sets it small."""

    kind: ClassVar[str] = "text"
    text: str
    is_note: bool = False


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    kind: ClassVar[str] = "points"
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class PackTable:
    """A table; the first column heads the rows.

    Attributes
    ----------
    words
        Columns of words, which are set to the left; all others but the first are figures.
    is_form
        A table to be filled in by hand: its empty cells are room to write.
    """

    kind: ClassVar[str] = "table"
    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[str] = frozenset()
    note: str = ""
    is_form: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether it needs more room than a phone has."""
        return len(self.columns) > 2


@dataclass(frozen=True)
class Drawing:
    """A chart: an ``<svg>`` that carries its own text equivalent."""

    kind: ClassVar[str] = "drawing"
    id: str
    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Badge:
    """A level in a word and a shape, never in colour alone; ``rank`` 0 is best."""

    kind: ClassVar[str] = "badge"
    word: str
    rank: int
    text: str

    @property
    def shape(self) -> str:
        """Circle for the best level, triangle for the next, square for all others."""
        return ("circle", "triangle", "square")[min(self.rank, 2)]


Item = Text | Points | PackTable | Drawing | Badge


@dataclass(frozen=True)
class Part:
    """A section of a pack."""

    id: str
    title: str
    items: tuple[Item, ...]


def part(part_id: str, title: str, items: Sequence[Item | None]) -> Part:
    """Return a section of those items that are there."""
    return Part(part_id, title, tuple(item for item in items if item is not None))
