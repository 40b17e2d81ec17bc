"""Exact tables made by hand, and what a reader can do with the cleared ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.release import ClearedRelease, ExactTable, Release

AREA, YEAR = "E08900001", 202324


def rows(groups: Sequence[Mapping[str, Any]], measure: str = "persistent_absence_rate") -> pd.DataFrame:
    """MEASURE rows from dictionaries of levels with ``n`` (enrolments) and, for a rate, ``x`` (numerator)."""
    found = []
    for group in groups:
        n = float(group["n"])
        x = float(group.get("x", n))
        levels = {name: value for name, value in group.items() if name not in ("n", "x")}
        is_count = measure == "enrolments"
        found.append(
            {
                "area_code": AREA,
                "academic_year": YEAR,
                **levels,
                "measure": measure,
                "numerator": n if is_count else x,
                "denominator": np.nan if is_count else n,
                "rate": n if is_count else (x / n if n else np.nan),
                "lower": np.nan,
                "upper": np.nan,
                "symbol": "" if n or is_count else "z",
                "enrolments": n,
            }
        )
    return pd.DataFrame(found)


def session_rows(
    groups: Sequence[Mapping[str, Any]], measure: str = "overall_absence_rate", **columns: Any
) -> pd.DataFrame:
    """MEASURE rows of sessions: ``n`` enrolments, ``x`` sessions of ``p`` possible."""
    found = rows([{k: v for k, v in group.items() if k != "p"} for group in groups], measure)
    found["denominator"] = [float(group["p"]) for group in groups]
    found["rate"] = found["numerator"] / found["denominator"]
    return found.assign(**columns)


def table(*frames: pd.DataFrame, **given: Any) -> ExactTable:
    return ExactTable(pd.concat(frames, ignore_index=True), "Made by hand.", **given)


def clear(policy: Policy, tables: Mapping[str, ExactTable], members: Mapping[str, Sequence[str]] | None = None,
          **given: Any) -> ClearedRelease:  # fmt: skip
    release = Release(policy, **given)
    for name, exact in tables.items():
        release.add("overview", AREA, name, exact)
    for total, parts in (members or {}).items():
        release.add_members(total, parts)
    return release.clear()


def hidden(cleared: ClearedRelease, name: str) -> list[bool]:
    return (cleared.table("overview", AREA, name).rows["symbol"] == "c").tolist()


def reached(cleared: ClearedRelease) -> pd.DataFrame:
    """Cells the attacker was set on, with the width of the interval reached."""
    cells = cleared.audit.cells
    tried = cells[cells["high"].notna()]
    return tried.assign(reached=tried["high"] - tried["low"])
