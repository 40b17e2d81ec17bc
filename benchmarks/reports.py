"""Ten overview reports: the toolkit's runner against plain command lines, and where one report's time goes.

    python benchmarks/reports.py

The alternative is what an analyst would type for each area: ``papermill NOTEBOOK OUT -p area ...`` and then
``jupyter nbconvert --to html OUT``, one after another. Both run the same notebook on the same synthetic store.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attendance_toolkit.loaders.demo import synthetic_store
from attendance_toolkit.reporting import run
from attendance_toolkit.reporting.catalogue import find_notebook
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import find_area

PARTS = """
import os, sys, time
started = time.perf_counter()
import attendance_toolkit as at
at.Overview
imports = time.perf_counter() - started
os.environ["ATTENDANCE_OUTPUT"] = "page"
inputs = at.open_inputs(area="Irwell Bank", academic_year="2023/24", store=sys.argv[1])
page = at.Overview(inputs)
started = time.perf_counter()
page.head(), page.groups, page.cards, page.reasons, page.bands, page.terms, page.unknown
figures_from = time.perf_counter()
kernel = figures_from - started
for name in ("overall", "persistent", "severe"):
    page.trend(f"{name}_absence_rate")._repr_mimebundle_()
page.year_group_figure()._repr_mimebundle_()
print(imports, kernel, time.perf_counter() - figures_from)
"""


def plain(notebook: Path, names: list[str], store: Path, folder: Path) -> float:
    started = time.perf_counter()
    for name in names:
        out = folder / f"{name}.ipynb"
        command = [sys.executable, "-m", "papermill", str(notebook), str(out), "--no-progress-bar"]
        command += ["-p", "area", name, "-p", "store", str(store)]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", str(out)], check=True, capture_output=True)
    return time.perf_counter() - started


def toolkit(entry, names: list[str], store: Path, folder: Path, workers: int) -> tuple[float, list[run.Outcome]]:
    jobs = [
        run.Job(entry, name, {"area": name, "academic_year": "2023/24", "store": str(store), "published": []})
        for name in names
    ]
    started = time.perf_counter()
    outcomes = run.run_jobs(jobs, folder, workers=workers).outcomes
    seconds = time.perf_counter() - started
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if failed:
        raise SystemExit(failed[0])
    return seconds, outcomes


def main() -> None:
    store = synthetic_store("sample")
    names = [find_area(code).name for code in Store.open(store).la_codes()]
    entry = find_notebook("overview")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        warm, (outcome,) = toolkit(entry, names[:1], store, folder / "warm", 1)
        warm, (outcome,) = toolkit(entry, names[1:2], store, folder / "warm", 1)
        answer = subprocess.run([sys.executable, "-c", PARTS, str(store)], check=True, capture_output=True, text=True)
        imports, kernel, figures = map(float, answer.stdout.split())
        print(f"cores {os.cpu_count()}")
        print(
            f"one report, warm: {warm:.2f} s; executing {outcome.seconds['execute']:.2f}, page {outcome.seconds['page']:.2f}"
        )
        print(
            f"  of the executing: measures {kernel:.2f}, figures {figures:.2f}; imports {imports:.2f} are saved by the fork"
        )
        results = {}
        for workers in (2, 3):
            results[workers], _ = toolkit(entry, names, store, folder / f"ours-{workers}", workers)
            print(
                f"ten reports, runner, {workers} workers: {results[workers]:.1f} s ({results[workers] / 10:.2f} each)"
            )
        slow = plain(entry.path, names, store, folder)
        print(f"ten reports, papermill and nbconvert command lines: {slow:.1f} s ({slow / 10:.2f} each)")
        best = min(results, key=results.get)
        print(f"ratio with {best} workers: {results[best] / slow:.2f} (target at most 0.30)")


if __name__ == "__main__":
    main()
