"""From jobs to one release: the exact figures of every page are gathered and cleared together."""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.deepdives.printed_tables import PrintedTables
from attendance_toolkit.disclosure.history import History
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.release import ClearedRelease, Release
from attendance_toolkit.errors import AttendanceError
from attendance_toolkit.inputs import open_inputs

if TYPE_CHECKING:
    from attendance_toolkit.reporting.run import Job

#: Name of a report and of its area.
Page = tuple[str, str]
#: The parameters of a notebook that say what its inputs are.
_OPENED_WITH = frozenset(inspect.signature(open_inputs).parameters) - {"release", "report_date"}


def deep_dive_of(notebook: Path) -> type[DeepDive] | None:
    """Return the deep dive a notebook shows (``page = at.Overview(inputs)``), or None."""
    return next((kind for kind in _shown(notebook) if issubclass(kind, DeepDive)), None)


def shows_public_documents(notebook: Path) -> bool:
    """Return whether a notebook shows printed reports, which are public as they stand, and no figures of pupils."""
    kinds = _shown(notebook)
    return bool(kinds) and all(kind is PrintedTables for kind in kinds)


@cache
def _shown(notebook: Path) -> tuple[type, ...]:
    """Return the toolkit's classes a notebook uses.

    Found by reading the notebook, not by running it: its figures have to be cleared before it may run.
    """
    import attendance_toolkit.notebook as public

    kinds: dict[type, None] = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        calls = ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ()
        for node in calls:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found = getattr(public, node.func.attr, None)
                if isinstance(found, type) and issubclass(found, (DeepDive, PrintedTables)):
                    kinds[found] = None
    return tuple(kinds)


def fault_in_words(error: Exception) -> str:
    """Return kind and place of an error that is not ours: its message may quote data.

    >>> try:
    ...     [][0]
    ... except IndexError as found:
    ...     fault_in_words(found).split(" in ")[0]
    'IndexError'
    """
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}."


@dataclass(frozen=True, eq=False)
class Cleared:
    """The cleared figures of a run.

    Attributes
    ----------
    release
        The release, or None if no job shows figures of pupils.
    dives
        The deep dive of each report and area, to say what its page derives from cleared figures.
    failures
        Why a report on an area has no figures; the others are not held up by it.
    """

    release: ClearedRelease | None = None
    dives: Mapping[Page, DeepDive] = field(default_factory=dict)
    failures: Mapping[Page, str] = field(default_factory=dict)


def clear_jobs(
    jobs: Sequence[Job], policy: Policy, history: History | None = None, *, secret: bytes = b"", workers: int = 2
) -> Cleared:
    """Return the cleared figures of all jobs that show any.

    Parameters
    ----------
    history
        What earlier releases have shown, or None.
    secret
        Key of the release's name, which stands on pages for partners.
    workers
        Pages whose figures are made side by side, and processes that areas are searched in.

    Raises
    ------
    DisclosureError
        Something cannot be protected: the message names the tables and says what may help. No page may be made.
    """
    # Each page of an area once, whatever its audiences: they are shown the same cells.
    once = list({job.page: job for job in jobs if deep_dive_of(job.entry.path)}.values())
    if not once:
        return Cleared()
    vintage = ",".join(sorted({item["sha256"] for job in once for item in job.inputs}))
    release = Release(policy, vintage=vintage, history=history, secret=secret)

    def gather(job: Job) -> tuple[DeepDive, Any] | str:
        kind = deep_dive_of(job.entry.path)
        assert kind is not None
        given = {name: value for name, value in job.parameters.items() if name in _OPENED_WITH}
        try:
            dive = kind(replace(open_inputs(**given), policy=policy))
            return dive, dive.exact_tables()
        except AttendanceError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - one area's failure must not stop the others, whatever it is
            return fault_in_words(error)

    dives: dict[Page, DeepDive] = {}
    failures: dict[Page, str] = {}
    # Figures are made side by side, and entered one after the other: a release is the same however fast they come.
    with ThreadPoolExecutor(workers) as pool:
        for job, found in zip(once, pool.map(gather, once), strict=True):
            if isinstance(found, str):
                failures[job.page] = found
                continue
            dive, tables = found
            dives[job.page] = dive
            dive.add_to(release, job.entry.name, tables)
    return Cleared(release.clear(workers=workers) if dives else None, dives, failures)
