"""The comparison of districts from DfE's absence bands file: every figure equals sums made with the csv module alone.

Skipped where ../shared is absent; must run in CI.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from functools import cache

import pytest

from attendance_toolkit.deepdives.districts import Districts
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.vocabulary.areas import ENGLAND, find_area, local_authorities_in
from attendance_toolkit.vocabulary.neighbours import neighbours_of

GM = find_area("Greater Manchester").code
NAMES = {area.code: area.name for area in local_authorities_in(find_area(GM))}
TRAFFORD = find_area("Trafford").code
MEASURES = ("persistent_absence_rate", "severe_absence_rate")


@pytest.fixture(scope="module")
def sums(shared):
    """Return area -> (phase, is classified, stratum) -> [enrolments, persistent, severe] of 2022/23, by the csv module."""
    path = shared / "data" / "real" / "absence_bands_la_year_group" / "absence_bands_distributions.csv.gz"
    found = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            if row[1] != "202223" or row[2] not in ("Local authority", "National"):
                continue
            bands = [int(float(value)) for value in row[15:26]]
            stratum = tuple(row[11:15])
            is_classified = not any("nclassified" in value or value == "Unknown" for value in row[11:14])
            code = row[8].strip() if row[2] == "Local authority" else ENGLAND
            for area in (code, GM) if code in NAMES else (code,):
                cell = found[area][row[10].removeprefix("State-funded ").capitalize(), is_classified, stratum]
                for place, count in enumerate((sum(bands), sum(bands[2:]), bands[10])):
                    cell[place] += count
    return found


@pytest.fixture(scope="module")
def page(shared):
    folder = str(shared / "data" / "real" / "absence_bands_la_year_group")
    inputs = {
        name: open_inputs(area=name, academic_year="2022/23", published=[folder])
        for name in ("Trafford", "Greater Manchester")
    }
    return cache(lambda name: Districts(inputs[name]))


def total(cells, wanted=lambda key: True):
    return [sum(counts[place] for key, counts in cells.items() if wanted(key)) for place in range(3)]


@pytest.mark.parametrize("code", [*NAMES, GM, ENGLAND], ids=lambda code: find_area(code).name)
@pytest.mark.parametrize("phase", ["All schools", "Primary", "Secondary", "Special"])
def test_rates_of_every_district_equal_sums_of_the_file(page, sums, code, phase):
    expected = total(sums[code], lambda key: phase in ("All schools", key[0]))
    for place, measure in enumerate(MEASURES, 1):
        record = page("Trafford").compared(code, measure, phase=phase)
        assert [record["denominator"], record["numerator"]] == [expected[0], expected[place]]
        assert record["rate"] == expected[place] / expected[0]


def test_greater_manchester_is_the_sum_known_beforehand(page):
    # Literals known before this code was written: 8,166 severe absentees of 421,648 enrolments, 1,550 in primary schools.
    record = page("Greater Manchester").own("severe_absence_rate")
    assert [record["numerator"], record["denominator"]] == [8166, 421648]
    assert page("Greater Manchester").own("severe_absence_rate", phase="Primary")["numerator"] == 1550


def test_gaps_of_trafford_equal_differences_of_the_sums(page, sums):
    own = total(sums[TRAFFORD])
    near = [total(sums[area.code]) for area in neighbours_of("Trafford")]
    assert len(near) == 10
    others = {
        GM: total(sums[GM]),
        ENGLAND: total(sums[ENGLAND]),
        "neighbours": [sum(counts) for counts in zip(*near, strict=True)],
    }
    for place, measure in enumerate(MEASURES, 1):
        for against, other in others.items():
            gap = page("Trafford").gaps_lookup(place=TRAFFORD, against=against, about=measure, phase="All schools")
            assert gap["rate"] == pytest.approx(own[place] / own[0] - other[place] / other[0], abs=1e-12)
            assert gap["lower"] < gap["rate"] < gap["upper"] < 0


def test_expected_rates_equal_sums_over_strata(page, sums):
    def by_stratum(cells):
        found = defaultdict(lambda: [0, 0, 0])
        for (_, _, stratum), counts in cells.items():
            for place, count in enumerate(counts):
                found[stratum][place] += count
        return found

    for standard, codes in ((GM, NAMES), (ENGLAND, [TRAFFORD, GM])):
        base = by_stratum(sums[standard])
        for code in codes:
            own = by_stratum(sums[code])
            for place, measure in enumerate(MEASURES, 1):
                expected = sum(counts[0] * base[key][place] / base[key][0] for key, counts in own.items() if counts[0])
                size, observed = sum(c[0] for c in own.values()), sum(c[place] for c in own.values())
                found = page("Trafford").modelled(code, standard, f"{measure}_expected")["rate"]
                ratio = page("Trafford").modelled(code, standard, f"{measure.removesuffix('_rate')}_ratio")["rate"]
                assert found == pytest.approx(expected / size, rel=1e-9)
                assert ratio == pytest.approx(observed / expected, rel=1e-9)


def test_the_unclassified_hold_the_share_that_is_known(page, sums):
    # England: 0.9% of enrolments hold 14.9% of severe absence, a figure known before this code was written.
    for code in (*NAMES, GM, ENGLAND):
        everybody, some = total(sums[code]), total(sums[code], lambda key: not key[1])
        rows = page("Trafford").unclassified_shares.rows
        shares = rows[rows["area_code"] == code].set_index("measure")["rate"]
        assert shares["share_of_enrolments"] == pytest.approx(some[0] / everybody[0])
        assert shares["share_of_absentees"] == pytest.approx(some[2] / everybody[2])
    sentences = page("Trafford").unclassified_sentences().sentences
    assert sentences[-1].startswith(
        "In England 0.9% of enrolments were not classified in 2022/23; they were 14.9% of severe"
    )


def test_ranks_follow_the_rates_of_the_file(page, sums):
    rates = {code: total(sums[code])[2] / total(sums[code])[0] for code in NAMES}
    order = sorted(rates, key=rates.get, reverse=True)
    rows = page("Greater Manchester").ranks.rows
    rows = rows[(rows["about"] == "severe_absence_rate") & (rows["measure"] == "rank_median")].set_index("area_code")
    for rank, code in enumerate(order, 1):
        assert rows.loc[code, "lower"] <= rank <= rows.loc[code, "upper"]
    # Far from the others on either side.
    assert (order[0], order[-1]) == (find_area("Salford").code, TRAFFORD)
    assert rows.loc[TRAFFORD, ["lower", "rate", "upper"]].tolist() == [10, 10, 10]
