"""The transition models on simulated cohorts whose truth is known: trained on three cohorts, tested on the next.

    python benchmarks/transition_proof.py            # six seeds of 40,000 pupils a cohort: five minutes; writes docs/transition.md

Cohorts are those of ``transition_truth.py``. Every seed is a new population, with new schools and new years. The tables of
``docs/transition.md`` between the markers are rewritten. Calibration is looked at four times: as predicted in July; after the
autumn has shown how far the year lies from the one before (``models.transition.recentring``); in a world whose years stay as the
last one published, where only the model can be wrong; and in one where absence goes on falling as in the years published.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from transition_truth import simulate_cohorts

from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models._threads import one_thread
from attendance_toolkit.models.transition.proof import (
    BOOSTING,
    MODEL,
    PERSISTENT_MEASURE,
    RATE_MEASURE,
    SCHOOLS,
    SEVERE_MEASURE,
    TARGETING,
    Proof,
    prove,
)
from attendance_toolkit.models.transition.recentring import recentred_chances, year_shift
from attendance_toolkit.models.transition.scores import calibration
from attendance_toolkit.models.transition.step_model import StepModel, fit_step, outcome_of

PAGE = Path(__file__).parents[1] / "docs" / "transition.md"
START, END = "<!-- benchmarks/transition_proof.py: start -->", "<!-- benchmarks/transition_proof.py: end -->"
SEEDS = (101, 102, 103, 104, 105, 106)
#: The first term of the later year, in which forecasts are recentred.
AUTUMN = ("1-2",)


def persistent_calibration(
    model: StepModel, latest: StepCohort, test: StepCohort, *, recentre: bool
) -> tuple[float, float]:
    """Return (slope, intercept) of the chances of persistent absence, as in July or recentred in the autumn."""
    followed = [cohort.chosen(cohort.is_compared) for cohort in (latest, test)]
    # Each at its own cohort's level; the latest one's is the model's.
    before, chance = (
        model.levelled(whole).predict(cohort).persistent for whole, cohort in zip((latest, test), followed, strict=True)
    )
    if recentre:
        chance = recentred_chances(chance, year_shift(followed[0], before, followed[1], chance, AUTUMN))
    return calibration(outcome_of(followed[1].later, "persistent"), chance)


def rate_bias(proof: Proof) -> float:
    """Return how far absence found lies above what was expected, over the schools' pupils."""
    pupils = proof.schools["pupils"]
    return float(((proof.schools["found"] - proof.schools["expected"]) * pupils).sum() / pupils.sum())


def row_of(
    seed: int, proof: Proof, cohorts: tuple[StepCohort, ...], calm: tuple[float, float], trend: tuple[float, float]
) -> dict[str, float]:
    carried = proof.value(proof.carried, RATE_MEASURE, "prediction_rmse")

    def below(model: str) -> float:
        return 100 * (1 - proof.value(model, RATE_MEASURE, "prediction_rmse") / carried)

    def gain(model: str, about: str, statistic: str) -> float:
        return proof.value(model, about, statistic) - proof.value(proof.rule, about, statistic)

    coverage = proof.coverage[proof.coverage["quintile"] == 0].set_index("about")["share"]
    groups = proof.groups[(proof.groups["level"] != "")]
    persistent = groups[groups["about"] == PERSISTENT_MEASURE]
    half = (persistent["upper"] - persistent["lower"]) / 2 / persistent["ratio"]
    slope, intercept = persistent_calibration(proof.model, cohorts[-2], cohorts[-1], recentre=False)
    _, autumn = persistent_calibration(proof.model, cohorts[-2], cohorts[-1], recentre=True)
    return {
        "seed": seed,
        "carried": 100 * carried,
        "model": 100 * proof.value(MODEL, RATE_MEASURE, "prediction_rmse"),
        "below": below(MODEL),
        "below_targeting": below(TARGETING),
        "below_boosting": below(BOOSTING),
        "auc_gain": gain(MODEL, PERSISTENT_MEASURE, "prediction_auc"),
        "auc_gain_targeting": gain(TARGETING, PERSISTENT_MEASURE, "prediction_auc"),
        "auc_gain_boosting": gain(BOOSTING, PERSISTENT_MEASURE, "prediction_auc"),
        "slope": slope,
        "intercept": intercept,
        "intercept_autumn": autumn,
        "slope_calm": calm[0],
        "intercept_calm": calm[1],
        "intercept_trend": trend[1],
        "bias": 100 * rate_bias(proof),
        "schools": 100 * coverage[SCHOOLS],
        "schools_number": len(proof.schools),
        "pupils": 100 * coverage["Pupils"],
        "precision": 100 * proof.value(MODEL, PERSISTENT_MEASURE, "precision_at_capacity"),
        "precision_targeting": 100 * proof.value(TARGETING, PERSISTENT_MEASURE, "precision_at_capacity"),
        "precision_rule": 100 * proof.value(proof.rule, PERSISTENT_MEASURE, "precision_at_capacity"),
        "precision_gain": 100 * gain(MODEL, PERSISTENT_MEASURE, "precision_at_capacity"),
        "flagged": int(groups["is_flagged"].sum()),
        "beyond_year": int((np.abs(persistent["against_all"] - 1) > half).sum()),
        "groups": len(groups),
    }


def run_seed(seed: int, pupils: int) -> tuple[dict[str, float], Proof]:
    cohorts, _ = simulate_cohorts(pupils, None, 4, seed)
    proof = prove(cohorts[:-1], cohorts[-1], capacity=pupils // 10)
    # The same in worlds without random years, fitted to that world's own earlier cohorts: steady, and falling on.
    others = []
    for trend in (0.0, 1.0):
        world, _ = simulate_cohorts(pupils, None, 4, seed, drift=0.0, trend=trend)
        others.append(persistent_calibration(fit_step(world[:-1]), world[-2], world[-1], recentre=False))
    return row_of(seed, proof, cohorts, *others), proof


def seeds_table(rows: pd.DataFrame) -> list[str]:
    lines = [
        "| seed | RMSE, Year 6 carried forward | RMSE, model | below | without characteristics | boosting"
        " | PA AUC above the Year 6 rate | without characteristics | boosting"
        " | precision of a list of 10%, rule | model | without characteristics |",
        "|---" * 12 + "|",
    ]
    for row in [*rows.to_dict("records"), {**rows.mean().to_dict(), "seed": "mean"}]:
        seed = row["seed"] if isinstance(row["seed"], str) else f"{row['seed']:.0f}"
        lines.append(
            f"| {seed} | {row['carried']:.2f} | {row['model']:.2f} | {row['below']:.1f}% | {row['below_targeting']:.1f}%"
            f" | {row['below_boosting']:.1f}% | {row['auc_gain']:.4f} | {row['auc_gain_targeting']:.4f}"
            f" | {row['auc_gain_boosting']:.4f} | {row['precision_rule']:.1f}% | {row['precision']:.1f}%"
            f" | {row['precision_targeting']:.1f}% |"
        )
    return lines


def calibration_table(rows: pd.DataFrame) -> list[str]:
    lines = [
        "| seed | slope | intercept in July | absence found less expected, points | recentred in the autumn"
        " | slope, steady years | intercept, steady years | intercept, absence falling on"
        " | schools inside their 90% interval | pupils inside | groups flagged in July | beyond the year's drift |",
        "|---" * 12 + "|",
    ]
    for row in [*rows.to_dict("records"), {**rows.mean().to_dict(), "seed": "mean"}]:
        seed = row["seed"] if isinstance(row["seed"], str) else f"{row['seed']:.0f}"
        counts = (
            ("", "")
            if seed == "mean"
            else (f"{row['flagged']} of {row['groups']}", f"{row['beyond_year']} of {row['groups'] // 2}")
        )
        lines.append(
            f"| {seed} | {row['slope']:.3f} | {row['intercept']:+.3f} | {row['bias']:+.2f} | {row['intercept_autumn']:+.3f}"
            f" | {row['slope_calm']:.3f} | {row['intercept_calm']:+.3f} | {row['intercept_trend']:+.3f}"
            f" | {row['schools']:.1f}% | {row['pupils']:.1f}% | {counts[0]} | {counts[1]} |"
        )
    return lines


def methods_table(proofs: list[Proof]) -> list[str]:
    measures = pd.concat([proof.measures for proof in proofs])
    mean = measures.groupby(["model", "about", "statistic"], sort=False)["value"].mean()
    shown = [
        (RATE_MEASURE, "prediction_mae", 100, 2, "MAE, points"),
        (RATE_MEASURE, "prediction_rmse", 100, 2, "RMSE, points"),
        (RATE_MEASURE, "calibration_slope", 1, 2, "slope"),
        (RATE_MEASURE, "school_rank_correlation", 1, 2, "schools' order"),
        (RATE_MEASURE, "dip_rank_correlation", 1, 2, "order by dip"),
        (PERSISTENT_MEASURE, "prediction_auc", 1, 3, "PA AUC"),
        (PERSISTENT_MEASURE, "average_precision", 1, 3, "PA average precision"),
        (PERSISTENT_MEASURE, "brier_score", 1, 4, "PA Brier"),
        (SEVERE_MEASURE, "prediction_auc", 1, 3, "SA AUC"),
        (SEVERE_MEASURE, "average_precision", 1, 3, "SA average precision"),
    ]
    lines = ["| model | " + " | ".join(title for *_, title in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for name in measures["model"].unique():
        cells = []
        for about, statistic, scale, decimals, _ in shown:
            value = mean.get((name, about, statistic), np.nan)
            cells.append("–" if np.isnan(value) else f"{scale * value:.{decimals}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def targets_table(rows: pd.DataFrame) -> list[str]:
    """Return each target beside what was found, and whether it is met."""
    weights = rows["schools_number"]
    covered = float((rows["schools"] * weights).sum() / weights.sum())
    intercept = "calibration intercept within 0.1"
    # Target, column, its mean where that is not plain, least, most, how it is written.
    targets = [
        ("RMSE at least 9% below Year 6 carried forward", "below", None, 9, np.inf, "{:.1f}%"),
        ("PA AUC at least 0.02 above the Year 6 rate", "auc_gain", None, 0.02, np.inf, "{:.3f}"),
        ("calibration slope 0.95 to 1.05", "slope", None, 0.95, 1.05, "{:.3f}"),
        (f"{intercept}, in July", "intercept", None, -0.1, 0.1, "{:+.3f}"),
        (f"{intercept}, recentred in the autumn", "intercept_autumn", None, -0.1, 0.1, "{:+.3f}"),
        (f"{intercept}, in July, if years are steady", "intercept_calm", None, -0.1, 0.1, "{:+.3f}"),
        (f"{intercept}, in July, if absence falls on", "intercept_trend", None, -0.1, 0.1, "{:+.3f}"),
        (
            f"90% intervals of schools cover 87 to 93% ({weights.sum():,.0f} schools)",
            "schools",
            covered,
            87,
            93,
            "{:.1f}%",
        ),
        ("precision of a list, points above the Year 6 rule", "precision_gain", None, 1e-9, np.inf, "{:+.1f}"),
    ]
    lines = ["| target | mean | lowest to highest seed | met on average | met in |", "|---" * 5 + "|"]
    for name, column, mean, least, most, form in targets:
        values = rows[column]
        average = float(values.mean()) if mean is None else mean
        met = int(values.between(least, most).sum())
        lines.append(
            f"| {name} | {form.format(average)} | {form.format(values.min())} to {form.format(values.max())}"
            f" | {'yes' if least <= average <= most else '**no**'} | {met} of {len(values)} |"
        )
    return lines


def write(rows: pd.DataFrame, proofs: list[Proof], pupils: int) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    parts = [
        f"{len(rows)} seeds, {pupils:,} pupils a cohort, three cohorts to learn from.",
        *(
            ["", *table]
            for table in (targets_table(rows), seeds_table(rows), calibration_table(rows), methods_table(proofs))
        ),
    ]
    lines = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    PAGE.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pupils", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    rows, proofs = [], []
    with one_thread():
        for seed in options.seeds:
            row, proof = run_seed(seed, options.pupils)
            rows.append(row)
            proofs.append(proof)
            print({name: round(value, 4) for name, value in row.items()}, flush=True)
    frame = pd.DataFrame(rows)
    tables = (targets_table(frame), seeds_table(frame), calibration_table(frame), methods_table(proofs))
    print("\n\n".join("\n".join(table) for table in tables))
    if not options.print_only:
        write(frame, proofs, options.pupils)


if __name__ == "__main__":
    main()
