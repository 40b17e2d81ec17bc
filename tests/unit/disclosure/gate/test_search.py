from __future__ import annotations

import pytest

from attendance_toolkit.disclosure.gate.search import search_file
from tests.unit.disclosure.gate.poisons import CSV, KNOWN, POISONED_PAGES, UPN, page


def rules(found) -> set[str]:
    return {finding.rule for finding in found}


@pytest.mark.parametrize("name", POISONED_PAGES)
def test_a_poisoned_page_is_refused_by_the_rule_that_is_broken(name):
    data, rule = POISONED_PAGES[name]
    found = search_file(data, "index.html", KNOWN)
    assert rule in rules(found)
    for finding in found:
        said = str(finding).casefold()
        assert not any(secret.casefold() in said for secret in (UPN, "quillfeather", "zephyrine", "malley"))


def test_a_clean_page_passes():
    assert search_file(page(), "index.html", KNOWN) == []
    assert search_file(CSV.encode(), "tables/by-phase.csv", KNOWN) == []
