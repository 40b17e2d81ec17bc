"""Fit the intercepts of the synthetic data to published facts and rewrite ``parameters.json``.

Run by hand when the process itself changes:

    python benchmarks/synthetic_calibration.py --iterations 12 --size full

Stochastic moment matching on the logit scale with common random numbers: the levels of absence, persistent
and severe absence by year and phase, the level of Irwell Bank, and the split into authorised and
unauthorised. Other seeds than the fitted one are for checking (``tests/unit/loaders/test_synthetic_calibration.py``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from attendance_toolkit.loaders.synthetic import SyntheticCohort, _cohort, generate
from attendance_toolkit.loaders.synthetic import _parameters as p

# Primary, secondary, special of 2021/22, 2022/23, 2023/24. DfE school census where it has the figure (severe
# absence in primary and secondary schools: the direction seen in Greater Manchester); special schools'
# severe absence and all absence of 2021/22 are held at assumed levels.
ABSENCE = np.array([[6.3, 9.0, 13.0], [5.9, 9.0, 13.0], [5.5, 9.1, 13.0]])
PERSISTENT = np.array([[17.7, 27.7, 38.5], [16.2, 26.5, 38.3], [15.2, 26.7, 37.6]])
SEVERE = np.array([[0.82, 2.82, 6.0], [0.72, 3.43, 6.2], [0.67, 3.79, 6.3]])
IRWELL_BANK_PERSISTENT = np.array([10.9, 18.2, 32.3])
UNAUTHORISED_SHARE = np.array([1.6 / 5.9, 3.4 / 9.0, 3.2 / 13.0])


def logit(x: Any) -> Any:
    return np.log(x / (1 - x))


def measure(cohort: SyntheticCohort) -> dict[str, np.ndarray]:
    """Return absence, persistent, severe (years, phases), unauthorised share and Irwell Bank's figures."""
    sessions, stays = cohort.sessions, cohort.enrolments
    marks = sessions[list(p.CODES)].to_numpy()
    stay = sessions["enrolment"].to_numpy()
    year = sessions["academic_year"].to_numpy() // 100 - 2021
    slot = sessions["half_term"].cat.codes.to_numpy()
    pupil = stays["pupil"].to_numpy()[stay]
    group = year + 2021 - cohort.pupils["reception_year"].to_numpy()[pupil]
    keep = (group >= 1) & ~((group == 11) & (slot == 3)) & ~cohort.pupils["is_boarder"].to_numpy()[pupil]
    covid = marks[:, p.COLUMN["X"]] * ((year == 0) & (slot < 2))
    possible = (marks[:, p.ATTENDED_OR_ABSENT].sum(1, dtype=np.int64) + covid) * keep
    unauthorised = marks[:, p.UNAUTHORISED].sum(1, dtype=np.int64) * keep
    absent = marks[:, p.AUTHORISED].sum(1, dtype=np.int64) * keep + unauthorised
    count = 3 * len(stays)
    key = stay * 3 + year
    n, a, u = (np.bincount(key, w, count).astype(np.int64) for w in (possible, absent, unauthorised))
    laestab = np.repeat(stays["laestab"].to_numpy(), 3)
    phase_of = dict(zip(cohort.schools["laestab"], cohort.schools["phase"].cat.codes, strict=True))
    school, inverse = np.unique(laestab, return_inverse=True)
    phase = np.array([phase_of[s] for s in school])[inverse]
    cell = (np.tile(np.arange(3), len(stays))) * 4 + phase
    used = n > 0

    def table(weight: np.ndarray, where: np.ndarray) -> np.ndarray:
        return np.bincount(cell[where], weight[where], 12).reshape(3, 4)[:, :3]

    def rates(where: np.ndarray) -> list[np.ndarray]:
        one = table(np.ones(count), where)
        return [
            table(a, where) / table(n, where),
            table(10 * a >= n, where) / one,
            table(2 * a >= n, where) / one,
            table(u, where).sum(0) / table(a, where).sum(0),
        ]

    result = dict(zip(("absence", "persistent", "severe", "unauthorised"), rates(used), strict=True))
    result["irwell"] = rates(used & (laestab // 10000 == 989))[1][2]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--size", default="full")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    spec = p.parameters()
    ordinary, regime, register = spec["session_process"], spec["severe_process"], spec["register"]
    for step in range(chosen.iterations):
        _cohort._border.cache_clear()
        seen = measure(generate(chosen.size, seed=chosen.seed))
        gap = {
            "absence": logit(ABSENCE / 100) - logit(seen["absence"]),
            "persistent": logit(PERSISTENT / 100) - logit(seen["persistent"]),
            "severe": logit(SEVERE / 100) - logit(seen["severe"]),
        }
        print(f"step {step}")
        for name in ("absence", "persistent", "severe"):
            print(f"  {name:11}", np.round(100 * seen[name], 2).tolist(), "gap", np.round(gap[name], 3).tolist())
        print("  irwell", np.round(100 * seen["irwell"], 2), "unauthorised", np.round(seen["unauthorised"], 3))
        speed = 0.8 if step < 8 else 0.5
        ordinary["intercept"] = (np.array(ordinary["intercept"]) + 1.2 * speed * gap["absence"]).tolist()
        regime["intercept"] = (np.array(regime["intercept"]) + 1.3 * speed * gap["severe"]).tolist()
        severity = np.array(ordinary["severity"]) + 0.8 * speed * gap["persistent"][1:].mean(0)
        ordinary["severity"] = np.clip(severity, 0.1, 1.6).tolist()
        area = spec["areas"]["989"]
        irwell = logit(IRWELL_BANK_PERSISTENT / 100) - logit(seen["irwell"])
        area["effect"] = (np.array(area["effect"]) + 0.6 * speed * (irwell - gap["persistent"][2])).tolist()
        shift = logit(UNAUTHORISED_SHARE) - logit(seen["unauthorised"])
        register["unauthorised_logit"][:3] = (np.array(register["unauthorised_logit"][:3]) + speed * shift).tolist()
    target = Path(p.__file__).with_name("parameters.json")
    target.write_text(_dump(_rounded(spec)) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def _dump(value: Any, depth: int = 0) -> str:
    """Objects indented, lists on one line: easier to read and to compare."""
    if not isinstance(value, dict):
        return json.dumps(value)
    pad = "  " * (depth + 1)
    inner = ",\n".join(f"{pad}{json.dumps(k)}: {_dump(v, depth + 1)}" for k, v in value.items())
    return "{\n" + inner + "\n" + "  " * depth + "}"


if __name__ == "__main__":
    main()
