"""Schools met because their attendance was low, with meetings that do nothing: how often each way of looking finds an effect.

    python benchmarks/before_after.py [--authorities 2000]

An authority of 95 schools (as in the commissioned report) meets the 22 that were lowest in the autumn; the summer is held
against it. A school has a lasting level, drifts from year to year, and has luck of its own in each term, all on the logit scale,
so that schools of more absence vary more. Nothing was done, so every effect found is false: a 95% interval should leave out 0
in 5 of 100 authorities. The naive comparison is a paired t interval of the schools met. Then attendance of those met is raised
by a point. Smaller authorities, no earlier years, and a world in which all schools vary alike follow.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only wait for each other

import numpy as np
from scipy.special import expit
from scipy.stats import t as student

from attendance_toolkit.models.before_after import school_effect

NOW = 202324
#: Standard deviations on the logit scale: lasting level, drift a year, luck of a term; the usual absence is 6.5%.
LEVEL, DRIFT, LUCK, USUAL = 0.18, 0.05, 0.12, -2.67
PLANTED = 0.01


@dataclass(frozen=True)
class Tally:
    """Shares of authorities, and means over them: the interval leaves out 0, the naive one does, the truth is inside."""

    clear: float
    naive: float
    covers: float
    mean_effect: float
    mean_change: float
    mean_se: float
    sd_effect: float


def make_schools(
    rng: np.random.Generator,
    *,
    schools: int = 95,
    met: int = 22,
    earlier_years: int = 2,
    planted: float = 0.0,
    is_alike: bool = False,
) -> dict[str, np.ndarray]:
    """Return an authority's schools, a row a school and year, as ``school_effect`` takes them.

    Parameters
    ----------
    earlier_years
        Years before that of the meetings in which the same terms are known.
    planted
        What the meetings add to attendance, a share.
    is_alike
        Whether all schools vary alike in points, whatever their absence.
    """
    slope = expit(USUAL) * (1 - expit(USUAL))

    def absence(logits: np.ndarray) -> np.ndarray:
        return np.maximum(expit(USUAL) + slope * logits, 0.001) if is_alike else expit(USUAL + logits)

    level = rng.normal(0, LEVEL, schools)
    years = [NOW - 101 * back for back in range(earlier_years, -1, -1)]
    before, after, earlier, is_met = [], [], [], []
    last = np.full(schools, np.nan)
    for year in years:
        level = level + rng.normal(0, DRIFT, schools)
        of_year = rng.normal(0, 0.05)
        autumn, summer = (1 - absence(level + of_year + rng.normal(0, LUCK, schools)) for _ in range(2))
        chosen = np.isin(np.arange(schools), np.argsort(autumn)[:met]) & (year == NOW)
        before.append(autumn)
        after.append(np.minimum(summer + planted * chosen, 1))
        earlier.append(last)
        is_met.append(chosen)
        last = 1 - absence(level + of_year + rng.normal(0, LUCK / np.sqrt(3), schools))
    columns = {"before": before, "after": after, "earlier": earlier, "is_met": is_met}
    return {
        **{name: np.concatenate(values) for name, values in columns.items()},
        "phase": np.repeat("Primary", schools * len(years)),
        "academic_year": np.repeat(years, schools),
    }


def tally(authorities: int, seed: int, *, planted: float = 0.0, **options: object) -> Tally:
    """Return what is found in so many authorities; ``options`` are those of ``make_schools``."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(authorities):
        given = make_schools(rng, planted=planted, **options)  # type: ignore[arg-type]
        met = given["is_met"]
        change = given["after"][met] - given["before"][met]
        half = student.ppf(0.975, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change))
        found = school_effect(
            given.pop("before"),
            given.pop("after"),
            given.pop("is_met"),
            now=NOW,
            **given,  # type: ignore[arg-type]
        )
        inside = found.effect.lower <= planted <= found.effect.upper
        rows.append(
            (found.effect.is_clear_of(0), abs(change.mean()) > half, inside, found.effect.value, found.change, found.se)
        )
    table = np.array(rows, dtype=float)
    return Tally(*table.mean(axis=0).tolist(), float(table[:, 3].std()))


def main() -> None:
    """Print the table of false and found effects."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--authorities", type=int, default=2000)
    many = parser.parse_args().authorities
    worlds: tuple[tuple[str, dict[str, object]], ...] = (
        ("22 of 95 met, two earlier years", {}),
        ("22 of 95 met, no earlier year", {"earlier_years": 0}),
        ("4 of 20 met, two earlier years", {"schools": 20, "met": 4}),
        ("22 of 95 met, all vary alike", {"is_alike": True}),
    )
    start = time.perf_counter()
    print(
        "| authority | interval excludes 0 | naive excludes 0 | mean change | mean effect | one point planted: inside | found |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, options in worlds:
        none = tally(many, 1, **options)
        some = tally(many, 2, planted=PLANTED, **options)
        print(
            f"| {name} | {none.clear:.1%} | {none.naive:.1%} | {100 * none.mean_change:+.2f} pp |"
            f" {100 * none.mean_effect:+.2f} pp | {some.covers:.1%} | {some.clear:.1%} |"
        )
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
