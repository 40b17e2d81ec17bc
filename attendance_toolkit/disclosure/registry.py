"""Every figure of a release as one cell, and all sums a reader could do with them.

A cell is a group of pupils (topic and levels) and a count. Whatever page or table shows it, it is the same cell with one
exact value. ``build`` finds the sums: over groups (``lines``), within a group (``counts.SUMS``), and what is left over
where the parts that are shown do not add up to their total, which a reader gets by subtraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.bands import band_sums
from attendance_toolkit.disclosure.lines import IN, REST, find_lines, linking_groups, texts
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.vocabulary.hierarchies import SESSIONS_ONLY

#: How far two values of one cell may differ: they are whole numbers held as floats.
_SAME = 1e-6
#: More dimensions than any table has: how often sums of sums are looked for.
_DEPTH = 6
#: How a cell came into the release.
SHOWN, LINKING, LEFT_OVER = "asked for", "links tables", "left over"


@dataclass(frozen=True, eq=False)
class Registry:
    """The cells of a release.

    Attributes
    ----------
    groups
        A row for each group of pupils: ``topic``, a column for each dimension (empty for its total), ``rest_of``.
    cells
        A row for each cell: ``group``, ``count``, ``value`` (exact), ``kind`` (asked for, links tables, left over),
        ``contributors`` and ``concentration`` (missing where not known), ``is_sessions``, ``asked`` (how many rows say
        it, in all tables).
    equations
        (m, n) Sums over the cells: +1 for a part, -1 for the total.
    """

    groups: pd.DataFrame
    cells: pd.DataFrame
    equations: csr_array

    def group_texts(self) -> pd.Series:
        """Return each group's key as text."""
        return texts(self.groups)


def build(claimed: pd.DataFrame, groups: pd.DataFrame, members: Mapping[str, Sequence[str]]) -> Registry:
    """Return the cells of a release with their sums.

    Parameters
    ----------
    claimed
        What the tables say: ``group`` (number in ``groups``), ``count``, ``value``, ``contributors``,
        ``concentration``, ``table``.
    groups
        One row a group, each once.
    members
        Area -> the areas that add up to it.

    Raises
    ------
    DisclosureError
        Two tables give one cell two values, or parts add up to more than their total. The message names the tables and
        the cell, never a value.
    """
    cells = _one_value(claimed, groups)
    groups = groups.assign(**{REST: ""})
    linking = linking_groups(groups.drop(columns=REST))
    groups = pd.concat([groups, linking], ignore_index=True).fillna("")
    lines = find_lines(groups, members)
    # Groups nobody is in add nothing to any sum.
    nobody = cells.loc[(cells["count"] == counts.ENROLMENTS) & (cells["value"] == 0), "group"]
    lines = lines[~lines["part"].isin(nobody)].reset_index(drop=True)
    cells = _add_linking(cells, lines, first=len(groups) - len(linking), last=len(groups))
    cells = _fill(cells, lines)
    cells, groups, over_groups = _sums_over_groups(cells, groups, lines)
    cells, within_groups = _sums_within_groups(cells)
    cells["is_sessions"] = counts.is_sessions(cells["count"])
    parts = pd.concat([over_groups, within_groups], ignore_index=True)
    number = parts.groupby("sum", sort=False).ngroup().to_numpy()
    equations = coo_array(
        (parts["sign"].to_numpy(dtype=float), (number, parts["cell"].to_numpy(dtype=int))),
        shape=(int(number.max()) + 1 if len(number) else 0, len(cells)),
    )
    cells = cells.assign(asked=cells["asked"].fillna(0).astype(int)).reset_index(drop=True)
    return Registry(groups, cells, csr_array(equations))


def _one_value(claimed: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    found = claimed.groupby(["group", "count"], sort=False)
    spread = found["value"].max() - found["value"].min()
    wrong = spread[spread > _SAME]
    if len(wrong):
        group, count = wrong.index[0]
        tables = claimed[(claimed["group"] == group) & (claimed["count"] == count)]["table"]
        where = texts(groups.loc[[group]]).item()
        raise DisclosureError(
            f"{len(wrong)} figures have two different values in one release, the first {count} of {where}, in the tables"
            f" {', '.join(sorted(set(tables)))}. One figure must be counted in one way: use the same rules and levels."
        )
    cells = found.agg(
        value=("value", "first"),
        asked=("value", "size"),
        contributors=("contributors", "min"),
        concentration=("concentration", "max"),
    )
    return cells.reset_index().assign(kind=SHOWN)


def _add_linking(cells: pd.DataFrame, lines: pd.DataFrame, *, first: int, last: int) -> pd.DataFrame:
    """Give the linking groups their counts: the sums of their parts, the largest where sums leave out some levels."""
    # From the most detailed to the plainest, since a linking group may be made of linking groups.
    todo = set(range(first, last))
    while todo:
        here = lines[lines["total"].isin(list(todo)) & ~lines["part"].isin(list(todo))]
        ready = set(here["total"]) - set(lines.loc[lines["part"].isin(list(todo)), "total"])
        if not ready:
            break
        parts = lines[lines["total"].isin(list(ready))].merge(cells, left_on="part", right_on="group")
        parts = parts[~_not_summed(parts)]
        sums = parts.groupby(["total", "dimension", "count"], sort=False)["value"].sum().reset_index()
        value = sums.groupby(["total", "count"], sort=False)["value"].max().reset_index()
        new = value.rename(columns={"total": "group"}).assign(kind=LINKING)
        cells = pd.concat([cells, new], ignore_index=True)
        todo -= ready
    return cells


def _fill(cells: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """Add the counts no table asks of a group, but whose parts are there and come to the whole group.

    A table may ask for nothing but the size of a group whose parts another table shows in full.
    """
    size = cells[cells["count"] == counts.ENROLMENTS].set_index("group")["value"]
    line = ["total", "dimension"]
    whole = (
        lines.assign(size=lines["part"].map(size)).groupby(line, sort=False)["size"].agg(["sum", "size"]).reset_index()
    )
    whole = whole[(whole["sum"] - whole["total"].map(size)).abs() < _SAME].rename(columns={"size": "parts"})
    lines = lines[~lines["dimension"].isin(SESSIONS_ONLY)].merge(whole[[*line, "parts"]], on=line)
    for _ in range(_DEPTH):
        parts = lines.merge(cells[["group", "count", "value"]], left_on="part", right_on="group")
        sums = (
            parts.groupby(["total", "dimension", "count", "parts"], sort=False)["value"]
            .agg(["sum", "size"])
            .reset_index()
        )
        sums = sums[sums["size"] == sums["parts"]].drop_duplicates(["total", "count"])
        known = pd.MultiIndex.from_frame(cells[["group", "count"]])
        sums = sums[~pd.MultiIndex.from_frame(sums[["total", "count"]]).isin(known)]
        if sums.empty:
            break
        new = {"group": sums["total"], "count": sums["count"], "value": sums["sum"], "kind": LINKING}
        cells = pd.concat([cells, pd.DataFrame(new)], ignore_index=True)
    return cells


def _not_summed(parts: pd.DataFrame) -> pd.Series:
    """Return which parts are counts of pupils along terms: pupils of a year are not the sum of those of its terms."""
    return parts["dimension"].isin(SESSIONS_ONLY) & ~counts.is_sessions(parts["count"])


def _sums_over_groups(
    cells: pd.DataFrame, groups: pd.DataFrame, lines: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the cells with those left over, the groups with theirs, and the sums as rows (sum, cell, sign)."""
    cells = cells.assign(cell=np.arange(len(cells)))
    named = cells[["group", "count", "cell", "value"]]
    parts = lines.merge(named, left_on="part", right_on="group").drop(columns="group")
    totals = named.rename(columns={"group": "total", "cell": "total_cell", "value": "total_value"})
    parts = parts.merge(totals, on=["total", "count"])
    parts = parts[~_not_summed(parts)].reset_index(drop=True)
    parts["sum"] = parts.groupby(["total", "dimension", "count"], sort=False).ngroup()
    each = parts.groupby("sum", sort=False).agg(
        total=("total", "first"), dimension=("dimension", "first"), count=("count", "first"),
        cell=("total_cell", "first"), total_value=("total_value", "first"), value=("value", "sum"), parts=("part", "size"),
    )  # fmt: skip
    each["over"] = each["total_value"] - each["value"]
    # A part of which this count is not known is left over even where it is 0.
    in_line = lines.groupby(["total", "dimension"]).size().rename("in_line").reset_index()
    each["is_partial"] = (
        each["parts"] < each.merge(in_line, on=["total", "dimension"], how="left")["in_line"].to_numpy()
    )
    # A school year's sessions are not always those of its terms, since the rules of inclusion look at one or the
    # other, and records do not always have in one characteristic what another says: then there is no such sum.
    may_fail = each["dimension"].isin(SESSIONS_ONLY) | each["dimension"].str.contains(IN, regex=False)
    loose = may_fail & (each["over"] < -_SAME)
    parts, each = parts[~parts["sum"].isin(each.index[loose])], each[~loose]
    wrong = each[each["over"] < -_SAME]
    if len(wrong):
        one = wrong.iloc[0]
        raise DisclosureError(
            f"{len(wrong)} sums have parts that come to more than their total, the first {one['count']} of"
            f" {texts(groups.loc[[one['total']]].drop(columns=REST)).item()} by {one['dimension']}. Count parts and totals by"
            " the same rules, and nobody in two levels."
        )
    # Counts known of the same parts leave the same pupils over; those known of other parts leave others.
    each["known_of"] = parts["part"].map(_mixed).groupby(parts["sum"]).sum()
    line = ["total", "dimension", "known_of"]
    # Who is left over may have any of the counts, even where nobody has: that is not known to be nobody.
    leaves = (each["over"] > _SAME).groupby([each[name] for name in line]).transform("any")
    rest = each[leaves | each["is_partial"]]
    keys = rest[line].drop_duplicates(ignore_index=True)
    keys["group"] = len(groups) + np.arange(len(keys))
    left = groups.loc[keys["total"].to_numpy()].reset_index(drop=True)
    nth = keys.groupby(line[:2], sort=False).cumcount().to_numpy()
    by = keys["dimension"].to_numpy() + np.where(nth > 0, " " + (nth + 1).astype(str).astype(object), "")
    left[REST] = by + np.where(left[REST] != "", " of " + left[REST], "")
    groups = pd.concat([groups, left], ignore_index=True)
    rest = rest.reset_index().merge(keys, on=line)
    new = pd.DataFrame({"group": rest["group"], "count": rest["count"], "value": rest["over"], "kind": LEFT_OVER})
    new["cell"] = len(cells) + np.arange(len(new))
    cells = pd.concat([cells, new], ignore_index=True)
    rows = [
        pd.DataFrame({"sum": parts["sum"], "cell": parts["cell"], "sign": 1.0}),
        pd.DataFrame({"sum": rest["sum"], "cell": new["cell"], "sign": 1.0}),
        pd.DataFrame({"sum": each.index, "cell": each["cell"], "sign": -1.0}),
    ]
    sums = pd.concat(rows, ignore_index=True)
    return cells, groups, sums.assign(sum="g" + sums["sum"].astype(str))


def _mixed(part: int) -> int:
    """Return a number for a part, so that sums of those of different sets of parts differ (splitmix64, 40 bits)."""
    mixed = (part + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ mixed >> 31) >> 24


def _sums_within_groups(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells with what the sums within groups leave over, and the sums as rows (sum, cell, sign)."""
    found: list[pd.DataFrame] = []
    names = cells["count"].unique()
    for number, template in enumerate((*counts.SUMS, *band_sums(names), *counts.level_sums(names))):
        wanted = cells[cells["count"].isin([template.total, *template.parts, template.rest, *template.unless])]
        place = wanted.pivot(index="group", columns="count", values="cell")
        if template.total not in place.columns:
            continue
        value = wanted.pivot(index="group", columns="count", values="value")
        parts = [name for name in template.parts if name in place.columns]
        has = place[template.total].notna() & place[parts].notna().any(axis=1)
        has &= ~place[[name for name in template.unless if name in place.columns]].notna().any(axis=1)
        place, value = place[has], value[has]
        if place.empty:
            continue
        over = value[template.total] - value[parts].sum(axis=1)
        if (over < -_SAME).any():
            raise DisclosureError(
                f"In {int((over < -_SAME).sum())} groups {', '.join(parts)} come to more than {template.total}. Count them by"
                " the same rules."
            )
        complete = place[parts].notna().all(axis=1) & (len(parts) == len(template.parts))
        is_open = ~complete & (not template.is_exhaustive)
        needed = over.index[(over > _SAME) | is_open | template.is_always]
        known = place[template.rest].dropna() if template.rest in place.columns else pd.Series(dtype="float64")
        made = needed.difference(known.index)
        new = pd.DataFrame({"group": made, "count": template.rest, "value": over[made].to_numpy(), "kind": LEFT_OVER})
        new["cell"] = len(cells) + np.arange(len(new))
        cells = pd.concat([cells, new], ignore_index=True)
        rest = pd.concat([pd.Series(new["cell"].to_numpy(), index=made), known.loc[known.index.intersection(needed)]])
        long = place[parts].stack().dropna()
        rows = [
            pd.DataFrame({"group": long.index.get_level_values(0), "cell": long.to_numpy(), "sign": 1.0}),
            pd.DataFrame({"group": rest.index, "cell": rest.to_numpy(), "sign": 1.0}),
            pd.DataFrame({"group": place.index, "cell": place[template.total].to_numpy(), "sign": -1.0}),
        ]
        sums = pd.concat(rows, ignore_index=True)
        found.append(sums.assign(sum=f"w{number}_" + sums["group"].astype(str))[["sum", "cell", "sign"]])
    return cells, pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["sum", "cell", "sign"])
