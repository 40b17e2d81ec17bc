"""What a release hides and why, how close the attacker came, and how much is left to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.clearing import IS_SHOWN, KNOWN, NEVER, SECONDARY, SMALL, WITH_PUPILS
from attendance_toolkit.disclosure.cutting import row_ids
from attendance_toolkit.disclosure.lines import REST, TOPIC

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.cleared import ClearedRelease


@dataclass(frozen=True, eq=False)
class Audit:
    """The audit of a release.

    Attributes
    ----------
    cells
        A row for each cell: ``id``, ``topic``, a column for each dimension (empty for its total), ``group`` (the same
        as text), ``count``, ``value`` (exact: never on a page), ``status`` (small, closes a line, shown, known, never
        shown), ``why``, ``low`` and ``high`` (what the attacker could narrow a hidden cell down to; missing where
        nothing was attacked), ``width`` (asked for), ``width_ok``, ``from_known`` (given away by what is public),
        ``tables`` (that ask for it).
    summary
        Numbers for the release and for each report and area: ``scope``, ``report``, ``area_code``, ``cells``,
        ``hidden``, ``share_hidden``, ``counts``, ``counts_hidden``, ``share_counts_hidden`` (weighted by pupils), ``rows``,
        ``rows_hidden``.
    """

    cells: pd.DataFrame
    summary: pd.DataFrame


def make_audit(release: ClearedRelease) -> Audit:
    """Return the audit of a cleared release."""
    registry, found, past = release.registry, release.found, release.past
    cells = registry.cells
    groups = registry.groups.iloc[cells["group"].to_numpy()].reset_index(drop=True)
    text = registry.group_texts().iloc[cells["group"].to_numpy()].reset_index(drop=True)
    asked = (cells["kind"] == "asked for").to_numpy()
    status = np.select(
        [~asked, found.hidden & ~found.why.isin(["", WITH_PUPILS]).to_numpy(), found.hidden, past.known],
        [NEVER, SMALL, SECONDARY, KNOWN],
        IS_SHOWN,
    )
    frame = pd.DataFrame({"id": row_ids(text + "|" + cells["count"], "k"), TOPIC: groups[TOPIC]})
    for name in sorted(name for name in groups.columns if name not in (TOPIC, REST)):
        frame[name] = groups[name]
    frame["group"] = text
    frame["count"] = cells["count"].to_numpy()
    frame["value"] = cells["value"].to_numpy()
    frame["status"] = status
    frame["why"] = np.where(found.hidden | ~asked, found.why, "")
    frame["low"], frame["high"] = found.low, found.high
    frame["width"] = found.width
    reached = found.high - found.low
    frame["width_ok"] = np.isnan(reached) | (reached >= found.width * (1 - 1e-6))
    frame["from_known"] = found.from_known
    frame["tables"] = _tables_of(release)
    return Audit(frame, _summary(release))


def _tables_of(release: ClearedRelease) -> Any:
    names = {asked.number: "/".join(key) for key, asked in release.tables.items()}
    found = release.needs.drop_duplicates(["group", "count", "number"])
    found = found.assign(table=found["number"].map(names)).sort_values("table", kind="stable")
    joined = found.groupby(["group", "count"], sort=False)["table"].agg("; ".join)
    keys = pd.MultiIndex.from_frame(release.registry.cells[["group", "count"]])
    return joined.reindex(keys).fillna("").to_numpy()


def _summary(release: ClearedRelease) -> pd.DataFrame:
    cells = release.registry.cells.assign(hidden=release.found.hidden)
    shown_to = release.needs.merge(cells[["group", "count", "value", "hidden", "is_sessions"]], on=["group", "count"])
    pages = {asked.number: key[:2] for key, asked in release.tables.items()}
    shown_to["page"] = shown_to["number"].map(pages)
    found = [_numbers("release", "", "", shown_to, release, list(release.tables))]
    for page in dict.fromkeys(pages.values()):
        keys = [key for key in release.tables if key[:2] == page]
        found.append(_numbers("page", *page, shown_to[shown_to["page"] == page], release, keys))
    return pd.DataFrame(found)


def _numbers(
    scope: str, report: str, area_code: str, part: pd.DataFrame, release: ClearedRelease, keys: list[Any]
) -> dict[str, Any]:
    each = part.drop_duplicates(["group", "count"])
    pupils = each[~each["is_sessions"] & (each["count"] != counts.ENROLMENTS)]
    local = [key for key in keys if not release.tables[key].table.is_published]
    rows = sum(len(release.tables[key].table.rows) for key in local)
    hidden_rows = sum(int(release.hidden_rows(key).sum()) for key in local)
    total, hidden = float(pupils["value"].sum()), float(pupils.loc[pupils["hidden"], "value"].sum())
    return {
        "scope": scope, "report": report, "area_code": area_code,
        "cells": len(each), "hidden": int(each["hidden"].sum()), "share_hidden": _share(each["hidden"].sum(), len(each)),
        "counts": total, "counts_hidden": hidden, "share_counts_hidden": _share(hidden, total),
        "rows": rows, "rows_hidden": hidden_rows, "share_rows_hidden": _share(hidden_rows, rows),
    }  # fmt: skip


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0
