"""Run notebooks for one area or many: clear their figures together, execute apart, check each page, move it into place."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop

from attendance_toolkit import __version__
from attendance_toolkit.disclosure.cleared import ClearedRelease
from attendance_toolkit.disclosure.history import History
from attendance_toolkit.disclosure.policy import INTERNAL, SHARED, Policy
from attendance_toolkit.errors import AttendanceError, DisclosureError, ReportError
from attendance_toolkit.reporting.audit import write_audit
from attendance_toolkit.reporting.catalogue import NotebookEntry
from attendance_toolkit.reporting.clearing import Cleared, clear_jobs, fault_in_words, shows_public_documents
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.reporting.gating import Gate, identifiers_of
from attendance_toolkit.reporting.index import write_index
from attendance_toolkit.reporting.kernels import ForkKernelManager, can_fork, start_fork_server
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.reporting.params import check_parameters
from attendance_toolkit.reporting.restricted import Restricted, open_restricted
from attendance_toolkit.store._files import sha256_of
from attendance_toolkit.versions import library_versions, toolkit_commit
from attendance_toolkit.vocabulary.audiences import PARTNER
from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year


@dataclass(frozen=True)
class Job:
    """One notebook for one area."""

    entry: NotebookEntry
    area_name: str
    parameters: dict[str, Any]
    inputs: tuple[dict[str, Any], ...] = ()
    """What the figures were made from: name and sha256 of each file. No path."""

    @property
    def audience(self) -> str:
        """Who the page is for."""
        return str(self.parameters.get("audience", PARTNER))

    @property
    def page(self) -> tuple[str, str]:
        """Name of the report and of its area."""
        return self.entry.name, self.area_name


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


@dataclass(frozen=True)
class Run:
    """What became of all jobs, in their order, and the audit of what they showed."""

    outcomes: tuple[Outcome, ...]
    audit: Path | None = None


@dataclass(frozen=True)
class _Setting:
    """What the jobs of one run share."""

    out: Path
    restricted: Restricted
    today: date
    fork: bool
    cleared: Cleared
    seal: bytes
    gate: Gate

    def root(self, audience: str) -> Path:
        """Return the folder of an audience's pages."""
        return self.out if audience == PARTNER else self.restricted.pages


def run_jobs(
    jobs: Sequence[Job],
    out: Path,
    *,
    workers: int = 2,
    fork: bool | None = None,
    today: date | None = None,
    progress: Callable[[Outcome], None] | None = None,
    policy: Policy = SHARED,
    restricted: Path | None = None,
    key: Path | None = None,
) -> Run:
    """Run every job; one area's failure is reported and does not stop the others.

    Parameters are checked for all jobs before the first notebook starts. The exact figures of all pages are gathered
    and cleared together; a notebook is given the cleared ones. Each runs in a private temporary folder, its page passes
    the gate, and is moved into ``out`` whole or not at all; pages for the authority's own staff go to the restricted
    folder.

    Parameters
    ----------
    fork
        Fork kernels from one pre-imported process; by default wherever the system can.
    policy
        What partners may be shown.
    restricted
        Folder for what stays inside the authority. Default: the policy's, else beside ``out``, with "-restricted" at the
        end of its name.
    key
        File of the store's key, to look for its pupils on the finished pages. Default: where a load makes it.

    Returns
    -------
    One outcome per job, in the order of the jobs, and where the audit lies.

    Raises
    ------
    ParameterError
        A parameter is misspelt or of the wrong type.
    DisclosureError
        The restricted folder or its releases cannot be used, or the store's key is not here.
    """
    for job in jobs:
        check_parameters(job.entry.path, job.parameters)
    fork = can_fork() if fork is None else fork
    if fork:
        start_fork_server()
    today = today or date.today()
    beside = out.resolve().with_name(f"{out.resolve().name}-restricted")
    named = Path(policy.restricted_folder) if policy.restricted_folder else beside
    room = open_restricted(restricted or named, out, policy.retention_days)
    outcomes: dict[int, Outcome] = {}

    def done(index: int, outcome: Outcome) -> None:
        outcomes[index] = outcome
        if progress:
            progress(outcome)

    store = next((Path(job.parameters["store"]) for job in jobs if job.parameters.get("store")), None)
    identifiers = identifiers_of(store, key)
    if identifiers.unknown:
        # Every page would be refused at the end for it.
        raise DisclosureError(identifiers.unknown)
    cleared = Cleared()
    history = History.read(room.path)
    is_shared = any(job.audience == PARTNER for job in jobs)
    try:
        cleared = clear_jobs(
            jobs,
            policy if is_shared else INTERNAL,
            history if is_shared else None,
            secret=room.release_key(),
            workers=workers,
        )
    except AttendanceError as error:
        cleared = Cleared(failures={job.page: str(error) for job in jobs})
    if cleared.release is not None and is_shared:
        # What is about to be shown is written down first: a later release must know it even if this one is cut off.
        history.append(cleared.release)
    seal = secrets.token_bytes(32)
    setting = _Setting(out, room, today, fork, cleared, seal, Gate(room.releases, identifiers))
    with (
        _environment(ATTENDANCE_OUTPUT="page", ATTENDANCE_SEAL=seal.hex(), OPENBLAS_NUM_THREADS="1"),
        ThreadPoolExecutor(workers) as pool,
    ):
        futures = {}
        for index, job in enumerate(jobs):
            says = cleared.failures.get(job.page)
            if says is None:
                futures[pool.submit(_run_job, job, setting)] = index
            else:
                done(index, Outcome(job, None, says))
        for future in as_completed(futures):
            done(futures[future], future.result())
    found = tuple(outcomes[index] for index in range(len(jobs)))
    return Run(found, _finish(setting, found, jobs))


def _finish(setting: _Setting, outcomes: Sequence[Outcome], jobs: Sequence[Job]) -> Path | None:
    """Write the indexes, and the audit of the release."""
    release = setting.cleared.release
    refused: DisclosureError | None = None
    for audience in {outcome.job.audience for outcome in outcomes if outcome.page}:
        check = partial(setting.gate.check_index, release=release) if audience == PARTNER else None
        try:
            write_index(setting.root(audience), check=check)
        except DisclosureError as error:
            # The audit of what is in place already is written all the same.
            refused = error
    audit = _audit(setting, release, jobs)
    if refused is not None:
        raise refused
    return audit


def _audit(setting: _Setting, release: ClearedRelease | None, jobs: Sequence[Job]) -> Path | None:
    if release is None or not any(job.audience == PARTNER for job in jobs):
        return None
    inputs = list({item["sha256"]: item for job in jobs for item in job.inputs}.values())
    return write_audit(
        release,
        setting.gate.results,
        setting.restricted.releases,
        inputs=inputs,
        refused=setting.cleared.failures,
        today=setting.today,
    )


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


def _run_job(job: Job, setting: _Setting) -> Outcome:
    seconds: dict[str, float] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="attendance-report-") as private:
            page = _make_page(job, setting, Path(private), seconds)
        return Outcome(job, page, "", seconds)
    except AttendanceError as error:
        return Outcome(job, None, str(error), seconds)
    except Exception as error:  # noqa: BLE001 - one area's failure must not stop the others, whatever it is
        return Outcome(job, None, fault_in_words(error), seconds)


def _make_page(job: Job, setting: _Setting, private: Path, seconds: dict[str, float]) -> Path:
    place = "/".join((slug(job.area_name), slug(show_academic_year(_year(job))), job.entry.name))
    folder = setting.root(job.audience) / place
    dive = setting.cleared.dives.get(job.page)
    release = setting.cleared.release if dive is not None else None
    recipe = _recipe(job, release)
    made_on = _made_on(folder, recipe, setting.today)
    parameters = {**job.parameters, "report_date": made_on}
    if release is not None and dive is not None:
        area = dive.inputs.area.code
        parameters["release"] = str(release.save_for(private, job.entry.name, area, job.audience))
    started = time.perf_counter()
    notebook = execute(job.entry.path, parameters, private, fork=setting.fork)
    seconds["execute"] = time.perf_counter() - started

    started = time.perf_counter()
    outputs = collect_outputs(notebook, seal=setting.seal)
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
    started = time.perf_counter()
    is_public = shows_public_documents(job.entry.path)
    setting.gate.pass_through(job, new, place, outputs, parameters, dive, release, is_public=is_public)
    seconds["gate"] = time.perf_counter() - started
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


def _recipe(job: Job, release: ClearedRelease | None) -> dict[str, Any]:
    """What makes the page: the same recipe gives the same bytes."""
    private = ("store", "published", "printed", "release", "headers")
    public = {name: value for name, value in sorted(job.parameters.items()) if name not in private}
    recipe = {
        "report": job.entry.name,
        "notebook_sha256": sha256_of(job.entry.path),
        "parameters": public,
        "inputs": list(job.inputs),
        "toolkit": {"version": __version__, "commit": toolkit_commit()},
        "python": platform.python_version(),
        "libraries": library_versions(),
    }
    if release is not None:
        recipe |= {"release_id": release.release_id, "policy": release.policy.name}
    return recipe


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
