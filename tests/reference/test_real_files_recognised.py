"""Every real file is recognised by its content and screened; the facts kept beside them agree with the toolkit.

Outside our code: the publisher's files themselves, and the list of what each is (``SOURCES.md`` beside them).
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.load import screen_files
from attendance_toolkit.loaders.published._bands import BANDS_COLUMNS
from attendance_toolkit.loaders.published._geography import COUNTS
from attendance_toolkit.loaders.recognition import recognise, recognisers
from attendance_toolkit.vocabulary._reference import read_reference
from attendance_toolkit.vocabulary.symbols import SYMBOL_SPELLINGS, SYMBOLS

#: Folder of the real files -> the kinds its files may be.
KINDS_OF_FOLDERS = {
    "absence_annual_characteristics": {"published"},
    "absence_annual_geography": {"published"},
    "absence_bands_la_year_group": {"published", "metadata"},
    "absence_other_2016_17": {"published", "metadata"},
    "absence_social_care_groups": {"published"},
    "attendance_fortnightly": {"published"},
    "lait_la_timeseries": {"published", "metadata"},
    "metadata": {"metadata"},
    "performance_tables_school": {"published", "schools"},
    "schools_and_la_lookups": {"schools", "lookup"},
}
#: What is worth knowing about a file; nothing else may be found in any of them.
EXPECTED = {
    "gias_fixture_SYNTHETIC.csv": {"school_la_unknown"},
    "schools_gias_20250115.csv": {"school_list_columns"},
    "trafford_schools_phase_nor_fsm_20240926.csv": {"school_list_columns"},
}


def real_files(shared: Path) -> list[Path]:
    """Return the publisher's files; the JSON files hold facts written down beside them."""
    return sorted(p for p in (shared / "data" / "real").glob("*/*") if p.suffix != ".json")


def test_every_folder_is_listed(shared: Path) -> None:
    assert {p.parent.name for p in real_files(shared)} == set(KINDS_OF_FOLDERS)


def test_every_file_is_recognised_by_its_content_and_by_one_reader_only(shared: Path, tmp_path: Path) -> None:
    for path in real_files(shared):
        renamed = tmp_path / f"x{''.join(path.suffixes[-2:] if path.suffix == '.gz' else path.suffixes[-1:])}"
        shutil.copyfile(path, renamed)
        head = look(renamed)
        hits = [found for ask in recognisers() if (found := ask(head)) is not None]
        assert len(hits) == 1, (path.name, hits)
        assert recognise(renamed) == hits[0]
        assert hits[0].kind in KINDS_OF_FOLDERS[path.parent.name], path.name
        assert hits[0].says
        assert hits[0].feeds


@pytest.mark.parametrize("folder", sorted(KINDS_OF_FOLDERS))
def test_real_files_are_screened_without_false_alarms(shared: Path, folder: str) -> None:
    paths = [p for p in real_files(shared) if p.parent.name == folder]
    report = screen_files(paths)
    assert {f.name for f in report.files} == {p.name for p in paths}
    assert report.exit_code == 0
    found: dict[str, set[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.file, set()).add(finding.rule)
    assert found == {name: rules for name, rules in EXPECTED.items() if (shared / "data/real" / folder / name).exists()}
    assert all(line in report.to_text() for line in {f.says for f in report.files})


def _facts(shared: Path, name: str) -> dict:
    return json.loads((shared / "data" / "real" / "metadata" / name).read_text(encoding="utf-8"))


def test_every_symbol_seen_in_the_files_is_known(shared: Path) -> None:
    facts = _facts(shared, "ees_symbols.json")
    assert set(facts["current"]) <= set(SYMBOLS)
    assert set(facts["legacy_rejected_by_EES_screener"]) | set(facts["also_seen_in_these_files"]) <= set(
        SYMBOL_SPELLINGS
    )


def test_the_columns_read_from_gias_are_columns_of_gias(shared: Path) -> None:
    facts = _facts(shared, "gias_edubasealldata_columns_2024.json")
    with (shared / "data/real/schools_and_la_lookups/gias_fixture_SYNTHETIC.csv").open(encoding="cp1252") as handle:
        assert next(csv.reader(handle)) == facts["columns"]
    ours = {
        row["header"] for row in read_reference("school_list_headers.csv") if row["source"] == "GIAS edubasealldata"
    }
    assert len(ours) > 12
    assert ours <= set(facts["columns"])


def test_the_counts_read_are_those_of_the_publishers_data_guidance(shared: Path) -> None:
    """The guidance describes a file of 2021/22 by characteristic: its counts are read under the same names."""
    described = set(_facts(shared, "pupil_absence_autumn_spring_202122_data_guidance.json")["variables"])
    read = set(COUNTS.values())
    wanted = {name for name in described if name.startswith(("enrolments", "sess_")) and "percent" not in name}
    others = {name for name in wanted if "rate" in name or name.endswith("_totalreasons") or "overall" in name}
    # Extended holiday is added to authorised holiday; Y is not a possible session.
    assert wanted - others - read == {"sess_auth_ext_holiday", "sess_y_exceptional"}


def test_the_header_less_bands_file_has_the_columns_of_the_dashboard(shared: Path) -> None:
    """Outside our code: the column names that DfE's dashboard gives the file (``global.R``)."""
    theirs = [
        name.removesuffix("_OARate").lower()
        for name in _facts(shared, "absence_bands_distributions.columns.json")["columns"]
    ]
    assert [name.replace("ncyearactual", "nc_year") for name in theirs] == list(BANDS_COLUMNS)
