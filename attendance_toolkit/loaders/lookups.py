"""Read DfE's lookups of areas: authorities, regions and statistical neighbours.

The toolkit has these tables in ``vocabulary/reference`` already. Reading a newer edition shows what has changed
in it (``compare_areas``), and the maker of ``statistical_neighbours.csv`` uses the reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import Head, Recognised, look
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import parse_date
from attendance_toolkit.vocabulary.areas import all_areas

#: Columns of a lookup of authorities or regions; a column the file does not have is "".
AREA_COLUMNS = ("area_code", "area_name", "area_level", "dfe_code", "region", "start_date", "end_date", "row")
NEIGHBOUR_COLUMNS = ("dfe_code", "neighbour_dfe_code", "rank", "closeness", "is_old", "row")
_LAYOUTS = {
    "las": ("la_name", "new_la_code", "old_la_code", "date_of_operation", "date_of_termination"),
    "region_la_hierarchy": ("region_code", "region_name", "old_la_code", "la_name", "new_la_code"),
    "regions": ("region_code", "region_name"),
    "lait_la_code_list": ("la number", "la name", "region", "type"),
}
_SAYS = {
    "las": "DfE's lookup of local authorities with the dates of their codes",
    "region_la_hierarchy": "DfE's lookup of local authorities by region",
    "regions": "DfE's lookup of regions",
    "lait_la_code_list": "the local authority interactive tool's list of authorities and regions",
    "statistical_neighbours": "DfE's statistical neighbour model",
}
#: Codes DfE gives rows that are not one authority ("Outside of England and unknown", a pair of authorities).
_NO_CODE = frozenset({"x", "z", "NA", ""})
_RANKS = 10
#: Nine-character codes and DfE codes; two stand in one cell where DfE puts two authorities together.
_CODE = re.compile(r"[EKNSW][0-9]{8}( / [EKNSW][0-9]{8})*")
_DFE_CODE = re.compile(r"[0-9]{3,4}( / [0-9]{3,4})*")


@dataclass(frozen=True, eq=False)
class Lookup:
    """A lookup as it was read.

    Attributes
    ----------
    layout
        las, region_la_hierarchy, regions, lait_la_code_list or statistical_neighbours.
    frame
        AREA_COLUMNS (``region`` is a code, or a name where the file has no code; dates are yyyy-mm-dd), or
        NEIGHBOUR_COLUMNS; all text but ``rank``, ``is_old`` and ``row``, the line of the file.
    rows
        Rows of the file below its header that are not blank.
    left_out
        Reason -> rows that are in no row of ``frame``.
    """

    layout: str
    frame: pd.DataFrame
    rows: int
    left_out: dict[str, int]


def _layout(head: Head) -> str | None:
    if head.format not in ("csv", "workbook"):
        return None
    for name, needs in _LAYOUTS.items():
        extra = {"la_type", "country_code", "country_name", "parent_geography_code", "entity_code",
                 "entity_description", "status"}  # fmt: skip
        if set(needs) <= head.names <= {*needs, *extra}:
            return name
    return "statistical_neighbours" if _neighbour_header(head.rows) is not None else None


def _neighbour_header(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the row with the column names, below rows of letters and numbers."""
    for place, row in enumerate(rows[:6]):
        names = [cell.strip().lower() for cell in row]
        if names and names[0] in ("la num", "la number") and {"sn1", f"sn{_RANKS}"} <= set(names):
            return place
    return None


def recognise(head: Head) -> Recognised | None:
    """Return what a lookup of areas is, None for any other file."""
    name = _layout(head)
    return Recognised("lookup", name, _SAYS[name], "the toolkit's own tables of areas") if name else None


def read_lookup(path: Path | str) -> Lookup:
    """Read a lookup of areas, recognised by its content.

    Raises
    ------
    UnreadableFileError
        The file cannot be read, is no lookup, or a row of it cannot be understood (file, row, column, value).
    """
    path = Path(path)
    try:
        head = look(path)
        name = _layout(head)
        if name is None:
            raise UnreadableFileError(f"{path.name} is not a lookup of areas. Known are: {'; '.join(_SAYS.values())}.")
        rows = list(table_rows(head))
    except NotReadableError as error:
        raise UnreadableFileError(f"{path.name}: {error.says} {error.fix}".strip()) from None
    if name == "statistical_neighbours":
        return _read_neighbours(path.name, rows)
    return _read_areas(path.name, name, rows)


def _read_areas(file: str, layout: str, rows: list[tuple[int, list[str]]]) -> Lookup:
    header = [cell.strip().lower() for cell in rows[0][1]]
    found, left = [], 0
    seen: dict[str, int] = {}
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise UnreadableFileError(
                f"{file}, row {line} has {len(cells)} cells, but the header has {len(header)}. Correct the row."
            )
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        code = row.get("new_la_code", row.get("region_code" if layout == "regions" else "", row.get("la number", "")))
        if code in _NO_CODE:
            left += 1
            continue
        _check_codes(file, line, row, layout)
        if seen.setdefault(code, line) != line:
            raise UnreadableFileError(
                f"{file}, row {line}: the area {code} is there already in row {seen[code]}. Keep one of the two rows."
            )
        dfe = row.get("old_la_code", row.get("la number", ""))
        region = row.get("parent_geography_code", row.get("region_code" if layout != "regions" else "", ""))
        region = region or row.get("region", "")
        level = "Regional" if layout == "regions" or region == "NA" else "Local authority"
        found.append(
            (
                "" if layout == "lait_la_code_list" else code,
                row.get("la_name", row.get("la name", row.get("region_name", ""))),
                level,
                "" if dfe in _NO_CODE else dfe,
                "" if region in _NO_CODE else region,
                _day(file, line, "date_of_operation", row.get("date_of_operation", "")),
                _day(file, line, "date_of_termination", row.get("date_of_termination", "")),
                line,
            )
        )
    frame = pd.DataFrame(found, columns=list(AREA_COLUMNS))
    return Lookup(layout, frame, len(rows) - 1, {"rows without the code of an area": left} if left else {})


def _check_codes(file: str, line: int, row: Mapping[str, str], layout: str) -> None:
    """Refuse words in the place of codes: the columns were mixed up, and the areas would be taken for new ones."""
    for column in ("new_la_code", "region_code", "parent_geography_code", "old_la_code", "la number"):
        is_dfe = column in ("old_la_code", "la number")
        text = row.get(column, "")
        if text not in _NO_CODE and not (_DFE_CODE if is_dfe else _CODE).fullmatch(text):
            allowed = "a DfE code such as 358" if is_dfe else "a code such as E08000009"
            raise UnreadableFileError(f"{file}, row {line}, {column}: '{text[:60]}' is not {allowed}. Correct the row.")
    name = row.get("la_name", row.get("la name", row.get("region_name", "")))
    if not name or _CODE.fullmatch(name) or _DFE_CODE.fullmatch(name):
        raise UnreadableFileError(f"{file}, row {line}: '{name}' is not the name of an area. Correct the row.")


def _day(file: str, line: int, column: str, text: str) -> str:
    day, how = parse_date(text)
    if day is None and how != "blank":
        raise UnreadableFileError(f"{file}, row {line}, {column}: '{text}' is not a date. Write it as dd/mm/yyyy.")
    return day.isoformat() if day else ""


def _read_neighbours(file: str, rows: list[tuple[int, list[str]]]) -> Lookup:
    place = _neighbour_header([cells for _, cells in rows])
    assert place is not None  # the layout was told by it
    names = [cell.strip().lower() for cell in rows[place][1]]
    first = names.index("sn1")
    found: list[tuple] = []
    is_old, blank = False, 0
    seen: dict[tuple[str, bool], int] = {}
    for line, cells in rows[place + 1 :]:
        if not cells[0].strip():
            # The ended authorities stand below a line of their own, with the neighbours of earlier editions.
            is_old = is_old or any("old" in cell.lower() for cell in cells)
            blank += 1
            continue
        authority = cells[0].strip()
        if not _DFE_CODE.fullmatch(authority):
            raise UnreadableFileError(
                f"{file}, row {line}, {names[0]}: '{authority[:60]}' is not a DfE code such as 358. Correct the row."
            )
        if seen.setdefault((authority, is_old), line) != line:
            raise UnreadableFileError(
                f"{file}, row {line}: the authority {authority} is there already in row {seen[authority, is_old]}. Keep"
                " one of the two rows."
            )
        for rank in range(1, _RANKS + 1):
            number, closeness = (cells[first + 2 * (rank - 1) + step].strip() for step in (0, 1))
            if not _DFE_CODE.fullmatch(number) or not closeness:
                raise UnreadableFileError(
                    f"{file}, row {line}, SN{rank}: '{number}' is not the DfE code of an authority with its closeness."
                    " Correct the row."
                )
            found.append((authority, number, rank, closeness.lower(), is_old, line))
    frame = pd.DataFrame(found, columns=list(NEIGHBOUR_COLUMNS))
    return Lookup(
        "statistical_neighbours", frame, len(rows) - place - 1, {"headings between authorities": blank} if blank else {}
    )


def compare_areas(lookup: Lookup) -> pd.DataFrame:
    """Return where a lookup of areas differs from the toolkit's own table.

    Returns
    -------
    One row for each difference: ``row`` of the file (<NA> for an area the file lacks), ``area`` (its code, or
    DfE code in a list without nine-character codes), ``column``, ``file``, ``toolkit``. Empty if all agree.
    """
    ours = {a.code: a for a in all_areas() if not a.is_synthetic and a.level != "Combined authority"}
    by_dfe = {a.dfe_code: a for a in sorted(ours.values(), key=lambda a: a.end_date == "") if a.dfe_code}
    has_codes = lookup.frame["area_code"].ne("").any()
    found: list[tuple] = []
    seen = set()
    for row in lookup.frame.itertuples():
        key = row.area_code if has_codes else row.dfe_code
        area = (ours if has_codes else by_dfe).get(str(key))
        seen.add(key)
        if area is None:
            found.append((row.row, key, "area", row.area_name, ""))
            continue
        region = (
            area.region_code if has_codes else next((a.name for a in ours.values() if a.code == area.region_code), "")
        )
        pairs = {"area_name": (row.area_name, area.name), "region": (row.region, region)}
        if has_codes and row.area_level == "Local authority":
            pairs["dfe_code"] = (row.dfe_code, area.dfe_code)
        if lookup.layout == "las":
            pairs |= {"start_date": (row.start_date, area.start_date), "end_date": (row.end_date, area.end_date)}
        if row.area_level == "Regional":
            pairs.pop("region")
        found += [(row.row, key, column, theirs, mine) for column, (theirs, mine) in pairs.items() if theirs != mine]
    level = "Regional" if lookup.layout == "regions" else "Local authority"
    for key, area in (ours if has_codes else by_dfe).items():
        if area.level == level and key not in seen:
            found.append((pd.NA, key, "area", "", area.name))
    return pd.DataFrame(found, columns=["row", "area", "column", "file", "toolkit"])
