"""Why the rate changed, from DfE's absence bands file: every part equals plain loops over the file."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
from collections import defaultdict

import pytest

from attendance_toolkit.deepdives._change_models import FACTORS, MIX, RATE
from attendance_toolkit.deepdives.longitudinal_change import LongitudinalChange
from attendance_toolkit.deepdives.longitudinal_flows_data import LongitudinalFlowsData
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.presentation.blocks import Findings, Notice
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in

PA, SA = "persistent_absence_rate", "severe_absence_rate"
CODES = {area.code for area in local_authorities_in(find_area("Greater Manchester"))}
PAIR = ("202122", "202223")


class Page(LongitudinalChange, LongitudinalFlowsData):
    """This part of the page and the flows it rests on."""


@pytest.fixture(scope="module")
def published(shared):
    folder = str(shared / "data" / "real" / "absence_bands_la_year_group")
    return Page(open_inputs(area="Greater Manchester", academic_year="2022/23", published=[folder]))


@pytest.fixture(scope="module")
def sums(shared):
    """Return area, year -> (year group, sex, FSM, SEN) -> [enrolments, persistent, severe], by the csv module."""
    path = shared / "data" / "real" / "absence_bands_la_year_group" / "absence_bands_distributions.csv.gz"
    found = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            is_national = row[2] == "National"
            if row[1] not in PAIR or not (is_national or (row[2] == "Local authority" and row[8].strip() in CODES)):
                continue
            bands = [int(float(value)) for value in row[15:26]]
            cell = found["England" if is_national else "Greater Manchester", row[1]][row[14], row[13], row[11], row[12]]
            for place, count in enumerate((sum(bands), sum(bands[2:]), bands[10])):
                cell[place] += count
    return found


def das_gupta(before, after, place):
    """Return the parts by plain loops over cells and orders of the characteristics (Das Gupta 1993, chapter 5)."""
    cells = sorted(set(before) | set(after))
    orders = list(itertools.permutations(range(4)))
    factors, shares, rates = [], [], []
    for year in (before, after):
        margins = defaultdict(int)
        for key, counts in year.items():
            for kept in itertools.product((True, False), repeat=4):
                margins[tuple(k if keep else None for k, keep in zip(key, kept, strict=True))] += counts[0]
        one = {}
        for key in cells:
            if not year.get(key, [0])[0]:
                one[key] = [0.0] * 4
                continue
            logs = [0.0] * 4
            for order in orders:
                known = [None] * 4
                for i in order:
                    of = margins[tuple(known)]
                    known[i] = key[i]
                    logs[i] += math.log(margins[tuple(known)] / of) / len(orders)
            one[key] = [math.exp(log) for log in logs]
        factors.append(one)
        whole = sum(counts[0] for counts in year.values())
        shares.append({key: year.get(key, [0])[0] / whole for key in cells})
        rates.append({key: year[key][place] / year[key][0] if year.get(key, [0])[0] else None for key in cells})
    parts = [0.0] * 4
    rate = 0.0
    for key in cells:
        known = [r[key] for r in rates if r[key] is not None]
        if not known:
            continue
        r0, r1 = (r[key] if r[key] is not None else known[0] for r in rates)
        rate += (r1 - r0) * (shares[0][key] + shares[1][key]) / 2
        for order in orders:
            taken = list(factors[0][key])
            for i in order:
                was = math.prod(taken)
                taken[i] = factors[1][key][i]
                parts[i] += (math.prod(taken) - was) * (r0 + r1) / 2 / len(orders)
    return [*parts, sum(parts), rate]


@pytest.mark.parametrize("area", ["Greater Manchester", "England"])
def test_parts_of_published_changes_equal_plain_loops_over_the_file(published, sums, area):
    before, after = (sums[area, year] for year in PAIR)
    pair = tuple(int(year) for year in PAIR)
    for place, about in enumerate((PA, SA), 1):
        wanted = das_gupta(before, after, place)
        found = [published.change_part(find_area(area).code, about, pair, part) for part in (*FACTORS, MIX, RATE)]
        assert [record["rate"] for record in found] == pytest.approx(wanted, abs=1e-10)
        assert all(record["lower"] <= record["upper"] for record in found)
        crude = [sum(c[place] for c in year.values()) / sum(c[0] for c in year.values()) for year in (before, after)]
        total = published.change_total(find_area(area).code, about, pair)
        assert total["rate"] == pytest.approx(crude[1] - crude[0], abs=1e-12)
        assert math.fsum(record["rate"] for record in found[-2:]) == pytest.approx(total["rate"], abs=1e-10)


def test_englands_rates_are_those_dfe_published(published):
    # Pupil absence in schools in England, 2022/23: persistent absence 21.2% after 22.5%, severe 2.0% after 1.7%.
    for about, rates in ((PA, (22.5, 21.2)), (SA, (1.7, 2.0))):
        found = [published.mixed_rate("E92000001", about, year)["rate"] for year in (202122, 202223)]
        assert [round(100 * rate, 1) for rate in found] == list(rates)


def test_published_pages_say_what_they_lack_and_show_the_districts(published):
    notice = published.turnover_table()
    assert isinstance(notice, Notice)
    assert "pupil-level data" in notice.text
    names = [row.header for row in published.contribution_table("district").rows]
    assert names[:10] == sorted(find_area(code).name for code in CODES)
    assert "England" not in names
    assert [row.header for row in published.mix_change_areas_table().rows] == ["Greater Manchester", "England"] * 2
    # 2019/20 lies between the first year and the last, and 2021/22 is marked.
    notes = " ".join(published.mix_change_table().notes)
    assert "There is no figure for 2019/20 between these years" in notes
    assert "code X" in notes
    assert isinstance(published.mix_change_sentences(), Findings)
    assert "Nowhere that can be told" in published.paradox_sentences().sentences[-1]
