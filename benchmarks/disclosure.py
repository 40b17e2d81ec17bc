"""Protecting 12,000 linked cells and attacking all that is hidden, beside simpler ways of hiding.

    python benchmarks/disclosure.py [--pupils 450000]

The cells are those of a release of ten authorities and three years: enrolments, persistent absentees and the others, by
phase, by five characteristics within phase, and by their intersections (FSM by SEN by EAL, sex by FSM, ethnicity by
FSM), with all totals. The pupils are invented. Every way of hiding starts from the same small counts (1 to 9 pupils,
and 0 of a group that is not empty); the attacker knows every sum and everything that is not hidden.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from measuring import report_variant, run_variant

SHARES = {
    "phase": [0.55, 0.438, 0.012],
    "fsm_eligible": [0.72, 0.28],
    "sen_provision": [0.82, 0.14, 0.04],
    "eal": [0.763, 0.232, 0.005],
    "sex": [0.49, 0.51],
    "ethnicity": [0.62, 0.2, 0.09, 0.07, 0.015, 0.005],
}
NAMES = list(SHARES)
TABLES = [
    (),
    ("phase",),
    *((name,) for name in NAMES[1:]),
    *(("phase", name) for name in NAMES[1:]),
    ("fsm_eligible", "sen_provision"),
    ("fsm_eligible", "eal"),
    ("sen_provision", "eal"),
    ("fsm_eligible", "sen_provision", "eal"),
    ("fsm_eligible", "sex"),
    ("fsm_eligible", "ethnicity"),
]
AUTHORITIES, YEARS, THRESHOLD, WIDTH, BASE = 10, 3, 10, 5.0, 5
#: Small counts attacked, the first ones, where figures are rounded: all unknowns then hang together.
ROUNDED_SAMPLE = 40
#: In the order of ``disclosure.naive.methods``.
NAIVE = ("threshold only", "one pass, next smallest", "repeated, no single blank")
ROUNDED = "threshold, rounded to 5 (sample)"


def make_cells(pupils: int):
    """Return the values, the sums and which cells are of groups somebody is in."""
    from attendance_toolkit.disclosure.linear import sums

    rng = np.random.default_rng(1)
    share = np.ones(())
    for name in NAMES:
        share = np.multiply.outer(share, np.array(SHARES[name]))
    sizes = rng.dirichlet(np.full(AUTHORITIES, 20.0))
    expected = np.stack([share * rng.lognormal(0, 0.8, share.shape) for _ in range(AUTHORITIES)])
    expected *= sizes.reshape(-1, *[1] * share.ndim)
    expected *= pupils / expected.sum()
    rate = np.clip(rng.beta(2, 6, expected.shape), 0.001, 0.9)
    position: dict[tuple, int] = {}
    values: list[float] = []
    for year in range(YEARS):
        size = rng.poisson(expected)
        absent = rng.binomial(size, rate)
        for table, (count, cells) in product(TABLES, {"all": size, "pa": absent, "rest": size - absent}.items()):
            drop = tuple(n + 1 for n, name in enumerate(NAMES) if name not in table)
            margin = cells.sum(axis=drop)
            for area, levels in product(range(-1, AUTHORITIES), np.ndindex(margin.shape[1:])):
                key = (year, area, tuple(zip(sorted(table, key=NAMES.index), levels, strict=True)), count)
                position[key] = len(values)
                values.append(float(margin[:, *levels].sum() if area < 0 else margin[area, *levels]))
    lines = []
    shown = {frozenset(table) for table in TABLES}
    for (year, area, coords, count), total in position.items():
        if count == "all":
            lines.append(([position[year, area, coords, "pa"], position[year, area, coords, "rest"]], total))
        if area < 0:
            lines.append(([position[year, one, coords, count] for one in range(AUTHORITIES)], total))
        have = {name for name, _ in coords}
        for name in NAMES:
            if name not in have and have | {name} in shown:
                finer = [
                    tuple(sorted([*coords, (name, level)], key=lambda pair: NAMES.index(pair[0])))
                    for level in range(len(SHARES[name]))
                ]
                lines.append(([position[year, area, one, count] for one in finer], total))
    group = np.array([position[year, area, coords, "all"] for year, area, coords, _ in position])
    exact = np.array(values)
    return exact, sums(lines, len(exact)), exact[group] > 0


def attacked(values, equations, movable, hidden, targets, *, base: int = 1, enough: float | None = None) -> dict:
    from attendance_toolkit.disclosure.attack import attack

    shown = np.floor(values / base + 0.5) * base
    low, high = np.maximum(shown - (base / 2 if base > 1 else 0), 0), shown + (base / 2 if base > 1 else 0)
    low, high = np.where(movable, low, values), np.where(movable, high, values)
    hidden = hidden & movable
    lowest, highest = attack(
        np.where(hidden, 0, low), np.where(hidden, np.inf, high), equations, np.flatnonzero(targets), enough=enough
    )
    width = highest - lowest
    return {
        "hidden": int(hidden.sum()),
        "targets": int(targets.sum()),
        "solved": int((width < 1e-6).sum()),
        "narrow": int((width < WIDTH - 1e-6).sum()),
        "narrowest": float(width.min()),
        "median": float(np.median(width)),
    }


def variant(name: str, path: Path) -> dict:
    from attendance_toolkit.disclosure import naive
    from attendance_toolkit.disclosure.linear import System
    from attendance_toolkit.disclosure.suppress import check_witnesses, suppress

    values, equations, movable, found = pickle.loads(path.read_bytes())
    small = (values < THRESHOLD) & movable
    if name == "protect":
        system = System.of(values, equations, movable=movable)
        found = suppress(system, small, width=WIDTH)
        path.write_bytes(pickle.dumps((values, equations, movable, found.hidden)))
        return {
            "hidden": int(found.hidden.sum()),
            "witnesses": found.witnesses.shape[0],
            "failures": len(check_witnesses(system, found)),
            "unprotected": len(found.unprotected),
            "share": float(values[found.hidden].sum() / values.sum()),
        }
    if name == "attack, every hidden cell":
        return attacked(values, equations, movable, found, found)
    if name in NAIVE:
        hides = naive.methods(equations, values, small, np.zeros(len(small), dtype=bool), movable)
        return attacked(values, equations, movable, dict(zip(NAIVE, hides.values(), strict=True))[name], small)
    sample = np.zeros(len(small), dtype=bool)
    sample[np.flatnonzero(small)[:ROUNDED_SAMPLE]] = True
    return attacked(values, equations, movable, small, sample, base=BASE, enough=WIDTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pupils", type=int, default=450_000)
    parser.add_argument("--variant", default="")
    parser.add_argument("--file", default="")
    options = parser.parse_args()
    if options.variant:
        report_variant(lambda: variant(options.variant, Path(options.file)) | {"cpu": round(time.process_time(), 1)})
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.pickle"
        started = time.perf_counter()
        values, equations, movable = make_cells(options.pupils)
        path.write_bytes(pickle.dumps((values, equations, movable, np.zeros(len(values), dtype=bool))))
        small = int(((values < THRESHOLD) & movable).sum())
        print(f"{len(values):,} cells, {equations.shape[0]:,} sums, {small} small counts, made in"
              f" {time.perf_counter() - started:.1f} s; cores {os.cpu_count()}")  # fmt: skip
        print(
            f"{'':34} {'seconds':>8} {'CPU':>6} {'MB':>6} {'hidden':>7} {'attacked':>9} {'solved':>7} {'< 5':>5} {'least':>6}"
        )
        for name in ("protect", "attack, every hidden cell", *NAIVE, ROUNDED):
            row = run_variant(__file__, name, "--file", str(path))
            found = row["checksum"]
            print(
                f"{name:34} {row['seconds']:8.1f} {found.pop('cpu'):6.1f} {row['peak_mb']:6.0f} {found['hidden']:7}",
                end="",
            )
            if name == "protect":
                print(f"   {json.dumps({key: value for key, value in found.items() if key != 'hidden'})}")
            else:
                print(f" {found['targets']:9} {found['solved']:7} {found['narrow']:5} {found['narrowest']:6.1f}"
                      f"   median {found['median']:.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
