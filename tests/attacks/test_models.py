"""What the parameters of a model give away of counts that are hidden, and what is done about it.

The attacks are on exact margins, as the other attacks: pages round them, so that readers have less.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import expit

from attendance_toolkit.deepdives._stratum_models import stratum_model_rows
from attendance_toolkit.disclosure.modelled import cut_statistics
from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.disclosure.release import ExactTable, Release
from attendance_toolkit.metrics.absence import enrolment_count, severe_absence_rate
from attendance_toolkit.metrics.crossings import crossed_cells, families_of
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.maihda import fit_maihda, main_effects_design
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS

AREA = "E08000003"
CROSSED = ["fsm_eligible", "sen_provision", "sex", "nc_year_band"]
LEVELS = {
    "fsm_eligible": {"Not known to be FSM eligible": (0.75, 0.0), "FSM eligible": (0.25, 0.9)},
    "sen_provision": {"No SEN": (0.84, 0.0), "SEN support": (0.13, 1.0), "EHC plan": (0.03, 1.6)},
    "sex": {"Male": (0.5, 0.0), "Female": (0.5, 0.1)},
    "nc_year_band": {"Years 3 to 6": (0.4, 0.0), "Years 7 to 9": (0.35, 1.0), "Years 10 and 11": (0.25, 1.6)},
}
#: Steps of the walk through tables.
TABLES = 800
KEYS = ["area_code", "academic_year", "phase"]


def strata_of(pupils: int, *, seed: int = 1) -> pd.DataFrame:
    """Strata of pupils whose chances are main effects alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for chosen in itertools.product(*(levels.items() for levels in LEVELS.values())):
        share = np.prod([size for _, (size, _) in chosen])
        effect = sum(by for _, (_, by) in chosen)
        enrolments = max(round(pupils * share), 1)
        rows.append([*(level for level, _ in chosen), enrolments, rng.binomial(enrolments, expit(-5.6 + effect))])
    frame = pd.DataFrame(rows, columns=[*CROSSED, "enrolments", "severe_absentees"])
    return frame.assign(area_code=AREA, academic_year=202324, phase=ALL_SCHOOLS)


def cleared_model(strata: pd.DataFrame, families: list[tuple[str, ...]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The crossed rows and the model's rows as partners see them."""
    cells = crossed_cells(strata, KEYS, CROSSED, families)
    by = [*KEYS, *CROSSED]
    release = Release(SHARED)
    crossed = pd.concat([enrolment_count(cells, by), severe_absence_rate(cells, by)], ignore_index=True)
    release.add("severe", AREA, "crossed", ExactTable(crossed, "Invented."))
    model = stratum_model_rows(strata, strata.iloc[:0], CROSSED, is_cut=True)
    release.add("severe", AREA, "model", ExactTable(model, "Invented."))
    cleared = release.clear()
    return cleared.table("severe", AREA, "crossed").rows, cleared.table("severe", AREA, "model").rows


def solve_level(strata: pd.DataFrame, coefficients: np.ndarray, hidden: list[int]) -> np.ndarray:
    """Severe absentees of the levels of hidden coefficients: where fitted and shown margins agree, all must.

    At the maximum of the likelihood the fitted count of every level is the counted one. The reader has the sizes of all strata,
    the margins that are shown, and all coefficients but the hidden ones.
    """
    matrix = main_effects_design(strata, CROSSED).matrix
    y, n = strata["severe_absentees"].to_numpy(), strata["enrolments"].to_numpy()
    shown = [column for column in range(matrix.shape[1]) if column not in hidden]
    margins = matrix[:, shown].T @ y

    def fitted(guess: np.ndarray) -> np.ndarray:
        full = coefficients.copy()
        full[hidden] = guess
        return n * expit(matrix @ full)

    found = least_squares(lambda guess: matrix[:, shown].T @ fitted(guess) - margins, np.zeros(len(hidden)))
    return matrix[:, hidden].T @ fitted(found.x)


def test_a_hidden_level_is_solved_from_the_other_coefficients_and_so_none_is_shown():
    strata = strata_of(5_000)
    design = main_effects_design(strata, CROSSED)
    fit = fit_maihda(strata["severe_absentees"], strata["enrolments"], design)
    assert fit.sd < 1e-3  # no more than main effects: the score equations are those of the margins
    hidden = [number for number, (name, _) in enumerate(design.terms, 1) if name == "sen_provision"]
    exact = design.matrix[:, hidden].T @ strata["severe_absentees"].to_numpy()
    assert exact.min() < 10
    # What would be given away if only the coefficients of the hidden levels were hidden: the count itself.
    solved = solve_level(strata, np.round(fit.coefficients, 4), hidden)
    assert np.abs(solved - exact).max() < 0.5

    crossed, model = cleared_model(strata, families_of(CROSSED)[:5])
    single = crossed[(crossed["measure"] == "severe_absence_rate") & (crossed["sen_provision"] == "EHC plan")]
    assert single["symbol"].tolist() == ["c"]
    assert crossed[(crossed["measure"] == "severe_absence_rate") & (crossed["sex"] == "Female")]["symbol"].tolist() == [
        ""
    ]
    about = model[
        (model["model"] == "main effects") & model["measure"].isin(["maihda_coefficient", "maihda_intercept"])
    ]
    assert len(about) == 11
    assert set(about["symbol"]) == {"c"}
    assert about[["rate", "lower", "upper"]].isna().all(axis=None)
    # The null model's intercept tells what its rate tells, which is shown.
    assert model[(model["model"] == "null") & (model["measure"] == "maihda_intercept")]["symbol"].tolist() == [""]


def margins_of_three(strata: pd.DataFrame) -> np.ndarray:
    """Which strata add up to each group of three characteristics."""
    found = []
    for names in itertools.combinations(CROSSED, 3):
        group = strata.groupby(list(names), sort=False).ngroup().to_numpy()
        found.append(np.eye(group.max() + 1)[group].T)
    return np.vstack(found)


def pcv_alone(null, main):
    """The change of variance without its bootstrap interval, which takes a hundred refits."""
    return Estimate(1 - main.variance / null.variance)


def test_a_model_as_shown_tells_no_table_from_those_near_it_and_with_four_decimals_it_would(monkeypatch):
    """A patient reader draws up tables that agree with all shown margins, rounded to 5, and fits the model to each.

    With four decimals none of the tables would agree with the model but the true one.
    """
    monkeypatch.setattr("attendance_toolkit.deepdives._stratum_models.proportional_change", pcv_alone)
    strata = strata_of(36_000)
    y, margins = strata["severe_absentees"].to_numpy(dtype=float), margins_of_three(strata)
    small = (y < 10) & (y > 0)
    assert small.sum() > 5

    def rounded(counts: np.ndarray) -> np.ndarray:
        return np.floor(margins @ counts / 5 + 0.5)

    def told(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = stratum_model_rows(strata.assign(severe_absentees=counts), strata.iloc[:0], CROSSED, is_cut=True)
        numbers = ["rate", "lower", "upper"]
        return cut_statistics(rows)[numbers].to_numpy(), rows[numbers].round(4).to_numpy()

    rng = np.random.default_rng(3)
    shown, in_full = told(y)
    agree, agree_in_full, here = [y], 0, y
    for _ in range(TABLES):
        # From a table that agrees, a step to a near one: some pupils more here, some fewer there.
        other = here.copy()
        np.add.at(other, rng.integers(0, len(y), 2), [1, -1])
        if (other < 0).any() or not np.array_equal(rounded(other), rounded(y)):
            continue
        cut, full = told(other)
        agree_in_full += bool(np.array_equal(full, in_full, equal_nan=True) and (other != y).any())
        if np.array_equal(cut, shown, equal_nan=True):
            agree.append(other)
            here = other
    assert agree_in_full == 0
    assert len(agree) > 20
    # Other counts of small strata among them: none of these tables can be ruled out.
    assert (np.ptp(np.array(agree), axis=0)[small] > 0).sum() > small.sum() / 3
