"""The audit of hand-made releases, of which it is known by hand what is small and what a reader could work out."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.naive import ONCE, REPEATED, THRESHOLD, compare
from attendance_toolkit.disclosure.policy import SHARED, Policy
from attendance_toolkit.disclosure.release import ExactTable, Release
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.reporting.audit import (
    GateResult,
    audit_csv,
    audit_page,
    facts_of,
    write_audit,
)
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.reporting.restricted import open_restricted

DAY = date(2026, 11, 22)
SIZES = {"Primary": 600, "Secondary": 400, "Special": 80}
PASSED = GateResult(
    "trafford/2023-24/overview", "partner", (), "14 of 14 poisoned copies refused", (("index.html", "a" * 64),)
)
REFUSED = GateResult(
    "bury/2023-24/overview",
    "partner",
    (Finding("index.html", "paragraph 4", "unexplained_number", "A number is no figure."),),
)


def table(absentees, area="E08000009", *, synthetic=True):
    """Return persistent absentees by phase, and of all schools, as a table."""
    counts = {"All schools": (sum(absentees.values()), sum(SIZES.values()))}
    counts |= {phase: (number, SIZES[phase]) for phase, number in absentees.items()}
    rows = pd.DataFrame(
        {
            "area_code": area, "academic_year": 202324, "phase": list(counts), "measure": "persistent_absence_rate",
            "numerator": [float(n) for n, _ in counts.values()], "denominator": [float(d) for _, d in counts.values()],
        }
    )  # fmt: skip
    rows["rate"] = rows["numerator"] / rows["denominator"]
    return ExactTable(
        rows.assign(lower=np.nan, upper=np.nan, symbol="", enrolments=rows["denominator"]),
        "Extract.",
        is_synthetic=synthetic,
    )


def released(special, *, policy=SHARED, synthetic=True):
    """Return a release in which the absentees of special schools are few; what they gain, secondary schools lose."""
    release = Release(policy, release_id="a" * 16, vintage="v")
    absentees = {"Primary": 120, "Secondary": 85 - special, "Special": special}
    release.add("overview", "E08000009", "phases", table(absentees, synthetic=synthetic))
    return release.clear()


@pytest.fixture(scope="module")
def facts():
    inputs = [{"name": "2024_pupilonroll.csv", "sha256": "b" * 64}]
    return facts_of(released(4), [REFUSED, PASSED], inputs=inputs, today=DAY)


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_page_passes_the_checks_of_every_page_and_is_marked(facts):
    html = audit_page(facts)
    assert lint_page(html) == []
    assert html.count("<strong>OFFICIAL-SENSITIVE</strong>") == 2
    assert '@top-center{content:"OFFICIAL-SENSITIVE"' in html


def test_the_page_says_what_is_known_by_hand(facts):
    text = text_of(audit_page(facts))
    # Four groups, each with its enrolments and its absentees.
    assert "The release holds 8 different figures on 1 page of 1 area." in text
    # The four absentees are too few; 85 less those of special schools hides them.
    hidden = facts.hidden
    assert {
        group.rpartition(": ")[2]: status for group, status in zip(hidden["group"], hidden["status"], strict=True)
    } == {
        "Special": "small",
        "Secondary": "closes a line",
    }
    assert "2 figures are hidden (25%): 1 by the rules themselves" in text
    assert "and 1 because one of those could be worked out with them" in text
    # 85 in both, of which special schools have 0 to their 80 pupils.
    assert hidden["reached"].tolist() == [80, 80]
    assert "is 80 pupils wide; the policy asks for 5" in text
    assert "None was worked out, and none was narrowed below the width asked for" in text
    assert "2 pages went through the gate; 1 of them was refused and not published." in text
    assert "paragraph 4: A number is no figure. [unexplained_number]" in text
    assert "Fewer pupils of the group than the threshold are counted, or none" in text
    assert "14 of 14 poisoned copies refused" in text
    for digest in ("a" * 64, "b" * 64, facts.policy.digest):
        assert digest in text
    assert "Trafford" in text
    assert "2023/24" in text


@pytest.mark.parametrize("make", [audit_page, audit_csv])
def test_no_hidden_value_is_in_it(make):
    """Two releases that show the same and hide different values have the same audit."""
    one, other = (make(facts_of(released(special), [PASSED], today=DAY)) for special in (3, 6))
    assert one == other


def test_the_list_has_a_row_for_each_figure_and_no_value(facts):
    lines = list(csv.reader(io.StringIO(audit_csv(facts))))
    assert lines[0] == ["OFFICIAL-SENSITIVE"]
    rows = [dict(zip(lines[1], line, strict=True)) for line in lines[2:]]
    assert len(rows) == len(facts.cells)
    hidden = [row for row in rows if row["status"] in ("small", "closes a line")]
    assert {row["is_wide_enough"] for row in hidden} == {"yes"}
    assert all(row["rule"] and row["tables"] == "overview/E08000009/phases" for row in hidden)
    # The width that is asked for a sum of sessions is a share of its value.
    assert "width" not in lines[1]
    assert "value" not in lines[1]
    assert all(not row["rule"] and not row["width_reached"] for row in rows if row not in hidden)


def test_a_figure_that_was_narrowed_raises_the_alarm(facts):
    small = facts.cells["status"] == "small"
    worse = facts.cells.assign(from_known=False, width_ok=~small, reached=facts.cells["reached"].where(~small, 2.0))
    text = text_of(audit_page(replace(facts, cells=worse)))
    assert "Not protected as asked." in text
    assert "1 figure was narrowed below the width asked for; they are named below" in text
    assert "Trafford, 2023/24, School type: Special persistent absentees 2.0" in text


def test_what_published_statistics_give_away_is_named(facts):
    small = facts.cells["status"] == "small"
    known = facts.cells.assign(from_known=small, width_ok=~small, reached=facts.cells["reached"].where(~small, 0.0))
    text = text_of(audit_page(replace(facts, cells=known, published=7)))
    assert "Not protected as asked." not in text
    assert "Hidden figures that published statistics give away" in text
    assert "7 figures are published by the Department for Education" in text
    assert "1 hidden figure can be worked out from published statistics alone" in text


def test_a_weaker_policy_is_named_with_its_approver():
    policy = Policy("dfe", 10, 1, approver="A. Director", approved_on="2026-10-01")
    text = text_of(audit_page(facts_of(released(4, policy=policy), today=DAY, is_compared=False)))
    assert "This policy protects less than the toolkit's default. A. Director answers for it." in text
    assert "A. Director, 2026-10-01" in text
    assert "No page of this release has been through the gate." in text


def test_pages_that_could_not_be_made_are_named_with_the_reason(facts):
    assert "Pages that could not be made" not in text_of(audit_page(facts))
    refused = {("overview", "Bury"): "2 figures cannot be protected. Merge small levels of sex."}
    found = facts_of(released(4), refused=refused, today=DAY, is_compared=False)
    assert "Overview, Bury: 2 figures cannot be protected. Merge small levels of sex." in text_of(audit_page(found))


def test_a_release_that_hides_nothing_says_so():
    text = text_of(audit_page(facts_of(released(30), today=DAY)))
    assert "No figure is hidden" in text
    assert "Nothing is hidden, so there is nothing to work out." in text
    assert "What simpler methods would have given away" not in text


def test_a_release_of_published_figures_alone_passes_the_checks_of_every_page():
    policy = replace(SHARED, merge_unknown=())
    release = Release(policy, release_id="a" * 16)
    published = replace(table({"Primary": 120, "Secondary": 80, "Special": 4}), is_published=True)
    release.add("overview", "E08000009", "phases", published)
    release.add("overview", "E08000009", "empty", replace(published, rows=published.rows.iloc[:0]))
    assert lint_page(audit_page(facts_of(release.clear(), [PASSED], today=DAY))) == []


def test_made_up_data_are_said_to_be(facts):
    assert "No figure on this page describes a real council" in audit_page(facts)
    assert "Synthetic" not in audit_page(facts_of(released(4, synthetic=False), today=DAY, is_compared=False))


def test_it_is_written_into_a_restricted_folder_only_and_the_same_each_time(tmp_path):
    release = released(4)
    room = open_restricted(tmp_path / "inside", today=DAY)
    page = write_audit(release, [PASSED], room.releases, today=DAY)
    assert page == room.releases / release.release_id / "audit.html"
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    assert sorted(before) == ["audit.csv", "audit.html"]
    write_audit(release, [PASSED], room.releases, today=DAY)
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before
    with pytest.raises(DisclosureError, match="not part of a restricted folder"):
        write_audit(release, [PASSED], tmp_path / "elsewhere")


# --- simpler methods ------------------------------------------------------------------------------------------


def test_a_threshold_alone_gives_every_hidden_count_away():
    """One small count in a line of three and their total: 128 - 121 + ... is the count itself, by hand."""
    leaks = {leak.method: leak for leak in compare(released(4))}
    assert list(leaks) == [THRESHOLD, ONCE, REPEATED]
    assert (leaks[THRESHOLD].tried, leaks[THRESHOLD].exact, leaks[THRESHOLD].narrowed) == (1, 1, 1)


def test_nothing_small_nothing_to_compare():
    assert compare(released(30)) == []
