"""Run variants of one job, each in a process of its own, and print times, peak memory and ratios."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable


def run_variant(script: str, variant: str, *arguments: str) -> dict:
    """Run ``script --variant NAME`` in a new process and return what it printed as JSON on its last line."""
    command = [sys.executable, script, "--variant", variant, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{variant} failed:\n{answer.stderr[-2000:]}")
    return json.loads(answer.stdout.strip().splitlines()[-1])


def report_variant(work: Callable[[], object]) -> None:
    """Time the work in this process and print seconds, peak memory and its checksum as JSON."""
    started = time.perf_counter()
    checksum = work()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "checksum": checksum}))


def compare(script: str, variants: dict[str, int], reference: str, *arguments: str) -> dict[str, dict]:
    """Run the variants in turn (so that a slow spell of the machine hits all), print medians and ratios.

    ``variants`` maps a name to its number of runs. Checksums must agree.
    """
    runs: dict[str, list[dict]] = {name: [] for name in variants}
    for round_ in range(max(variants.values())):
        for name, times in variants.items():
            if round_ < times:
                runs[name].append(run_variant(script, name, *arguments))
    result = {}
    for name, found in runs.items():
        result[name] = {
            "seconds": statistics.median(r["seconds"] for r in found),
            "peak_mb": max(r["peak_mb"] for r in found),
            "checksum": found[0]["checksum"],
        }
    base = result[reference]["seconds"]
    print(f"{'variant':44} {'seconds':>9} {'ratio':>7} {'peak MB':>9}   cores {os.cpu_count()}")
    for name, row in result.items():
        print(f"{name:44} {row['seconds']:9.2f} {row['seconds'] / base:7.2f} {row['peak_mb']:9.0f}")
    checksums = {json.dumps(row["checksum"]) for row in result.values() if row["checksum"] is not None}
    if len(checksums) > 1:
        raise SystemExit(f"The variants disagree: {checksums}")
    return result
