"""Exact tables of severe absence: against SQL on the store and the csv module on the real file, and with each other."""

from __future__ import annotations

import csv
import gzip
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.deepdives._stratum_models import LEAST_FREEDOM, known_strata, stratum_model_rows
from attendance_toolkit.deepdives.overview import Overview
from attendance_toolkit.deepdives.severe_data import CROSSED, FURTHER, LEAST_EACH, SevereAbsenceData
from attendance_toolkit.disclosure.release import Release
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, TIME_ON_ROLL

DIMENSIONS = [*CROSSED, *FURTHER]
#: The two synthetic authorities of the store together.
BOTH = "E47900001"


@pytest.fixture(scope="module")
def local(synthetic_store):
    return SevereAbsenceData(open_inputs(area=BOTH, academic_year="2023/24", store=str(synthetic_store)))


def severe(rows):
    return rows[rows["measure"] == "severe_absence_rate"]


def named(row):
    return tuple(name for name in DIMENSIONS if row[name] != ALL)


def counted(rows, dimensions=DIMENSIONS):
    """Enrolments and severe absentees by the levels of a row; each group once."""
    rows = severe(rows)
    keys = list(map(tuple, rows[list(dimensions)].to_numpy().tolist()))
    assert len(keys) == len(set(keys))
    return dict(zip(keys, zip(rows["denominator"], rows["numerator"], strict=True), strict=True))


def test_crossed_figures_are_those_of_sql_on_the_store(local, synthetic_store):
    path = f"{synthetic_store}/pupil_term/**/*.parquet"
    # DfE's rules in this test's own words: ages 5 to 15, no boarders, nothing impossible, six enrolments a school.
    rows = duckdb.sql(f"""
        WITH e AS MATERIALIZED (
            SELECT upn, laestab, sum(sessions_possible) p, sum(sessions_authorised + sessions_unauthorised) a,
                sum(CASE WHEN half_term <> '6' THEN sessions_possible ELSE 0 END) before,
                any_value(phase) phase, any_value(sex) sex, any_value(first_language) language,
                CASE any_value(fsm_eligible) WHEN 'FSM eligible' THEN 'FSM eligible'
                    ELSE 'Not known to be FSM eligible' END fsm,
                CASE any_value(sen_provision) WHEN 'Unknown' THEN 'No SEN' ELSE any_value(sen_provision) END sen,
                CASE WHEN any_value(nc_year) IN ('R', '1', '2') THEN 'Up to Year 2'
                    WHEN any_value(nc_year) IN ('3', '4', '5', '6') THEN 'Years 3 to 6'
                    WHEN any_value(nc_year) IN ('7', '8', '9') THEN 'Years 7 to 9'
                    WHEN any_value(nc_year) IN ('10', '11') THEN 'Years 10 and 11' ELSE 'Other year groups' END band
            FROM read_parquet('{path}', hive_partitioning = true)
            WHERE academic_year = 202324 AND age BETWEEN 5 AND 15 AND NOT is_boarder
                AND NOT (age = 15 AND half_term = '6')
                AND sessions_possible > 0 AND sessions_authorised + sessions_unauthorised <= sessions_possible
            GROUP BY upn, laestab HAVING before > 0)
        SELECT fsm, sen, sex, band, language, count(*), sum(CASE WHEN 2 * a >= p THEN 1 ELSE 0 END) FROM e
        WHERE phase IN ('Primary', 'Secondary', 'Special')
            AND laestab IN (SELECT laestab FROM e GROUP BY laestab HAVING count(*) >= 6)
        GROUP BY fsm, sen, sex, band, language""").fetchall()
    expected: Counter = Counter()
    for *levels, enrolments, absentees in rows:
        for chosen in ((), (0,), (4,), (1, 3), (2, 4), (0, 1, 2), (1, 2, 3), (0, 1, 2, 3)):
            key = tuple(levels[i] if i in chosen else ALL for i in range(4))
            key += (ALL, levels[4] if 4 in chosen else ALL, ALL)
            expected[key, "enrolments"] += enrolments
            expected[key, "severe"] += absentees
    found = counted(local.exact("crossed").rows)
    keys = {key for key, _ in expected}
    assert len(keys) > 80
    assert {key: found[key] for key in keys} == {
        key: (expected[key, "enrolments"], expected[key, "severe"]) for key in keys
    }


@pytest.mark.parametrize("name", DIMENSIONS)
def test_levels_add_up_to_everybody_and_pairs_to_levels(local, name):
    found = counted(local.exact("crossed").rows)
    place = DIMENSIONS.index(name)
    whole = Counter()
    for key, (enrolments, absentees) in found.items():
        if key[place] not in (ALL, "Any SEN"):
            rest = (*key[:place], ALL, *key[place + 1 :])
            whole[rest, 0] += enrolments
            whole[rest, 1] += absentees
    totals = {key for key, _ in whole}
    assert len(totals) > 5
    assert {key: (whole[key, 0], whole[key, 1]) for key in totals} == {key: found[key] for key in totals}


def test_any_sen_is_sen_support_and_ehc_plans(local):
    found = counted(local.exact("crossed").rows)
    any_sen = [key for key in found if key[1] == "Any SEN"]
    assert {sum(level != ALL for level in key) for key in any_sen} == {1, 2, 3}
    for key in any_sen:
        kinds = [found[key[0], kind, *key[2:]] for kind in ("SEN support", "EHC plan")]
        assert found[key] == tuple(np.sum(kinds, axis=0))


def test_what_is_crossed_too_deep_for_its_numbers_is_withheld_from_partners_alone(local):
    rows = severe(local.exact("crossed").rows)
    total = rows["numerator"].max() // 5 * 5
    for family, part in rows.assign(family=rows.apply(named, axis=1)).groupby("family"):
        combinations = (~part["sen_provision"].eq("Any SEN")).sum()
        # A characteristic by itself is never withheld as such.
        assert part["withheld"].eq(len(family) > 1 and combinations * LEAST_EACH > total).all()
    assert {0, 1} <= set(rows["withheld"].astype(int))
    release = Release(local.inputs.policy)
    release.add("severe", local.area.code, "crossed", local.exact("crossed"))
    cleared = release.clear(audit=False)
    partner, own = (
        cleared.table("severe", local.area.code, "crossed", audience=audience).rows
        for audience in ("partner", "internal")
    )
    assert "withheld" not in partner
    is_withheld = local.exact("crossed").rows["withheld"]
    assert partner.loc[is_withheld, "symbol"].isin(["c", "z"]).all()
    assert partner.loc[is_withheld, "numerator"].isna().all()
    assert own.loc[is_withheld, "symbol"].isin(["", "z"]).all()
    # Nothing else is hidden for the sake of what is withheld: no cell of the release is of it.
    assert not cleared.registry.group_texts().str.contains("nc_year_band=.*sex=").any()


def test_one_figure_has_one_value_in_all_tables_of_both_pages(local):
    # A release refuses two values of one figure, and parts that come to more than their total.
    release = Release(local.inputs.policy)
    tables = local.exact_tables()
    assert not [str(table) for table in tables.values() if isinstance(table, NoDataError)]
    local.add_to(release, "severe", tables)
    Overview(local.inputs).add_to(release, "overview")
    cleared = release.clear(audit=False)
    assert {key[2] for key in cleared.tables if key[0] == "severe"} == set(SevereAbsenceData.declared())


def test_year_groups_and_bands_of_year_groups_agree(local):
    years = counted(local.exact("year_sex").rows.loc[lambda r: r["academic_year"] == 202324], ["nc_year", "sex"])
    bands = counted(local.exact("crossed").rows)
    girls = np.sum([years[str(n), "Female"] for n in (7, 8, 9)], axis=0)
    assert tuple(girls) == bands[ALL, ALL, "Female", "Years 7 to 9", ALL, ALL, ALL]


def test_kinds_are_of_the_severe_absentees_of_the_same_table(local):
    rows = local.exact("kinds").rows
    secondary = rows[(rows["phase"] == "Secondary") & (rows["reason"] == ALL)].set_index("measure")
    overall, severe_row = secondary.loc["overall_absence_rate_severe"], secondary.loc["severe_absence_rate"]
    assert overall["contributors"] == severe_row["numerator"]
    assert 0.5 <= overall["rate"] <= 1  # severe absentees miss half at least
    assert overall["enrolments"] == severe_row["denominator"]


def test_time_on_roll_adds_up_and_is_in_the_order_of_length(local):
    found = counted(local.exact("on_roll").rows, ["time_on_roll"])
    total = found.pop((ALL,))
    assert tuple(np.sum(list(found.values()), axis=0)) == total
    order = [label for label, _ in TIME_ON_ROLL]
    assert [label for (label,) in found] == [label for label in order if (label,) in found]
    assert len(found) > 1


def test_districts_are_compared_and_add_up(local):
    rows = severe(local.exact("by_district").rows)
    assert set(rows["area_code"]) == {"E08900009", "E08900001", "E47900001"}
    girls = rows[rows["sex"] == "Female"].set_index("area_code")["numerator"]
    assert girls["E47900001"] == girls["E08900009"] + girls["E08900001"]


# --- the model ----------------------------------------------------------------------------------------------


def strata_of_levels(levels, *, seed=1, rate=0.05):
    rng = np.random.default_rng(seed)
    frame = pd.MultiIndex.from_product(levels, names=CROSSED).to_frame(index=False)
    frame["enrolments"] = rng.integers(50, 400, len(frame))
    frame["severe_absentees"] = rng.binomial(frame["enrolments"], rate)
    return frame.assign(area_code="E08900009", academic_year=202324, phase=ALL_SCHOOLS)


def test_a_model_without_strata_to_spare_is_refused():
    strata = strata_of_levels([["a", "b"], ["a", "b"], ["a", "b"], ["a", "b"]])  # 16 strata, 6 parameters: 10 to spare
    assert len(stratum_model_rows(strata, strata, CROSSED)) > 10
    assert LEAST_FREEDOM == 10
    with pytest.raises(NoDataError, match="clearly more groups"):
        stratum_model_rows(strata.iloc[1:], strata, CROSSED)


def test_pupils_of_unknown_characteristic_are_no_stratum_of_the_model():
    known = strata_of_levels([["a", "b"], ["a", "b", "c"], ["Female", "Male"], ["x", "y"]])
    # Everybody of unknown eligibility is severely absent, as good as: a level of it would be nearly all the variance.
    unknown = strata_of_levels([["Unknown"], ["a", "b", "c"], ["Female", "Male"], ["x", "y"]], rate=0.9)
    both = pd.concat([known, unknown], ignore_index=True)
    assert len(known_strata(both, CROSSED)) == len(known)
    rows, alone = (stratum_model_rows(one, one, CROSSED) for one in (both, known))
    pd.testing.assert_frame_equal(rows.drop(columns="enrolments"), alone.drop(columns="enrolments"))
    assert rows["enrolments"].eq(both["enrolments"].sum()).all()


def test_a_level_in_which_nobody_is_severely_absent_has_no_coefficient():
    strata = strata_of_levels([["a", "b"], ["a", "b", "c"], ["Female", "Male"], ["x", "y"]])
    strata.loc[strata["sen_provision"] == "c", "severe_absentees"] = 0
    rows = stratum_model_rows(strata, strata, CROSSED)
    levels = rows.loc[rows["measure"] == "maihda_coefficient", ["characteristic", "level"]]
    assert ("sen_provision", "c") not in set(levels.itertuples(index=False, name=None))
    assert rows.loc[rows["measure"] == "maihda_coefficient", "rate"].abs().max() < 3


def test_planted_effects_come_back_and_reference_levels_are_nought():
    rng = np.random.default_rng(7)
    strata = strata_of_levels([["no", "yes"], ["none", "some"], ["Female", "Male"], ["x", "y", "z"]])
    strata["enrolments"] = 20_000
    linear = -4 + 1.2 * (strata["fsm_eligible"] == "yes") + 0.8 * (strata["sen_provision"] == "some")
    strata["severe_absentees"] = rng.binomial(20_000, 1 / (1 + np.exp(-linear)))
    rows = stratum_model_rows(strata, strata, CROSSED)
    found = rows[rows["measure"] == "maihda_coefficient"].set_index("level")
    assert found.loc["yes", "rate"] - found.loc["no", "rate"] == pytest.approx(1.2, abs=0.06)
    assert found.loc["some", "rate"] - found.loc["none", "rate"] == pytest.approx(0.8, abs=0.06)
    references = found[found["lower"].isna()]
    assert len(references) == 4
    assert references["rate"].eq(0).all()
    assert rows.set_index("measure").loc["pcv", "rate"] > 0.99  # nothing but main effects was planted


def test_coefficients_of_a_model_are_shown_all_or_none(local):
    rows = local.exact("model").rows
    assert rows["enrolments"].notna().all()
    assert set(rows["model"]) == {"null", "main effects"}
    release = Release(local.inputs.policy)
    local.add_to(release, "severe")
    cleared = release.clear(audit=False)
    shown = cleared.table("severe", local.area.code, "model").rows
    single = severe(cleared.table("severe", local.area.code, "crossed").rows)
    about = {
        (name, row[name]): row["symbol"]
        for row in single.to_dict("records")
        for name in named(row)
        if len(named(row)) == 1
    }
    tied = shown[(shown["model"] == "main effects") & shown["measure"].isin(["maihda_coefficient", "maihda_intercept"])]
    levels = tied[tied["characteristic"] != ALL][["characteristic", "level"]].itertuples(index=False, name=None)
    assert "c" in {about[level] for level in levels}  # this small store hides some
    assert set(tied["symbol"]) == {"c"}


# --- published ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bands_file(shared):
    return shared / "data" / "real" / "absence_bands_la_year_group"


@pytest.fixture(scope="module")
def greater_manchester(bands_file):
    return SevereAbsenceData(
        open_inputs(area="Greater Manchester", academic_year="2022/23", published=[str(bands_file)])
    )


def test_published_crossings_are_the_files_own_sums(greater_manchester, bands_file):
    members = {"350", "351", "352", "353", "354", "355", "356", "357", "358", "359"}
    bands = {**dict.fromkeys("12", "Up to Year 2"), **dict.fromkeys("3456", "Years 3 to 6")}
    bands |= {**dict.fromkeys("789", "Years 7 to 9"), "10": "Years 10 and 11", "11": "Years 10 and 11"}
    words = {
        "Eligible": "FSM eligible", "Not Eligible": "Not known to be FSM eligible",
        "Any special educational need": "Any SEN", "No identified special educational need": "No SEN",
        "Unclassified": "Unknown",
    }  # fmt: skip
    expected: Counter = Counter()
    with gzip.open(bands_file / "absence_bands_distributions.csv.gz", "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            if row[2] != "Local authority" or row[1] != "202223" or row[7].strip() not in members:
                continue
            _, fsm, sen, sex, year = row[10:15]
            levels = (words.get(fsm, fsm), words.get(sen, sen), words.get(sex, sex), bands[year.strip()])
            counts = [int(float(value)) for value in row[15:26]]
            for number in range(16):
                key = tuple(level if number >> i & 1 else ALL for i, level in enumerate(levels))
                expected[key, 0] += sum(counts)
                expected[key, 1] += counts[10]
    found = {
        key: tuple(map(int, counts))
        for key, counts in counted(greater_manchester.exact("crossed").rows, CROSSED).items()
    }
    keys = {key for key, _ in expected}
    assert found == {key: (expected[key, 0], expected[key, 1]) for key in keys}
    assert found[(ALL,) * 4][1] == 8166  # severe absentees of Greater Manchester, 2022/23, known beforehand


def test_published_files_have_no_terms_kinds_or_time_on_roll(greater_manchester):
    missing = {name for name, table in greater_manchester.exact_tables().items() if isinstance(table, NoDataError)}
    assert missing == {"terms", "kinds", "on_roll"}


def test_an_earlier_year_is_taken_where_the_one_asked_for_is_not_published(bands_file):
    later = SevereAbsenceData(open_inputs(area="Trafford", academic_year="2023/24", published=[str(bands_file)]))
    assert later.data_year == 202223
    assert set(later.exact("crossed").rows["academic_year"]) == {202223}
    assert set(later.exact("model").rows["academic_year"]) == {202223}
