"""Rows of a release that say how the models of a step did when tested, and what they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._step_models import LEAST_SCHOOLS, FittedSteps
from attendance_toolkit.deepdives._transition_cells import counted_cells, pupil_rows
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.metrics.overview import count_unknown_with
from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models.transition.proof import GROUPS, MODEL, PERSISTENT_MEASURE, SCHOOLS, TARGETING, Proof
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL

#: Fifths of the pupils tested, by their predicted chance of persistent absence: the column ``predicted``.
FIFTHS = ("Lowest fifth", "Second fifth", "Middle fifth", "Fourth fifth", "Highest fifth")
#: Places on a list from which what became of it is told: of fewer, a share would name pupils.
LEAST_LISTED = 100
#: Level of the column ``about`` of the rows that hold a model against the year before.
USED, NOT_USED = "used", "not used"
GROUP = ["characteristic", "level", "predicted"]
_LIST = ("precision_at_capacity", "recall_at_capacity")
_PREDICTED = {"rate": "predicted_absence", "persistent": "predicted_persistent", "severe": "predicted_severe"}
#: Between the terms and the groups of features a model has, in a row of its pupils.
GROUPS_APART = "; "
#: Pupils a model is fitted to from which what it expects has a decimal: 5 of 5,000 are 0.1%, as counts are rounded to 5.
_A_DECIMAL = 5000
_BY_SCHOOL = ("school_rank_correlation", "dip_rank_correlation")
_RATIOS = {PERSISTENT_MEASURE: "observed_over_expected", "severe_absence_rate": "observed_over_expected_severe"}


def proof_rows(fitted: FittedSteps, merge_unknown: Sequence[str]) -> pd.DataFrame:
    """Return how the models did on the area's pupils tested.

    Parameters
    ----------
    merge_unknown
        Characteristics whose few unknown pupils are counted with another level.

    Returns
    -------
    MEASURE rows, the academic year that of the later year. Columns: ``characteristic`` and ``level``; ``predicted``, a fifth of
    the pupils by predicted chance; ``model``; ``outcome``, the measure predicted; ``since``, what a model is held against (the
    figure is then how much better it is); ``about``: of the pupils, the years learned from; of a model held against another,
    whether it is used; of schools, how many they are.
    """
    proof = fitted.proof
    tested = fitted.test.chosen(fitted.keep)
    counted = _counted(tested, merge_unknown)
    counted.loc[_is_total(counted) & (counted["measure"] == "pupils"), "about"] = " ".join(map(str, proof.trained))
    fitted_rows = [*_scores(fitted), *_gains(fitted), *_coverage(fitted), *_ratios(fitted, counted), *_by_fifth(fitted)]
    counted = pd.concat([counted, _fifths(fitted)], ignore_index=True)
    rows = _beside(counted, pd.DataFrame(fitted_rows), GROUP)
    columns = ["since", "outcome", "model", "about"]
    rows[columns] = rows[columns].astype("object").where(rows[columns].notna(), "")
    rows["symbol"] = np.where(rows["rate"].isna() & (rows["symbol"] == ""), "z", rows["symbol"])
    return rows.assign(academic_year=academic_year_before(tested.academic_year, -1), nc_year=tested.to_year)


def _is_total(rows: pd.DataFrame) -> pd.Series:
    return (rows[GROUP] == ALL).all(axis=1)


def _beside(counted: pd.DataFrame, fitted: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return statistics with the number of their group's pupils, below the rows that count these."""
    sizes = counted.loc[counted["measure"] == "pupils", [*by, "enrolments"]]
    sized = fitted.merge(sizes, on=list(by), validate="many_to_one")
    return pd.concat([counted, sized.assign(numerator=np.nan, denominator=np.nan, symbol="")], ignore_index=True)


def _counted(tested: StepCohort, merge_unknown: Sequence[str]) -> pd.DataFrame:
    """Return what was found of the pupils tested, all and by group: counted as everywhere on the page."""
    later = tested.later
    assert later is not None
    named = {name: np.asarray(tested.levels[name], dtype=object)[tested.codes[name]] for name in GROUPS}
    groups = count_unknown_with(pd.DataFrame(named), merge_unknown)
    everybody = pd.DataFrame({"characteristic": np.full(len(groups), ALL, dtype=object), "level": ALL})
    parts = [everybody, *(pd.DataFrame({"characteristic": name, "level": groups[name]}) for name in GROUPS)]
    cells = [counted_cells(part, later.possible, later.missed) for part in parts]
    rows = pupil_rows(pd.concat(cells, ignore_index=True), ["characteristic", "level"])
    kept = rows["measure"].isin(("pupils", PERSISTENT_MEASURE, "severe_absence_rate"))
    known = rows["characteristic"].isin(("", ALL)) | _is_checked(rows)
    return rows[kept & known].assign(predicted=ALL, model="", about="", outcome="", since="").reset_index(drop=True)


def _is_checked(rows: pd.DataFrame) -> pd.Series:
    wanted = {(name, level) for name, levels in GROUPS.items() for level in levels}
    return pd.Series(
        [pair in wanted for pair in zip(rows["characteristic"], rows["level"], strict=True)], index=rows.index
    )


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in record.items()} for record in rows.to_dict("records")]


def _row(measure: str, value: float, **more: Any) -> dict[str, Any]:
    base = {"characteristic": ALL, "level": ALL, "predicted": ALL, "model": "", "outcome": "", "since": "", "about": ""}
    return {**base, "measure": measure, "rate": float(value), "lower": np.nan, "upper": np.nan, **more}


def _scores(fitted: FittedSteps) -> Iterator[dict[str, Any]]:
    """Yield the scores of every method. What became of a list is told of long lists alone, and order of many schools."""
    proof = fitted.proof
    for found in _records(proof.measures):
        if found["statistic"] in _LIST and proof.capacity < LEAST_LISTED:
            continue
        if found["statistic"] in _BY_SCHOOL and len(proof.schools) < LEAST_SCHOOLS:
            continue
        yield _row(found["statistic"], found["value"], model=found["model"], outcome=found["about"])


def _gains(fitted: FittedSteps) -> Iterator[dict[str, Any]]:
    for found in _held_against(fitted.proof):
        yield _row(about=USED if fitted.uses(found["model"]) else NOT_USED, **found)


def _held_against(proof: Proof) -> Iterator[dict[str, Any]]:
    """Yield how much better each model is than the year before itself."""
    for found in _records(proof.gains):
        if found["model"] in (MODEL, TARGETING):
            yield {
                "measure": found["statistic"], "value": float(found["value"]), "lower": float(found["lower"]),
                "upper": float(found["upper"]), "model": found["model"], "outcome": found["about"], "since": found["against"],
            }  # fmt: skip


def _coverage(fitted: FittedSteps) -> Iterator[dict[str, Any]]:
    """Yield how often what was found lies inside the 90% interval: of pupils, and of schools where there are enough."""
    for found in _records(fitted.proof.coverage):
        if found["quintile"] or (found["about"] == SCHOOLS and found["number"] < LEAST_SCHOOLS):
            continue
        number = str(int(found["number"])) if found["about"] == SCHOOLS else ""
        yield _row("interval_coverage", found["share"], model=MODEL, outcome=found["about"], about=number)


def _ratios(fitted: FittedSteps, counted: pd.DataFrame) -> Iterator[dict[str, Any]]:
    there = set(zip(counted["characteristic"], counted["level"], strict=True))
    for found in _records(fitted.proof.groups):
        name, level = (found["characteristic"], found["level"]) if found["characteristic"] else (ALL, ALL)
        if (name, level) in there:
            yield _row(
                _RATIOS[found["about"]], found["ratio"], characteristic=name, level=level, model=MODEL, outcome=found["about"],
                lower=float(found["lower"]), upper=float(found["upper"]),
            )  # fmt: skip


def _own_fifths(fitted: FittedSteps) -> pd.DataFrame:
    rows = fitted.proof.calibration
    return rows[(rows["model"] == MODEL) & (rows["about"] == PERSISTENT_MEASURE) & (rows["pupils"] > 0)]


def _by_fifth(fitted: FittedSteps) -> Iterator[dict[str, Any]]:
    for found in _records(_own_fifths(fitted)):
        value = found["expected"] / found["pupils"]
        yield _row("expected_persistent", value, predicted=FIFTHS[int(found["quintile"]) - 1], model=MODEL, decimals=1)


def _fifths(fitted: FittedSteps) -> pd.DataFrame:
    """Return how many pupils are in each fifth, and how many of them were persistently absent."""
    found = _own_fifths(fitted)
    pupils, events = found["pupils"].to_numpy(dtype=float), found["found"].to_numpy(dtype=float)
    lower, upper = wilson_interval(events, pupils)
    base = pd.DataFrame(
        {
            "characteristic": ALL, "level": ALL, "predicted": [FIFTHS[int(one) - 1] for one in found["quintile"]],
            "model": "", "about": "", "outcome": "", "since": "", "symbol": "", "enrolments": pupils,
        }
    )  # fmt: skip
    number = base.assign(
        measure="pupils", numerator=pupils, denominator=np.nan, rate=pupils, lower=np.nan, upper=np.nan
    )
    rates = base.assign(
        measure=PERSISTENT_MEASURE, numerator=events, denominator=pupils, rate=events / pupils, lower=lower, upper=upper
    )
    return pd.concat([number, rates], ignore_index=True)


def learnt_rows(fitted: FittedSteps) -> pd.DataFrame:
    """Return how many pupils the model in use is fitted to, by cohort, and what it makes of one thing at a time.

    Returns
    -------
    MEASURE rows, the academic year that after the step. Of a prediction ``model`` is what is set, ``outcome`` its level and
    ``since`` the level it is held against, if it is a difference (``models.transition.effects``). ``about`` of the pupils of the
    last cohort names the terms that are used and, after these, the groups of features. How much better each model did among all pupils
    tested stands here as well (``since``: what it is held against), since these are the pupils of the last cohort.
    """
    parts = []
    for cohort in (*fitted.train, fitted.test):
        followed = cohort.chosen(cohort.is_compared)
        assert followed.later is not None
        later = academic_year_before(cohort.academic_year, -1)
        groups = pd.DataFrame({"academic_year": np.full(len(followed.pupils), later)})
        parts.append(counted_cells(groups, followed.later.possible, followed.later.missed))
    counted = pupil_rows(pd.concat(parts, ignore_index=True), ["academic_year"])
    counted = counted[counted["measure"].isin(("pupils", PERSISTENT_MEASURE, "severe_absence_rate"))]
    last = int(counted["academic_year"].max())
    is_pupils = counted["measure"] == "pupils"
    is_last = is_pupils & (counted["academic_year"] == last)
    looked_at = GROUPS_APART.join((" ".join(fitted.terms), *dict.fromkeys(fitted.model.design.groups)))
    counted = counted.assign(about=np.where(is_last, looked_at, ""), model="", outcome="", since="")
    gains = [
        _row(about=USED if fitted.uses(one["model"]) else NOT_USED, **one) for one in _held_against(fitted.everywhere)
    ]
    effects = _effects(fitted, float(counted.loc[is_pupils, "rate"].sum()))
    rows = pd.DataFrame([*gains, *effects]).drop(columns=GROUP).assign(academic_year=last)
    return _beside(counted, rows, ["academic_year"]).assign(nc_year=fitted.coming.to_year)


def _effects(fitted: FittedSteps, pupils: float) -> Iterator[dict[str, Any]]:
    """Yield what the model makes of one thing at a time, in whole percentages where it is fitted to few pupils."""
    for found in _records(fitted.effects):
        name = _PREDICTED[found["outcome"]]
        yield _row(
            f"{name}_gap" if found["since"] else name, found["value"], lower=found["lower"], upper=found["upper"],
            model=found["kind"], outcome=found["level"], since=found["since"],
            decimals=1 if pupils >= _A_DECIMAL else 0,
        )  # fmt: skip
