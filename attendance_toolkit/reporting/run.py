"""Run a notebook for one area or many: execute apart, make the page, check it, then move it into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop

from attendance_toolkit import __version__
from attendance_toolkit.errors import AttendanceError, ReportError
from attendance_toolkit.reporting.catalogue import NotebookEntry
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.reporting.kernels import ForkKernelManager, can_fork, start_fork_server
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.reporting.params import check_parameters
from attendance_toolkit.versions import library_versions, toolkit_commit
from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year


@dataclass(frozen=True)
class Job:
    """One notebook for one area."""

    entry: NotebookEntry
    area_name: str
    parameters: dict[str, Any]
    inputs: tuple[dict[str, Any], ...] = ()
    """What the figures were made from: name and sha256 of each file. No path."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job: the page, or one sentence saying why there is none."""

    job: Job
    page: Path | None
    error: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


def slug(text: str) -> str:
    """Return text as a folder name.

    >>> slug("Kingston upon Hull, City of"), slug("2023/24")
    ('kingston-upon-hull-city-of', '2023-24')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def run_jobs(
    jobs: Sequence[Job],
    out: Path,
    *,
    workers: int = 2,
    fork: bool | None = None,
    today: date | None = None,
    progress: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run every job; one area's failure is reported and does not stop the others.

    Parameters are checked for all jobs before the first notebook starts. Each notebook runs in a private
    temporary folder, and its page is moved into ``out`` whole or not at all.

    Parameters
    ----------
    fork
        Fork kernels from one pre-imported process; by default wherever the system can.

    Returns
    -------
    One outcome per job, in the order of the jobs.
    """
    for job in jobs:
        check_parameters(job.entry.path, job.parameters)
    fork = can_fork() if fork is None else fork
    if fork:
        start_fork_server()
    today = today or date.today()
    outcomes: dict[int, Outcome] = {}
    with _environment(ATTENDANCE_OUTPUT="page", OPENBLAS_NUM_THREADS="1"), ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(_run_job, job, out, fork, today): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            outcome = future.result()
            outcomes[futures[future]] = outcome
            if progress:
                progress(outcome)
    return [outcomes[index] for index in range(len(jobs))]


@contextlib.contextmanager
def _environment(**values: str) -> Any:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _run_job(job: Job, out: Path, fork: bool, today: date) -> Outcome:
    seconds: dict[str, float] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="attendance-report-") as private:
            page = _make_page(job, out, Path(private), fork, today, seconds)
        return Outcome(job, page, "", seconds)
    except AttendanceError as error:
        return Outcome(job, None, str(error), seconds)
    except Exception as error:  # noqa: BLE001 - one area's failure must not stop the others, whatever it is
        place = traceback.extract_tb(error.__traceback__)[-1]
        # The message of a foreign error may quote data: its kind and place are enough to report it.
        return Outcome(
            job, None, f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}.", seconds
        )


def _make_page(job: Job, out: Path, private: Path, fork: bool, today: date, seconds: dict[str, float]) -> Path:
    folder = out / slug(job.area_name) / slug(show_academic_year(_year(job))) / job.entry.name
    recipe = _recipe(job)
    made_on = _made_on(folder, recipe, today)
    started = time.perf_counter()
    notebook = execute(job.entry.path, {**job.parameters, "report_date": made_on}, private, fork=fork)
    seconds["execute"] = time.perf_counter() - started

    started = time.perf_counter()
    outputs = collect_outputs(notebook)
    seconds["page"] = time.perf_counter() - started

    problems = lint_page(outputs.html)
    if problems:
        raise ReportError(f"The page did not pass its own checks: {'; '.join(problems)}")

    new = private / "page"
    (new / "tables").mkdir(parents=True)
    _write(new / "index.html", outputs.html)
    for name, text in outputs.tables.items():
        _write(new / "tables" / name, text)
    _write(new / "result.json", _json(outputs.result))
    files = {
        str(path.relative_to(new)).replace(os.sep, "/"): sha256_of(path)
        for path in sorted(new.rglob("*"))
        if path.is_file()
    }
    _write(new / "manifest.json", _json({**recipe, "made_on": made_on, "files": files}))
    _replace(new, folder)
    return folder / "index.html"


def execute(path: Path, parameters: dict[str, Any], private: Path, *, fork: bool) -> nbformat.NotebookNode:
    """Execute a notebook with papermill in a private folder and return it.

    Raises
    ------
    ReportError
        A cell failed: the sentence says which cell and what the toolkit said, never data.
    """
    options: dict[str, Any] = {"kernel_manager_class": ForkKernelManager} if fork else {}
    try:
        return papermill.execute_notebook(
            path,
            private / "executed.ipynb",
            parameters=parameters,
            progress_bar=False,
            request_save_on_cell_execute=False,
            shutdown_kernel="immediate",
            kernel_name="python3",
            **options,
        )
    except papermill.PapermillExecutionError as error:
        kind = str(error.ename)
        # Our own errors are written for users and hold no pupil; another error's text may quote data.
        detail = (
            str(error.evalue)
            if _is_ours(kind)
            else f"{path.name}, cell {error.exec_count}: {kind}, {_places(error.traceback)}."
        )
        raise ReportError(detail) from None
    finally:
        # Jupyter keeps an event loop for each thread and leaves it open; the next notebook gets a new one. A loop that
        # runs is the caller's: of JupyterLab, or of a browser in the same thread.
        loop = ensure_event_loop()
        if not loop.is_running():
            loop.close()


def _places(lines: Sequence[str]) -> str:
    """Return the files and lines of a kernel's traceback, without the code and the values in it."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))
    found = re.findall(r"File [^\n]*?([\w.-]+\.py):(\d+)", text)
    return " > ".join(f"{name} line {line}" for name, line in found[-4:]) or "place unknown"


def _is_ours(kind: str, base: type[BaseException] = AttendanceError) -> bool:
    """Return whether an error of the kernel is of a class of ours, by its name."""
    return kind == base.__name__ or any(_is_ours(kind, narrower) for narrower in base.__subclasses__())


def _year(job: Job) -> int:
    return parse_academic_year(job.parameters["academic_year"])


def _recipe(job: Job) -> dict[str, Any]:
    """What makes the page: the same recipe gives the same bytes."""
    public = {
        name: value for name, value in sorted(job.parameters.items()) if name not in ("store", "published", "printed")
    }
    return {
        "report": job.entry.name,
        "notebook_sha256": sha256_of(job.entry.path),
        "parameters": public,
        "inputs": list(job.inputs),
        "toolkit": {"version": __version__, "commit": toolkit_commit()},
        "python": platform.python_version(),
        "libraries": library_versions(),
    }


def _made_on(folder: Path, recipe: dict[str, Any], today: date) -> str:
    """Return today, or the day this very recipe was first made: running it again changes nothing."""
    manifest = folder / "manifest.json"
    if manifest.is_file():
        before = json.loads(manifest.read_text(encoding="utf-8"))
        if all(before.get(name) == value for name, value in recipe.items()):
            return str(before["made_on"])
    return today.isoformat()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _replace(new: Path, folder: Path) -> None:
    """Put a finished folder in place of the old one; at no moment is there half a report."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    old = staged / "old"
    try:
        shutil.copytree(new, staged / "page")
        if folder.exists():
            folder.rename(old)
        try:
            (staged / "page").rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
