"""Severe absence in DfE's real bands file: what our cells and statistics say, against the file itself.

The oracle reads the file with the csv module and adds up in plain loops; the figures written here were known before the
code was. Rows of the authorities make the oracle's England, the file's own national rows ours. Skipped where ../shared
is absent.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict

import pytest

from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.metrics.absence import severe_absence_rate
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.models.interaction import additive_interaction
from attendance_toolkit.models.relative import risk_ratio
from attendance_toolkit.models.shrinkage import fit_beta_binomial, rank_uncertainty
from attendance_toolkit.models.standardisation import indirect_standardisation
from attendance_toolkit.vocabulary.areas import ENGLAND, find_area, local_authorities_in

GM = "E47000001"
YEARS = [201617, 201718, 201819, 202021, 202122, 202223]
NC_YEARS = [str(n) for n in range(1, 12)]
SEN = {"Any special educational need": True, "No identified special educational need": False}
STRATA = ["nc_year", "sex", "fsm_eligible", "sen_provision"]


@pytest.fixture(scope="module")
def bands(shared):
    return shared / "data" / "real" / "absence_bands_la_year_group"


@pytest.fixture(scope="module")
def cells(bands):
    inputs = open_inputs(area="Greater Manchester", academic_year="2022/23", published=[str(bands)])
    return inputs.published_cells("absence_bands", districts=True)


@pytest.fixture(scope="module")
def oracle(bands):
    """Rows of authorities: (la number, year, phase, FSM, SEN, sex, year group) -> (enrolments, severe absentees)."""
    found = {}
    with gzip.open(bands / "absence_bands_distributions.csv.gz", "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            if row[2] == "Local authority":
                key = (row[7].strip(), int(row[1]), row[10], row[11], row[12], row[13], row[14].strip())
                assert key not in found
                counts = [int(float(value)) for value in row[15:26]]
                found[key] = (sum(counts), counts[10])
    return found


@pytest.fixture(scope="module")
def gm_numbers():
    return {area.dfe_code: area for area in local_authorities_in(find_area(GM))}


def total(oracle, keep):
    chosen = [counts for key, counts in oracle.items() if keep(*key)]
    return sum(n for n, _ in chosen), sum(y for _, y in chosen)


def counts(cells, **chosen):
    """Enrolments and severe absentees of the cells of an area and levels."""
    for column, levels in chosen.items():
        cells = cells[cells[column].isin(levels if isinstance(levels, list) else [levels])]
    return int(cells["enrolments"].sum()), int(cells["severe_absentees"].sum())


def test_a_combined_authority_by_year_and_phase(cells, oracle, gm_numbers):
    phases = {"State-funded primary": "Primary", "State-funded secondary": "Secondary", "Special": "Special"}
    for year in YEARS:
        for printed, phase in phases.items():
            expected = total(oracle, lambda la, y, p, *_, year=year, printed=printed: (
                la in gm_numbers and (y, p) == (year, printed)))  # fmt: skip
            assert counts(cells, area_code=GM, academic_year=year, phase=phase) == expected
    assert len(gm_numbers) == 10
    assert counts(cells, area_code=GM, academic_year=202223) == (421_648, 8_166)
    assert round(100 * 8_166 / 421_648, 2) == 1.94
    # Primary severe absence rose, from 0.59% to 0.68%: the commissioned study's finding that it fell is contradicted.
    assert counts(cells, area_code=GM, academic_year=202122, phase="Primary") == (227_922, 1_351)
    assert counts(cells, area_code=GM, academic_year=202223, phase="Primary") == (229_502, 1_550)
    ratio, lower, _ = risk_ratio(1_550, 229_502, 1_351, 227_922)
    assert (round(float(ratio), 2), lower > 1) == (1.14, True)


def test_every_authority_of_the_combined_one(cells, oracle, gm_numbers):
    expected = defaultdict(Counter)
    for (la, year, *_), (n, y) in oracle.items():
        expected[la, year].update(n=n, y=y)
    for number, area in gm_numbers.items():
        for year in YEARS:
            assert counts(cells, area_code=area.code, academic_year=year) == tuple(expected[number, year].values())
            assert expected[number, year]["n"] > 20_000


def test_england_by_year_group(cells):
    chosen = cells[(cells["area_code"] == ENGLAND) & (cells["academic_year"] == 202223)]
    rows = severe_absence_rate(add_cells(chosen, ["nc_year"]), ["nc_year"]).set_index("nc_year")
    rates = [round(100 * rows.loc[nc_year, "rate"], 2) for nc_year in NC_YEARS]
    assert rates == [0.86, 0.74, 0.71, 0.75, 0.78, 0.83, 1.77, 2.94, 4.00, 4.64, 4.71]
    assert len(rows) == 11


@pytest.mark.parametrize(("code", "is_england"), [(ENGLAND, True), (GM, False)])
def test_girls_pass_boys_at_year_8(cells, oracle, gm_numbers, code, is_england):
    clear = {}
    for nc_year in NC_YEARS:
        found = {}
        for sex in ("Female", "Male"):
            found[sex] = counts(cells, area_code=code, academic_year=202223, nc_year=nc_year, sex=sex)
            expected = total(oracle, lambda la, y, p, f, s, x, nc, sex=sex, nc_year=nc_year: (
                y == 202223 and (x, nc) == (sex, nc_year) and (is_england or la in gm_numbers)))  # fmt: skip
            assert found[sex] == expected
        ratio, lower, upper = risk_ratio(*found["Female"][::-1], *found["Male"][::-1])
        assert (ratio > 1) == (int(nc_year) >= 8)
        clear[nc_year] = bool(lower > 1 or upper < 1)
    if is_england:
        assert all(clear.values())
    else:
        # Where there are fewer pupils, the girls of Year 8 (2.85% against 2.56%) and of Year 11 are within chance.
        assert [nc_year for nc_year, is_clear in clear.items() if not is_clear] == ["1", "4", "5", "8", "11"]


def test_girls_with_fsm_and_any_sen_in_years_7_to_11(cells, oracle, gm_numbers):
    chosen = {"sex": "Female", "fsm_eligible": "FSM eligible", "nc_year": NC_YEARS[6:]}
    any_sen = set(cells["sen_provision"]) - {"No SEN", "Unknown"}
    assert any_sen == {"Any SEN"}
    found = {
        code: counts(cells, area_code=code, academic_year=202223, sen_provision="Any SEN", **chosen)
        for code in (ENGLAND, GM)
    }

    def is_one(y, f, s, x, nc):
        return y == 202223 and f == "Eligible" and SEN.get(s) is True and x == "Female" and int(nc) >= 7

    assert found[ENGLAND] == total(oracle, lambda la, y, p, *rest: is_one(y, *rest)) == (80_078, 10_137)
    assert found[GM] == total(oracle, lambda la, y, p, *rest: la in gm_numbers and is_one(y, *rest)) == (5_191, 640)
    assert [round(100 * y / n, 2) for n, y in found.values()] == [12.66, 12.33]


def test_pupils_without_fsm_status_hold_a_seventh_of_severe_absence(cells, oracle):
    whole = counts(cells, area_code=ENGLAND, academic_year=202223)
    unknown = counts(cells, area_code=ENGLAND, academic_year=202223, fsm_eligible="Unknown")
    assert unknown == total(oracle, lambda la, y, p, f, *_: (y, f) == (202223, "Unclassified"))
    assert [round(100 * part / of, 1) for part, of in zip(unknown, whole, strict=True)] == [0.9, 14.9]


def test_additive_interaction_of_fsm_and_sen(cells):
    """FSM and SEN together add more than each in sum, and multiply the odds by less than their product."""
    chosen = cells[(cells["area_code"] == GM) & (cells["academic_year"] == 202223)]
    found = [
        counts(chosen, fsm_eligible=fsm, sen_provision=sen)
        for fsm in ("Not known to be FSM eligible", "FSM eligible")
        for sen in ("No SEN", "Any SEN")
    ]
    assert found == [(247_345, 1_590), (42_566, 1_168), (93_857, 2_185), (34_097, 2_018)]
    result = additive_interaction([[1_590, 1_168], [2_185, 2_018]], [[247_345, 42_566], [93_857, 34_097]])
    p00, p01, p10, p11 = 1_590 / 247_345, 1_168 / 42_566, 2_185 / 93_857, 2_018 / 34_097
    assert result.contrast.value == pytest.approx(p11 - p10 - p01 + p00)
    assert result.reri.value == pytest.approx(result.contrast.value / p00)
    assert (result.contrast.is_clear_of(0), result.reri.is_clear_of(0)) == (True, True)
    assert result.odds_ratio_interaction.upper < 1


def test_districts_standardised_for_year_group_sex_fsm_and_sen(cells, oracle, gm_numbers):
    codes = [area.code for area in gm_numbers.values()]
    chosen = cells[cells["area_code"].isin(codes) & (cells["academic_year"] == 202223)]
    found = indirect_standardisation(
        chosen, by=["area_code"], strata=STRATA, events="severe_absentees", trials="enrolments"
    ).set_index("area_code")
    rows = {key: value for key, value in oracle.items() if key[0] in gm_numbers and key[1] == 202223}
    standard = defaultdict(Counter)
    for (_, _, _, *stratum), (n, y) in rows.items():
        standard[tuple(stratum)].update(n=n, y=y)
    for number, area in gm_numbers.items():
        expected = sum(
            n * standard[tuple(key[3:])]["y"] / standard[tuple(key[3:])]["n"]
            for key, (n, _) in rows.items()
            if key[0] == number and n
        )
        assert found.loc[area.code, "expected"] == pytest.approx(expected)
        assert found.loc[area.code, "observed"] == total(rows, lambda la, *_, number=number: la == number)[1]
    assert found["expected"].sum() == pytest.approx(8_166)


def test_rates_of_the_districts_differ_beyond_chance_and_ranks_are_uncertain(cells, gm_numbers):
    codes = sorted(area.code for area in gm_numbers.values())
    found = [counts(cells, area_code=code, academic_year=202223) for code in codes]
    events, trials = [y for _, y in found], [n for n, _ in found]
    fit = fit_beta_binomial(events, trials)
    assert not fit.is_at_bound
    assert fit.mean == pytest.approx(8_166 / 421_648, rel=0.05)
    ranks = rank_uncertainty(events, trials)
    assert ranks["probability_top"].sum() == pytest.approx(3)
    order = sorted(range(10), key=lambda i: -events[i] / trials[i])
    assert ranks["median"].iloc[order[0]] == 1
    assert (ranks["upper"] > ranks["lower"]).sum() >= 4
