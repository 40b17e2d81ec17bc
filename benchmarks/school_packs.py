"""Packs of all schools of one authority, against a notebook that papermill runs once for each school.

    python benchmarks/school_packs.py [--folder FOLDER] [--size full] [--no-marks]

The store is of a synthetic authority (full size: about 120 schools and 40,000 pupils, three years of census, one year of
single marks), made once and kept in the folder. The alternative is what an analyst would write: a notebook that reads the
authority's Parquet with pandas and shows a school's rates, groups and absentees, run by papermill and turned into HTML by
nbconvert. It is measured on two schools and scaled to all; it shows a part of what a pack has, and protects nothing. Target:
120 packs in under 3 minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import nbformat

from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import generate, make_synthetic, write_register_files
from attendance_toolkit.reporting.restricted import open_restricted
from attendance_toolkit.reporting.school_pack import build_packs
from attendance_toolkit.store import Store

sys.path.insert(0, str(Path(__file__).parent))

from measuring import report_variant, run_variant

AREA, YEAR = "Granby", "2023/24"
CELLS = (
    """
import glob, pandas as pd
files = [f for f in glob.glob(store + "/pupil_term/la_code=*/academic_year=*/part.parquet")]
rows = pd.concat([pd.read_parquet(f) for f in files])
rows["absent"] = rows.sessions_authorised + rows.sessions_unauthorised
key = ["academic_year", "laestab", "upn"]
held = ["phase", "nc_year", "sex", "fsm_eligible", "sen_provision"]
pupils = rows.groupby(key + held, observed=True)[["sessions_possible", "absent"]].sum().reset_index()
pupils["rate"] = pupils.absent / pupils.sessions_possible
own = pupils[pupils.laestab == laestab]
now = own[own.academic_year == 202324]
""",
    'own.groupby("academic_year")[["sessions_possible", "absent"]].sum().eval("1 - absent / sessions_possible")',
    'now.groupby("nc_year")[["sessions_possible", "absent"]].sum()',
    '[now.groupby(c)[["sessions_possible", "absent"]].sum() for c in ("sex", "fsm_eligible", "sen_provision")]',
    'own.groupby("academic_year").rate.mean().plot()',
    'now[now.rate >= 0.1].sort_values("rate", ascending=False).to_html()',
)


def make_store(folder: Path, size: str, with_marks: bool) -> Path:
    """Make the store once."""
    store = folder / ("store" if with_marks else "store-without-marks")
    if not (store / "manifest.json").is_file():
        with tempfile.TemporaryDirectory(dir=folder) as private:
            files = Path(private)
            make_synthetic(files, size=size, areas=[AREA])
            if with_marks:
                write_register_files(generate(size, areas=[AREA], first_year=YEAR), files, format="parquet")
            load_files([files], store, key_file=folder / "key", is_synthetic=True)
    return store


def packs(store: Path) -> int:
    """Make all packs and return how many."""
    with tempfile.TemporaryDirectory() as folder:
        room = open_restricted(Path(folder) / "inside")
        made = build_packs(Store.open(store), AREA, YEAR, room, purpose="Benchmark", retain_until=date(2999, 7, 31))
        assert not made.failed, made.failed
        return len(made.files)


def papermill(store: Path, schools: list[int]) -> float:
    """Run the plain notebook for some schools, one after another, and return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
        note = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        parameters = nbformat.v4.new_code_cell('store = ""\nlaestab = 0', metadata={"tags": ["parameters"]})
        note.cells = [parameters, *map(nbformat.v4.new_code_cell, CELLS)]
        path = Path(folder) / "plain.ipynb"
        nbformat.write(note, path)
        started = time.perf_counter()
        for laestab in schools:
            out = Path(folder) / f"{laestab}.ipynb"
            run = [sys.executable, "-m", "papermill", str(path), str(out), "--no-progress-bar"]
            subprocess.run(
                [*run, "-p", "store", str(store), "-p", "laestab", str(laestab)], check=True, capture_output=True
            )
            subprocess.run(
                [sys.executable, "-m", "nbconvert", "--to", "html", str(out)], check=True, capture_output=True
            )
        return time.perf_counter() - started


def main() -> None:
    """Print seconds, peak memory and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "attendance-school-packs")
    parser.add_argument("--size", default="full")
    parser.add_argument("--no-marks", action="store_true")
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    store = make_store(given.folder, given.size, not given.no_marks)
    if given.variant:
        report_variant(lambda: packs(store))
        return
    more = ["--folder", str(given.folder), "--size", given.size, *(["--no-marks"] if given.no_marks else [])]
    own = run_variant(__file__, "packs", *more)
    schools = Store.open(store).pupil_terms().aggregate("laestab").order("laestab").limit(2).fetchall()
    each = papermill(store, [int(row[0]) for row in schools]) / len(schools)
    count = own["checksum"]
    pupils = Store.open(store).pupil_terms().aggregate("count(DISTINCT upn)").fetchall()[0][0]
    marks = Store.open(store).marks().aggregate("count(*)").fetchall()[0][0]
    print(f"{count} schools, {pupils:,} pupils in three years, {marks:,} marks")
    print(f"packs                            {own['seconds']:8.1f} s   peak {own['peak_mb']:6.0f} MB")
    print(f"papermill, 2 measured, scaled    {each * count:8.1f} s   ({each:.1f} s a school)")
    print(f"ratio                            {each * count / own['seconds']:8.1f}")


if __name__ == "__main__":
    main()
