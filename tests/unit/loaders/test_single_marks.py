"""Single marks kept in the store: the same marks as in the files, and the same sums as the store has for registers.

Outside our code: the files read with the csv module, sums made with pandas from the store's marks and the classes of the
register codes, and rows that each test plants itself.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.errors import StoreError
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import generate, write_register_files
from attendance_toolkit.store import Store
from attendance_toolkit.store import marks as store_marks
from attendance_toolkit.store.keys import pseudonyms
from attendance_toolkit.store.parts import MARK_COLUMNS
from attendance_toolkit.store.store import mark_file
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import read_mark
from tests.unit.loaders.marks_helpers import OTHER_SCHOOL, SCHOOL, UPNS, rows_of, weekdays, write_rows

SUMS = ("sessions_possible", "sessions_authorised", "sessions_unauthorised", "sessions_covid", *REASON_COLUMNS)
LA, YEAR = "E08900009", 202425
AUTUMN, LATER = date(2024, 9, 9), date(2024, 11, 11)


def load(folder: Path, *files: Path):
    return load_files(files, folder / "store", key_file=folder / "pseudonym.key")


def marks_of(folder: Path) -> pd.DataFrame:
    store = Store.open(folder / "store")
    found = store.marks().df()
    store.close()
    return found


def sums_of_store(folder: Path) -> dict[tuple, tuple[int, ...]]:
    store = Store.open(folder / "store")
    keys = ("upn", "laestab", "academic_year", "half_term")
    rows = store.pupil_terms(columns=[*keys, *SUMS], collection="register").fetchall()
    store.close()
    assert len({row[:4] for row in rows}) == len(rows)
    return {row[:4]: tuple(map(int, row[4:])) for row in rows}


def sums_of_marks(marks: pd.DataFrame) -> dict[tuple, tuple[int, ...]]:
    """Return what the marks add up to, by pandas."""
    marks = marks.assign(day=marks["day"].astype("datetime64[s]").dt.date)
    kinds = marks[["code", "day"]].drop_duplicates()
    kinds["outcome"] = [read_mark(code, day).outcome for code, day in zip(kinds["code"], kinds["day"], strict=True)]
    assert not set(kinds["outcome"]) & {"blank", None}
    wide = pd.get_dummies(marks.merge(kinds, on=["code", "day"]), columns=["outcome"], prefix="", prefix_sep="")
    for name in ("attended", "covid", "none", *(c.removeprefix("sessions_") for c in REASON_COLUMNS)):
        wide["sessions_" + name] = wide.get(name, 0)
    reasons = {k: [c for c in REASON_COLUMNS if c.startswith(f"sessions_{k}_")] for k in ("auth", "unauth")}
    wide["sessions_authorised"] = wide[reasons["auth"]].sum(axis=1)
    wide["sessions_unauthorised"] = wide[reasons["unauth"]].sum(axis=1)
    parts = ["sessions_attended", "sessions_covid", "sessions_authorised", "sessions_unauthorised"]
    wide["sessions_possible"] = wide[parts].sum(axis=1)
    keys = ["upn", "laestab", "academic_year", "half_term"]
    added = wide.groupby(keys)[list(SUMS)].sum()
    return {key: tuple(map(int, row)) for key, row in zip(added.index, added.to_numpy(), strict=True)}


def marks_by_session(folder: Path) -> dict[tuple, str]:
    """Return (pseudonym, school, day, session) -> code."""
    found = marks_of(folder)
    keys = zip(found["upn"], found["laestab"], found["day"].astype(str).str[:10], found["session"], strict=True)
    by = dict(zip(keys, found["code"], strict=True))
    assert len(by) == len(found)
    return by


def expected_from(folder: Path, rows: list[list[str]]) -> dict[tuple, str]:
    """Return the same from rows as a file has them: alike once, differing not at all, blank and unknown codes not."""
    upns = sorted({row[0] for row in rows})
    key = bytes.fromhex((folder / "pseudonym.key").read_text().strip())
    number = dict(zip(upns, pseudonyms(upns, key), strict=True))
    seen: dict[tuple, list[str]] = defaultdict(list)
    for upn, school, day, session, code in rows:
        is_weekend = date.fromisoformat(day).weekday() > 4
        if code in ("", "-", "?!") or (is_weekend and code != "#"):
            continue
        seen[number[upn], int(school), day, session].append(code)
    return {place: min(codes) for place, codes in seen.items() if len({c.replace("\\", "/") for c in codes}) == 1}


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the register of a synthetic authority, loaded."""
    folder = tmp_path_factory.mktemp("register")
    cohort = generate("small", areas=["Irwell Bank"], first_year=202324)
    (path,) = write_register_files(cohort, folder)
    load(folder, path)
    return folder


def test_marks_are_those_of_the_file(register: Path) -> None:
    # The file read with the csv module.
    (path,) = register.glob("*.csv")
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [
            [r["UPN"], r["DfE Number"], "-".join(reversed(r["Date"].split("/"))), r["Session"], r["Mark"]]
            for r in csv.DictReader(handle)
        ]
    assert len(rows) > 100_000
    assert marks_by_session(register) == expected_from(register, rows)


def test_marks_add_up_to_the_sums_of_the_store(register: Path) -> None:
    marks = marks_of(register)
    assert {"attended", "none", "auth_illness"} <= {read_mark(c, date(2024, 1, 8)).outcome for c in set(marks["code"])}
    found = sums_of_store(register)
    assert len(found) > 1500
    assert sums_of_marks(marks) == found


def test_how_marks_lie_in_the_store(register: Path) -> None:
    store = Store.open(register / "store")
    assert store.marked() == [(LA, 202324)]
    assert store.marks(academic_years=[202223]).fetchall() == store.marks(la_codes=["E08900001"]).fetchall() == []
    file = store.path / mark_file(LA, 202324)
    described = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{file}', hive_partitioning = false)").fetchall()
    assert [(row[0], row[1]) for row in described] == list(MARK_COLUMNS.items())
    places = store.marks().select("laestab, upn, day, session").fetchall()
    assert places == sorted(places)
    store.close()


def test_marks_hold_pseudonyms_only(register: Path) -> None:
    # The UPNs, dates of birth and the key of the file itself.
    (path,) = register.glob("*.csv")
    with path.open(encoding="utf-8", newline="") as handle:
        upns = {row["UPN"] for row in csv.DictReader(handle)}
    file = register / "store" / mark_file(LA, 202324)
    data = file.read_bytes()
    assert not [upn for upn in upns if upn.encode() in data]
    texts = duckdb.sql(
        f"SELECT DISTINCT unnest([la_code, half_term, session, code]) FROM read_parquet('{file}')"
    ).fetchall()
    assert {len(text) for (text,) in texts} <= {1, 2, 9}
    assert not upns & {text for (text,) in texts}


# -- planted rows --


def planted() -> list[list[str]]:
    """Return rows of three pupils, two schools and two half terms, good ones only."""
    return [
        *rows_of(UPNS[:3], SCHOOL, AUTUMN, 10),
        *rows_of(UPNS[:3], SCHOOL, LATER, 10),
        *rows_of(UPNS[2:5], OTHER_SCHOOL, AUTUMN, 10),
    ]


def check(folder: Path, rows: list[list[str]]) -> None:
    assert marks_by_session(folder) == expected_from(folder, rows)
    assert sums_of_marks(marks_of(folder)) == {k: v for k, v in sums_of_store(folder).items() if v[0]}


def test_repeats_conflicts_and_unusable_marks(tmp_path: Path) -> None:
    rows = planted()
    rows[4][4], rows[5][4], rows[6][4] = "I", "", "?!"
    rows += [
        [*rows[0][:4], "/"],  # alike
        [*rows[1][:4], "/"],  # alike: both are signs for present
        [*rows[2][:4], "O"],  # differs: neither is used
        [rows[60][0], rows[60][1], "2024-09-14", "AM", "/"],  # a Saturday
        [rows[60][0], rows[60][1], "2024-09-15", "AM", "#"],  # a Sunday, planned closure
    ]
    result = load(tmp_path, write_rows(tmp_path / "r.csv", rows))
    assert {"mark_conflict", "mark_repeated"} <= {f.rule for f in result.report.findings}
    check(tmp_path, rows)
    # 180 sessions, less a blank, an unknown code and the one in conflict, and the Sunday.
    assert len(marks_of(tmp_path)) == 180 - 3 + 1


def test_a_half_term_of_a_school_is_replaced(tmp_path: Path) -> None:
    rows = planted()
    load(tmp_path, write_rows(tmp_path / "r.csv", rows))
    check(tmp_path, rows)
    # The school's autumn comes again: another pupil less, absence on the first day, fewer days.
    again = [[*r[:4], "I"] if r[2] == AUTUMN.isoformat() else r for r in rows_of(UPNS[:2], SCHOOL, AUTUMN, 8)]
    load(tmp_path, write_rows(tmp_path / "again.csv", again))
    kept = [r for r in rows if r[1] == OTHER_SCHOOL or r[2] >= LATER.isoformat()]
    check(tmp_path, kept + again)
    assert len(kept) == 120


def test_the_order_of_loads_does_not_matter(tmp_path: Path) -> None:
    first, second = planted()[:60], planted()[60:]
    for name, order in (("a", (first, second)), ("b", (second, first)), ("c", (first + second,))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pseudonym.key").write_text("0f" * 32 + "\n")
        for number, rows in enumerate(order):
            load(tmp_path / name, write_rows(tmp_path / name / f"{number}.csv", rows))
    a, b, c = ((tmp_path / name / "store" / mark_file(LA, YEAR)).read_bytes() for name in "abc")
    assert a == b == c


@pytest.mark.parametrize("seed", range(3))
def test_marks_and_sums_agree_whatever_is_loaded(tmp_path: Path, seed: int) -> None:
    # Random registers of both schools, loaded one over the other; what stays is worked out here by half term.
    rng = random.Random(seed)
    kept: dict[tuple[str, bool], list[list[str]]] = {}
    for number in range(4):
        rows = []
        for school in rng.sample([SCHOOL, OTHER_SCHOOL], rng.choice([1, 2])):
            for first in rng.sample([AUTUMN, LATER], rng.choice([1, 2])):
                part = rows_of(rng.sample(UPNS[:6], 3), school, first, rng.randint(3, 6))
                part = [
                    [*r[:4], rng.choice(["I", "O", "G", "D", "L", "", "?!"]) if rng.random() < 0.3 else r[4]]
                    for r in part
                ]
                part += [[*r[:4], rng.choice(["/", "I"])] for r in rng.sample(part, 4)]
                kept[school, first == LATER] = part
                rows += part
        rng.shuffle(rows)
        load(tmp_path, write_rows(tmp_path / f"{number}.csv", rows))
        check(tmp_path, [row for part in kept.values() for row in part])


def test_other_loads_leave_marks_alone(tmp_path: Path) -> None:
    rows = planted()
    load(tmp_path, write_rows(tmp_path / "r.csv", rows))
    file = tmp_path / "store" / mark_file(LA, YEAR)
    before = file.read_bytes()
    flags = [["UPN", "Academic Year", "Looked After"], [UPNS[0], "2024/25", "Yes"]]
    load(tmp_path, write_rows(tmp_path / "flags.csv", flags[1:], flags[0]))
    assert file.read_bytes() == before
    check(tmp_path, rows)


def test_a_load_that_fails_changes_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = planted()
    load(tmp_path, write_rows(tmp_path / "r.csv", rows))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_marks, "copy", fail)
    again = [[*r[:4], "I"] for r in planted()]
    with pytest.raises(StoreError, match="as it was before"):
        load(tmp_path, write_rows(tmp_path / "again.csv", again))
    check(tmp_path, rows)


def test_two_years_lie_apart(tmp_path: Path) -> None:
    rows = [*rows_of(UPNS[:2], SCHOOL, date(2024, 7, 1), 10), *rows_of(UPNS[:2], SCHOOL, AUTUMN, 10)]
    load(tmp_path, write_rows(tmp_path / "r.csv", rows))
    store = Store.open(tmp_path / "store")
    assert store.marked() == [(LA, 202324), (LA, YEAR)]
    assert store.marks(academic_years=[YEAR]).aggregate("min(day), count(*)").fetchall() == [(AUTUMN, 40)]
    store.close()
    check(tmp_path, rows)


def test_schools_with_breaks_of_their_own(tmp_path: Path) -> None:
    # One school is away in the week of 28 October 2024, the other in that of 14 October.
    usual = [*weekdays(date(2024, 9, 2), 40), *weekdays(date(2024, 11, 4), 10)]
    early = [*weekdays(date(2024, 9, 2), 30), *weekdays(date(2024, 10, 21), 5), *weekdays(date(2024, 11, 4), 10)]
    rows = [
        [upn, school, day.isoformat(), "AM", "/"]
        for upn, school, days in ((UPNS[0], SCHOOL, usual), (UPNS[1], OTHER_SCHOOL, early))
        for day in days
    ]
    load(tmp_path, write_rows(tmp_path / "r.csv", rows))
    check(tmp_path, rows)
    halves = marks_of(tmp_path).groupby(["laestab", "half_term"]).size().to_dict()
    assert halves == {
        (int(SCHOOL), "1"): 40, (int(SCHOOL), "2"): 10, (int(OTHER_SCHOOL), "1"): 30, (int(OTHER_SCHOOL), "2"): 15,
    }  # fmt: skip


def test_a_register_with_a_column_for_each_session(tmp_path: Path) -> None:
    rows = planted()[:60]
    header = sorted({(row[2], row[3]) for row in rows})
    cells = {(row[0], row[2], row[3]): row[4] for row in rows} | {(UPNS[0], *header[3]): "I", (UPNS[1], *header[4]): ""}
    wide = [[upn, SCHOOL, *(cells[upn, *place] for place in header)] for upn in UPNS[:3]]
    names = ["UPN", "DfE Number", *(f"{day} {session}" for day, session in header)]
    load(tmp_path, write_rows(tmp_path / "wide.csv", wide, names))
    check(tmp_path, [[upn, SCHOOL, *place, cells[upn, *place]] for upn in UPNS[:3] for place in header])
    assert len(marks_of(tmp_path)) == 59
