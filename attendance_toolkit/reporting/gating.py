"""The gate on the way out: what a finished page may rest on, whether it passes, and proof that the gate sees."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.disclosure.cleared import ClearedRelease, ClearedTables
from attendance_toolkit.disclosure.gate.allow import check_page
from attendance_toolkit.disclosure.gate.check import PAGES, evidence_file
from attendance_toolkit.disclosure.gate.evidence import Evidence, evidence_for
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.identifiers import Identifiers
from attendance_toolkit.disclosure.gate.release_page import check_release_page, files_of, search_files
from attendance_toolkit.disclosure.gate.selftest import self_test
from attendance_toolkit.disclosure.gate.words import notebook_texts
from attendance_toolkit.errors import DisclosureError, NoDataError
from attendance_toolkit.reporting.audit import GateResult
from attendance_toolkit.reporting.index import IndexPage, index_evidence
from attendance_toolkit.store import Store
from attendance_toolkit.store._files import sha256_of
from attendance_toolkit.store.identifiers import key_files_of, read_identifiers
from attendance_toolkit.versions import toolkit_versions
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.audiences import PARTNER

if TYPE_CHECKING:
    from attendance_toolkit.reporting.exporter import PageOutputs
    from attendance_toolkit.reporting.run import Job

#: Findings named in the sentence a refused page gives; all of them are in the audit.
_MOST_NAMED = 3


def identifiers_of(store: Path | None, key: Path | None = None) -> Identifiers:
    """Return the digests of a store's pupils, or why they are not known; none where there is no store.

    Parameters
    ----------
    key
        File of the store's key. Default: beside the store, or where a load makes it.
    """
    if store is None:
        return Identifiers()
    stored = read_identifiers(store, Store.open(store).manifest, key_files_of(store, key))
    return Identifiers(stored.key, stored.known, stored.unknown)


def releases_beside(path: Path) -> Path | None:
    """Return the folder of releases that reports make beside their own folder, or None if there is none.

    A page, a folder of an area and the whole folder are all looked at.
    """
    place = path.resolve()
    for folder in (place, *place.parents):
        releases = folder.with_name(f"{folder.name}-restricted") / "releases" if folder.name else folder
        if releases.is_dir() and folder.name:
            return releases
    return None


@dataclass
class Gate:
    """The gate of one run: every page passes it or is refused, and what it said is kept for the audit.

    Attributes
    ----------
    releases
        The folder of releases, where the evidence of each page is kept for ``attendance check``.
    """

    releases: Path
    identifiers: Identifiers
    results: list[GateResult] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _proving: threading.Lock = field(default_factory=threading.Lock, repr=False)
    #: What the gate did not see in the copies of the first page; None before that.
    _missed: list[Finding] | None = None

    def pass_through(
        self,
        job: Job,
        folder: Path,
        place: str,
        outputs: PageOutputs,
        parameters: dict[str, Any],
        dive: DeepDive | None,
        release: ClearedRelease | None,
        *,
        is_public: bool = False,
    ) -> None:
        """Let a finished page pass, or raise.

        Parameters
        ----------
        folder
            The finished page's folder, not yet in place.
        place
            Where it is to lie, for the audit.
        parameters
            What the notebook was given.
        is_public
            The page repeats a public document: it is searched, and its numbers are not asked for.

        Raises
        ------
        DisclosureError
            Something on the page has no provenance or must not leave. Nothing is quoted.
        """
        allowed = [*_words(job, parameters), *_school_names(dive)]
        tested = ""
        if job.audience != PARTNER or is_public:
            findings = search_files(files_of(folder), self.identifiers, allowed)
        else:
            evidence = self._evidence(job, folder, outputs, parameters, dive, release)
            findings = check_release_page(folder, evidence, self.identifiers, allowed=allowed)
            if not findings:
                tested, findings = self._prove(outputs.html, evidence, allowed)
            if not findings and release is not None:
                page = evidence.page
                path = evidence_file(
                    self.releases, release.release_id, page["report"], page["area_code"], page["academic_year"]
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                evidence.save(path)
        files = tuple((name, sha256_of(folder / name)) for name in sorted(files_of(folder)))
        with self._lock:
            self.results.append(GateResult(place, job.audience, tuple(findings), tested, files))
        if findings:
            raise DisclosureError(_says(findings))

    def check_index(self, page: IndexPage, release: ClearedRelease | None) -> list[Finding]:
        """Return why the page over all areas must not leave; if it may, its evidence is kept."""
        file = {"index.html": page.html.encode()}
        evidence = index_evidence(page, threshold=release.policy.threshold if release is not None else None)
        findings = [
            *check_page(page.html, evidence),
            *search_files(file, self.identifiers, evidence.words),
        ]
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in file.items()}
        if not findings and release is not None:
            replace(evidence, files=sums).save(self.releases / release.release_id / PAGES / "index.json")
        with self._lock:
            self.results.append(GateResult("index.html", PARTNER, tuple(findings), files=tuple(sums.items())))
        return findings

    def _evidence(
        self,
        job: Job,
        folder: Path,
        outputs: PageOutputs,
        parameters: dict[str, Any],
        dive: DeepDive | None,
        release: ClearedRelease | None,
    ) -> Evidence:
        tables, derived = [], []
        if dive is not None and release is not None:
            opened = ClearedTables.open(parameters["release"])
            for name in dive.declared():
                try:
                    tables.append(opened.table(name))
                except NoDataError:
                    continue
            derived = type(dive)(dive.inputs, opened).derived()
        head = outputs.head
        page = {
            "report": job.entry.name,
            "area_code": head.area_code,
            "academic_year": head.academic_year,
            "release_id": release.release_id if release is not None else "",
        }
        return evidence_for(
            tables,
            outputs,
            words=_words(job, parameters),
            texts=notebook_texts(job.entry.path),
            derived=derived,
            threshold=release.policy.threshold if release is not None else None,
            page=page,
            files={name: sha256_of(folder / name) for name in files_of(folder)},
        )

    def _prove(self, html: str, evidence: Evidence, allowed: Iterable[str]) -> tuple[str, list[Finding]]:
        """Poison copies of the page: all ways there are for the first page of the run, a handful for the others.

        The others wait for the first: a gate that is blind lets no page of the run pass.
        """
        searched = [*allowed, *evidence.words]

        def test(is_first: bool) -> tuple[int, list[Finding]]:
            return self_test(
                html,
                evidence,
                is_first=is_first,
                search=lambda page: search_files({"index.html": page.encode()}, self.identifiers, searched),
            )

        with self._proving:
            is_first = self._missed is None
            if is_first:
                # Whatever stops the proof leaves the gate unproved, and the next page is the first.
                tried, missed = test(is_first=True)
                self._missed = missed
        if not is_first:
            tried, missed = (0, list(self._missed or ())) if self._missed else test(is_first=False)
        return f"{tried - len(missed)} of {tried} poisoned copies refused" if tried else "", missed


def _words(job: Job, parameters: dict[str, Any]) -> list[str]:
    """Return the phrases a page repeats: its area, contact, date and the versions it was made with."""
    area = find_area(job.area_name)
    places = (area.code, area.combined_authority_code, area.region_code)
    names = [find_area(code).name for code in places if code]
    texts = [str(parameters.get(name, "")) for name in ("area", "academic_year", "contact", "report_date")]
    return [word for word in (*names, *(code for code in places if code), *texts, toolkit_versions()) if word]


def _school_names(dive: DeepDive | None) -> list[str]:
    """Return the names of the area's schools, some of which are people's names too."""
    if dive is None or dive.inputs.store is None:
        return []
    return [name for name in dive.inputs.store.schools()["school_name"].dropna().unique() if name]


def _says(findings: list[Finding]) -> str:
    named = " ".join(str(finding) for finding in findings[:_MOST_NAMED])
    more = f" And {len(findings) - _MOST_NAMED} more." if len(findings) > _MOST_NAMED else ""
    return f"The page was refused by the gate and is not written. {named}{more}"
