"""Clearing one release of several reports and areas of the demonstration: as it is done, and one figure after the other.

    python benchmarks/clearing.py [--reports overview,schools] [--workers 2]

The release is gathered once (not measured) and cleared in a process for each variant, without the audit's attack, which is
the same in all. "one after the other" is the same search in one process with nothing asked in bulk: what was done before
``disclosure.linked`` knew either. The numbers of hidden cells are printed beside the times.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

from measuring import report_variant, run_variant

YEAR = "2023/24"
BOTH, ONE_PROCESS, SINGLY = "areas side by side, in bulk", "one process, in bulk", "one after the other"
DEEP_DIVES = {
    "data_quality": "DataQuality",
    "overview": "Overview",
    "districts": "Districts",
    "severe_absence_intersectional": "SevereAbsence",
    "longitudinal": "Longitudinal",
    "transition_y6_y7": "Transition",
    "schools": "Schools",
    "vulnerable_groups": "VulnerableGroups",
}


def gather(reports: list[str], path: Path) -> int:
    """Write a release with the exact tables of the reports of every synthetic area; return how many pages it is."""
    import attendance_toolkit as at
    from attendance_toolkit.disclosure.policy import SHARED
    from attendance_toolkit.disclosure.release import Release
    from attendance_toolkit.loaders.demo import synthetic_store
    from attendance_toolkit.vocabulary.areas import all_areas

    store = str(synthetic_store())
    release, pages = Release(SHARED), 0
    for area in all_areas():
        # As in the demonstration: the region is the combined authority once more.
        if not area.is_synthetic or area.level == "Regional":
            continue
        for report in reports:
            inputs = replace(at.open_inputs(area=area.name, academic_year=YEAR, store=store), policy=SHARED)
            getattr(at, DEEP_DIVES[report])(inputs).add_to(release, report)
            pages += 1
    path.write_bytes(pickle.dumps(release))
    return pages


def clear(variant: str, path: Path, workers: int) -> list[int]:
    """Clear the release; return how many cells it has, and how many are hidden."""
    from attendance_toolkit.disclosure import linked

    release = pickle.loads(path.read_bytes())
    if variant == SINGLY:
        linked._BULK = 0
    cleared = release.clear(audit=False, workers=workers if variant == BOTH else 1)
    return [len(cleared.registry.cells), int(cleared.found.hidden.sum())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", default="overview,schools")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--variant")
    parser.add_argument("--release", type=Path)
    given = parser.parse_args()
    if given.variant:
        report_variant(lambda: clear(given.variant, given.release, given.workers))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "release.pickle"
        pages = gather(given.reports.split(","), path)
        print(f"{pages} pages of {given.reports}")
        found = {
            variant: run_variant(__file__, variant, "--release", str(path), "--workers", str(given.workers))
            for variant in (BOTH, ONE_PROCESS, SINGLY)
        }
    print(f"{'variant':32} {'seconds':>8} {'ratio':>6} {'peak MB':>8} {'cells':>8} {'hidden':>8}")
    for variant, run in found.items():
        cells, hidden = run["checksum"]
        ratio = run["seconds"] / found[BOTH]["seconds"]
        print(f"{variant:32} {run['seconds']:8.1f} {ratio:6.2f} {run['peak_mb']:8.0f} {cells:8,} {hidden:8,}")
    if found[BOTH]["checksum"] != found[ONE_PROCESS]["checksum"]:
        raise SystemExit(f"The number of processes changed what is hidden: {json.dumps(found)}")


if __name__ == "__main__":
    main()
