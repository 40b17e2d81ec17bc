"""``attendance lists`` and ``attendance purge`` on the store of the release."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta

import pytest

from attendance_toolkit.store.keys import pseudonyms
from tests.release.conftest import attendance

UNTIL = date.today() + timedelta(days=30)


def lists(
    planted, folder, *more, kind="severe", area="Aldermoor", purpose="Reviews by the attendance lead", until=UNTIL
):
    return attendance(
        "lists", kind, "--area", area, "--year", "2023/24", "--store", planted.store, "--restricted", folder,
        "--purpose", purpose, "--until", until, "--key", planted.key, *more,
    )  # fmt: skip


def rows_of(folder):
    """Return the rows of every list, read with the csv module, and the lines above each header."""
    rows, heads = [], []
    for path in sorted(folder.glob("lists/*/*/*/*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = list(csv.reader(handle))
        at = next(number for number, line in enumerate(lines) if "Sessions missed" in line)
        heads.append({line[0]: line[1] for line in lines[:at] if len(line) > 1})
        assert lines[0] == ["OFFICIAL-SENSITIVE"]
        rows += [dict(zip(lines[at], line, strict=True)) for line in lines[at + 1 :]]
    return rows, heads


def severe(planted):
    (canary,) = [canary for canary in planted.canaries if canary.role == "severely absent"]
    return canary


def test_with_the_extract_the_planted_pupil_is_named(planted, tmp_path):
    """The severely absent canary: on the authority's own list by UPN and name, and nowhere on a partner's page."""
    answer = lists(planted, tmp_path / "inside", "--identify", planted.files, "--csv")
    assert answer.exit_code == 0, answer.output
    rows, heads = rows_of(tmp_path / "inside")
    canary = severe(planted)
    mine = [row for row in rows if row["UPN"] == canary.upn]
    assert [row["Name"] for row in mine] == [f"{canary.surname}, {canary.forename}"]
    assert int(mine[0]["Sessions missed"]) * 2 >= int(mine[0]["Sessions possible"])
    assert len({head["School"] for head in heads}) == len(heads) > 5, "one file a school"
    assert {head["Purpose"] for head in heads} == {"Reviews by the attendance lead"}
    assert all(head["Keep until"].startswith(UNTIL.isoformat()) for head in heads)
    assert str(len(rows)) in answer.output
    assert canary.surname not in answer.output


def test_without_the_extract_there_are_pseudonyms(planted, tmp_path):
    answer = lists(planted, tmp_path / "inside", "--csv")
    assert answer.exit_code == 0, answer.output
    rows, _ = rows_of(tmp_path / "inside")
    canary = severe(planted)
    key = bytes.fromhex(planted.key.read_text().strip())
    assert str(pseudonyms([canary.upn], key)[0]) in {row["Pupil"] for row in rows}
    written = b"".join(path.read_bytes() for path in (tmp_path / "inside").rglob("*") if path.is_file())
    for secret in (canary.upn, canary.surname, canary.forename):
        assert secret.encode() not in written


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"purpose": " "}, "needs a purpose"),
        ({"until": "2020-01-31"}, "not after today"),
        ({"until": "31/01/2027"}, "is not a date"),
        ({"area": "Irwel Bank"}, "Did you mean 'Irwell Bank'"),
    ],
)
def test_a_list_asked_for_wrongly_is_not_written(planted, tmp_path, change, says):
    answer = lists(planted, tmp_path / "inside", "--csv", **change)
    assert answer.exit_code in (3, 5), answer.output
    assert says in answer.output
    assert not list((tmp_path / "inside").rglob("*.csv"))


def test_lists_do_not_go_where_partners_read(copy, planted):
    before = sorted(path for path in copy.out.rglob("*"))
    answer = lists(planted, copy.out, "--csv")
    assert answer.exit_code == 8, answer.output
    assert sorted(path for path in copy.out.rglob("*")) == before


def test_purge_deletes_nothing_without_being_told_to(planted, tmp_path, monkeypatch):
    """A list past its date is named; only --yes deletes it, and what is not past its date stays."""
    inside = tmp_path / "inside"
    assert lists(planted, inside, "--csv").exit_code == 0
    other = lists(planted, inside, "--csv", area="Irwell Bank", until=UNTIL + timedelta(days=300))
    assert other.exit_code == 0
    assert "Nothing is past its date." in attendance("purge", inside).output
    files = sorted(inside.glob("lists/*/*/*/*.csv"))

    class Later(date):
        @classmethod
        def today(cls):
            return cls.fromisoformat((UNTIL + timedelta(days=1)).isoformat())

    monkeypatch.setattr("datetime.date", Later)
    answer = attendance("purge", inside)
    assert "Past its date" in answer.output
    assert "Nothing was deleted." in answer.output
    assert sorted(inside.glob("lists/*/*/*/*.csv")) == files
    answer = attendance("purge", inside, "--yes")
    assert re.search("^Deleted", answer.output, re.MULTILINE)
    left = sorted(inside.glob("lists/*/*/*/*.csv"))
    assert left
    assert {path.relative_to(inside).parts[1] for path in left} == {"irwell-bank"}
