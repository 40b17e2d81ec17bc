"""Which groups of pupils add up to which, among all groups of a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.hierarchies import SESSIONS_ONLY, contained, within

TOPIC = "topic"
#: A column of the groups that says which sum left them over.
REST = "rest_of"
#: Between two dimensions of which one's levels lie in the other's.
IN = " in "


def texts(groups: pd.DataFrame) -> pd.Series:
    """Return the key of each group as text: the topic, then dimension=level without the totals.

    >>> texts(pd.DataFrame({"topic": ["absence"], "sex": ["Female"], "phase": [""]})).item()
    'absence|sex=Female'
    """
    text = groups[TOPIC].astype("object")
    for name in sorted(name for name in groups.columns if name != TOPIC):
        level = groups[name].astype("object")
        text = text + (f"|{name}=" + level).where(level != "", "")
    return text


def find_lines(groups: pd.DataFrame, members: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return which group is a part of which.

    Parameters
    ----------
    groups
        One row a group: the topic and a column for each dimension, empty for its total. The index is their number.
    members
        Area -> the areas that add up to it.

    Returns
    -------
    ``part`` and ``total`` (numbers of groups), ``dimension`` along which they add up. A part is of the nearest total
    that is there: primary schools of "Primary and secondary" where that is a group, else of all schools.
    """
    index = pd.Series(groups.index.to_numpy(), index=texts(groups).to_numpy())
    found = []
    for name in _dimensions(groups):
        here = groups[groups[name] != ""]
        steps = {level: within(name, str(level)) for level in here[name].unique()}
        open_ = here
        for depth in range(max((len(step) for step in steps.values()), default=0)):
            above = open_[name].map(lambda level, d=depth, s=steps: s[level][d] if d < len(s[level]) else None)
            chosen = open_[above.notna()]
            wanted = texts(chosen.assign(**{name: above.dropna().replace(ALL, "")}))
            total = wanted.map(index)
            hit = total.notna()
            found.append(_pairs(chosen.index[hit], total[hit], name))
            open_ = open_.drop(chosen.index[hit])
    found += _area_lines(groups, index, members)
    found += _contained_lines(groups, index)
    return pd.concat(found, ignore_index=True) if found else _pairs(pd.Index([]), pd.Series(dtype="int64"), "")


def _area_lines(groups: pd.DataFrame, index: pd.Series, members: Mapping[str, Sequence[str]]) -> list[pd.DataFrame]:
    if "area_code" not in groups.columns:
        return []
    found = []
    for total_code, codes in members.items():
        parts = groups[groups["area_code"].isin(list(codes)) & (groups["area_code"] != total_code)]
        total = texts(parts.assign(area_code=total_code)).map(index)
        hit = total.notna()
        found.append(_pairs(parts.index[hit], total[hit], f"area_code:{total_code}"))
    return found


def _contained_lines(groups: pd.DataFrame, index: pd.Series) -> list[pd.DataFrame]:
    """Return the groups that lie wholly in a group of another characteristic."""
    found = []
    for name, level, wider, wider_level in contained():
        if name in groups.columns and wider in groups.columns:
            parts = groups[(groups[name] == level) & (groups[wider] == "")]
            total = texts(parts.assign(**{name: "", wider: wider_level})).map(index)
            hit = total.notna()
            found.append(_pairs(parts.index[hit], total[hit], f"{name}{IN}{wider}"))
    return found


def _pairs(parts: pd.Index, totals: pd.Series, dimension: str) -> pd.DataFrame:
    return pd.DataFrame({"part": parts.to_numpy(), "total": totals.to_numpy(), "dimension": dimension}).astype(
        {"part": "int64", "total": "int64"}
    )


def _dimensions(groups: pd.DataFrame) -> list[str]:
    return sorted(name for name in groups.columns if name not in (TOPIC, REST, "area_code"))


def linking_groups(groups: pd.DataFrame) -> pd.DataFrame:
    """Return groups nobody shows that tie tables together: the margins that two tables have in common.

    A table of sex by school type and one of free school meals by school type both add up to the school types, whether
    or not any page shows those. Only dimensions whose levels add up to a total are summed away.
    """
    if groups.empty:
        return groups
    names = [*_dimensions(groups), *(["area_code"] if "area_code" in groups.columns else [])]
    level = {name: (groups[name] != "").to_numpy() for name in names}
    shape = pd.Series(list(map(tuple, np.column_stack([level[name] for name in names]))), index=groups.index)
    new: list[pd.DataFrame] = []
    for _, part in groups.groupby(TOPIC, sort=True):
        here = shape.loc[part.index]
        shapes = {frozenset(n for n, on in zip(names, s, strict=True) if on) for s in here.unique()}
        frames = {
            frozenset(n for n, on in zip(names, s, strict=True) if on): groups.loc[here.index[here == s]]
            for s in here.unique()
        }
        for wanted in _closed(shapes):
            for larger, name in _one_more(wanted, frames):
                parents = frames[larger].assign(**{name: ""}).drop_duplicates(ignore_index=True)
                known = set(texts(frames[wanted])) if wanted in frames else set()
                missing = parents[~texts(parents).isin(known)]
                if len(missing):
                    new.append(missing)
                    frames[wanted] = pd.concat([frames[wanted], missing]) if wanted in frames else missing
    return pd.concat(new, ignore_index=True).drop_duplicates(ignore_index=True) if new else groups.iloc[:0]


def _closed(shapes: set[frozenset[str]]) -> list[frozenset[str]]:
    """Return the sets of dimensions that tables have in common, and those on the way to them, largest first."""
    found = set(shapes)
    grown = True
    while grown:
        common = {a & b for a in found for b in found} - found
        grown = bool(common)
        found |= common
    for wanted in sorted(found, key=len, reverse=True):
        larger = [shape for shape in found if wanted < shape and _can_sum(shape - wanted)]
        if larger and all(len(shape - wanted) > 1 for shape in larger):
            nearest = min(larger, key=lambda shape: (len(shape), sorted(shape)))
            while len(nearest - wanted) > 1:
                nearest = nearest - {sorted(nearest - wanted)[0]}
                found.add(nearest)
    return sorted(found, key=lambda shape: (-len(shape), sorted(shape)))


def _can_sum(dimensions: frozenset[str]) -> bool:
    return not dimensions & {*SESSIONS_ONLY, "academic_year", "area_code"}


def _one_more(
    wanted: frozenset[str], frames: Mapping[frozenset[str], pd.DataFrame]
) -> list[tuple[frozenset[str], str]]:
    """Return the tables that have one dimension more, which can be summed away, with that dimension."""
    found = [(shape, next(iter(shape - wanted))) for shape in frames if len(shape - wanted) == 1 and wanted < shape]
    return sorted(((s, n) for s, n in found if _can_sum(frozenset([n]))), key=lambda pair: (pair[1], sorted(pair[0])))
