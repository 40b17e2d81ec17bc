"""Figures of a page as rows of ``result.json``: those of its tables of statistics, told apart by their groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.formats import is_missing, records
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL

Record = Mapping[str, Any]


def table_results(dive: DeepDive, name: str, columns: Sequence[str], leave_out: Collection[str]) -> Iterable[Record]:
    """Yield the figures of one table of a deep dive; none where the inputs have nothing for it.

    Parameters
    ----------
    name
        Of a derived or modelled table.
    columns
        What tells its rows apart.
    leave_out
        Measures that are headline figures already.
    """
    try:
        table: ProtectedTable = getattr(dive, name)
    except NoDataError:
        return
    for record in records(table):
        if record["measure"] in leave_out:
            continue
        groups = {name: _group_words(name, record[name]) for name in columns if not is_missing(record.get(name))}
        groups = {name: words for name, words in groups.items() if words}
        code = dive.area.code if is_missing(record.get("area_code")) else str(record["area_code"])
        year = dive.year if is_missing(record.get("academic_year")) else int(record["academic_year"])
        yield result_row(dive, record, str(record["measure"]), year, code, groups)


def result_row(dive: DeepDive, record: Record, measure: str, year: int, code: str, groups: Mapping[str, str]) -> Record:
    """Return one figure as a row of ``result.json``."""
    named = "-".join([code, *groups.values()]).lower()
    return {
        "id": f"{measure}:{year}:{''.join(c if c.isalnum() else '-' for c in named)}",
        "measure": measure,
        "area": "All authorities" if code == ALL else dive.inputs.area_name(code),
        "area_code": code,
        "academic_year": year,
        "groups": dict(groups),
        "series": dive.inputs.series if dive.is_local else "census",
        **{name: record[name] for name in ("numerator", "denominator", "rate", "lower", "upper", "symbol")},
    }


def _group_words(name: str, value: Any) -> str:
    return show_academic_year(int(value)) if name == "since" and not isinstance(value, str) else str(value)
