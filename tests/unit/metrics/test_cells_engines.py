"""Every count on every engine against a loop-and-dict version that shares no code with the toolkit's."""

from __future__ import annotations

from collections import defaultdict

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import UnknownColumnError
from attendance_toolkit.metrics.cells import DFE_RULES, EVERYBODY, InclusionRules, absence_cells, add_cells, pupil_count
from attendance_toolkit.vocabulary.columns import (
    BAND_COLUMNS,
    CELL_COUNTS,
    CONTRIBUTOR_COUNTS,
    PUPIL_TERM,
    REASON_COLUMNS,
)

_DEFAULTS = {
    "upn": 1,
    "la_code": "E08900001",
    "laestab": 9812001,
    "urn": 900001,
    "academic_year": 202324,
    "term": "autumn",
    "half_term": "1-2",
    "phase": "Primary",
    "nc_year": "4",
    "age": 8,
    "sex": "Female",
    "fsm_eligible": "Unknown",
    "fsm6": "Unknown",
    "sen_provision": "No SEN",
    "ethnicity_major": "White",
    "ethnicity_minor": "White British",
    "first_language": "English",
    "looked_after": "No",
    "social_worker": "No",
    "enrol_status": "Single",
    "is_boarder": False,
    "on_roll": True,
    "sessions_possible": 100,
    "sessions_authorised": 0,
    "sessions_unauthorised": 0,
    "sessions_covid": 0,
    **dict.fromkeys(REASON_COLUMNS, 0),
}


def pupil_terms(*rows: dict) -> pd.DataFrame:
    frame = pd.DataFrame([{**_DEFAULTS, **row} for row in rows])[list(PUPIL_TERM)]
    return frame.astype({"age": "int16", **{name: "int32" for name in PUPIL_TERM if name.startswith("sessions_")}})


def by_loop(
    frame: pd.DataFrame, by: list[str], rules: InclusionRules, *, contributors: bool = False
) -> dict[tuple, dict[str, int]]:
    """The definitions of DfE's methodology written out in plain loops."""
    period = ["academic_year", *[name for name in ("term", "half_term") if name in by]]
    enrolments: dict[tuple, dict] = {}
    year_before_6: dict[tuple, int] = defaultdict(int)
    for row in frame.to_dict("records"):
        possible = row["sessions_possible"] - (0 if rules.covid_x_possible else row["sessions_covid"])
        absent = row["sessions_authorised"] + row["sessions_unauthorised"]
        if rules.min_age is not None and not row["age"] >= rules.min_age:
            continue
        if rules.max_age is not None and not row["age"] <= rules.max_age:
            continue
        if rules.exclude_boarders and row["is_boarder"]:
            continue
        if rules.exclude_impossible and (possible <= 0 or absent > possible):
            continue
        if rules.exclude_half_term_6_at_15 and row["age"] >= 15 and row["half_term"] == "6":
            continue
        key = (row["upn"], row["laestab"], *[row[name] for name in period])
        found = enrolments.setdefault(
            key, {"row": row, "possible": 0, "auth": 0, "unauth": 0, "covid": 0, **dict.fromkeys(REASON_COLUMNS, 0)}
        )
        found["possible"] += possible
        found["auth"] += row["sessions_authorised"]
        found["unauth"] += row["sessions_unauthorised"]
        found["covid"] += row["sessions_covid"]
        for name in REASON_COLUMNS:
            found[name] += row[name]
        if row["half_term"] != "6":
            year_before_6[row["upn"], row["laestab"], row["academic_year"]] += possible
    if rules.exclude_half_term_6_joiners:
        enrolments = {key: e for key, e in enrolments.items() if year_before_6[key[0], key[1], key[2]] > 0}
    size: dict[tuple, int] = defaultdict(int)
    for key in enrolments:
        size[key[1:]] += 1
    cells: dict[tuple, dict[str, int]] = {}
    for key, e in enrolments.items():
        if size[key[1:]] < rules.min_school_enrolments:
            continue
        possible, auth, unauth = e["possible"], e["auth"], e["unauth"]
        absent = auth + unauth
        cell = cells.setdefault(tuple(e["row"][name] for name in by), dict.fromkeys(CELL_COUNTS, 0))
        cell["enrolments"] += 1
        for name, value in (("possible", possible), ("authorised", auth), ("unauthorised", unauth)):
            cell[f"sessions_{name}"] += value
            cell[f"sessions_{name}_persistent"] += value if absent * 10 >= possible else 0
            cell[f"sessions_{name}_severe"] += value if absent * 2 >= possible else 0
        cell["sessions_covid"] += e["covid"]
        cell["persistent_absentees"] += absent * 10 >= possible
        cell["severe_absentees"] += absent * 2 >= possible
        cell["no_absence_enrolments"] += absent == 0
        percent = 100 * absent
        for index, column in enumerate(BAND_COLUMNS):
            above = percent >= 5 * index * possible
            below = index == 10 or percent < 5 * (index + 1) * possible
            cell[column] += above and below
        for name in REASON_COLUMNS:
            cell[name] += e[name]
        if contributors:
            for name in CONTRIBUTOR_COUNTS:
                kind, _, what = name.partition("_")
                sessions = {"authorised": auth, "unauthorised": unauth}.get(what, e.get(f"sessions_{what}"))
                cell[name] = cell.get(name, 0) + (sessions > 0 if kind == "enrolments" else sessions**2)
        cell["square_possible"] += possible**2
        cell["square_absent"] += absent**2
        cell["square_authorised"] += auth**2
        cell["square_unauthorised"] += unauth**2
        cell["cross_absent"] += absent * possible
        cell["cross_authorised"] += auth * possible
        cell["cross_unauthorised"] += unauth * possible
    return cells


def as_dict(cells: pd.DataFrame, by: list[str]) -> dict[tuple, dict[str, int]]:
    return {tuple(r[name] for name in by): {c: int(r[c]) for c in CELL_COUNTS} for r in cells.to_dict("records")}


def random_terms(seed: int, pupils: int = 60) -> pd.DataFrame:
    """Pupils of every awkward kind: movers, boarders, four-year-olds, impossible rows, late joiners, exact thresholds."""
    rng = np.random.default_rng(seed)
    rows = []
    for upn in range(pupils):
        age = int(rng.integers(4, 17))
        held = {
            "upn": int(rng.integers(0, pupils // 2)) if rng.random() < 0.1 else upn,
            "age": age,
            "sex": str(rng.choice(["Female", "Male", "Unknown"])),
            "phase": str(rng.choice(["Primary", "Secondary"])),
            "is_boarder": bool(rng.random() < 0.05),
        }
        for laestab in rng.choice([9812001, 9812002, 9814001], size=int(rng.integers(1, 3)), replace=False):
            # A pupil's characteristics are held through the year, so a repeated pupil keeps the first ones.
            known = next((r for r in rows if r["upn"] == held["upn"]), None)
            same = {k: known[k] for k in ("age", "sex", "is_boarder")} if known else {}
            school = next((r for r in rows if r["upn"] == held["upn"] and r["laestab"] == int(laestab)), None)
            phase = {"phase": school["phase"]} if school else {}
            for term, half_term in (("autumn", "1-2"), ("spring", "3-4"), ("summer", "5"), ("summer", "6")):
                if rng.random() < 0.25:
                    continue
                possible = int(rng.choice([0, 10, 20, 100, 140]))
                absent = int(rng.choice([0, possible // 10, possible // 2, rng.integers(0, possible + 2)]))
                authorised = int(rng.integers(0, absent + 1))
                rows.append(
                    {
                        **held,
                        **same,
                        **phase,
                        "laestab": int(laestab),
                        "term": term,
                        "half_term": half_term,
                        "sessions_possible": possible,
                        "sessions_authorised": authorised,
                        "sessions_unauthorised": absent - authorised,
                        "sessions_covid": int(rng.integers(0, 3)),
                        "sessions_auth_illness": authorised,
                        "sessions_unauth_other": (absent - authorised) // 2,
                    }
                )
    return pupil_terms(*rows)


GROUPINGS = [[], ["sex"], ["phase", "sex"], ["term"], ["sex", "term"], ["half_term"], ["laestab", "academic_year"]]
ENGINES = {
    "pandas through DuckDB": (lambda frame: frame, True),
    "pandas": (lambda frame: frame, False),
    "pandas categoricals": (
        lambda frame: frame.astype({"sex": "category", "phase": "category", "term": "category"}),
        False,
    ),
    "polars": (pl.from_pandas, False),
    "polars lazy": (lambda frame: pl.from_pandas(frame).lazy(), False),
    "DuckDB relation": (lambda frame: duckdb.connect().from_df(frame), False),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("by", GROUPINGS, ids=lambda by: "+".join(by) or "everybody")
@pytest.mark.parametrize(
    "rules", [DFE_RULES, EVERYBODY, InclusionRules(covid_x_possible=False)], ids=["DfE", "everybody", "no covid X"]
)
def test_engine_agrees_with_loops(engine, by, rules):
    frame = random_terms(7)
    if rules == EVERYBODY:
        # Nothing is screened out by these rules, so rows without possible sessions stay out of the input here.
        frame = frame[frame["sessions_possible"] > 0].reset_index(drop=True)
    make, on_duckdb = ENGINES[engine]
    cells = absence_cells(make(frame), by, rules=rules, on_duckdb=on_duckdb)
    assert as_dict(cells, by) == by_loop(frame, by, rules)


@pytest.mark.parametrize("engine", ENGINES)
def test_contributors_are_counted_where_asked_for(engine):
    frame = random_terms(3)
    make, on_duckdb = ENGINES[engine]
    names = (*CELL_COUNTS, *CONTRIBUTOR_COUNTS)
    cells = absence_cells(make(frame), ["sex"], counts=names, on_duckdb=on_duckdb)
    expected = by_loop(frame, ["sex"], DFE_RULES, contributors=True)
    found = {(row["sex"],): {name: int(row[name]) for name in names} for row in cells.to_dict("records")}
    assert found == expected
    assert add_cells(cells, [])["enrolments_authorised"].item() == sum(
        c["enrolments_authorised"] for c in expected.values()
    )
    assert not set(CONTRIBUTOR_COUNTS) & set(absence_cells(frame, ["sex"]).columns)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), by=st.sampled_from(GROUPINGS))
def test_duckdb_agrees_with_loops_on_random_tables(seed, by):
    frame = random_terms(seed, pupils=25)
    cells = absence_cells(frame, by)
    expected = by_loop(frame, by, DFE_RULES)
    if by:
        assert as_dict(cells, by) == expected
    else:
        assert as_dict(cells, by).get((), {}) == (expected or {(): dict.fromkeys(CELL_COUNTS, 0)})[()]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_laws(seed):
    frame = random_terms(seed, pupils=25)
    cells = absence_cells(frame, ["sex", "phase"])
    assert (cells["severe_absentees"] <= cells["persistent_absentees"]).all()
    assert (cells[list(BAND_COLUMNS)].sum(axis=1) == cells["enrolments"]).all()
    assert (cells["band_50_plus"] == cells["severe_absentees"]).all()
    assert (cells[list(BAND_COLUMNS[2:])].sum(axis=1) == cells["persistent_absentees"]).all()
    # Groups sum to the total, and row order changes nothing.
    total = absence_cells(frame.sample(frac=1, random_state=1))
    if len(cells):
        assert add_cells(cells, []).iloc[0].to_dict() == total.iloc[0].to_dict()


@pytest.mark.parametrize("k", [1, 3, 7, 19, 37])
def test_exactly_ten_percent_is_persistent_and_exactly_half_is_severe(k):
    rows = [{"upn": upn, "sessions_possible": 10 * k, "sessions_authorised": k} for upn in range(6)]
    rows += [{"upn": 10 + upn, "sessions_possible": 10 * k, "sessions_unauthorised": 5 * k} for upn in range(3)]
    cells = absence_cells(pupil_terms(*rows)).iloc[0]
    assert (cells["persistent_absentees"], cells["severe_absentees"]) == (9, 3)


def test_school_with_fewer_than_six_enrolments_is_left_out():
    rows = [{"upn": n} for n in range(6)] + [{"upn": 100 + n, "laestab": 9812002} for n in range(5)]
    assert absence_cells(pupil_terms(*rows)).iloc[0]["enrolments"] == 6


def test_pupils_and_enrolments_are_kept_apart():
    rows = [{"upn": n} for n in range(6)] + [{"upn": n, "laestab": 9812002} for n in range(6)]
    frame = pupil_terms(*rows)
    assert absence_cells(frame).iloc[0]["enrolments"] == 12
    assert pupil_count(frame).iloc[0]["pupils"] == 6


def test_unknown_column_is_named_with_the_nearest():
    with pytest.raises(UnknownColumnError, match=r"no column 'sen_provison'.*Did you mean 'sen_provision'\?"):
        absence_cells(pupil_terms({}), ["sen_provison"])
