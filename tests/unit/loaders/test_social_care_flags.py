"""Flags of social care: columns however they are spelt, authorities by name or code, stores written before there were any."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.errors import UnknownColumnError
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import generate
from attendance_toolkit.loaders.synthetic._social_care_lists import ON_PLAN, PLACED, social_care_columns
from attendance_toolkit.store import Store
from attendance_toolkit.store.flags import with_flags
from tests.screening.census_builder import make_upn

HEADER = "UPN,Academic Year,Looked After,Child Protection Plan,Young Carer,Responsible LA\n"


def loaded(place: Path, rows: list[str], header: str = HEADER) -> pd.DataFrame:
    """Load a list of flags into the store of a place and return what the store says."""
    (place / "flags.csv").write_text(header + "".join(row + "\n" for row in rows), encoding="utf-8")
    result = load_files(place / "flags.csv", place / "store", key_file=place / "key", is_synthetic=True)
    found = Store.open(place / "store").flags().df()
    found.attrs["rules"] = [one.rule for one in result.report.findings]
    return found


def test_columns_and_authorities_however_they_are_written(tmp_path):
    wanted = ["Trafford", "358", "E08000009", "Salford City Council", "the moon", ""]
    rows = [f"{make_upn(n)},2023/24,Yes,Y,no,{name}" for n, name in enumerate(wanted)]
    found = loaded(tmp_path, rows)
    codes = (
        found["responsible_la"].astype(object).where(found["responsible_la"].notna(), None).value_counts(dropna=False)
    )
    assert codes.to_dict() == {"E08000009": 3, "E08000006": 1, None: 2}
    assert set(found["protection_plan"]) == {"Yes"}
    assert set(found["young_carer"]) == {"No"}
    assert found["social_worker"].isna().all()
    assert found.attrs["rules"].count("flag_authority") == 1


def test_what_cannot_be_read_is_not_repeated(tmp_path):
    (tmp_path / "flags.csv").write_text(HEADER + f"{make_upn(0)},2023/24,Yes,Y,no,12 Acacia Avenue\n", encoding="utf-8")
    result = load_files(tmp_path / "flags.csv", tmp_path / "store", key_file=tmp_path / "key", is_synthetic=True)
    assert all("Acacia" not in str(one) for one in result.report.findings)


def test_a_store_written_before_reads_and_takes_new_columns(tmp_path):
    loaded(tmp_path, [f"{make_upn(n)},2023/24,Yes,Yes,No,Trafford" for n in range(2)])
    part = next((tmp_path / "store").glob("parts/flags/*/part.parquet"))
    # As a version without the columns wrote it.
    old = duckdb.sql(f"SELECT upn, academic_year, looked_after, social_worker FROM '{part}'").df()
    duckdb.sql("SELECT * FROM old").write_parquet(str(part))
    assert Store.open(tmp_path / "store").flags().df()["young_carer"].isna().all()
    found = loaded(tmp_path, [f"{make_upn(0)},2023/24,Yes,No,Yes,Bury"])
    assert len(found) == len(old) == 2
    assert found["young_carer"].notna().tolist().count(True) == 1
    assert set(found["responsible_la"].dropna()) == {"E08000002"}


def test_flags_stand_beside_the_rows_of_the_same_year_alone():
    con = duckdb.connect()
    rows = con.sql(
        "SELECT * FROM (VALUES (1, 202223, 'a'), (1, 202324, 'b'), (2, 202324, 'c')) t(upn, academic_year, x)"
    )
    flags = con.sql(
        "SELECT * FROM (VALUES (1, 202324, 'Yes', NULL)) t(upn, academic_year, young_carer, protection_plan)"
    )
    found = with_flags(rows, flags, ["young_carer", "protection_plan"]).order("x").fetchall()
    unknown = "Unknown"
    assert found == [
        (1, 202223, "a", unknown, unknown),
        (1, 202324, "b", "Yes", unknown),
        (2, 202324, "c", unknown, unknown),
    ]
    with pytest.raises(UnknownColumnError, match="young_carer"):
        with_flags(rows, flags, ["young_carers"])


@pytest.fixture(scope="module")
def cohort():
    return generate("sample", areas=["Irwell Bank"])


def test_synthetic_lists_have_the_planted_shares(cohort):
    pupil = cohort.pupils
    found = pd.DataFrame(social_care_columns(cohort, 202324, pupil), index=pupil.index)
    known = pupil["has_social_worker"] & ~pupil["is_looked_after"]
    on_plan = found["protection_plan"] == "Yes"
    assert not (on_plan & ~known).any()
    assert abs(on_plan[known].mean() - ON_PLAN) < 0.12
    assert 0.003 < (found["young_carer"] == "Yes").mean() < 0.009
    assert (found["responsible_la"].ne("") == pupil["is_looked_after"]).all()
    # A list does not depend on which pupils are asked for.
    some = pupil.iloc[::7]
    again = pd.DataFrame(social_care_columns(cohort, 202324, some), index=some.index)
    pd.testing.assert_frame_equal(again, found.loc[some.index])
    assert PLACED < 0.5
