"""MAIHDA of 450,000 pupils in 1,192 strata: the toolkit against lme4 and against plain scipy; and coverage by simulation.

    python benchmarks/maihda.py                        null and main-effects models with standard errors
    python benchmarks/maihda.py coverage [--sets 200]  what intervals and tests do where the truth is planted

lme4 is R's (Debian: r-cran-lme4), called by ``maihda_lme4.R`` if there is an ``Rscript``; its time is that of the two fits,
without the start of R. Both take the same aggregated strata and 15 quadrature points. The plain variant integrates over a
dense fixed grid and leaves the gradient to ``scipy.optimize.minimize``, as the textbooks' likelihood is usually typed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import compare, report_variant, run_variant
from scipy.optimize import minimize
from scipy.special import expit

from attendance_toolkit.models.maihda import fit_maihda, main_effects_design, predict_strata, proportional_change

#: Characteristics and how many levels they have: 1,200 crossings.
LEVELS = {"sex": 2, "fsm": 2, "sen": 3, "band": 5, "ethnicity": 5, "language": 2, "social_worker": 2}
STRATA, PUPILS, POINTS = 1192, 450_000, 15
BOTH, BOOTSTRAP = "toolkit: null, main effects, errors", "toolkit: the same, and 100 refits"
LME4, SCIPY = "lme4 glmer, nAGQ = 15", "scipy: dense grid, BFGS, no gradient"


def make_strata(path: Path) -> None:
    """Write invented strata: shares and effects of levels drawn, stratum effects of standard deviation 0.25."""
    rng = np.random.default_rng(1)
    names = [[f"{name} {number}" for number in range(size)] for name, size in LEVELS.items()]
    strata = pd.DataFrame(list(itertools.product(*names)), columns=list(LEVELS)).head(STRATA)
    share, eta = np.ones(STRATA), np.full(STRATA, -4.0)
    for name, size in LEVELS.items():
        level = strata[name].str[-1].astype(int).to_numpy()
        share *= rng.dirichlet(np.full(size, 3.0))[level]
        eta += rng.normal(0, 0.5, size)[level]
    # Nobody is left without a pupil, so that all 1,192 are fitted.
    strata["trials"] = 1 + rng.multinomial(PUPILS - STRATA, share / share.sum())
    strata["events"] = rng.binomial(strata["trials"], expit(eta + rng.normal(0, 0.25, STRATA)))
    strata.to_csv(path, index=False)


def four_digits(variances: list[float]) -> list[str]:
    return [f"{variance:.4g}" for variance in variances]


def toolkit(path: Path, refits: int = 0) -> list[str]:
    strata = pd.read_csv(path)
    events, trials = strata["events"], strata["trials"]
    null = fit_maihda(events, trials, points=POINTS)
    main = fit_maihda(events, trials, main_effects_design(strata, list(LEVELS)), points=POINTS)
    if refits:
        change = proportional_change(null, main, refits=refits)
        print(f"PCV {change.value:.4f} ({change.lower:.4f} to {change.upper:.4f})", file=sys.stderr)
    return four_digits([null.variance, main.variance])


def dense_grid(path: Path) -> list[str]:
    strata = pd.read_csv(path)
    y, n = strata["events"].to_numpy(float)[:, None], strata["trials"].to_numpy(float)[:, None]
    design = main_effects_design(strata, list(LEVELS)).matrix
    v = np.linspace(-6, 6, 401)

    def deviance(parameters: np.ndarray, matrix: np.ndarray) -> float:
        eta = (matrix @ parameters[:-1])[:, None] + parameters[-1] * v
        logs = y * eta - n * np.logaddexp(0, eta) - v**2 / 2
        top = logs.max(axis=1, keepdims=True)
        return -float(np.sum(top[:, 0] + np.log(np.exp(logs - top).sum(axis=1))))

    variances = []
    for matrix in (design[:, :1], design):
        start = np.append(np.zeros(matrix.shape[1]), 0.5)
        start[0] = np.log(y.sum() / (n - y).sum())
        variances.append(float(minimize(deviance, start, args=(matrix,), method="BFGS").x[-1] ** 2))
    return four_digits(variances)


def run_lme4(path: Path) -> None:
    """Print what ``report_variant`` would, with R's own clock and R's memory."""
    script = Path(__file__).with_name("maihda_lme4.R")
    answer = subprocess.run(
        ["Rscript", str(script), str(path), str(POINTS)], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise SystemExit(f"R failed:\n{answer.stderr[-2000:]}")
    found = json.loads(answer.stdout.strip().splitlines()[-1])
    print(f"lme4 {found['version']}: null {found['seconds'][0]} s, main {found['seconds'][1]} s", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    checksum = four_digits(found["variances"])
    print(json.dumps({"seconds": sum(found["seconds"]), "peak_mb": peak, "checksum": checksum}))


# Coverage: an authority's strata, FSM x SEN x sex x year band, with shares and effects like those published.
SHARES = {"fsm": [0.74, 0.26], "sen": [0.81, 0.14, 0.05], "sex": [0.49, 0.51], "band": [0.28, 0.33, 0.24, 0.15]}
EFFECTS = {"fsm": [0, 1.1], "sen": [0, 0.9, 1.7], "sex": [0.1, 0], "band": [0, -0.1, 0.9, 1.5]}
CASES = ((10_000, 0.25), (40_000, 0.0), (40_000, 0.1), (40_000, 0.25), (40_000, 0.5), (450_000, 0.25))


def authority(pupils: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return strata with their trials and the main effects' linear predictor."""
    strata = pd.DataFrame(list(itertools.product(*[range(len(v)) for v in SHARES.values()])), columns=list(SHARES))
    share = np.prod([np.array(SHARES[name])[strata[name]] for name in SHARES], axis=0)
    eta = -4.9 + sum(np.array(EFFECTS[name])[strata[name]] for name in EFFECTS)
    return strata.assign(trials=np.round(share * pupils)), np.asarray(eta)


def coverage(sets: int) -> None:
    print("pupils     sd | main, known  main, averaged  effect, averaged  null, averaged | p < 0.05  sd est  sd in CI")
    for pupils, sd in CASES:
        strata, eta = authority(pupils)
        trials, design = strata["trials"].to_numpy(), main_effects_design(strata, list(SHARES))
        rng = np.random.default_rng(5)
        held = []
        for _ in range(sets):
            effect = rng.normal(0, sd, len(eta)) if sd else np.zeros(len(eta))
            truth = expit(eta + effect)
            events = rng.binomial(trials.astype(int), truth)
            main, null = fit_maihda(events, trials, design), fit_maihda(events, trials)
            known = predict_strata(main.linear, main.sd, events, trials)
            whole = predict_strata(main.linear, main.sd, events, trials, design=design, sd_interval=main.sd_interval)
            ones = np.ones((len(trials), 1))
            flat = predict_strata(null.linear, null.sd, events, trials, design=ones, sd_interval=null.sd_interval)
            held.append(
                [
                    *[np.mean((found.lower <= truth) & (truth <= found.upper)) for found in (known, whole)],
                    np.mean((whole.effect_lower <= effect) & (effect <= whole.effect_upper)),
                    np.mean((flat.lower <= truth) & (truth <= flat.upper)),
                    main.p_value < 0.05,
                    main.sd,
                    main.sd_interval[0] <= sd <= main.sd_interval[1],
                ]
            )
        a, b, c, d, p, s, i = np.mean(held, axis=0)
        print(
            f"{pupils:7,} {sd:5.2f} | {a:11.3f} {b:15.3f} {c:17.3f} {d:15.3f} | {p:8.3f} {s:7.3f} {i:9.3f}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", default="speed", choices=["speed", "coverage"])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--variant", default="")
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.what == "coverage":
        started = time.perf_counter()
        coverage(options.sets)
        print(f"{options.sets} sets of counts a row, {time.perf_counter() - started:.0f} s")
        return
    if options.variant == LME4:
        run_lme4(options.path)
        return
    if options.variant:
        works = {
            "make the input": lambda: make_strata(options.path),
            BOTH: lambda: toolkit(options.path),
            BOOTSTRAP: lambda: toolkit(options.path, refits=100),
            SCIPY: lambda: dense_grid(options.path),
        }
        report_variant(works[options.variant])
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("--path", str(Path(folder) / "strata.csv"))
        run_variant(__file__, "make the input", *arguments)
        variants = {BOTH: 5, BOOTSTRAP: 1, SCIPY: 1}
        if shutil.which("Rscript"):
            variants[LME4] = 3
        else:
            print("There is no Rscript here: lme4 is not compared. On Debian: r-base-core and r-cran-lme4.")
        found = compare(__file__, variants, BOTH, *arguments)
        print(f"Variances, the same to 4 digits: {', '.join(found[BOTH]['checksum'])}")


if __name__ == "__main__":
    main()
