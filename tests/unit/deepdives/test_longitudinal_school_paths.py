"""Trajectories by school: they add up to the school types, planted schools are found, and hidden ones mislead nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives._school_names import SchoolNames
from attendance_toolkit.deepdives.longitudinal_school_paths import LongitudinalSchoolPaths
from attendance_toolkit.presentation.blocks import Findings, Result, Table
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.outcomes import ANY_DETERIORATING, ANY_IMPROVING
from tests.unit.deepdives.test_longitudinal_paths import made_up


class Page(LongitudinalSchoolPaths):
    """The part on trajectories by school as a page of its own."""

    @classmethod
    def declared(cls):
        every = super().declared()
        return {name: every[name] for name in ("trajectories", "school_paths", "schools")}

    @property
    def names(self):
        return SchoolNames({})

    def school_name(self, laestab):
        return f"School {laestab}"


def open_page(store, followed=None, **more):
    inputs = at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more})
    if followed is not None:
        inputs._followed["year"] = followed
    return Page(inputs)


def test_schools_add_up_to_their_school_type_and_to_the_trajectories(synthetic_store):
    """The trajectories of the other table are proved pupil by pupil (``test_longitudinal_paths``)."""
    page = open_page(synthetic_store, audience="internal")
    rows = page.school_paths.rows
    rates = rows[rows["measure"] == "trajectory_rate"]
    for (phase, outcome), here in rates.groupby(["phase", "outcome"]):
        whole = here[here["laestab"] == ALL].iloc[0]
        schools = here[here["laestab"] != ALL]
        assert schools[["numerator", "denominator"]].sum().tolist() == whole[["numerator", "denominator"]].tolist()
        direction = "improving" if outcome == ANY_IMPROVING else "deteriorating"
        record = page.direction(direction, phase=phase)
        assert (record["numerator"], record["denominator"]) == (whole["numerator"], whole["denominator"])


def planted(risen, size=400, schools=10, plain=0.05):
    """Return pupils of ten secondary schools who miss 4% each year; in two of them ``risen`` of them miss 20% in the last.

    In the others ``plain`` of the pupils do.
    """
    school = np.repeat(np.arange(schools), size)
    missed = np.full((len(school), 3), 15)
    shares = np.where(np.arange(schools) < 2, risen, plain)
    place = np.tile(np.arange(size), schools)
    missed[place < (shares * size)[school], 2] = 76
    found = made_up(missed)
    laestab = (9894001 + school)[:, None].repeat(3, axis=1).astype(np.int32)
    return replace(found, laestab=laestab)


def test_planted_schools_and_no_others_are_told_apart(synthetic_store):
    page = open_page(synthetic_store, planted(0.3))
    sides = {code: page._apart("Secondary", code, ANY_DETERIORATING) for code in page._schools_with_paths("Secondary")}
    # All together 10%: 30% is above it, 5% below.
    assert [sides[str(9894001 + n)] for n in range(10)] == ["more"] * 2 + ["fewer"] * 8
    text = page.school_path_sentences()
    assert isinstance(text, Findings)
    assert "10.0% of pupils in secondary schools are on deteriorating trajectories" in text.sentences[0]
    assert "clearly higher in 2 of them and clearly lower in 8 of them" in text.sentences[0]
    assert isinstance(page.school_path_table("Secondary"), Table)


def test_where_most_schools_are_hidden_none_is_told_apart(synthetic_store):
    """Few pupils of eight schools deteriorate: these are hidden, and the two left would both look bad."""
    page = open_page(synthetic_store, planted(0.3, plain=0.01))
    assert page.school_path("Secondary", "9894010", ANY_DETERIORATING)["symbol"] == "c"
    assert page._told("Secondary", ANY_DETERIORATING) == []
    assert not any("deteriorating" in text for text in getattr(page.school_path_sentences(), "sentences", ()))
    assert isinstance(page.school_path_table("Secondary"), Result)


def test_published_figures_have_no_trajectories_of_schools(published_bands):
    page = Page(at.open_inputs(area="Trafford", academic_year="2022/23", published=[published_bands]))
    assert isinstance(page.school_path_sentences(), Result)


@pytest.fixture
def published_bands(shared):
    return str(shared / "data" / "real" / "absence_bands_la_year_group")
