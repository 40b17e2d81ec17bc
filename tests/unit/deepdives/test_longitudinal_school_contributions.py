"""What schools add to a change: they add up to it, and equal Kitagawa's terms by hand."""

from __future__ import annotations

import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.longitudinal_school_contributions import LongitudinalSchoolContributions
from attendance_toolkit.deepdives.longitudinal_schools_data import ABOUT
from attendance_toolkit.presentation.blocks import Findings, Result


class Page(LongitudinalSchoolContributions):
    """The part on what schools add as a page of its own."""

    @classmethod
    def declared(cls):
        every = super().declared()
        return {name: every[name] for name in ("rates", "schools")}


def open_page(store, **more):
    return Page(at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more}))


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


def test_schools_add_up_to_the_change(internal):
    rows = internal.school_contributions.rows
    change = internal.own(ABOUT)["rate"] - internal.own(ABOUT, 202223)["rate"]
    assert rows.loc[rows["measure"] == "contribution", "rate"].sum() == pytest.approx(change, abs=1e-12)
    assert internal.school_contribution("All", "change_in_rate")["rate"] == pytest.approx(change, abs=1e-12)


def test_a_school_adds_what_kitagawa_gives_it(internal):
    """Kitagawa (1955): own rate's change times mean share, and share's change times how far its mean rate is from all's."""
    both = [internal.own(ABOUT, year) for year in (202223, 202324)]
    whole = sum(record["rate"] for record in both) / 2
    schools = internal.schools_of("Secondary")
    assert schools
    for laestab in schools:
        own = [internal.school_record(laestab, year, "Secondary") for year in (202223, 202324)]
        share = [one["denominator"] / total["denominator"] for one, total in zip(own, both, strict=True)]
        within = (own[1]["rate"] - own[0]["rate"]) * sum(share) / 2
        size = (share[1] - share[0]) * (sum(one["rate"] for one in own) / 2 - whole)
        assert internal.school_contribution(laestab, "contribution_within")["rate"] == pytest.approx(within)
        assert internal.school_contribution(laestab, "contribution_size")["rate"] == pytest.approx(size)
        assert internal.school_contribution(laestab)["rate"] == pytest.approx(within + size)


def test_partners_get_no_number_of_a_hidden_school(synthetic_store):
    page = open_page(synthetic_store)
    hidden = [
        laestab
        for laestab in {name for name, _ in page._school_records}
        if (page.school_record(laestab, 202324, "Primary") or {"symbol": ""})["symbol"] == "c"
    ]
    assert hidden
    assert {page.school_contribution(laestab)["symbol"] for laestab in hidden} == {"c"}
    assert isinstance(page.school_contribution_sentences(), Findings)


def test_one_year_has_no_contributions(synthetic_store):
    page = open_page(synthetic_store, academic_year="2021/22")
    assert isinstance(page.school_contribution_sentences(), Result)
    assert isinstance(page.school_contribution_table(), Result)
