"""The reconciler on DfE's real files and on both seed documents: every known fault found, no false alarm.

The faults listed here were read off the files themselves; each has its reason. Whatever else the reconciler called
certain would be a false alarm.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.loaders.column_table import read_column_table
from attendance_toolkit.loaders.printed import read_printed
from attendance_toolkit.metrics.printed_cards import check_cards
from attendance_toolkit.metrics.reconciliation import check_claims
from attendance_toolkit.reporting.reconcile import check_published, sort_files
from attendance_toolkit.vocabulary.identities import identities
from attendance_toolkit.vocabulary.rule_schemes import scheme_names

CLAIMS = Path(__file__).parent / "claims"
#: File -> {(check, column): rows}. DfE's methodology: where the sum of reasons is above the supplied total, the rate
#: uses the reasons; in these rows the file kept the lower total beside them.
REASONS_ABOVE_TOTAL = {
    "Absence_3term201819_nat_reg_la.csv.gz": {"sess_authorised": 6, "sess_unauthorised": 1},
    "Absence_3term201819_school_greater_manchester_200607_201819.csv.gz": {"sess_authorised": 1},
    "absence_by_term.csv": {"sess_authorised": 4, "sess_unauthorised": 3},
    "4_absence_2term_pru.csv": {"sess_authorised": 6, "sess_unauthorised": 6},
}
#: What is only worth a look, and why it is no error.
WORTH_A_LOOK = {
    "year_step": "an authority with few schools changes by leaps",
    "areas_incomplete": "2006/07 and 2007/08 have no rows of authorities abolished in 2009 (Cheshire, Bedfordshire)",
}


@pytest.fixture(scope="module")
def real(shared):
    return shared / "data" / "real"


@pytest.fixture(scope="module")
def files(real):
    return sort_files([real]).published


def test_every_published_file_is_recognised_as_one(files, real):
    names = {path.name for path in files}
    folders = ("absence_annual_geography", "attendance_fortnightly", "absence_social_care_groups", "lait_la_timeseries")
    data = {p.name for folder in folders for p in (real / folder).iterdir() if "dictionary" not in p.name}
    assert data <= names


def test_no_false_alarm_on_any_published_file(files):
    for path in files:
        found = check_published([path])
        certain = found[found["is_certain"].astype(bool)] if len(found) else found
        counted = Counter(zip(certain["check"], certain["column"], strict=True))
        expected = {("parts_add_up", column): n for column, n in REASONS_ABOVE_TOTAL.get(path.name, {}).items()}
        assert counted == expected, (path.name, certain["says"].head(3).tolist())
        assert set(found["check"][~found["is_certain"].astype(bool)]) <= set(WORTH_A_LOOK), path.name
        assert all(text.endswith(".") for text in found["says"])


def test_the_summer_of_2024_25_repeats_the_year_before(real):
    """Oracle: plain pandas over the two files gives 416 of 490 rows within 0.02 points, 288 of them equal."""
    folder = real / "attendance_fortnightly"
    files = [folder / f"EES_sum_data_{year}.csv" for year in (202324, 202425)]
    one, two = (pd.read_csv(path).rename(columns={"education_phase": "school_type"}) for path in files)
    keys = ["geographic_level", "region_name", "la_name", "school_type"]
    both = one.fillna({"la_name": "", "region_name": ""}).merge(two.fillna({"la_name": "", "region_name": ""}), on=keys)
    gap = (pd.to_numeric(both["pa_perc_x"], "coerce") - pd.to_numeric(both["pa_perc_y"], "coerce")).abs()
    assert (int((gap <= 0.02).sum()), int(gap.notna().sum()), int((gap == 0).sum())) == (416, 490, 288)
    found = check_published(files)
    found = found[found["is_certain"].astype(bool)]
    assert found["column"].tolist() == ["pa_perc"]
    assert "Summer term, 202425 is that of Summer term, 202324" in found["says"].item()
    assert "416 of 490 rows (288 to the last digit)" in found["says"].item()


def test_no_other_term_or_year_of_the_attendance_series_is_a_copy(files):
    found = check_published([path for path in files if path.name.startswith("EES_")])
    certain = found[found["is_certain"].astype(bool)]
    assert [(row.check, row.file, row.column) for row in certain.itertuples()] == [
        ("copied_time", "EES_sum_data_202425.csv", "pa_perc")
    ]


@pytest.mark.parametrize(
    ("column", "change", "check"),
    [
        ("sess_overall_percent", 0.001, "rate_from_counts"),
        ("sess_unauthorised", 1, "parts_add_up"),
        ("enrolments_pa_10_exact", 1, "rate_from_counts"),
        ("enrolments", 1, "phases_add_up"),
        ("sess_possible", 100_000, "areas_add_up"),
    ],
)
def test_one_changed_cell_of_the_real_file_is_found(real, column, change, check):
    table = read_column_table(real / "absence_annual_geography" / "Absence_3term201819_nat_reg_la.csv.gz")
    from attendance_toolkit.metrics.reconciliation.published import reconcile_tables

    before = reconcile_tables([table])
    row = table.keys.index[(table.keys["area"] == "E08000009") & (table.keys["year"] == "201819")][1]
    table.numbers[column][row] += change
    found = reconcile_tables([table])
    new = found[~found["says"].isin(set(before["says"]))]
    assert check in set(new["check"]), new["says"].tolist()
    # The changed row itself, or the row of the total it is part of.
    near = table.keys[
        (table.keys["year"] == "201819") & table.keys["area"].isin(["E08000009", "E12000002", "E92000001"])
    ]
    assert set(new["row"]) <= set(near["row"])


@pytest.mark.parametrize(
    ("file", "up", "even"),
    [
        ("absence_other_2016_17/absence_for_four_year_olds.csv.gz", 15, 1),
        ("absence_social_care_groups/absence_six_half_terms_la_201617_202223.csv", 60, 1),
    ],
)
def test_dfe_rounds_halves_up_all_but_always(real, file, up, even):
    """Exact halves of a tenth that tell rounding up from rounding to even: DfE's files hold both, so both pass."""
    table = read_column_table(real / file)
    rows = table.keys["level"].isin(["Local authority", "School"]).to_numpy()
    counted = Counter()
    for rate in identities().rates:
        if not table.has(rate.percent, rate.count, rate.size):
            continue
        value, count, size = (table.numbers[name] for name in (rate.percent, rate.count, rate.size))
        for i in np.flatnonzero(rows & (size > 0) & ~np.isnan(value) & ~np.isnan(count)):
            halves, rest = divmod(int(2000 * count[i]), int(size[i]))
            # k and a half, with k even: up gives k + 1, even gives k.
            if rest == 0 and halves % 4 == 1:
                counted[round(value[i] * 10) - (halves - 1) // 2] += 1
    assert counted == {1: up, 0: even}


# --- the two seeds -------------------------------------------------------------------------------------


def test_every_claim_of_trafford_is_judged_as_the_audit_does(shared):
    golden = shared / "golden"
    read = read_printed(
        [golden / f"trafford_table{n}_as_printed.csv" for n in (1, 2, 3)] + [CLAIMS / "trafford_january_2025.yaml"],
        local_area="Trafford",
    )
    said = [str(finding) for finding in check_claims(read.claims, read.cells)]
    words = [
        ("Text 5.3 and Table 2", "Secondary, EHC", "10.3 percentage points, the national 9.1"),
        ("Text 9.1", "40 to 43", "17 or 34"),
        ("Text 9.3", "19 August 2024", "not in September 2024"),
        ("Text 12.2", "+4.3 percentage points", "+34.7%"),
    ]
    assert len(said) == len(words)
    for sentence, parts in zip(said, words, strict=True):
        assert all(part in sentence for part in parts), sentence


def test_southampton_reproduces_and_its_wording_is_found(shared):
    read = read_printed(
        [shared / "golden" / "southampton_cards.csv", CLAIMS / "southampton_november_2024.yaml"],
        local_area="Southampton",
    )
    assert check_cards(read.cards) == ()
    found = check_claims(read.claims)
    assert Counter(f.check for f in found) == {"percent_for_points": 3, "equivalent_not_count": 2, "words": 1}
    assert any("572 fewer is 6,885 less 23.2% of this year's 32,144" in f.says for f in found)
    assert any("154 more is 893 less 2.3%" in f.says for f in found)


@pytest.mark.parametrize("name", ["trafford_january_2025", "southampton_november_2024"])
def test_claims_quote_the_documents(shared, name):
    """Every number of a claims file is in the report's own text."""
    text = " ".join(path.read_text(encoding="utf-8") for path in (shared / "seeds").iterdir()).replace(",", "")
    read = read_printed([CLAIMS / f"{name}.yaml"], local_area="Trafford")
    for claim in read.claims[0].claims:
        for key in ("total", "count", "percent", "cohort", "after", "before", "previous_percent"):
            if key in claim.values:
                assert f"{claim.values[key]:g}" in text, claim


def run(*arguments):
    return CliRunner().invoke(main, ["reconcile", *map(str, arguments)])


def test_the_command_takes_files_of_every_kind_together(shared, tmp_path):
    scheme = tmp_path / "waves.yaml"
    package = Path(__file__).parents[2] / "attendance_toolkit" / "vocabulary" / "reference" / "schemes"
    scheme.write_bytes((package / "virtual_school_waves_as_printed.yaml").read_bytes())
    table = tmp_path / "found.csv"
    golden = shared / "golden"
    answer = run(
        golden / "trafford_table1_as_printed.csv", golden / "trafford_table2_as_printed.csv",
        CLAIMS / "trafford_january_2025.yaml", scheme, shared / "data/real/attendance_fortnightly/EES_aut_data_202324.csv",
        "--area", "Trafford", "--out", tmp_path / "out", "--csv", table, "--json",
    )  # fmt: skip
    assert answer.exit_code == 1, answer.output
    document = json.loads(answer.output)
    checks = Counter(row["check"] for row in document["findings"])
    assert (document["exit_code"], checks["gap"], checks["sample_parts"], checks["rate_from_counts"]) == (1, 2, 1, 1)
    written = pd.read_csv(table)
    assert len(written) == len(document["findings"])
    page = (tmp_path / "out" / "trafford" / "2023-24" / "printed_tables" / "index.html").read_text(encoding="utf-8")
    assert "11 claims of the text" in page
    assert "not in September 2024" in page


def test_published_files_and_schemes_need_no_area(shared):
    file = shared / "data/real/attendance_fortnightly/EES_ytd_data_202425.csv"
    answer = run(file)
    assert (answer.exit_code, answer.output) == (0, "Nothing was found against EES_ytd_data_202425.csv.\n")
    package = Path(__file__).parents[2] / "attendance_toolkit" / "vocabulary" / "reference" / "schemes"
    for name in scheme_names():
        answer = run(package / f"{name}.yaml")
        assert answer.exit_code == int("as_printed" in name), answer.output
    answer = run(shared / "golden" / "trafford_table1_as_printed.csv")
    assert answer.exit_code == 5
    assert "--area Trafford" in answer.output
