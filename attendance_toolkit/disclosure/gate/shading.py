"""Whether the shades of a page say nothing but what it prints: each is worked out again from the texts of its table."""

from __future__ import annotations

from collections.abc import Iterator

from attendance_toolkit.disclosure.gate.reading import Element, Page
from attendance_toolkit.disclosure.shades import SHADES, shades_of

#: Classes a cell of a table may have besides its shade: a number, a symbol.
_CELL_CLASSES = frozenset(("n", "sym"))
_PLACES = {name: place for place, name in enumerate(SHADES)}


def shade_faults(page: Page) -> Iterator[tuple[Element, str]]:
    """Give each element whose colour is not known to be harmless, with a sentence.

    In a table with shades every cell has the shade that follows from the numbers printed in it, and cells without a
    number, hidden ones above all, have none. Elsewhere only the samples of a key are shaded.
    """
    tables: dict[int, list[Element]] = {}
    for element in page.elements:
        if element.in_drawing:
            continue
        shades = [name for name in element.classes if name in _PLACES]
        if element.tag == "td":
            if len(shades) > 1 or not set(element.classes) <= _CELL_CLASSES | set(shades):
                yield element, "A cell has a class our tables do not have: its look may say what it hides."
            tables.setdefault(id(element.within("table")), []).append(element)
        elif element.within("td") is not None and element.classes not in ([], ["ref"]):
            yield element, "A part of a cell has a look of its own, which may say what the cell hides."
        elif shades and not _is_sample(element):
            yield element, "Something that is no cell of a table and no sample of a key is shaded."
    texts = {id(text.element): text.without_marks for text in page.texts}
    for cells in tables.values():
        yield from _table_faults(cells, texts)


def _is_sample(element: Element) -> bool:
    parent = element.parent
    return (
        element.tag == "li"
        and len(element.classes) == 1
        and parent is not None
        and parent.classes == ["key"]
        and parent.within("table") is None
    )


def _table_faults(cells: list[Element], texts: dict[int, str]) -> Iterator[tuple[Element, str]]:
    given = [next((_PLACES[name] for name in cell.classes if name in _PLACES), None) for cell in cells]
    if all(shade is None for shade in given):
        return
    wanted, _ = shades_of([texts.get(id(cell), "") for cell in cells])
    for cell, has, ought in zip(cells, given, wanted, strict=True):
        if has != ought:
            says = "has a shade though it shows no number." if ought is None else "has not the shade of its number."
            yield cell, f"A cell {says}"


__all__ = ["shade_faults"]
