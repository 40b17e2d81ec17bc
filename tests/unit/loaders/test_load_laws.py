"""What holds for every input: each row is loaded or set aside, and what is set aside is kept word for word."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import Return, make_upn

from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.store import Store
from attendance_toolkit.store.quarantine import ADDED_COLUMNS
from attendance_toolkit.vocabulary.columns import PUPIL_TERM_KEY

PUPILS, LEAVERS = 6, 2
CELLS = {
    "pupilonroll": {
        "upn": ["", "1.2E+10", make_upn(0), make_upn(3).lower(), make_upn(1)[:-1], "A" + make_upn(2)[1:]],
        "pupilonrolltableid": ["p0", "", "p6"],
        "termlysessionspossible": ["-1", "x", "", "3", "999", "120.0", "0"],
        "dob": ["", "1/2/2015", "soon", "42000"],
        "senprovision": ["Q", ""],
        "NativeId": ["9991234", "", "9812002"],
        "entrydate": ["", "5/9/2023"],
    },
    "pupilnolongeronroll": {
        "upn": ["", make_upn(0), make_upn(7)],
        "pupilnolongeronrolltableid": ["p6"],
        "termlysessionspossible": ["", "4", "-3"],
        "leavingdate": ["", "soon"],
    },
    "termlysessiondetailsonroll": {
        "sessions": ["-4", "", "a", "2.5", "7", "500"],
        "attendancereason": ["", "ZZ", "C2", "h", " i "],
        "pupilonrolltableid": ["ghost", "", "p0"],
    },
    "fsmperiod": {"pupilonrolltableid": ["p3", "ghost"], "fsmstartdate": ["", "soon"]},
}
SLIPS = st.lists(
    st.sampled_from([(t, c, v) for t, columns in CELLS.items() for c, values in columns.items() for v in values])
    .flatmap(lambda slip: st.tuples(st.just(slip), st.integers(0, 11)))
    | st.tuples(st.sampled_from([(t, "again", "") for t in ("pupilonroll", "termlysessiondetailsonroll")]),
                st.integers(0, 11)),
    max_size=8,
)  # fmt: skip


def spoil(made: Return, slips: list[tuple[tuple[str, str, str], int]]) -> None:
    for (table, column, value), number in slips:
        rows = made.tables[table]
        row = rows[number % len(rows)]
        if column == "again":
            rows.append(dict(row))
        else:
            row[column] = value


def rows_of(path: Path) -> Counter[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return Counter(map(tuple, list(csv.reader(handle))[1:]))


@settings(max_examples=40, deadline=None)
@given(slips=SLIPS)
def test_every_row_is_loaded_or_kept_in_quarantine(slips: list[tuple[tuple[str, str, str], int]]) -> None:
    made = Return("spring", pupils=PUPILS, leavers=LEAVERS)
    spoil(made, slips)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        made.write(place / "in")
        result = load_files(place / "in", place / "store", key_file=place / "key")
        assert result.rows_in == len(made.tables["pupilonroll"]) + len(made.tables["pupilnolongeronroll"])
        assert result.rows_in == result.rows_loaded + result.rows_quarantined
        store = Store.open(place / "store")
        kept = {p.name: rows_of(p) for p in (store.path / "quarantine").glob("*/*.csv")}
        for entry in store.manifest["loads"]:
            assert entry["rows_in"] == entry["rows_loaded"] + entry["rows_quarantined"]
            assert entry["rows_in"] == len(made.tables[entry["table"]])
            aside = kept.get(entry["file"], Counter())
            assert aside.total() == entry["rows_quarantined"]
            # Word for word, and each at most as often as it was in the file.
            texts = Counter(row[: -len(ADDED_COLUMNS)] for row in aside.elements())
            assert texts <= rows_of(place / "in" / entry["file"])
        assert sum(rows.total() for rows in kept.values()) == store.manifest["quarantine"]["rows"]
        if not store.manifest["partitions"]:
            return
        rows = store.pupil_terms().df()
        assert not rows.duplicated(list(PUPIL_TERM_KEY)).any()
        assert (rows.sessions_authorised + rows.sessions_unauthorised <= rows.sessions_possible).all()


def test_sessions_loaded_are_those_of_the_rows_that_were_not_set_aside() -> None:
    made = Return("spring", pupils=PUPILS, leavers=LEAVERS)
    spoil(made, [(("pupilonroll", "upn", ""), 0), (("termlysessiondetailsonroll", "attendancereason", "ZZ"), 5)])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        made.write(place / "in")
        load_files(place / "in", place / "store", key_file=place / "key")
        store = Store.open(place / "store")
        rows = store.pupil_terms().df()
        (path,) = (store.path / "quarantine").glob("*/*_termlysessiondetailsonroll.csv")
        with path.open(encoding="utf-8", newline="") as handle:
            aside = sum(int(row["sessions"]) for row in csv.DictReader(handle))
    given_in = sum(int(r["sessions"]) for t, rs in made.tables.items() if t.startswith("termlysession") for r in rs)
    assert rows.sessions_authorised.sum() + rows.sessions_unauthorised.sum() == given_in - aside
