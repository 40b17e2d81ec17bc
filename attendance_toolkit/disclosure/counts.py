"""What a MEASURE row says: which counts a reader of the row knows, or can work out from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.bands import (
    BETWEEN,
    ENROLMENTS,
    NO_ABSENCE,
    PERSISTENT,
    SEVERE,
    Sum,
    band_count,
)
from attendance_toolkit.errors import DisclosureError, did_you_mean
from attendance_toolkit.vocabulary.columns import ALL, MEASURE_CORE
from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS, is_total
from attendance_toolkit.vocabulary.outcomes import (
    AFTER,
    ANY_DETERIORATING,
    ANY_IMPROVING,
    IN_A_BAND,
    MAY_LACK_PARTS,
    NOT_AFTER,
    OUTCOME_SUMS,
    RECOVERY,
    TEN_BEFORE,
    TEN_OR_MORE,
)
from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, UNAUTHORISED_REASONS
from attendance_toolkit.vocabulary.statistics import MODELLED
from attendance_toolkit.vocabulary.steps import COMPARED, LINK_OUTCOMES, LINK_SUMS, MAY_LACK_LINKS, NOT_COMPARED
from attendance_toolkit.vocabulary.trajectories import trajectory_rules

#: The enrolments of a row's group whose characteristic is not known: a group of their own (``unknown_groups``).
UNKNOWN = "unknown:"
REST = "(rest)"
#: What became of the pupils of a group that is followed.
OUTCOME = "outcome:"
#: Levels of a rule scheme, and changes of level: each pupil of a group is in one of those that a release has.
LEVEL_OF, CHANGE_OF = "level:", "level_change:"

#: A column that says of a row, before anything is cleared, that partners are never shown it: it claims no count, so nothing
#: else is hidden for its sake.
WITHHELD = "withheld"

#: Columns of a MEASURE row that are no part of which pupils it is about.
NOT_GROUPS = (
    *MEASURE_CORE,
    ENROLMENTS,
    "contributors",
    "concentration",
    "band",
    "reason",
    "series",
    "dataset",
    "area_level",
    "printed",
    "decimals",
    "source",
    "cell",
    "model",
    "about",
    "since",
    "outcome",
    WITHHELD,
)


@dataclass(frozen=True)
class Makeup:
    """The counts one measure is made of.

    Attributes
    ----------
    numerator, denominator
        Names of the counts; a name in braces is filled from the row's column of that name.
    needs
        Further counts that the row would give away.
    is_complement
        The numerator is everybody *but* those counted.
    """

    numerator: str = ""
    denominator: str = ""
    needs: tuple[str, ...] = ()
    is_complement: bool = False


def _without(group: str) -> Makeup:
    return Makeup(
        f"sessions_absent_not_{group}",
        f"sessions_possible_not_{group}",
        (ENROLMENTS, f"{group}_absentees", "sessions_absent", "sessions_possible"),
    )


def _mean(group: str) -> Makeup:
    return Makeup(f"sessions_absent_{group}", f"{group}_absentees", (ENROLMENTS,))


def _extra(group: str) -> Makeup:
    absent = (f"sessions_absent_{group}", f"sessions_absent_not_{group}")
    return Makeup("", "", (ENROLMENTS, f"{group}_absentees", *absent, "sessions_absent"))


_STATUS = {
    "persistent_absence_rate": PERSISTENT,
    "persistent_absence_rate_15": "persistent_absentees_15",
    "severe_absence_rate": SEVERE,
    "no_absence_rate": NO_ABSENCE,
    "full_absence_rate": "full_absence_enrolments",
    **{f"full_absence_{name}_rate": f"full_absence_{name}" for name in ("authorised", "unauthorised", "part_time")},
    "band_rate": "{band}",
    "percent_band_rate": "percent_band:{level}",
    "percent_band_rate_authorised": "percent_band_authorised:{level}",
    "percent_band_rate_unauthorised": "percent_band_unauthorised:{level}",
    "unknown_share": UNKNOWN + "{characteristic}",
    **dict.fromkeys(("flow_rate", "trajectory_rate", "recovery_rate", "link_rate"), OUTCOME + "{outcome}"),
    "level_rate": LEVEL_OF + "{outcome}",
    "level_change_rate": CHANGE_OF + "{outcome}",
}
_SESSIONS = {
    "attendance_rate": "sessions_attended",
    "overall_absence_rate": "sessions_absent",
    "authorised_absence_rate": "sessions_authorised",
    "unauthorised_absence_rate": "sessions_unauthorised",
    "reason_rate": "sessions_{reason}",
}
#: Measures of severe absentees' own sessions.
_OF_SEVERE = {
    f"{name}_severe": f"{count}_severe" for name, count in _SESSIONS.items() if name not in ("attendance_rate",)
}

#: Measure -> what it is made of. Every measure of the vocabulary is here (a test walks them).
MAKEUPS: dict[str, Makeup] = {
    "enrolments": Makeup(ENROLMENTS),
    # Of pupils who are followed, who are a topic of their own: there the size of a group is a number of pupils.
    "pupils": Makeup(ENROLMENTS),
    **{name: Makeup(count, ENROLMENTS) for name, count in _STATUS.items()},
    "missed_any_rate": Makeup(NO_ABSENCE, ENROLMENTS, is_complement=True),
    **{name: Makeup(count, "sessions_possible", (ENROLMENTS,)) for name, count in _SESSIONS.items()},
    **{name: Makeup(count, "sessions_possible_severe", (ENROLMENTS, SEVERE)) for name, count in _OF_SEVERE.items()},
    "mean_sessions_missed": Makeup("sessions_absent", ENROLMENTS),
    **{f"overall_absence_rate_without_{group}": _without(group) for group in ("persistent", "severe")},
    **{f"mean_sessions_missed_{group}": _mean(group) for group in ("persistent", "severe")},
    **{f"extra_sessions_missed_{group}": _extra(group) for group in ("persistent", "severe")},
    # A statistic of a fitted model says no count, and is shown where the counts it is about are.
    **{name: Makeup(needs=(ENROLMENTS, statistic.behind)) for name, statistic in MODELLED.items()},
}


def _band_names(first: int, last: int) -> tuple[str, ...]:
    return tuple(band_count(label)[0] for label, _ in ABSENCE_BANDS[first:last])


_REASONS = (
    ("auth", (*AUTHORISED_REASONS, "auth_unclassified")),
    ("unauth", (*UNAUTHORISED_REASONS, "unauth_unclassified")),
)
#: Kinds of sessions of which there are those of severe absentees, and the others'.
_PARTED = ("possible", "absent", "authorised", "unauthorised", *(name for _, names in _REASONS for name in names))

_TRAJECTORIES = trajectory_rules().names
_DIRECTIONS = {ANY_IMPROVING: "improving", ANY_DETERIORATING: "deteriorating"}
_OUTCOMES = dict.fromkeys(
    (
        *(IN_A_BAND, TEN_OR_MORE, NOT_AFTER, *AFTER, TEN_BEFORE, *RECOVERY, *_TRAJECTORIES, *_DIRECTIONS),
        *(COMPARED, NOT_COMPARED, *LINK_OUTCOMES),
    )
)


def _outcome_sums() -> tuple[Sum, ...]:
    together = ((name, trajectory_rules().towards(direction)) for name, direction in _DIRECTIONS.items())
    whole = (*OUTCOME_SUMS, *LINK_SUMS, ("", _TRAJECTORIES), *together)
    named = [(f"{OUTCOME}{total}" if total else ENROLMENTS, parts) for total, parts in whole]
    return (
        *(Sum(ENROLMENTS, (f"{OUTCOME}{name}",), f"not:{OUTCOME}{name}", True) for name in _OUTCOMES),
        *(
            Sum(
                total,
                tuple(f"{OUTCOME}{part}" for part in parts),
                f"{OUTCOME}{REST}{number}",
                is_exhaustive=parts in (*MAY_LACK_PARTS, *MAY_LACK_LINKS),
            )
            for number, (total, parts) in enumerate(named)
        ),
    )


def level_sums(names: Iterable[str]) -> tuple[Sum, ...]:
    """Return how levels of rule schemes add up: an authority's own scheme may have any names.

    Parameters
    ----------
    names
        Names of all counts of the release.

    >>> [one.rest for one in level_sums(["level:Wave 1", "level:Wave 2", "enrolments"])]
    ['not:level:Wave 1', 'not:level:Wave 2', 'level:(rest)']
    """
    sums: list[Sum] = []
    for family in (LEVEL_OF, CHANGE_OF):
        found = tuple(sorted(name for name in names if name.startswith(family) and name != f"{family}{REST}"))
        sums += [Sum(ENROLMENTS, (name,), f"not:{name}", True) for name in found]
        if found:
            sums.append(Sum(ENROLMENTS, found, f"{family}{REST}", is_exhaustive=True))
    return tuple(sums)


#: Sums within a group. Together with sums over groups they are all a reader can subtract.
SUMS = (
    *(
        Sum(ENROLMENTS, (count,), f"not:{count}", True)
        for count in (PERSISTENT, SEVERE, NO_ABSENCE, "persistent_absentees_15", "full_absence_enrolments")
    ),
    Sum(PERSISTENT, (SEVERE,), BETWEEN, True),
    Sum(PERSISTENT, ("persistent_absentees_15",), "persistent_10_to_15", True),
    Sum(SEVERE, ("full_absence_enrolments",), "severe_not_full", True),
    Sum("full_absence_enrolments", ("full_absence_authorised", "full_absence_unauthorised"), f"full_absence:{REST}"),
    Sum("full_absence_enrolments", ("full_absence_part_time",), "full_absence_not_part_time", True),
    Sum(ENROLMENTS, _band_names(0, 5), f"band:{REST}"),
    Sum(PERSISTENT, _band_names(2, 5), f"band_persistent:{REST}"),
    Sum(band_count("0% to under 5%")[0], (NO_ABSENCE,), "missed_under_5", True),
    Sum(f"not:{PERSISTENT}", (NO_ABSENCE,), "missed_under_10", True, unless=_band_names(0, 1)),
    Sum("sessions_possible", ("sessions_absent", "sessions_attended"), "sessions_covid"),
    *(
        Sum(
            f"sessions_absent{ending}",
            (f"sessions_authorised{ending}", f"sessions_unauthorised{ending}"),
            f"sessions_absent:{REST}{ending}",
        )
        for ending in ("", "_severe")
    ),
    *(
        Sum(
            f"sessions_{kind}orised{ending}",
            tuple(f"sessions_{name}{ending}" for name in reasons),
            f"sessions_{kind}:{REST}{ending}",
        )
        for kind, reasons in _REASONS
        for ending in ("", "_severe")
    ),
    *(
        Sum(f"sessions_{quantity}", (f"sessions_{quantity}_{group}",), f"sessions_{quantity}_not_{group}", True)
        for group, quantities in (("persistent", ("possible", "absent")), ("severe", _PARTED))
        for quantity in quantities
    ),
    Sum("sessions_absent_persistent", ("sessions_absent_severe",), "sessions_absent_between", True),
    *_outcome_sums(),
)


def is_sessions(counts: pd.Series) -> pd.Series:
    """Return which counts are of sessions, not of pupils."""
    return counts.str.startswith("sessions_")


def makeup_of(measure: str) -> Makeup:
    """Return what a measure is made of.

    Raises
    ------
    DisclosureError
        It is not known what a row of this measure would give away.

    >>> makeup_of("severe_absence_rate").numerator
    'severe_absentees'
    """
    if measure not in MAKEUPS:
        raise DisclosureError(
            f"'{measure}' is a measure of which it is not known what it gives away.{did_you_mean(measure, MAKEUPS)}"
            " Add it to disclosure.counts."
        )
    return MAKEUPS[measure]


def claims(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the counts that rows say something of.

    Parameters
    ----------
    rows
        MEASURE rows, with ``enrolments`` where known, and ``contributors`` and ``concentration`` where known.

    Returns
    -------
    Two frames. The first has a row for each count with its exact value: ``row`` (position in ``rows``),
    ``count``, ``value``, ``contributors``, ``concentration``. The second has ``row`` and ``count`` for each count that
    may have to be hidden for the row to be hidden.

    Raises
    ------
    DisclosureError
        A measure, band or reason of which it is not known what it gives away.
    """
    values: list[pd.DataFrame] = []
    needs: list[pd.DataFrame] = []
    rows = rows.reset_index(drop=True)
    rows = rows[rows["symbol"].isin(["", "z"])]
    for measure, part in rows.groupby("measure", sort=False, observed=True):
        makeup = makeup_of(str(measure))
        for count, subset, is_complement in _numerators(part, makeup):
            value = subset["denominator"] - subset["numerator"] if is_complement else subset["numerator"]
            values.append(_values(subset, count, value, is_numerator=True))
            needs.append(_needs(subset, count))
        if makeup.denominator:
            values.append(_values(part, makeup.denominator, part["denominator"]))
            needs.append(_needs(part, makeup.denominator))
        needs += [_needs(part, count) for count in makeup.needs]
        is_group = not str(measure).startswith(("overall_absence_rate_without", "mean_sessions_missed_", "extra_"))
        is_group &= measure not in MODELLED
        if is_group and ENROLMENTS in part.columns and measure != ENROLMENTS:
            values.append(_values(part, ENROLMENTS, part[ENROLMENTS]))
    columns = ["row", "count", "value", "contributors", "concentration"]
    found = pd.concat(values, ignore_index=True) if values else pd.DataFrame(columns=columns)
    found = found[found["value"].notna()].astype({"value": "float64"}).reset_index(drop=True)
    wanted = pd.concat(needs, ignore_index=True) if needs else pd.DataFrame(columns=["row", "count"])
    return found, wanted.drop_duplicates(ignore_index=True)


def _numerators(part: pd.DataFrame, makeup: Makeup) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    """Yield the name of the numerator's count for each set of rows, and whether it counts everybody else."""
    name = makeup.numerator
    if not name:
        return
    if "{" not in name:
        yield name, part, makeup.is_complement
        return
    column = name[name.index("{") + 1 : name.index("}")]
    if column == "level" and column not in part.columns:
        column = "characteristic_level"
    if column not in part.columns:
        raise DisclosureError(
            f"Rows of '{part['measure'].iloc[0]}' need the column '{column}', which says what is counted."
        )
    for level, subset in part.groupby(column, sort=False, observed=True):
        if column == "band":
            count, is_complement = band_count(str(level))
            yield count, subset, is_complement
        else:
            count = name[: name.index("{")] + str(level) + name[name.index("}") + 1 :]
            yield count, subset, makeup.is_complement


def _values(part: pd.DataFrame, count: str, value: pd.Series, *, is_numerator: bool = False) -> pd.DataFrame:
    nothing = pd.Series(np.nan, index=part.index)
    found = pd.DataFrame({"row": part.index, "count": count, "value": value.to_numpy(dtype=float)})
    for name in ("contributors", "concentration"):
        known = part[name] if is_numerator and name in part.columns else nothing
        found[name] = known.to_numpy(dtype=float)
    return found


def _needs(part: pd.DataFrame, count: str) -> pd.DataFrame:
    return pd.DataFrame({"row": part.index, "count": count})


def withheld(rows: pd.DataFrame) -> pd.Series:
    """Return which rows partners are never shown."""
    return rows[WITHHELD].astype(bool) if WITHHELD in rows.columns else pd.Series(False, index=rows.index)


def group_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns that say which pupils a row is about."""
    return [str(name) for name in rows.columns if name not in NOT_GROUPS]


def groups(rows: pd.DataFrame, area_code: str) -> pd.DataFrame:
    """Return which pupils each row is about: a column for each dimension, empty for the total.

    The pair of columns ``characteristic`` and ``level`` becomes a column named as the characteristic. Rows without a
    column for the area are of ``area_code``.
    """
    rows = rows.reset_index(drop=True)
    names = group_columns(rows)
    level_name = next((name for name in ("level", "characteristic_level") if name in names), "")
    has_pair = "characteristic" in names
    found: dict[str, pd.Series] = {}
    for name in names:
        if has_pair and name in ("characteristic", level_name):
            continue
        if name == "period":
            name_of, column = "term", rows[name].astype(str).replace("year", ALL)
        else:
            name_of, column = name, rows[name].astype("object").map(lambda v: "" if pd.isna(v) else str(v))
        totals = {level for level in column.unique() if is_total(name_of, level)}
        found[name_of] = column.where(~column.isin(totals), "")
    if has_pair and level_name:
        kind, level = rows["characteristic"].astype(str), rows[level_name].astype(str)
        for name in kind.unique():
            if name in (ALL, "", "percent_band"):
                continue
            here = level.where((kind == name) & ~level.map(lambda v, n=name: is_total(n, v)), "")
            # A file may have a column and pairs of the same name: at most one of them says something.
            found[str(name)] = here if name not in found else found[str(name)].where(here == "", here)
    found.setdefault("area_code", pd.Series("" if area_code == ALL else area_code, index=rows.index))
    return pd.DataFrame(found, index=rows.index)


def unknown_groups(groups_of_rows: pd.DataFrame, counts: pd.Series) -> pd.DataFrame:
    """Return the groups of pupils of unknown characteristic.

    Parameters
    ----------
    groups_of_rows
        The groups the rows are about, as ``groups`` gives them.
    counts
        Names of counts such as "unknown:sex", one a row.
    """
    found = groups_of_rows.copy()
    for name in counts.unique():
        dimension = str(name).removeprefix(UNKNOWN)
        before = found[dimension] if dimension in found.columns else pd.Series("", index=found.index)
        found[dimension] = before.mask(counts == name, "Unknown")
    return found
