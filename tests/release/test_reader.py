"""A partner reads everything of a release together, on all its pages: nothing hidden can be worked out from it."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.vocabulary.areas import find_area
from tests.release.conftest import AUTHORITIES, COMBINED
from tests.release.world import KEY, Reader, counts_of, exact_of, is_small, naive, once, tables_of

YEAR = 202324
#: Counts attacked: enough to meet every kind of group, few enough for a test.
TRIED = 60


@pytest.fixture(scope="module")
def members():
    return {find_area(COMBINED).code: tuple(find_area(name).code for name in AUTHORITIES)}


@pytest.fixture(scope="module")
def partner(made):
    return tables_of(made.seen, "partner")


@pytest.fixture(scope="module")
def staff(made):
    return tables_of(made.seen, "internal")


@pytest.fixture(scope="module")
def exact(staff):
    said = counts_of(staff)
    assert (said["symbol"] != "c").all()
    return exact_of(said[said["year"] == YEAR])


@pytest.fixture(scope="module")
def targets(partner, exact):
    """Small hidden counts, spread evenly over the release."""
    said = counts_of(partner)
    hidden = {
        tuple(row) for row in said.loc[(said["symbol"] == "c") & (said["year"] == YEAR), KEY].itertuples(index=False)
    }
    small = sorted(cell for cell in hidden if cell in exact and is_small(cell, exact))
    assert len(small) > 3 * TRIED
    return small[:: len(small) // TRIED][:TRIED]


def attacked(said, exact, members, targets, slack):
    return Reader(exact, slack, members).reads(said[said["year"] == YEAR]).reaches(targets)


def narrower(found, width):
    return [cell for cell, (low, high) in found.items() if high - low < width - 1e-6]


def test_a_reader_of_all_pages_works_nothing_out(partner, staff, exact, members, targets):
    """No hidden count is solved, none is known to within 5; two simpler ways leak the same counts."""
    found = attacked(counts_of(partner), exact, members, targets, 2.5)
    assert all(low - 1e-6 <= exact[cell] <= high + 1e-6 for cell, (low, high) in found.items())
    plain = counts_of(staff)
    plain = plain[plain["year"] == YEAR]
    sums = Reader(exact, 0.0, members).sums()
    leaks = {}
    for name, close in (("threshold only", lambda hidden: hidden), ("one pass", once(sums, exact))):
        reached = attacked(naive(plain, exact, close), exact, members, targets, 0.0)
        leaks[name] = (len(narrower(reached, 1)), len(narrower(reached, 5)))
    beside = ", ".join(f"{name}: {solved} solved, {near} within 5" for name, (solved, near) in leaks.items())
    assert narrower(found, 5) == [], f"of {len(targets)} hidden counts; {beside}"
    assert leaks["threshold only"][0] > len(targets) // 6, beside
    assert leaks["one pass"][1] > 0, beside


def test_the_attack_finds_what_is_not_protected(partner, exact, members, targets):
    """With one more figure shown in a line, its last hidden one is solved: the attack of these tests sees."""
    said = counts_of(partner)
    one = targets[0]
    others = [tuple(row) for row in said.loc[said["symbol"] == "c", KEY].itertuples(index=False)]
    extra = [cell for cell in set(others) if cell != one and cell in exact]
    told = pd.DataFrame([(*cell, exact[cell], "") for cell in extra], columns=[*KEY, "value", "symbol"])
    rows = said[said["symbol"] != "c"].copy()
    rows = rows[[*KEY, "value", "symbol"]]
    rows["value"] = [exact.get(tuple(row), np.nan) for row in rows[KEY].itertuples(index=False)]
    both = pd.concat([rows.dropna(subset="value"), told], ignore_index=True)
    low, high = attacked(both, exact, members, [one], 0.0)[one]
    assert high - low < 1


def test_small_counts_are_hidden_in_every_table(partner, staff):
    """Row by row: what rests on 1 to 9 pupils for staff has the symbol c for partners."""
    checked = 0
    for key, rows in partner.items():
        if key[2].startswith("published"):
            continue
        mine = staff[key].set_index("cell")
        pupils = rows["measure"].isin(["enrolments", "persistent_absence_rate", "severe_absence_rate", "band_rate"])
        values = mine["numerator"].reindex(rows["cell"]).to_numpy()
        few = pupils & (values > 0) & (values < 10)
        if key[2] in ("finding_rows", "rows_read_table"):
            continue  # rows of files, not pupils
        checked += int(few.sum())
        assert (rows.loc[few, "symbol"] == "c").all(), key
    assert checked > 200


def test_shown_figures_are_rounded_and_hidden_ones_have_no_number(partner):
    for key, rows in partner.items():
        if key[2].startswith("published"):
            continue
        numbers = rows[["numerator", "denominator"]].to_numpy(dtype=float)
        assert (np.nan_to_num(numbers) % 5 == 0).all(), key
        gone = rows.loc[rows["symbol"] != "", ["numerator", "denominator", "rate", "lower", "upper"]]
        assert gone.isna().all(axis=None), key


# --- one cell, one status ------------------------------------------------------------------------------------------


def test_a_figure_has_one_status_in_all_tables(partner):
    """The same figure in the tables of two reports or two areas: both show it, with one value, or neither does."""
    every = pd.concat([rows.assign(page="/".join(key)) for key, rows in partner.items()], ignore_index=True)
    shared = every.groupby("cell").filter(lambda rows: rows["page"].nunique() > 1)
    assert shared["cell"].nunique() > 100
    assert (shared["symbol"] == "c").any()
    for name in ("symbol", "numerator", "rate"):
        assert (shared.groupby("cell")[name].nunique(dropna=False) == 1).all(), name


def cells_on(page):
    """Return (id, text) of every cell of a page's tables that shows a cleared row."""
    return re.findall(r'<td[^>]*data-cell="([^"]+)"[^>]*>([^<]*)', page.read_text(encoding="utf-8"))


def test_what_one_page_hides_no_page_shows(made, partner):
    """From the pages as they are: the id of a figure hidden anywhere has nothing but symbols everywhere."""
    shown = defaultdict(set)
    for page in sorted(made.out.glob("*/*/*/index.html")):
        for cell, text in cells_on(page):
            shown[cell].add(text.strip())
    symbols = {row.cell: row.symbol for rows in partner.values() for row in rows[["cell", "symbol"]].itertuples()}
    assert len(shown) > 300
    assert set(shown) <= set(symbols), "every id on a page is a row of the release"
    hidden = {cell for cell in shown if symbols[cell] == "c"}
    assert len(hidden) > 50
    for cell, texts in shown.items():
        assert (texts == {"c"}) == (cell in hidden), cell


def test_results_and_downloads_hide_the_same(made):
    """result.json has no number of a hidden row, and the two reports on an area say the same of one figure."""
    said = defaultdict(set)
    for path in sorted(made.out.glob("*/*/*/result.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            if row["symbol"]:
                assert row["numerator"] is row["denominator"] is row["rate"] is None
            groups = tuple(sorted((name, str(value)) for name, value in (row.get("groups") or {}).items()))
            key = (row["measure"], row.get("area_code"), row.get("academic_year"), row.get("series"), groups)
            said[key].add((row["symbol"], row["numerator"], row["denominator"]))
    assert len(said) > 100
    assert {symbol for values in said.values() for symbol, *_ in values} >= {"", "c"}
    assert [key for key, values in said.items() if len(values) > 1] == []


def test_downloads_are_cut_as_the_tables_are(made, exact):
    """Enrolments by pupil group, read with the csv module: rounded where shown, and c where few."""
    names = {find_area(name).code: name.casefold().replace(" ", "-") for name in (*AUTHORITIES, COMBINED)}
    few = 0
    for code, slug in names.items():
        path = made.out / slug / "2023-24" / "overview" / "tables" / "by-pupil-group.csv"
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
        whole = {(row["Section"], row["Pupils"]): row["Enrolments"] for row in rows}
        for phase in ("Primary", "Secondary", "Special"):
            assert float(whole[(phase, "All pupils")]) == 5 * np.floor(
                exact[(code, YEAR, phase, "All", "All", "All", "pupils")] / 5 + 0.5
            )
        for row in rows:
            if row["Enrolments"] == "c":
                few += 1
            else:
                assert float(row["Enrolments"]) % 5 == 0
                assert float(row["Enrolments"]) >= 10
    assert few > 0
