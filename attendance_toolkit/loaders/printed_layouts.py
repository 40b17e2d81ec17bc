"""What the columns of a printed table hold, described in YAML: ``kind: printed table``.

A layout has ``name``, ``title``, ``source``, ``keys`` (column of the file: phase, group, nc_year or measure),
``columns`` and, where the table spells things in its own way, ``values`` (for phase and measure: spelling as printed ->
name of the toolkit). A column has ``name``, ``role`` (rate, count or size), ``measure``, ``area`` (local, national or an
area's name or code), ``year``, ``period``, ``published`` and ``label``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from attendance_toolkit.errors import UnknownAreaError, UnreadableFileError, VocabularyError, did_you_mean
from attendance_toolkit.vocabulary._reference import names_in, parse_yaml, read_yaml_text
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, PHASES
from attendance_toolkit.vocabulary.measures import MEASURES

KIND = "printed table"
LOCAL, NATIONAL = "local", "national"
ROLES = ("rate", "count", "size")
MEANINGS = ("phase", "group", "nc_year", "measure")
_KEYS = ("kind", "name", "title", "source", "keys", "columns", "values")
_COLUMN_KEYS = ("name", "role", "measure", "area", "year", "period", "published", "label")


@dataclass(frozen=True)
class PrintedColumn:
    """What one column of a printed table holds."""

    name: str
    role: str = "rate"
    """"rate" (percent), "count" (the enrolments behind a rate) or "size" (all enrolments of the row)."""
    measure: str = ""
    """Measure of a rate, or of the rate a count belongs to; empty if the row names it or for a size."""
    area: str = LOCAL
    """"local", "national", or the name or code of an area."""
    academic_year: int = 0
    period: str = "year"
    published: bool = True
    """False for a figure no published file gives, such as one from DfE's portal."""
    label: str = ""


@dataclass(frozen=True)
class PrintedTable:
    """A printed table: the columns that name its rows, and the others."""

    name: str
    title: str
    keys: tuple[tuple[str, str], ...]
    """(column of the file, "phase", "group", "nc_year" or "measure")."""
    columns: tuple[PrintedColumn, ...]
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    """Of a meaning (phase, measure): spelling as printed -> name of the toolkit; empty takes the usual ones."""

    @property
    def header(self) -> list[str]:
        """The columns of the file, in order."""
        return [key for key, _ in self.keys] + [column.name for column in self.columns]


def parse_layout(text: str, name: str) -> PrintedTable:
    """Return the layout a YAML text describes.

    Raises
    ------
    UnreadableFileError
        A key is missing, unknown or has a value that is not allowed: the message names it.
    """
    try:
        return _layout(parse_yaml(text, name), name)
    except (VocabularyError, UnknownAreaError) as error:
        raise UnreadableFileError(str(error)) from None


def _layout(given: Any, name: str) -> PrintedTable:
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(f"{name} does not describe a printed table. It must begin with 'kind: {KIND}'.")
    _only(name, given, _KEYS)
    keys, columns = given.get("keys"), given.get("columns")
    if not isinstance(keys, dict) or not keys:
        raise VocabularyError(f"{name}, keys: name the columns that say what a row is about, as in {{phase: phase}}.")
    for key, meaning in keys.items():
        _allowed(name, f"keys, {key}", meaning, MEANINGS)
    if not isinstance(columns, list) or not columns:
        raise VocabularyError(f"{name}, columns: a list of at least one column is needed.")
    made = tuple(_column(name, number, row) for number, row in enumerate(columns, 1))
    header = [*map(str, keys), *(column.name for column in made)]
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise VocabularyError(f"{name}: the column '{twice[0]}' is there more than once. Keep one of them.")
    if "measure" not in keys.values() and any(c.role != "size" and not c.measure for c in made):
        lacking = next(c.name for c in made if c.role != "size" and not c.measure)
        raise VocabularyError(f"{name}, column {lacking}: give its measure, or a key column that names it.")
    title = str(given.get("title") or given.get("name") or name)
    pairs = tuple((str(key), str(meaning)) for key, meaning in keys.items())
    return PrintedTable(str(given.get("name") or name), title, pairs, made, _values(name, given.get("values", {})))


def _column(name: str, number: int, row: Any) -> PrintedColumn:
    where = f"{name}, column {number}"
    if not isinstance(row, dict) or not row.get("name"):
        raise VocabularyError(f"{where}: give at least its name, as in {{name: national_2022_23}}.")
    where = f"{name}, column {row['name']}"
    _only(where, row, _COLUMN_KEYS)
    measure, area = row.get("measure", ""), str(row.get("area", LOCAL))
    if measure:
        _allowed(where, "measure", measure, tuple(MEASURES))
    if area not in (LOCAL, NATIONAL):
        area = find_area(area).code
    published = row.get("published", True)
    if not isinstance(published, bool):
        raise VocabularyError(f"{where}, published: '{published}' is not allowed. Use true or false.")
    if "year" not in row:
        raise VocabularyError(f"{where}: give its year, for example year: 2023/24.")
    return PrintedColumn(
        str(row["name"]),
        _allowed(where, "role", row.get("role", "rate"), ROLES),
        str(measure),
        area,
        parse_academic_year(str(row["year"])),
        str(row.get("period", "year")),
        published,
        str(row.get("label", "")),
    )


def _values(name: str, given: Any) -> dict[str, dict[str, str]]:
    if not isinstance(given, dict):
        raise VocabularyError(f"{name}, values: give names under phase or measure.")
    allowed = {"phase": (*PHASES, ALL_SCHOOLS), "measure": tuple(MEASURES)}
    made: dict[str, dict[str, str]] = {}
    for meaning, names in given.items():
        _allowed(name, "values", meaning, tuple(allowed))
        if not isinstance(names, dict):
            raise VocabularyError(f"{name}, values, {meaning}: write each spelling and what it is, as in {{A: B}}.")
        for spelling, ours in names.items():
            _allowed(name, f"values, {meaning}, {spelling}", ours, allowed[meaning])
        made[meaning] = {str(spelling): str(ours) for spelling, ours in names.items()}
    return made


def _only(where: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in given:
        if key not in allowed:
            raise VocabularyError(
                f"{where}: '{key}' is not a key. Use one of: {', '.join(allowed)}.{did_you_mean(str(key), allowed)}"
            )


def _allowed(where: str, key: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise VocabularyError(
            f"{where}, {key}: '{value}' is not allowed. Use one of: {', '.join(allowed)}."
            + did_you_mean(str(value), allowed)
        )
    return str(value)


@cache
def package_layouts() -> tuple[PrintedTable, ...]:
    """Return the layouts that come with the toolkit.

    >>> [table.name for table in package_layouts()]
    ['Table 1', 'Table 2', 'Table 3']
    """
    return tuple(parse_layout(read_yaml_text(name), name) for name in names_in("printed", ".yaml"))
