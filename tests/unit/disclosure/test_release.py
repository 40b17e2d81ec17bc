"""Clearing a release, by tables whose answer is known by hand, and by a linear programme of the test's own."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from attendance_toolkit.disclosure.clearing import _blame
from attendance_toolkit.disclosure.linear import System, sums
from attendance_toolkit.disclosure.policy import DFE, INTERNAL, SHARED
from attendance_toolkit.disclosure.release import ClearedTables, Release
from attendance_toolkit.disclosure.suppress import suppress
from attendance_toolkit.errors import DisclosureError, NoDataError
from tests.unit.disclosure.exact import AREA, YEAR, clear, hidden, reached, rows, session_rows, table

NUMBERS = ["numerator", "denominator", "rate", "lower", "upper"]


def shown(cleared, name, audience="partner"):
    return cleared.table("overview", AREA, name, audience=audience).rows


def levels(dimension, numbers, total="All", **more):
    """Groups along one dimension with their total first: level -> (n, x)."""
    n, x = (sum(pair[i] for pair in numbers.values()) for i in (0, 1))
    first = {dimension: total, "n": n, "x": x, **more}
    return [first, *({dimension: level, "n": n, "x": x, **more} for level, (n, x) in numbers.items())]


# -- which cells are small ---------------------------------------------------------------------------


def test_a_small_count_takes_a_second_one_with_it_and_nothing_else():
    numbers = {"Asian": (300, 3), "Black": (200, 40), "White": (900, 200)}
    cleared = clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))})
    assert hidden(cleared, "t") == [False, True, True, False]


def test_nobody_and_everybody_are_small():
    numbers = {"Asian": (300, 0), "Black": (300, 30), "White": (900, 890), "Mixed": (400, 200), "Unknown": (300, 150)}
    cleared = clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))})
    found = dict(zip(["All", *numbers], hidden(cleared, "t"), strict=True))
    # 30 is hidden with 0; 890 of 900 is not small (10 are not), 891 would be.
    assert found["Asian"]
    assert not found["White"]
    numbers["White"] = (900, 891)
    found = dict(zip(["All", *numbers], hidden(clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))}), "t"),
                     strict=True))  # fmt: skip
    assert found["White"]


def test_an_empty_group_is_not_applicable_and_never_hides_others():
    numbers = {"Asian": (0, 0), "Black": (200, 4), "White": (900, 200), "Mixed": (300, 60)}
    cleared = clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))})
    assert shown(cleared, "t")["symbol"].tolist() == ["", "z", "c", "", "c"]


def test_a_small_group_is_hidden_in_every_measure_of_every_table():
    numbers = {"Asian": (7, 3), "Black": (50, 20), "White": (900, 200)}
    groups = levels("ethnicity_major", numbers)
    cleared = clear(
        SHARED,
        {
            "persistent": table(rows(groups)),
            "sizes": table(rows(groups, "enrolments")),
            "absence": table(session_rows([{**g, "x": 30 * g["n"], "p": 300 * g["n"]} for g in groups])),
        },
    )
    for name in ("persistent", "sizes", "absence"):
        assert hidden(cleared, name)[1], name
    # The size of the small group must not be had from another table: the same second group is hidden in all.
    assert hidden(cleared, "sizes") == hidden(cleared, "absence")
    assert sum(hidden(cleared, "sizes")) == 2


def test_everything_exact_inside_the_authority_from_the_same_cells():
    numbers = {"Asian": (7, 3), "Black": (50, 20), "White": (901, 203)}
    cleared = clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))})
    inside, outside = shown(cleared, "t", "internal"), shown(cleared, "t")
    assert inside["numerator"].tolist() == [226, 3, 20, 203]
    assert inside["cell"].tolist() == outside["cell"].tolist()
    assert set(outside.columns) == set(inside.columns)
    assert "enrolments" not in outside.columns
    visible = outside[outside["symbol"] == ""]
    assert (visible[["numerator", "denominator"]] % 5 == 0).all(axis=None)
    assert np.allclose(visible["rate"], visible["numerator"] / visible["denominator"])
    assert outside.loc[outside["symbol"] == "c", NUMBERS].isna().all(axis=None)
    alone = clear(INTERNAL, {"t": table(rows(levels("ethnicity_major", numbers)))})
    assert hidden(alone, "t") == [False] * 4


# -- linked tables -----------------------------------------------------------------------------------


def phases_by(dimension, numbers):
    """Groups of a table phase x dimension with phases and all schools: {(phase, level): (n, x)}."""
    found = []
    for phase in dict.fromkeys(p for p, _ in numbers):
        here = {level: pair for (p, level), pair in numbers.items() if p == phase}
        found += levels(dimension, here, phase=phase)
    for level in dict.fromkeys(level for _, level in numbers):
        pairs = [pair for (_, name), pair in numbers.items() if name == level]
        found.append(
            {"phase": "All schools", dimension: level, "n": sum(n for n, _ in pairs), "x": sum(x for _, x in pairs)}
        )
    n, x = (sum(pair[i] for pair in numbers.values()) for i in (0, 1))
    return [*found, {"phase": "All schools", dimension: "All", "n": n, "x": x}]


def test_linked_tables_hide_the_same_cells():
    fsm = {("Primary", "FSM eligible"): (100, 40), ("Primary", "Unknown"): (400, 60), ("Secondary", "FSM eligible"): (100, 4),
           ("Secondary", "Unknown"): (300, 96)}  # fmt: skip
    sex = {("Primary", "Female"): (250, 50), ("Primary", "Male"): (250, 50), ("Secondary", "Female"): (200, 6),
           ("Secondary", "Male"): (200, 94)}  # fmt: skip
    cleared = clear(
        SHARED, {"fsm": table(rows(phases_by("fsm_eligible", fsm))), "sex": table(rows(phases_by("sex", sex)))}
    )
    one = shown(cleared, "fsm").set_index("cell")["symbol"]
    other = shown(cleared, "sex").set_index("cell")["symbol"]
    both = one.index.intersection(other.index)
    assert len(both) == 3  # all schools, primary, secondary: the same cells in both tables
    assert (one[both] == other[both]).all()
    found = reached(cleared)
    assert len(found) > 4
    assert (found["reached"] >= 5).all()


def test_an_area_is_the_sum_of_its_authorities():
    areas = {"E08900001": (300, 4), "E08900002": (300, 60), "E08900003": (300, 90)}
    groups = [{"area_code": code, "n": n, "x": x} for code, (n, x) in areas.items()]
    whole = {"area_code": "E47900001", "n": 900, "x": 154}
    members = {"E47900001": list(areas)}
    cleared = clear(SHARED, {"t": table(rows([whole, *groups]))}, members)
    assert hidden(cleared, "t") == [False, True, True, False]
    # Without the sum nobody could subtract.
    assert hidden(clear(SHARED, {"t": table(rows([whole, *groups]))}), "t") == [False, True, False, False]


def test_the_whole_minus_nine_authorities_gives_nothing_away():
    # The tenth authority has no page of its own, and 4 persistent absentees.
    groups = [{"area_code": f"E0890000{i}", "n": 300, "x": 60 + i} for i in range(1, 10)]
    whole = {"area_code": "E47900001", "n": 3000, "x": 549 + 36 + 4}
    members = {"E47900001": [*(g["area_code"] for g in groups), "E08900010"]}
    cleared = clear(SHARED, {"t": table(rows([whole, *groups]))}, members)
    assert sum(hidden(cleared, "t")) == 1
    rest = reached(cleared).query("rest_of != ''") if "rest_of" in cleared.audit.cells else reached(cleared)
    assert (rest["reached"] >= 5).all()


def test_levels_nobody_shows_are_not_had_by_subtraction():
    # All = FSM + not FSM + 6 unknown that no table has: one of the three has to go.
    groups = [{"fsm_eligible": "All", "n": 406, "x": 100}, {"fsm_eligible": "FSM eligible", "n": 100, "x": 40},
              {"fsm_eligible": "Not known to be FSM eligible", "n": 300, "x": 59}]  # fmt: skip
    assert any(hidden(clear(SHARED, {"t": table(rows(groups))}), "t"))
    groups[0].update(n=400, x=99)
    assert not any(hidden(clear(SHARED, {"t": table(rows(groups))}), "t"))


def test_persistent_less_severe_absentees_are_a_count_too():
    cleared = clear(
        SHARED,
        {"p": table(rows([{"n": 400, "x": 60}])), "s": table(rows([{"n": 400, "x": 53}], "severe_absence_rate"))},
    )
    assert hidden(cleared, "p") != [False] or hidden(cleared, "s") != [False]
    apart = clear(
        SHARED,
        {"p": table(rows([{"n": 400, "x": 60}])), "s": table(rows([{"n": 400, "x": 30}], "severe_absence_rate"))},
    )
    assert hidden(apart, "p") + hidden(apart, "s") == [False, False]


def test_a_small_band_is_not_had_from_the_others_and_the_rates():
    bands = {
        "0% to under 5%": 200,
        "5% to under 10%": 100,
        "10% to under 20%": 60,
        "20% to under 50%": 36,
        "50% or more": 4,
    }
    frames = [rows([{"n": 400, "x": x}], "band_rate").assign(band=label) for label, x in bands.items()]
    cleared = clear(
        SHARED,
        {
            "bands": table(*frames),
            "persistent": table(rows([{"n": 400, "x": 100}])),
            "severe": table(rows([{"n": 400, "x": 4}], "severe_absence_rate")),
        },
    )
    found = dict(zip(bands, hidden(cleared, "bands"), strict=True))
    assert found["50% or more"]
    assert hidden(cleared, "severe") == [True]
    # 100 - 60 - 36 would give the 4: of 100, 60 and 36 one has to go.
    assert hidden(cleared, "persistent")[0] or found["10% to under 20%"] or found["20% to under 50%"]


def test_means_and_rates_of_few_absentees_are_hidden_with_their_count():
    mean = session_rows([{"n": 6, "x": 400, "p": 6}], "mean_sessions_missed_severe")
    without = session_rows([{"n": 6, "x": 2000, "p": 29000}], "overall_absence_rate_without_severe")
    extra = rows([{"n": 6, "x": 1}], "extra_sessions_missed_severe").assign(
        numerator=np.nan, denominator=np.nan, rate=61.37
    )
    cleared = clear(
        SHARED,
        {
            "rate": table(rows([{"n": 100, "x": 6}], "severe_absence_rate")),
            "cards": table(mean, without, extra),
            "absence": table(session_rows([{"n": 100, "x": 2400, "p": 30000}])),
        },
    )
    assert hidden(cleared, "cards") == [True, True, True]
    assert hidden(cleared, "absence") == [False]


def test_a_mean_that_does_not_apply_does_not_say_that_there_is_nobody():
    mean = session_rows([{"n": 0, "x": 0, "p": 0}], "mean_sessions_missed_severe").assign(symbol="z", rate=np.nan)
    cleared = clear(SHARED, {"rate": table(rows([{"n": 100, "x": 0}], "severe_absence_rate")), "cards": table(mean)})
    assert shown(cleared, "cards")["symbol"].tolist() == ["c"]


def test_rates_without_counts_are_cut_short():
    extra = rows([{"n": 60, "x": 1}], "extra_sessions_missed_persistent")
    extra = extra.assign(numerator=np.nan, denominator=np.nan, rate=61.3737)
    assert shown(clear(SHARED, {"t": table(extra, rows([{"n": 400, "x": 60}]))}), "t")["rate"].iloc[0] == 61.4


# -- sessions ----------------------------------------------------------------------------------------


def reasons(**columns):
    groups = {"auth_illness": 2000, "auth_holiday": 300, "auth_other": 500, "auth_unclassified": 200}
    frames = [
        session_rows([{"n": 100, "x": x, "p": 30000}], "reason_rate", reason=name, contributors=columns.get(name, 50.0))
        for name, x in groups.items()
    ]
    authorised = session_rows([{"n": 100, "x": 3000, "p": 30000}], "authorised_absence_rate")
    return {"reasons": table(*frames), "authorised": table(authorised)}


def test_sessions_of_few_pupils_are_hidden_and_their_line_is_closed():
    assert not any(hidden(clear(SHARED, reasons()), "reasons"))
    cleared = clear(SHARED, reasons(auth_holiday=4.0))
    found = hidden(cleared, "reasons")
    assert found[1]
    # The 300 would be what the authorised sessions leave over, were nothing else hidden.
    assert sum(found) + sum(hidden(cleared, "authorised")) >= 2
    assert (reached(cleared)["reached"] > 0).all()


def test_sessions_one_or_two_pupils_may_dominate_are_hidden():
    groups = [{"n": 100, "x": 500, "p": 30000}]
    assert hidden(clear(SHARED, {"t": table(session_rows(groups, concentration=0.1))}), "t") == [False]
    # Two pupils with 45 % each: 2 * 0.45 ** 2 = 0.405 already without the others.
    assert hidden(clear(SHARED, {"t": table(session_rows(groups, concentration=0.41))}), "t") == [True]


def test_no_absence_at_all_says_the_same_of_every_pupil():
    assert hidden(clear(SHARED, {"t": table(session_rows([{"n": 40, "x": 0, "p": 12000}]))}), "t") == [True]
    late = session_rows([{"n": 40, "x": 0, "p": 12000}], "reason_rate", reason="unauth_late")
    assert hidden(clear(SHARED, {"t": table(late)}), "t") == [False]


# -- what readers have from elsewhere ----------------------------------------------------------------


def published(groups, **columns):
    return table(rows(groups).drop(columns="enrolments").assign(series="census", **columns), is_published=True)


def test_published_rows_are_shown_as_published_with_an_id():
    cleared = clear(SHARED, {"p": published([{"n": 317, "x": 3}])})
    found = shown(cleared, "p")
    assert (found["numerator"].item(), found["denominator"].item(), found["symbol"].item()) == (3, 317, "")
    assert found["cell"].item().startswith("c")


def test_what_is_published_is_not_hidden_and_what_it_gives_away_is_reported():
    numbers = {"Asian": (300, 3), "Black": (200, 40), "White": (900, 200)}
    groups = levels("ethnicity_major", numbers)
    known = [g for g in groups if g["ethnicity_major"] != "Asian"]
    cleared = clear(SHARED, {"t": table(rows(groups)), "p": published(known)})
    assert hidden(cleared, "t") == [False, True, False, False]
    cells = cleared.audit.cells
    given = cells[cells["from_known"] & (cells["count"] == "persistent_absentees")]
    assert given["ethnicity_major"].tolist() == ["Asian"]
    assert (cells.loc[cells["status"] == "known", "value"] >= 40).all()
    all_known = clear(SHARED, {"t": table(rows(groups)), "p": published(groups)})
    assert hidden(all_known, "t") == [False] * 4


def test_published_counts_that_differ_are_not_what_readers_know():
    numbers = {"Asian": (300, 3), "Black": (200, 40), "White": (900, 200)}
    groups = levels("ethnicity_major", numbers)
    other = [{**g, "x": g["x"] + 20} for g in groups]
    cleared = clear(SHARED, {"t": table(rows(groups)), "p": published(other)})
    assert hidden(cleared, "t") == [False, True, True, False]


def test_published_cells_are_known_with_their_sums():
    cells = pd.DataFrame(
        {
            "series": "census", "dataset": "absence_bands", "period": "year", "area_level": "Local authority",
            "area_code": AREA, "academic_year": YEAR, "phase": ["Primary", "Secondary"] * 2,
            "sex": ["Female", "Female", "Male", "Male"], "enrolments": [100.0, 100, 100, 100],
            "persistent_absentees": [20.0, 20, 20, 30],
        }
    )  # fmt: skip
    release = Release(SHARED)
    numbers = {"Female": (200, 40), "Male": (200, 50)}
    release.add("overview", AREA, "t", table(rows(levels("sex", numbers))))
    release.add_known(cells)
    audit = release.clear().audit.cells
    pupils = audit[audit["count"].isin(["enrolments", "persistent_absentees"])]
    assert set(pupils["status"]) == {"known"}


def test_a_figure_that_nothing_can_protect_stops_the_release():
    # 3 + 20 = 23 where everybody knows 20 and 23.
    system = System.of([3, 20, 23], sums([([0, 1], 2)], 3), movable=[True, False, False])
    result = suppress(system, [True, False, False], width=5)
    registry = clear(SHARED, {"t": table(rows([{"sex": "Female", "n": 20, "x": 3}]))}).registry
    with pytest.raises(DisclosureError, match=r"cannot be protected.*of absence.*Leave out a table.*merge"):
        _blame(registry, np.arange(3), system, result, system.movable, np.zeros(3, dtype=bool))
    assert _blame(registry, np.arange(3), system, result, np.ones(3, dtype=bool), ~system.movable) == [0]


# -- tables, files, audit ----------------------------------------------------------------------------


def test_tables_that_were_not_declared_and_tables_without_data():
    release = Release(SHARED)
    release.add("overview", AREA, "groups", table(rows([{"n": 100, "x": 50}])))
    release.add_missing("overview", AREA, "bands", "Bands need pupil-level data.")
    cleared = release.clear()
    with pytest.raises(DisclosureError, match=r"not in this release.*Did you mean 'groups'"):
        cleared.table("overview", AREA, "group")
    with pytest.raises(NoDataError, match="Bands need"):
        cleared.table("overview", AREA, "bands")
    with pytest.raises(DisclosureError, match="'press' is not an audience"):
        cleared.table("overview", AREA, "groups", audience="press")


def test_what_a_notebook_gets_holds_no_hidden_figure(tmp_path):
    # Sessions of the small group: a figure that cannot come about by chance.
    numbers = {"Asian": (7, 3), "Black": (50, 20), "White": (900, 200)}
    groups = levels("ethnicity_major", numbers)
    marks = {"All": 271_828, "Asian": 161_803, "Black": 86_603, "White": 23_422}
    exact = [
        {**g, "x": marks[g["ethnicity_major"]], "p": 1_200_000 if i == 0 else 400_000} for i, g in enumerate(groups)
    ]
    release = Release(SHARED, vintage="files")
    release.add("overview", AREA, "absence", table(session_rows(exact)))
    release.add_missing("overview", AREA, "bands", "None here.")
    cleared = release.clear()
    folder = cleared.save_for(tmp_path, "overview", AREA, "partner")
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for value in (161_803, 86_603):
        for pattern in (struct.pack("<d", value), struct.pack("<q", value), str(value).encode()):
            assert pattern not in written
    inside = cleared.save_for(tmp_path, "overview", AREA, "internal")
    assert struct.pack("<d", 161_803) in b"".join(path.read_bytes() for path in inside.rglob("*.parquet"))

    opened = ClearedTables.open(folder)
    assert opened.policy == SHARED
    again = opened.table("absence")
    pd.testing.assert_frame_equal(again.rows, cleared.table("overview", AREA, "absence").rows, check_dtype=False)
    assert again.rule == SHARED.rule
    with pytest.raises(NoDataError, match="None here"):
        opened.table("bands")
    with pytest.raises(DisclosureError, match="not cleared"):
        opened.table("groups")
    with pytest.raises(DisclosureError, match="not a folder of cleared figures"):
        ClearedTables.open(tmp_path)


def test_the_same_release_is_the_same_whatever_the_order(tmp_path):
    numbers = {"Asian": (300, 3), "Black": (200, 40), "White": (900, 200)}
    tables = {
        "b": table(rows(levels("ethnicity_major", numbers))),
        "a": table(rows(levels("sex", {"Female": (700, 5), "Male": (700, 238)}))),
    }
    one = clear(SHARED, tables, vintage="files")
    two = clear(SHARED, dict(reversed(tables.items())), vintage="files")
    assert one.release_id == two.release_id
    places = [cleared.save_vault(tmp_path / name) for name, cleared in (("one", one), ("two", two))]
    for file in ("cells.parquet", "release.json"):
        assert places[0].joinpath(file).read_bytes() == places[1].joinpath(file).read_bytes()
    assert clear(DFE, tables, vintage="files").release_id != one.release_id


def test_the_audit_says_what_was_hidden_why_and_how_close_anyone_comes():
    numbers = {"Asian": (300, 3), "Black": (200, 40), "White": (900, 200)}
    cleared = clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))})
    cells = cleared.audit.cells
    pick = cells[(cells["count"] == "persistent_absentees")].set_index("ethnicity_major")
    assert pick.loc["Asian", "status"] == "small"
    assert pick.loc["Black", "status"] == "closes a line"
    assert pick.loc["White", "status"] == "shown"
    # 3 + 40: from 0 to 43 fits all that is shown.
    assert (pick.loc["Asian", "low"], pick.loc["Asian", "high"]) == (0, 43)
    assert cells["width_ok"].all()
    assert pick.loc["Asian", "tables"] == f"overview/{AREA}/t"
    assert cells["id"].is_unique
    total = cleared.audit.summary.iloc[0]
    assert (total["cells"], total["hidden"], total["rows"], total["rows_hidden"]) == (8, 2, 4, 2)
    assert total["share_counts_hidden"] == pytest.approx(43 / (2 * 243))


def test_rounding_leaves_an_attacker_with_less():
    numbers = {"Asian": (300, 3), "Black": (200, 41), "White": (900, 203)}
    cleared = clear(SHARED, {"t": table(rows(levels("ethnicity_major", numbers)))})
    exact, rounded = (cleared.attacked(as_shown=flag).set_index("cell") for flag in (False, True))
    assert exact.index.equals(rounded.index)
    assert (rounded["high"] > exact["high"]).all()
    assert (rounded["low"] <= exact["low"]).all()


# -- anything at all ---------------------------------------------------------------------------------

PHASES, SEXES, MEALS = ("Primary", "Secondary", "Special"), ("Female", "Male"), ("FSM eligible", "Unknown")


@st.composite
def linked(draw):
    """Enrolments and absentees by phase x sex x meals: two tables show phase x sex and phase x meals."""
    shape = (3, 2, 2)
    n = np.array(draw(st.lists(st.integers(0, 60), min_size=12, max_size=12))).reshape(shape)
    x = np.minimum(n, np.array(draw(st.lists(st.integers(0, 25), min_size=12, max_size=12))).reshape(shape))
    return n, x


def two_tables(n, x):
    found = {}
    for name, axis, names in (("sex", 2, SEXES), ("fsm_eligible", 1, MEALS)):
        numbers = {
            (phase, level): (int(n.sum(axis=axis)[i, j]), int(x.sum(axis=axis)[i, j]))
            for (i, phase), (j, level) in itertools.product(enumerate(PHASES), enumerate(names))
        }
        found[name] = table(rows(phases_by(name, numbers)))
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(linked())
def test_from_all_that_is_shown_nobody_solves_a_small_count(pair):
    # The oracle is this test's own programme over the joint cells: it knows nothing of cells, lines and registries.
    n, x = pair
    cleared = clear(DFE, two_tables(n, x))
    joint = list(itertools.product(range(3), range(2), range(2)))

    def members(phase, kind, level):
        names = SEXES if kind == "sex" else MEALS
        axis = 1 if kind == "sex" else 2
        return [
            k for k, cell in enumerate(joint)
            if (phase == "All schools" or PHASES[cell[0]] == phase) and (level == "All" or names[cell[axis]] == level)
        ]  # fmt: skip

    fixed, small = [], []
    for kind in ("sex", "fsm_eligible"):
        visible, exact = shown(cleared, kind), cleared.table("overview", AREA, kind, audience="internal").rows
        for (_, row), (_, true) in zip(visible.iterrows(), exact.iterrows(), strict=True):
            at = members(row["phase"], kind, row[kind])
            if row["symbol"] == "":
                assert row["numerator"] >= 10
                assert row["denominator"] - row["numerator"] >= 10
                fixed += [(at, 12, row["numerator"]), (at, 0, row["denominator"])]
            elif row["symbol"] == "z":
                fixed.append((at, 0, 0.0))
            elif true["denominator"] > 0 and true["numerator"] < 10:
                small.append(at)
    matrix = np.zeros((len(fixed), 24))
    for i, (at, offset, _) in enumerate(fixed):
        matrix[i, [offset + k for k in at]] = 1
    # Absentees of a cell are among its enrolments.
    among = np.hstack([-np.eye(12), np.eye(12)])
    ends = []
    for at in {tuple(at) for at in small}:
        goal = np.zeros(24)
        goal[[12 + k for k in at]] = 1
        low, high = (
            sign * linprog(sign * goal, A_ub=among, b_ub=np.zeros(12), A_eq=matrix if fixed else None,
                           b_eq=[value for *_, value in fixed] if fixed else None, bounds=(0, 10_000)).fun
            for sign in (1, -1)
        )  # fmt: skip
        ends.append(high - low)
    # The joint table ties the cells closer than the margins do (Fréchet), so a little may be lost of the width.
    assert all(end > 1 for end in ends), sorted(ends)
    assert (reached(cleared)["reached"] >= 5 - 1e-6).all()
