"""Counts readers can look up: published figures, laid over the cells of a release."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.lines import REST, TOPIC, texts
from attendance_toolkit.disclosure.registry import Registry
from attendance_toolkit.vocabulary.columns import ALL, CELL_COUNTS, MAIN_PHASES
from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS, is_total

#: Series that count what an authority's own extract counts; others are of other pupils or periods.
_SERIES = ("census", "local", "synthetic")
_BESIDE = ("series", "dataset", "area_level", "period")


def known_values(registry: Registry, frames: Iterable[pd.DataFrame]) -> NDArray[np.bool_]:
    """Return which cells have been published with the very value they have here.

    Parameters
    ----------
    frames
        Published MEASURE rows (with counts) or CELLS. A cell added up from published CELLS is known too.
    """
    cells = registry.cells
    known = np.zeros(len(cells), dtype=bool)
    if cells.empty:
        return known
    keys = registry.group_texts()
    group = keys.where(registry.groups[REST] == "", "").loc[cells["group"].to_numpy()].to_numpy()
    index = pd.MultiIndex.from_arrays([group, cells["count"].to_numpy()])
    place = pd.Series(np.arange(len(cells)), index=index)
    place = place[group != ""]
    for frame in _together(frames):
        rows = _usable(frame)
        if rows.empty:
            continue
        found = _of_measures(rows) if "measure" in rows.columns else _of_cells(rows, registry.groups)
        found = found[found["value"].notna()]
        where = place.reindex(pd.MultiIndex.from_frame(found[["text", "count"]]))
        hit = where.notna().to_numpy()
        at = where[hit].to_numpy(dtype=int)
        same = np.abs(cells["value"].to_numpy()[at] - found["value"].to_numpy()[hit]) < 0.5
        known[at[same]] = True
    return known


def added_up(cells: pd.DataFrame) -> pd.DataFrame:
    """Return published CELLS with those of the same groups added up: authorities under their area's code, say."""
    present = [name for name in CELL_COUNTS if name in cells.columns]
    keys = [cells[name] for name in cells.columns if name not in present]
    holes = cells[present].isna().groupby(keys, dropna=False).any()
    return cells[present].groupby(keys, dropna=False).sum(min_count=1).mask(holes).reset_index()


def _together(frames: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the frames with those of the same columns in one, each row once."""
    kinds: dict[tuple[str, ...], list[pd.DataFrame]] = {}
    for frame in frames:
        kinds.setdefault(tuple(sorted(map(str, frame.columns))), []).append(frame)
    return [pd.concat(alike, ignore_index=True).drop_duplicates(ignore_index=True) for alike in kinds.values()]


def _usable(frame: pd.DataFrame) -> pd.DataFrame:
    keep = pd.Series(True, index=frame.index)
    if "series" in frame.columns:
        keep &= frame["series"].isin(_SERIES)
    if "period" in frame.columns:
        keep &= frame["period"].isin(["year", ALL])
    if "symbol" in frame.columns:
        keep &= frame["symbol"] == ""
    return frame[keep].reset_index(drop=True)


def _of_measures(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[rows["numerator"].notna() & rows["measure"].isin(list(counts.MAKEUPS))].reset_index(drop=True)
    rows = rows[~rows["measure"].str.startswith("unknown")].reset_index(drop=True)
    if rows.empty:
        return pd.DataFrame(columns=["text", "count", "value"])
    about = counts.groups(rows.drop(columns=[n for n in _BESIDE if n in rows.columns]), "").assign(**{TOPIC: "absence"})
    values, _ = counts.claims(rows)
    text = texts(about).to_numpy()
    return pd.DataFrame(
        {"text": text[values["row"].to_numpy(dtype=int)], "count": values["count"], "value": values["value"]}
    )


def _of_cells(rows: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of published CELLS for each set of dimensions the release has."""
    names = [name for name in rows.columns if name not in (*CELL_COUNTS, *_BESIDE)]
    here = [name for name in groups.columns if name not in (TOPIC, REST)]
    shown = (groups[here] != "").drop_duplicates()
    found = []
    for _, row in shown.iterrows():
        by = [name for name in here if row[name]]
        if set(by) <= set(names):
            found.append(_added_up(rows, names, by))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["text", "count", "value"])


def _added_up(rows: pd.DataFrame, names: list[str], by: list[str]) -> pd.DataFrame:
    for name in names:
        total = rows[name].astype(str).map(lambda level, n=name: is_total(n, level)).astype(bool)
        if name in by:
            rows = rows[~total]
        elif total.any():
            rows = rows[total]
        elif name == "phase":
            # All schools are primary, secondary and special schools.
            rows = rows[rows["phase"].isin(MAIN_PHASES)]
    present = [name for name in CELL_COUNTS if name in rows.columns]
    if rows.empty:
        return pd.DataFrame(columns=["text", "count", "value"])
    keys = [rows[name].astype(str) for name in by]
    sums = rows[present].groupby(keys).sum(min_count=1).mask(rows[present].isna().groupby(keys).any())
    frame = sums.reset_index()
    values = {name: sums[name] for name in present if not name.startswith(("square", "cross", "band_", "sessions_"))}
    if {"sessions_authorised", "sessions_unauthorised"} <= set(present):
        values["sessions_absent"] = sums["sessions_authorised"] + sums["sessions_unauthorised"]
    for name in ("sessions_possible", "sessions_authorised", "sessions_unauthorised"):
        if name in present:
            values[name] = sums[name]
    for label, columns in ABSENCE_BANDS[:-1]:
        if set(columns) <= set(present):
            values[f"band:{label}"] = sums[list(columns)].sum(axis=1, skipna=False)
    text = texts(frame[by].assign(**{TOPIC: "absence"})).to_numpy()
    return pd.concat(
        [
            pd.DataFrame({"text": text, "count": name, "value": value.to_numpy(dtype=float)})
            for name, value in values.items()
        ],
        ignore_index=True,
    )
