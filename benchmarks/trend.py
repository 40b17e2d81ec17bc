"""Two models of 4.1 million rows, 506,000 pupils in up to 9 terms: the clustered trend and the random intercept, beside statsmodels.

    python benchmarks/trend.py [--pupils 506000] [--subset 20000]

The toolkit fits all rows. statsmodels fits a subset of the pupils (GLM with clustered errors, GEE with working
independence, MixedLM), is compared there with the toolkit on the same rows, and its seconds are scaled by the number of
pupils: both of its pupil-wise models take a time in proportion to them. Times are those of the fit, without reading.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from measuring import report_variant, run_variant

from attendance_toolkit.models.growth import fit_random_intercept
from attendance_toolkit.models.trend import fit_trend, time_design

YEARS, TERMS = (202223, 202324, 202425), ("autumn", "spring", "summer")
#: Share of the rows kept: pupils join and leave.
KEPT = 0.9
TREND, GROWTH = "toolkit: clustered trend", "toolkit: random intercept"
GLM, GEE = "statsmodels GLM, clustered", "statsmodels GEE, independence"
MIXED = "statsmodels MixedLM"


def make_rows(folder: Path, pupils: int) -> None:
    """Write invented rows in no order: a level for every pupil, nine terms, one row in ten missing."""
    rng = np.random.default_rng(1)
    terms = len(YEARS) * len(TERMS)
    pupil = np.repeat(np.arange(pupils), terms)
    place = np.tile(np.arange(terms), pupils)
    kept = rng.permutation(len(pupil))[: round(len(pupil) * KEPT)]
    pupil, place = pupil[kept], place[kept]
    time = time_design(
        np.array(YEARS)[place // 3], place % 3, years=YEARS, terms=range(len(TERMS)), year_factor=True
    ).matrix
    levels = [rng.random(pupils) < share for share in (0.26, 0.14, 0.05, 0.49, 0.42)]  # FSM, two of SEN, sex, phase
    design = np.column_stack([time, *(level[pupil] for level in levels)])
    effects = np.array([-3.2, -0.05, -0.1, 0.15, -0.02, 0.45, 0.35, 0.6, 0.03, 0.4])
    linear = design @ effects + rng.normal(0, 0.9, pupils)[pupil] + rng.normal(0, 0.5, len(pupil))
    possible = np.array([142, 118, 120])[place % 3]
    missed = rng.binomial(possible, 1 / (1 + np.exp(-linear)))
    labels = rng.integers(1, 2**62, pupils)[pupil]
    for name, values in {"missed": missed, "possible": possible, "design": design, "pupil": labels}.items():
        np.save(folder / f"{name}.npy", values)


def digits(values: np.ndarray, count: int) -> list[str]:
    return [f"{value:.{count}g}" for value in values]


def fit(variant: str, rows: dict[str, np.ndarray]) -> list[str]:
    """Fit one model; return coefficients and standard errors as they agree."""
    missed, possible, design, pupil = (rows[name] for name in ("missed", "possible", "design", "pupil"))
    if variant == TREND:
        trend = fit_trend(missed, possible, design, pupil)
        return digits(trend.coefficients, 6) + digits(trend.standard_errors, 6)
    if variant == GROWTH:
        growth = fit_random_intercept(100 * missed / possible, design, pupil)
        return digits(growth.coefficients, 3) + digits(growth.standard_errors, 3)
    import statsmodels.api as sm

    if variant == MIXED:
        mixed = sm.MixedLM(100 * missed / possible, design, groups=pupil).fit(reml=True)
        return digits(mixed.fe_params, 3) + digits(mixed.bse_fe, 3)
    if variant == GLM:
        counts = np.column_stack([missed, possible - missed])
        groups = {"groups": np.unique(pupil, return_inverse=True)[1], "use_correction": False}
        glm = sm.GLM(counts, design, family=sm.families.Binomial()).fit(cov_type="cluster", cov_kwds=groups)
        return digits(glm.params, 6) + digits(glm.bse, 6)
    gee = sm.GEE(missed / possible, design, groups=pupil, family=sm.families.Binomial(), weights=possible).fit()
    return digits(gee.params, 6) + digits(gee.bse, 6)


def read(folder: Path) -> dict[str, np.ndarray]:
    return {name: np.load(folder / f"{name}.npy") for name in ("missed", "possible", "design", "pupil")}


def report(whole: str, subset: str, pupils: int, fewer: int) -> None:
    found = {
        (name, folder): run_variant(__file__, name, "--folder", folder) for name, folder in variants(whole, subset)
    }
    print(f"{'model':34} {'pupils':>9} {'seconds':>9} {'peak MB':>9}  {'for all pupils':>15} {'ratio':>7}")
    for (name, folder), row in found.items():
        size = pupils if folder == whole else fewer
        scaled = row["seconds"] * pupils / size
        own = found[(GROWTH if name in (GROWTH, MIXED) else TREND, whole)]["seconds"]
        how = "" if size == pupils else "scaled "
        print(
            f"{name:34} {size:9,} {row['seconds']:9.2f} {row['peak_mb']:9.0f}  {how + format(scaled, '.1f'):>15}"
            f" {scaled / own:7.1f}"
        )
    for group in ((TREND, GLM, GEE), (GROWTH, MIXED)):
        answers = [found[(name, subset)]["checksum"] for name in group]
        alike = all(answer == answers[0] for answer in answers)
        print(f"{', '.join(group)}: {'the same figures' if alike else f'these disagree: {answers}'}")
        if not alike:
            raise SystemExit(1)


def variants(whole: str, subset: str) -> list[tuple[str, str]]:
    return [(TREND, whole), (GROWTH, whole), *((name, subset) for name in (TREND, GLM, GEE, GROWTH, MIXED))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pupils", type=int, default=506_000)
    parser.add_argument("--subset", type=int, default=20_000)
    parser.add_argument("--variant", default="")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.variant == "make the input":
        report_variant(lambda: make_rows(options.folder, options.pupils))
        return
    if options.variant:
        rows = read(options.folder)
        report_variant(lambda: fit(options.variant, rows))
        return
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"whole": options.pupils, "subset": options.subset}
        for name, size in sizes.items():
            (Path(folder) / name).mkdir()
            run_variant(__file__, "make the input", "--folder", str(Path(folder) / name), "--pupils", str(size))
        report(*(str(Path(folder) / name) for name in sizes), *sizes.values())


if __name__ == "__main__":
    main()
