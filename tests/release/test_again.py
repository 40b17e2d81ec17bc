"""The same release again, and a later one of changed data: what was hidden stays hidden, and no difference tells."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.loaders.load import load_files
from tests.release.conftest import attendance, kept
from tests.release.world import tables_of

POLICY = 'profile = "dfe"\napprover = "A. Officer"\napproved_on = 2026-01-31\n'


def report(made, *more):
    return attendance(
        "report", "overview", "--area", "Irwell Bank", "--year", "2023/24", "--store", made.store, "--out", made.out,
        "--key", made.key, "--policy", made.folder / "policy.toml", *more,
    )  # fmt: skip


def sums(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def first(planted, tmp_path_factory):
    """A release of one authority with exact counts, as an approved policy allows: the harder case."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    for name in ("store", "files"):
        shutil.copytree(planted.folder / name, folder / name)
    shutil.copy(planted.key, folder / "key")
    made = replace(planted, folder=folder)
    with kept(folder / "seen"):
        answer = report(made)
    assert answer.exit_code == 0, answer.output
    return replace(made, answer=answer)


@pytest.fixture(scope="module")
def again(first):
    """The same command on another day: the sums of all files before and after."""

    class Later(date):
        @classmethod
        def today(cls):
            return cls(2031, 5, 17)

    before = sums(first.out), sums(first.restricted / "releases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attendance_toolkit.reporting.run.date", Later)
        answer = report(first)
    assert answer.exit_code == 0, answer.output
    return before, (sums(first.out), sums(first.restricted / "releases"))


@pytest.fixture(scope="module")
def later(first, again):
    """A later load: some pupils of one school are of another sex and need other support. Then the same report."""
    changed = first.folder / "changed"
    shutil.copytree(first.files, changed)
    number = 0
    for path in sorted(changed.glob("989_2024_*pupilonroll.csv")):
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        schools = Counter(row["nativeid"] for row in rows if row["nativeid"][3] == "2")
        for row in rows:
            if row["nativeid"] == min(schools) and row["upn"][-1] in "07":
                row["senprovision"] = {"N": "K", "K": "E", "E": "N"}[row["senprovision"]]
                row["sex"] = {"M": "F", "F": "M"}[row["sex"]]
                number += 1
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    assert number > 5
    shutil.rmtree(first.store)
    loaded = load_files([changed], first.store, key_file=first.key, is_synthetic=True)
    assert loaded.report.exit_code == 0, loaded.report.to_text()
    with kept(first.folder / "seen later"):
        answer = report(first)
    assert answer.exit_code == 0, answer.output
    return replace(first, answer=answer)


def rows_of(folder, audience="partner"):
    tables = tables_of(folder, audience)
    rows = pd.concat([rows for key, rows in tables.items() if not key[2].startswith("published")], ignore_index=True)
    return rows.drop_duplicates("cell").set_index("cell")


def test_the_same_release_has_the_same_bytes(again):
    """Whatever day it is made again on: another choice of what to hide would show what the first hid."""
    before, after = again
    assert after[0] == before[0]
    assert set(after[1]) == set(before[1]), "one release, not two"
    cells = [name for name in before[1] if name.endswith("cells.parquet")]
    assert len(cells) == 1
    assert after[1][cells[0]] == before[1][cells[0]]


def test_what_was_hidden_stays_hidden(later):
    one, two = rows_of(later.folder / "seen"), rows_of(later.folder / "seen later")
    both = one.index.intersection(two.index)
    assert len(both) > 1000
    hidden = one.loc[both, "symbol"] == "c"
    assert hidden.sum() > 300
    assert (two.loc[both[hidden], "symbol"] != "").all()


def test_no_difference_of_shown_counts_is_a_handful(later):
    """Exact counts of two releases, subtracted: 0 or at least 10, so that no few pupils are the difference."""
    one, two = rows_of(later.folder / "seen"), rows_of(later.folder / "seen later")
    both = one.index.intersection(two.index)
    pupils = one.loc[both, "measure"].isin(
        ["enrolments", "persistent_absence_rate", "severe_absence_rate", "band_rate", "no_absence_rate"]
    )
    chosen = both[pupils & (one.loc[both, "symbol"] == "") & (two.loc[both, "symbol"] == "")]
    assert len(chosen) > 100
    apart = (two.loc[chosen, "numerator"] - one.loc[chosen, "numerator"]).abs().to_numpy()
    assert not ((apart > 0) & (apart < 10)).any()
    sizes = (two.loc[chosen, "denominator"] - one.loc[chosen, "denominator"]).abs().to_numpy()
    assert not ((sizes > 0) & (sizes < 10)).any()


def test_the_data_did_change_by_a_handful(later):
    """Without the history the differences would be there: from the exact cells of both releases."""
    frames = [pd.read_parquet(path) for path in sorted(later.restricted.glob("releases/*/cells.parquet"))]
    assert len(frames) == 2
    one, two = (frame.set_index(["group", "count"])["value"] for frame in frames)
    apart = np.abs((one - two).dropna().to_numpy())
    assert ((apart > 0) & (apart < 10)).sum() > 10


def test_an_earlier_release_that_cannot_be_read_stops_the_run(later):
    """Nobody can tell what readers have: one sentence, and the pages stay as they are."""
    (path, *_) = sorted(later.restricted.glob("releases/*/cells.parquet"))
    whole = path.read_bytes()
    before = sums(later.out)
    path.write_bytes(whole[:100])
    try:
        answer = report(later)
    finally:
        path.write_bytes(whole)
    assert answer.exit_code == 8, answer.output
    assert "cannot be read" in answer.output
    assert "Bring its folder back from a backup" in answer.output
    assert "Traceback" not in answer.output
    assert sums(later.out) == before
