"""Speed of the transition models: fit, test and predict, for an area's cohorts and for England's.

    python benchmarks/transition.py                  # 40,000 pupils a cohort, about a minute
    python benchmarks/transition.py england          # 650,000 pupils a cohort, some minutes

The whole of what a page needs is timed: two models (with and without characteristics) fitted to two cohorts, tested on the next with
the challenger, fitted again with the tested cohort, and the cohort after that predicted, pupil by pupil and school by school.
Beside it, on the same columns and pupils as one model of persistent absence: scikit-learn's logistic regression and statsmodels'
binomial GLM, whose chances must agree with ours; and the challenger alone. Making the cohorts is not timed.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import report_variant, run_variant
from transition_truth import simulate_cohorts

from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models._threads import one_thread
from attendance_toolkit.models.transition import ATTENDANCE, fit_step, forecast_schools
from attendance_toolkit.models.transition.challenger import fit_challenger
from attendance_toolkit.models.transition.design import learn_design
from attendance_toolkit.models.transition.proof import MODEL, RATE_MEASURE, prove
from attendance_toolkit.models.transition.ridge import fit_ridge
from attendance_toolkit.models.transition.step_model import outcome_of

SIZES = {"area": 40_000, "england": 650_000}
WHOLE, ONE = "fit, test and predict", "one model: toolkit"
SKLEARN, GLM, TREES = "one model: scikit-learn", "one model: statsmodels GLM", "challenger alone"


def make(folder: Path, pupils: int) -> None:
    cohorts, _ = simulate_cohorts(pupils, None, 4, 101, has_later=False)
    (folder / "cohorts.pickle").write_bytes(pickle.dumps(cohorts))


def read(folder: Path) -> tuple[StepCohort, ...]:
    return pickle.loads((folder / "cohorts.pickle").read_bytes())


def whole(cohorts: tuple[StepCohort, ...]) -> list[float]:
    """Prove, fit again and forecast; return a few figures, so that nothing is skipped."""
    *train, test, coming = cohorts
    proof = prove(train, test, capacity=len(test.pupils) // 10)
    with one_thread():
        model = fit_step(cohorts[:-1])
        targeting = fit_step(cohorts[:-1], features=ATTENDANCE, with_allowances=False)
        schools = forecast_schools(model, coming)
        chances = targeting.predict(coming).persistent
    return [
        round(value, 4)
        for value in (proof.value(MODEL, RATE_MEASURE, "prediction_rmse"), schools.absence.mean(), chances.mean())
    ]


def one_model(variant: str, cohorts: tuple[StepCohort, ...]) -> list[float]:
    """Fit persistent absence on the columns of the full model by one of three ways; return some chances."""
    followed = [cohort.chosen(cohort.is_compared) for cohort in cohorts[:2]]
    design = learn_design(followed)
    columns = np.concatenate([design.matrix(cohort) for cohort in followed])
    outcome = np.concatenate([outcome_of(cohort.later, "persistent") for cohort in followed])
    with one_thread():
        if variant == ONE:
            chances = fit_ridge(columns, outcome).fitted
        elif variant == SKLEARN:
            from sklearn.linear_model import LogisticRegression

            scaled = columns / np.maximum(columns.std(axis=0), 1e-9)
            scaled[:, 0] = 1
            fit = LogisticRegression(C=1e5 / len(outcome), solver="newton-cholesky", fit_intercept=False, tol=1e-8)
            chances = fit.fit(scaled, outcome).predict_proba(scaled)[:, 1]
        else:
            import statsmodels.api as sm

            chances = sm.GLM(outcome, columns, family=sm.families.Binomial()).fit().fittedvalues
    return [round(float(value), 2) for value in np.quantile(chances, (0.1, 0.5, 0.9))]


def work(variant: str, folder: Path) -> list[float]:
    cohorts = read(folder)
    if variant == WHOLE:
        return whole(cohorts)
    if variant == TREES:
        fit_challenger(cohorts[:2])
        return []
    return one_model(variant, cohorts)


def timed(variant: str, folder: Path) -> dict[str, object]:
    """Return the answer and the processor's own seconds: those on the clock are others' as well."""
    answer = work(variant, folder)
    return {"answer": answer, "processor": time.process_time()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", nargs="?", choices=list(SIZES), default="area")
    parser.add_argument("--variant", default="")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.variant == "make":
        report_variant(lambda: make(options.folder, SIZES[options.size]))
        return
    if options.variant:
        report_variant(lambda: timed(options.variant, options.folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        run_variant(__file__, "make", options.size, "--folder", folder)
        found = {
            variant: run_variant(__file__, variant, options.size, "--folder", folder)
            for variant in (WHOLE, ONE, SKLEARN, GLM, TREES)
        }
    print(f"{SIZES[options.size]:,} pupils a cohort, two to learn from, one to test on, one to predict")
    print(f"{'variant':32} {'seconds':>9} {'of processor':>13} {'ratio':>7} {'peak MB':>9}")
    for variant, row in found.items():
        own = row["checksum"]["processor"]
        ratio = "" if variant in (WHOLE, TREES) else f"{own / found[ONE]['checksum']['processor']:.2f}"
        print(f"{variant:32} {row['seconds']:9.2f} {own:13.2f} {ratio:>7} {row['peak_mb']:9.0f}")
    answers = [found[variant]["checksum"]["answer"] for variant in (ONE, SKLEARN, GLM)]
    if any(np.abs(np.subtract(answer, answers[0])).max() > 0.011 for answer in answers):
        raise SystemExit(f"The models disagree: {answers}")
    print("the three ways give the same chances")


if __name__ == "__main__":
    main()
