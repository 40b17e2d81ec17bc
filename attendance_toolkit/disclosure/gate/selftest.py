"""The gate proves itself: before a page may leave, poisoned copies of it must be refused, each for the right reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attendance_toolkit.disclosure.gate.allow import check_page
from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.poisons import MORE, QUICK, SEARCHED, Poison

Check = Callable[[str], Iterable[Finding]]


def self_test(
    html: str, evidence: Evidence, *, is_first: bool = True, search: Check | None = None
) -> tuple[int, list[Finding]]:
    """Poison copies of a page and see whether the gate refuses each.

    Parameters
    ----------
    html, evidence
        A page that passes the gate, and what the gate knows of it.
    is_first
        True tries every way there is, which one page of a run has to go through; False a handful.
    search
        The search half of the gate, if it is to be proved as well: a page's source -> findings.

    Returns
    -------
    How many copies were tried, and a finding for each one the gate let pass. Any finding means that nothing may be
    published.
    """
    tried = 0
    missed: list[Finding] = []
    plan: list[tuple[Poison, Check]] = [(poison, lambda page: check_page(page, evidence)) for poison in QUICK]
    if is_first:
        plan += [(poison, lambda page: check_page(page, evidence)) for poison in MORE]
    if search is not None:
        plan += [(poison, search) for poison in (SEARCHED if is_first else SEARCHED[:1])]
    for poison, check in plan:
        spoilt = poison.make(html, evidence.cells)
        if spoilt is None:
            continue
        tried += 1
        if not any(finding.rule in poison.rules for finding in check(spoilt)):
            says = f"The gate did not see {poison.name} in a poisoned copy of the page: nothing may be published."
            missed.append(Finding("self-test", poison.name, "gate_blind", says))
    if not tried:
        missed.append(
            Finding("self-test", "", "gate_blind", "Nothing of the page could be poisoned, so nothing is proved.")
        )
    return tried, missed
