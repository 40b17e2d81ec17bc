"""Areas: England, regions, combined authorities and local authorities, by name or code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from attendance_toolkit.errors import UnknownAreaError, did_you_mean
from attendance_toolkit.vocabulary._reference import read_reference

ENGLAND = "E92000001"


@dataclass(frozen=True)
class Area:
    """One row of ``reference/areas.csv``."""

    code: str
    name: str
    level: str
    """National, Regional, Combined authority or Local authority."""
    dfe_code: str
    region_code: str
    combined_authority_code: str
    start_date: str
    end_date: str
    is_synthetic: bool


@cache
def all_areas() -> tuple[Area, ...]:
    """Return every area the toolkit knows, ended local authorities included."""
    return tuple(
        Area(
            row["area_code"],
            row["area_name"],
            row["area_level"],
            row["dfe_code"],
            row["region_code"],
            row["combined_authority_code"],
            row["start_date"],
            row["end_date"],
            row["is_synthetic"] == "yes",
        )
        for row in read_reference("areas.csv")
    )


@cache
def _lookup() -> dict[str, Area]:
    found: dict[str, Area] = {}
    # Ended authorities first, so that a name or three-digit code used again means the live one.
    for area in sorted(all_areas(), key=lambda a: a.end_date == ""):
        for key in (area.code, area.name, area.dfe_code):
            if key:
                found[key.casefold()] = area
    return found


def find_area(name_or_code: str) -> Area:
    """Return the area with this name, nine-character code or three-digit DfE code.

    Raises
    ------
    UnknownAreaError
        With the nearest name, if there is one.

    >>> find_area("trafford").code, find_area("358").name, find_area("E12000002").name
    ('E08000009', 'Trafford', 'North West')
    >>> find_area("Traford")
    Traceback (most recent call last):
        ...
    attendance_toolkit.errors.UnknownAreaError: 'Traford' is not an area this toolkit knows. Did you mean 'Trafford'?
    """
    text = str(name_or_code).strip()
    area = _lookup().get(text.casefold())
    if area is None:
        hint = did_you_mean(text, [a.name for a in all_areas()])
        raise UnknownAreaError(
            f"'{text}' is not an area this toolkit knows."
            + (hint or " Give the name or code of a local authority, combined authority, region or England.")
        )
    return area


def area_of_laestab(laestab: int) -> Area | None:
    """Return the local authority whose three-digit code begins a seven-digit LAESTAB, or None.

    >>> area_of_laestab(3584012).name
    'Trafford'
    """
    return _lookup().get(f"{int(laestab):07d}"[:3])


def local_authorities_in(area: Area) -> tuple[Area, ...]:
    """Return the live local authorities inside an area (itself, for a local authority).

    >>> [a.name for a in local_authorities_in(find_area("Greater Manchester"))][:3]
    ['Bolton', 'Bury', 'Manchester']
    """
    live = [a for a in all_areas() if a.level == "Local authority" and not a.end_date]
    if area.level == "Local authority":
        return (area,)
    if area.level == "National":
        return tuple(a for a in live if not a.is_synthetic)
    if area.level == "Regional":
        inner = {a.code for a in all_areas() if a.level == "Regional" and a.region_code == area.code}
        return tuple(a for a in live if a.region_code == area.code or a.region_code in inner)
    return tuple(a for a in live if a.combined_authority_code == area.code)
