"""Exact rows to rows as they may be shown: hidden ones lose their numbers, the others are rounded."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.modelled import cut_statistics
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.vocabulary.measures import MEASURES

NUMBERS = ["numerator", "denominator", "rate", "lower", "upper"]
_DATE = re.compile(r"\d{6}")
#: Columns that are there for clearing and never leave it.
_INSIDE = [counts.ENROLMENTS, "contributors", "concentration", counts.WITHHELD]


def cut(rows: pd.DataFrame, hidden: pd.Series, policy: Policy) -> pd.DataFrame:
    """Return the rows as a policy shows them.

    Parameters
    ----------
    rows
        MEASURE rows with exact figures.
    hidden
        Which rows must not be shown. They get the symbol "c", whatever the reason.
    """
    rows = rows.copy()
    if policy.threshold is not None:
        rows = cut_statistics(rows)
        rows.loc[hidden & rows["symbol"].isin(["", "z"]), "symbol"] = "c"
    rows.loc[rows["symbol"] != "", NUMBERS] = np.nan
    if policy.rounding > 1:
        rows = _round(rows, policy.rounding)
    rows = rows.drop(columns=[name for name in _INSIDE if name in rows.columns]).reset_index(drop=True)
    # What a frame carries beside its columns would be saved with it.
    rows.attrs = {}
    return rows


def counts_pupils(rows: pd.DataFrame) -> pd.Series:
    """Return which rows' numerators count enrolments or pupils (their denominator then is the group itself)."""
    pupil_measures = {
        m.name for m in MEASURES.values() if m.denominator in ("enrolments", "pupils") and "sessions" not in m.numerator
    }
    return rows["measure"].isin(pupil_measures)


def _round(rows: pd.DataFrame, base: int) -> pd.DataFrame:
    exact = rows["rate"].copy()
    for name in ("numerator", "denominator"):
        rows[name] = np.floor(rows[name] / base + 0.5) * base
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = rows["numerator"] / rows["denominator"].where(rows["denominator"] > 0)
    # A rate without counts (a difference of two means, say) is cut short instead: unrounded it would say more than
    # the rounded counts it was made of.
    in_sessions = rows["measure"].map(lambda name: name in MEASURES and MEASURES[name].unit == "sessions").astype(bool)
    rows["rate"] = rate.where(rate.notna(), exact.round(4).where(~in_sessions, exact.round(1)))
    # The interval moves with the rate and is cut to four decimals, so that it cannot give the counts back.
    shift = (rows["rate"] - exact).fillna(0.0)
    low, high = wilson_interval(rows["numerator"], rows["denominator"])
    is_count = rows["measure"].map(lambda name: name in MEASURES and MEASURES[name].unit == "count").astype(bool)
    rows["rate"] = rows["rate"].where(~is_count, rows["numerator"])
    is_pupils = counts_pupils(rows) & rate.notna()
    for name, bound in (("lower", low), ("upper", high)):
        rows[name] = (rows[name] + shift).where(~is_pupils, bound).round(4)
    return rows


def row_ids(keys: pd.Series, letter: str = "c") -> list[str]:
    """Return a short id for each key: the same for the same figure, whatever page shows it.

    >>> row_ids(pd.Series(["absence|sex=Female|severe_absence_rate"]))
    ['c30ad7d684a']
    """
    return [letter + _short(hashlib.sha256(str(key).encode()).hexdigest()) for key in keys]


def _short(digest: str) -> str:
    """Return ten digits of a digest in which no date could be read: a pupil's date of birth might be the same.

    >>> _short("20150701e6ab0d0d0d")
    '50701e6ab0'
    """
    return next((part for at in range(len(digest) - 9) if not _DATE.search(part := digest[at : at + 10])), digest[:10])


def row_keys(rows: pd.DataFrame, texts: pd.Series, *, is_published: bool) -> pd.Series:
    """Return what makes a row the figure it is, as text: group, measure, band or reason, and its source if published."""
    names = ["measure", *(name for name in ("band", "reason", "model", "since", "outcome") if name in rows.columns)]
    if "characteristic" in rows.columns and "level" not in rows.columns:
        # Of a characteristic as a whole: whether it is known.
        names.append("characteristic")
    if is_published:
        groups = counts.group_columns(rows)
        names += [*groups, *(name for name in ("series", "dataset", "area_level") if name in rows.columns)]
    text = texts.astype("object")
    for name in names:
        # Not astype(str): that leaves a missing value missing, and with it the whole key, the same for all such rows.
        text = text + "|" + rows[name].astype("object").map(str)
    return text
