"""DfE's statistical neighbours: the ten authorities most like each local authority, nearest first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.vocabulary._reference import read_reference
from attendance_toolkit.vocabulary.areas import Area, find_area


@dataclass(frozen=True)
class Neighbour:
    """One row of ``reference/statistical_neighbours.csv``.

    Attributes
    ----------
    area
        The neighbour.
    rank
        1 for the nearest to 10.
    closeness
        DfE's word: extremely close, very close, close, somewhat close or not close.
    edition
        Edition of the model; ended authorities have an earlier one.
    """

    area: Area
    rank: int
    closeness: str
    edition: str


@cache
def _all_rows() -> dict[str, tuple[Neighbour, ...]]:
    found: dict[str, list[Neighbour]] = {}
    for row in read_reference("statistical_neighbours.csv"):
        area = find_area(row["neighbour_code"])
        found.setdefault(row["la_code"], []).append(Neighbour(area, int(row["rank"]), row["closeness"], row["edition"]))
    return {code: tuple(sorted(rows, key=lambda n: n.rank)) for code, rows in found.items()}


def neighbour_rows(area: Area | str, edition: str | None = None) -> tuple[Neighbour, ...]:
    """Return the statistical neighbours of a local authority with rank and closeness, nearest first.

    Parameters
    ----------
    area
        A local authority, or its name or code.
    edition
        Edition of the model, such as "May 2025"; None means the one there is.

    Raises
    ------
    UnknownAreaError
        The name is not an area.
    NoDataError
        The area is not a local authority in DfE's model, or the edition has no row for it.

    >>> [(n.area.name, n.closeness) for n in neighbour_rows("Barnsley")][:2]
    [('Rotherham', 'very close'), ('Wakefield', 'very close')]
    """
    found = find_area(area) if isinstance(area, str) else area
    rows = _all_rows().get(_live_code(found), ())
    if not rows:
        why = (
            "it is a fictitious authority"
            if found.is_synthetic
            else f"it is {found.level.lower()}, and neighbours are those of a local authority"
            if found.level != "Local authority"
            else "DfE's model does not have it"
        )
        raise NoDataError(f"{found.name} has no statistical neighbours: {why}. Name a local authority in England.")
    kept = tuple(n for n in rows if edition is None or n.edition.casefold() == edition.casefold())
    if not kept:
        there = ", ".join(dict.fromkeys(n.edition for n in rows))
        raise NoDataError(f"There are no statistical neighbours of {found.name} of '{edition}'. There are: {there}.")
    return kept


def _live_code(area: Area) -> str:
    """Return the code the model knows an authority by: rows are kept by DfE code, which outlives ONS codes."""
    return find_area(area.dfe_code).code if area.dfe_code and not area.is_synthetic else area.code


def neighbours_of(area: Area | str, edition: str | None = None) -> tuple[Area, ...]:
    """Return the ten statistical neighbours of a local authority, nearest first.

    Parameters and errors are those of ``neighbour_rows``.

    >>> [a.name for a in neighbours_of("Trafford")][:3]
    ['Hertfordshire', 'Stockport', 'Buckinghamshire']
    >>> neighbours_of("Irwell Bank")
    Traceback (most recent call last):
        ...
    attendance_toolkit.errors.NoDataError: Irwell Bank has no statistical neighbours: it is a fictitious authority. \
Name a local authority in England.
    """
    return tuple(n.area for n in neighbour_rows(area, edition))
