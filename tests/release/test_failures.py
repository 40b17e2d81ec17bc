"""One area's failure is its own; what cannot be protected stops the release; nothing is left half-written."""

from __future__ import annotations

import pytest

from attendance_toolkit.disclosure import release as releases
from attendance_toolkit.errors import DisclosureError
from tests.release.conftest import attendance


def report(planted, folder, *areas, audience="partner"):
    given = [word for area in areas for word in ("--area", area)]
    return attendance(
        "report", "overview", *given, "--year", "2023/24", "--store", planted.store, "--out", folder / "out",
        "--key", planted.key, "--audience", audience,
    )  # fmt: skip


def leftovers(folder):
    return [
        path
        for path in folder.rglob("*")
        if path.name.startswith(".new-") or path.suffix in (".part", ".tmp", ".ipynb")
    ]


def test_an_area_without_pupils_does_not_stop_the_others(planted, tmp_path):
    answer = report(planted, tmp_path, "Irwell Bank", "Trafford")
    assert answer.exit_code == 1
    assert "Trafford: The store has no pupils of Trafford." in answer.output
    assert "1 of 2 reports failed. The others are in" in answer.output
    assert [path.parts[-4] for path in tmp_path.glob("out/*/*/*/index.html")] == ["irwell-bank"]
    assert not (tmp_path / "out" / "trafford").exists()
    assert leftovers(tmp_path) == []


def test_an_area_nobody_knows_is_said_before_anything_is_made(planted, tmp_path):
    answer = report(planted, tmp_path, "Irwell Bank", "Irwell Blank")
    assert answer.exit_code == 3
    assert "Did you mean 'Irwell Bank'?" in answer.output
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_protected_stops_the_release(planted, tmp_path, monkeypatch):
    """As if everything else were known to everybody. The sentence names groups and says what helps; no value, no page."""
    clear = releases.clear_cells

    def all_known(registry, policy, past, **options):
        monkeypatch.setattr(
            "attendance_toolkit.disclosure.primary.empty",
            lambda cells: (
                cells.group_texts()
                .iloc[cells.cells["group"].to_numpy()]
                .str.contains("Special")
                .eq(False)
                .reset_index(drop=True)
            ),
        )
        return clear(registry, policy, past, **options)

    monkeypatch.setattr(releases, "clear_cells", all_known)
    answer = report(planted, tmp_path, "Irwell Bank", audience="both")
    assert answer.exit_code == 1
    assert "cannot be protected" in answer.output
    assert "phase=Special" in answer.output
    assert "Leave out a table" in answer.output
    assert "Traceback" not in answer.output
    assert not list(tmp_path.rglob("index.html"))
    assert not list(tmp_path.rglob("cells.parquet"))
    assert leftovers(tmp_path) == []


def test_a_failure_while_a_page_is_made_leaves_nothing(planted, tmp_path, monkeypatch):
    """The gate says no: neither the page nor a part of it is in the folder, and the sentence says so."""
    from attendance_toolkit.reporting import gating

    def refuse(*given, **options):
        raise DisclosureError("The page was refused by the gate and is not written.")

    monkeypatch.setattr(gating.Gate, "pass_through", refuse)
    answer = report(planted, tmp_path, "Irwell Bank")
    assert answer.exit_code == 1
    assert "Irwell Bank: The page was refused by the gate and is not written." in answer.output
    assert not list(tmp_path.glob("out/**/index.html"))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("year", ["2020/21", "2030/31"])
def test_a_year_the_store_does_not_have(planted, tmp_path, year):
    answer = attendance(
        "report", "overview", "--area", "Irwell Bank", "--year", year, "--store", planted.store, "--out", tmp_path / "out",
        "--key", planted.key,
    )  # fmt: skip
    assert answer.exit_code in (1, 6, 10), answer.output
    assert year in answer.output
    assert "Traceback" not in answer.output
    assert not list(tmp_path.rglob("index.html"))
