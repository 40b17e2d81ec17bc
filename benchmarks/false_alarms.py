"""How often an XmR chart of pure noise shows a signal: the table of ``models.control_chart``, measured.

    python benchmarks/false_alarms.py             the table, ready to be copied
    python benchmarks/false_alarms.py correlated  what neighbours that are alike do to it, and what seasons do

Series are independent normal values, with limits from the series itself; "seasons" above 1 are series from which each
season's mean has been taken off. Nothing is screened. A signal is any of the four rules, anywhere in the series.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from attendance_toolkit.models.control_chart import TO_LIMITS, false_alarm_chance, signals_of

#: Points of series as they are; and years of series with seasons.
POINTS = (4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 24, 30, 36, 48, 60, 78, 114, 152, 200)
SEASONS, YEARS = (2, 3, 6, 13, 39), (2, 3, 4, 5, 6, 8)
DRAWS, BATCH = 100_000, 2_000


def normal(rng: np.random.Generator, series: int, points: int, correlation: float = 0.0) -> np.ndarray:
    """Return series along the rows; neighbours correlate as given."""
    x = rng.normal(size=(series, points))
    for place in range(1, points if correlation else 0):
        x[:, place] = correlation * x[:, place - 1] + np.sqrt(1 - correlation**2) * x[:, place]
    return x


def without_seasons(x: np.ndarray, seasons: int) -> np.ndarray:
    """Take each season's mean off, as ``deseasonalise`` does for one series."""
    if seasons == 1:
        return x
    found = x + x.mean(axis=1, keepdims=True)
    for season in range(seasons):
        found[:, season::seasons] -= x[:, season::seasons].mean(axis=1, keepdims=True)
    return found


def signals(x: np.ndarray) -> np.ndarray:
    """Return which points of each series are a signal by any rule."""
    half = TO_LIMITS * np.abs(np.diff(x, axis=1)).mean(axis=1)
    return np.logical_or.reduce(list(signals_of(x, x.mean(axis=1), half).values()))


def measured_chance(
    points: int, seasons: int = 1, *, draws: int = DRAWS, seed: int = 1, correlation: float = 0
) -> float:
    """Return the share of series of pure noise with a signal."""
    rng = np.random.default_rng(seed)
    found = 0
    for start in range(0, draws, BATCH):
        x = normal(rng, min(BATCH, draws - start), points, correlation)
        found += int(signals(without_seasons(x, seasons)).any(axis=1).sum())
    return found / draws


def table(draws: int) -> None:
    rows = {1: POINTS, **{seasons: tuple(seasons * year for year in YEARS) for seasons in SEASONS}}
    print("FALSE_ALARMS = {")
    for seasons, points in rows.items():
        found = ", ".join(f"{n}: {measured_chance(n, seasons, draws=draws):.3f}" for n in points)
        print(f"    {seasons}: {{{found}}},", flush=True)
    print("}")


def correlated(draws: int) -> None:
    print("points seasons  table   independent  correlation 0.3  correlation 0.6")
    for points, seasons in ((12, 1), (24, 1), (18, 3), (117, 39)):
        found = [measured_chance(points, seasons, draws=draws, correlation=rho) for rho in (0, 0.3, 0.6)]
        print(
            f"{points:6} {seasons:7} {false_alarm_chance(points, seasons):6.3f} {found[0]:13.3f} {found[1]:16.3f} {found[2]:16.3f}"
        )
    rng = np.random.default_rng(2)
    year = np.tile(np.sin(np.linspace(0, 2 * np.pi, 39, endpoint=False)), 3)
    weeks = normal(rng, draws, 117) * 0.35 + 1.2 * year
    raw, adjusted = signals(weeks).mean(), signals(without_seasons(weeks, 39)).mean()
    print(
        f"Three years of weeks with an annual cycle: {raw:.0%} of weeks are signals as they are, {adjusted:.1%} adjusted."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", default="table", choices=["table", "correlated"])
    parser.add_argument("--draws", type=int, default=0, help="series for each figure; 100,000, or 20,000 if correlated")
    options = parser.parse_args()
    started = time.perf_counter()
    if options.what == "table":
        table(options.draws or DRAWS)
    else:
        correlated(options.draws or 20_000)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
