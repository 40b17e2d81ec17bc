"""Groups of 28 pupils who had no support at all: how often each way of looking at them finds an effect.

    python benchmarks/regression_to_mean.py [--groups 4000] [--seeds 20] [--pupils 40000]

Each seed makes three cohorts (``transition_truth``): two are the history, pupils of the third who missed 10% of Year 6 or
more are the pool. Groups are drawn from it at random, at random with the mean of the commissioned report's group (13.34%),
or from three schools. Nobody is supported, so every effect found is false: a 95% interval should exclude zero in 5 of 100
groups. The naive comparison holds a group's autumn term in Year 7 against its Year 6, by a paired t interval. Then an
effect is planted: every pupil misses 5 percentage points less, or nothing where there is less to take away.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # short vectors: threads only wait for each other

import numpy as np
from transition_truth import simulate_cohorts

from attendance_toolkit.models.transition.regression_to_mean import SupportEffect, support_effect, tilted_weights
from attendance_toolkit.models.transition.support import Rule, step_rates

SIZE, SEED_MEAN, PLANTED, WINDOW = 28, 0.1334, 0.05, "1-2"
KINDS = ("at random", "with a mean of 13.34%", "from three schools")
#: 97.5% quantile of Student's t with 27 degrees of freedom (R ``qt(0.975, 27)``).
T27 = 2.051831
FALL = -0.03


@dataclass
class Pool:
    """Rates before and after, and schools, of pupils under the rule: the history, and those groups are drawn from."""

    history: tuple[np.ndarray, ...]
    history_cohort: np.ndarray
    here: tuple[np.ndarray, ...]


@dataclass
class Tally:
    """What was found in the groups of one kind."""

    rows: list[tuple[float, ...]] = field(default_factory=list)

    def add(
        self, before: np.ndarray, after: np.ndarray, found: SupportEffect, planted: SupportEffect, truth: float
    ) -> None:
        change = after - before
        half = T27 * change.std(ddof=1) / np.sqrt(len(change))
        self.rows.append(
            (
                found.effect.is_clear_of(0), found.effect.upper < 0, abs(change.mean()) > half, change.mean() + half < 0,
                change.mean() < FALL, found.effect.value, found.se, planted.effect.lower <= truth <= planted.effect.upper,
                planted.effect.upper < 0, planted.effect.value - truth,
            )
        )  # fmt: skip

    @property
    def means(self) -> np.ndarray:
        return np.array(self.rows, dtype=float).mean(axis=0)

    @property
    def sd(self) -> float:
        return float(np.array(self.rows, dtype=float)[:, 5].std())


def make_pool(seed: int, pupils: int) -> Pool:
    """Return the pupils under the rule of three cohorts whose years drift at random."""
    cohorts, _ = simulate_cohorts(pupils, cohorts=3, seed=seed, first_year=202324)
    sides = [step_rates(one, Rule(Fraction(1, 10), is_inferred=False), WINDOW) for one in cohorts]
    history = tuple(np.concatenate(column) for column in zip(*sides[:2], strict=True))
    return Pool(history, np.repeat([0, 1], [len(side[0]) for side in sides[:2]]), sides[2])


def draw(pool: Pool, kind: str, groups: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield positions of the pupils of each group."""
    before, _, school = pool.here
    weight = tilted_weights(before, SEED_MEAN)[0] if kind == KINDS[1] else None
    schools = np.unique(school)
    while groups:
        inside = np.arange(len(before))
        if kind == KINDS[2]:
            inside = np.flatnonzero(np.isin(school, rng.choice(schools, 3, replace=False)))
            if len(inside) < SIZE:
                continue
        groups -= 1
        yield rng.choice(inside, SIZE, replace=False, p=weight)


def tally(kinds: dict[str, Tally], seed: int, groups: int, pupils: int) -> None:
    pool = make_pool(seed, pupils)
    before, after, school = pool.here
    (history_before, history_after, history_school), cohort = pool.history, pool.history_cohort
    for place, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, place])
        for chosen in draw(pool, kind, groups, rng):
            lowered = np.maximum(after[chosen] - PLANTED, 0)
            found, planted = (
                support_effect(
                    before[chosen], rates, history_before, history_after,
                    history_cohort=cohort, school_of_group=school[chosen], school_of_history=history_school,
                )
                for rates in (after[chosen], lowered)
            )  # fmt: skip
            kinds[kind].add(before[chosen], after[chosen], found, planted, float((lowered - after[chosen]).mean()))


def report(kinds: dict[str, Tally]) -> None:
    columns = ("interval excludes 0", "and is below it", "naive: excludes 0", "naive: fell by more than 3 pp")
    print(f"| groups of {SIZE} without support, drawn | groups | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|")
    for kind, one in kinds.items():
        clear, below, naive, naive_fell, fell = one.means[:5]
        print(
            f"| {kind} | {len(one.rows):,} | {clear:.1%} | {below:.1%} | {naive:.1%} ({naive_fell:.1%} below) | {fell:.1%} |"
        )
    print(
        "\n| drawn | mean effect | its spread | mean standard error | planted: covered | planted: found | planted: bias |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind, one in kinds.items():
        value, se, covered, detected, bias = one.means[5:]
        print(f"| {kind} | {value:+.2%} | {one.sd:.2%} | {se:.2%} | {covered:.1%} | {detected:.1%} | {bias:+.2%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=4000, help="groups of each kind")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--pupils", type=int, default=40_000)
    options = parser.parse_args()
    started = time.perf_counter()
    kinds = {kind: Tally() for kind in KINDS}
    for seed in range(1, options.seeds + 1):
        tally(kinds, seed, options.groups // options.seeds, options.pupils)
    report(kinds)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
