"""Between the ids of the API and the names people use: criteria of a query, and its rows as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attendance_toolkit.errors import FetchError, ParameterError, did_you_mean
from attendance_toolkit.vocabulary.symbols import read_value

if TYPE_CHECKING:
    import pandas as pd


class Labels:
    """What a data set's metadata says of its ids.

    Parameters
    ----------
    meta
        As the API gives it: filters[{id, column, label, options[{id, label}]}], indicators[{id, column, label}],
        locations[{level, options[{id, label, code, ...}]}], geographicLevels, timePeriods.
    """

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self.filters = {f["id"]: f.get("column") or f["label"] for f in meta.get("filters") or []}
        self.options = {
            f["id"]: {o["id"]: o["label"] for o in f.get("options") or []} for f in meta.get("filters") or []
        }
        self.indicators = {i["id"]: i.get("column") or i["label"] for i in meta["indicators"]}
        self._names = {
            **_names(meta["indicators"], "i"),
            **_names(meta.get("filters") or [], "f"),
        }
        self.locations: dict[str, tuple[str, str, str]] = {}
        """Id -> level, code, name."""
        for group in meta.get("locations") or []:
            level = group["level"]["code"] if isinstance(group["level"], dict) else group["level"]
            for option in group.get("options") or []:
                code = option.get("code") or option.get("oldCode") or option.get("urn") or ""
                self.locations[option["id"]] = (level, code, option["label"])
        self._places = {
            str(text).casefold(): place
            for group in meta.get("locations") or []
            for option in group.get("options") or []
            for place in [self.locations[option["id"]] + (option["id"],)]
            for text in (option["id"], option["label"], option.get("code"), option.get("oldCode"))
            if text
        }

    def indicator(self, name: str) -> str:
        """Return the id of an indicator by column name, label or id."""
        return self._find("i", name, "an indicator", self.indicators.values())

    def criteria(
        self,
        filters: Mapping[str, Sequence[str]],
        levels: Sequence[str] | None,
        locations: Sequence[str] | None,
        periods: Sequence[tuple[str, str]] | None,
    ) -> list[dict]:
        """Return the parts of a query's criteria, all of which must hold."""
        parts: list[dict] = []
        for name, wanted in filters.items():
            key = self._find("f", name, "a filter", self.filters.values())
            parts.append({"filters": {"in": [self._option(key, option) for option in wanted]}})
        if levels:
            parts.append({"geographicLevels": {"in": list(levels)}})
        if locations:
            parts.append({"locations": {"in": [self._location(name) for name in locations]}})
        if periods:
            parts.append({"timePeriods": {"in": [{"period": period, "code": code} for period, code in periods]}})
        return parts

    def _find(self, kind: str, name: str, what: str, known: Any) -> str:
        found = self._names.get((kind, name.strip().casefold()))
        if found is None:
            raise ParameterError(f"'{name}' is not {what} of the data set.{did_you_mean(name, known)}")
        return found

    def _option(self, key: str, name: str) -> str:
        for option, label in self.options[key].items():
            if name.strip().casefold() in (option.casefold(), label.casefold()):
                return option
        near = did_you_mean(name, self.options[key].values())
        raise ParameterError(f"'{name}' is not an option of {self.filters[key]}.{near}")

    def _location(self, name: str) -> dict[str, str]:
        place = self._places.get(name.strip().casefold())
        if place is None:
            near = did_you_mean(name, [place[2] for place in self.locations.values()])
            raise ParameterError(f"'{name}' is not a location of the data set.{near}")
        return {"level": place[0], "id": place[3]}


def _names(entries: Sequence[Mapping[str, Any]], kind: str) -> dict[tuple[str, str], str]:
    """Return (kind, name) -> id; an id is believed before a column name, and that before a label."""
    found: dict[tuple[str, str], str] = {}
    for field in ("id", "column", "label"):
        for entry in entries:
            if entry.get(field):
                found.setdefault((kind, str(entry[field]).casefold()), entry["id"])
    return found


def rows_to_frame(rows: Sequence[Mapping[str, Any]], labels: Labels, indicators: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a query as a table, ids put into words.

    Raises
    ------
    FetchError
        A row has an id the metadata does not, or a value that is neither a number nor a symbol.
    """
    import pandas as pd

    try:
        records = [_record(row, labels, indicators) for row in rows]
    except (KeyError, TypeError) as error:
        raise FetchError(f"The API's rows do not fit its metadata ({error}). Try again later.") from None
    columns = ["time_period", "time_identifier", "geographic_level", "location_code", "location_name"]
    columns += list(labels.filters.values())
    for key in indicators:
        columns += [labels.indicators[key], f"{labels.indicators[key]}_symbol"]
    frame = pd.DataFrame(records, columns=columns)
    numbers = {labels.indicators[key]: "float64" for key in indicators}
    return frame.astype({**dict.fromkeys((c for c in columns if c not in numbers), "str"), **numbers})


def _record(row: Mapping[str, Any], labels: Labels, indicators: Sequence[str]) -> list[object]:
    level = row["geographicLevel"]
    place = labels.locations.get(row["locations"].get(level, ""), (level, "", ""))
    record: list[object] = [row["timePeriod"]["period"], row["timePeriod"]["code"], level, place[1], place[2]]
    record += [labels.options[key][row["filters"][key]] if key in row["filters"] else "" for key in labels.filters]
    for key in indicators:
        text = row["values"][key]
        try:
            value, symbol = read_value(text)
        except ValueError as error:
            raise FetchError(
                f"The API gave a value of {labels.indicators[key]} that cannot be read: {error}."
            ) from None
        record += [float("nan") if value is None else value, symbol]
    return record
