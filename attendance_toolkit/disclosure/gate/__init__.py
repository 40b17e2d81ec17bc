"""The gate: nothing leaves for a partner unless every number has a provenance and no identifier is found.

Two halves, one after the other. The allow-list (``allow``) refuses what is not known to be harmless: each element, each
drawing, each number. The search (``search``) refuses what is known to be harmful, in whatever spelling. Any doubt, and any
failure of the gate itself, is a finding; one finding keeps a page from being published. ``selftest`` proves it on poisoned
copies.
"""

from __future__ import annotations

from attendance_toolkit.disclosure.gate.allow import check_csv, check_page, check_result
from attendance_toolkit.disclosure.gate.check import check_path, evidence_file
from attendance_toolkit.disclosure.gate.evidence import Evidence, evidence_for
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.release_page import check_release_page
from attendance_toolkit.disclosure.gate.selftest import self_test
from attendance_toolkit.disclosure.gate.words import notebook_texts

__all__ = [
    "Evidence",
    "Finding",
    "check_csv",
    "check_page",
    "check_path",
    "check_release_page",
    "check_result",
    "evidence_file",
    "evidence_for",
    "notebook_texts",
    "self_test",
]
