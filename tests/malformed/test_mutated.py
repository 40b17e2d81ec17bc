"""Good files with anything done to them: whatever comes out, the law holds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.malformed.inputs import INPUTS
from tests.malformed.laws import EVERYTHING, Input, Outcome, check, run
from tests.malformed.mutations import bytes_of, rows_of

MORE = 5 if EVERYTHING else 1
#: The same examples every time: a run that fails fails again.
STEADY = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
KINDS = {kind.name: kind for kind in INPUTS}
LIGHT = [kind.name for kind in INPUTS if kind.shape == "csv" and kind.has_header and kind.every <= 3]
HEAVY = ["census_pupils", "census_sessions", "census_flat", "register_long", "register_wide", "portal_pupils"]
BYTES = [kind.name for kind in INPUTS if kind.every <= 8]
CELLS = ["", " ", "0", "-1", "1.5", "1e400", "1,5", "12%", "#N/A", "NULL", "01/02/2024", "2024-02-30", "3.58E+11", '"', "'", "\n",
         "=1+1", "x" * 500, "é", "\u200b", "\ufeff", "Total", "All", "A123456789012", "99999999999999999999", "None", "1;2", "a,b",
         "<b>", "{}", "[1]", "\\", "//", "%s", "${x}", "0x1", "١", "½", "c", "z", "low"]  # fmt: skip
Edit = Callable[[list[list[str]]], None]


def _edit(what: str, first: int, second: int, cell: str) -> Edit:
    def apply(rows: list[list[str]]) -> None:
        a, b = first % len(rows), second % len(rows)
        place, other = first % len(rows[a]) if rows[a] else 0, second % len(rows[0]) if rows[0] else 0
        if what == "cell" and rows[b] and other < len(rows[b]):
            rows[b][other] = cell
        elif what == "delete row" and len(rows) > 1:
            del rows[b]
        elif what == "copy row":
            rows.insert(a, list(rows[b]))
        elif what == "swap rows":
            rows[a], rows[b] = rows[b], rows[a]
        elif what == "swap cells" and rows[b] and place < len(rows[b]) and other < len(rows[b]):
            rows[b][place], rows[b][other] = rows[b][other], rows[b][place]
        elif what == "delete column":
            for row in rows:
                if other < len(row) > 1:
                    del row[other]
        elif what == "copy column":
            for row in rows:
                if other < len(row):
                    row.append(row[other])
        elif what == "delete cell" and len(rows[b]) > 1:
            del rows[b][other % len(rows[b])]
        elif what == "more cells":
            rows[b].append(cell)
        elif what == "column of one value":
            for row in rows[1:]:
                if other < len(row):
                    row[other] = cell

    return apply


EDITS = st.builds(
    _edit,
    st.sampled_from(["cell", "cell", "cell", "delete row", "copy row", "swap rows", "swap cells", "delete column", "copy column",
                     "delete cell", "more cells", "column of one value"]),
    st.integers(0, 60), st.integers(0, 60), st.sampled_from(CELLS),
)  # fmt: skip


@cache
def good(name: str) -> Outcome:
    folder = Path(tempfile.mkdtemp())
    try:
        return run(KINDS[name], KINDS[name].make(), folder)
    finally:
        shutil.rmtree(folder)


def law(kind: Input, content: bytes, *, same: bool = False) -> Outcome:
    """Read a spoilt file and check the law."""
    files = kind.make()
    main = next(iter(files))
    folder = Path(tempfile.mkdtemp())
    try:
        outcome = run(kind, {**files, main: content}, folder)
        check(kind, outcome, good(kind.name), files, same=same)
        return outcome
    finally:
        shutil.rmtree(folder)


def _edited(name: str, edits: list[Edit]) -> None:
    kind = KINDS[name]
    rows = rows_of(next(iter(kind.make().values())))
    for edit in edits:
        edit(rows)
    law(kind, bytes_of(rows))


@settings(STEADY, max_examples=60 * MORE)
@given(st.sampled_from(LIGHT), st.lists(EDITS, min_size=1, max_size=3))
def test_any_edit_of_a_table(name: str, edits: list[Edit]) -> None:
    _edited(name, edits)


@settings(STEADY, max_examples=6 * MORE)
@given(st.sampled_from(HEAVY), st.lists(EDITS, min_size=1, max_size=3))
def test_any_edit_of_a_pupil_level_table(name: str, edits: list[Edit]) -> None:
    _edited(name, edits)


@settings(STEADY, max_examples=24 * MORE)
@given(
    st.sampled_from(BYTES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=3),
)
def test_any_bytes_in_the_place_of_others(name: str, cuts: list[tuple[float, int, bytes]]) -> None:
    kind = KINDS[name]
    content = next(iter(kind.make().values()))
    for share, length, new in cuts:
        at = int(share * len(content))
        content = content[:at] + new + content[at + length :]
    law(kind, content)


@pytest.mark.parametrize("name", LIGHT)
def test_the_order_of_rows_makes_no_difference(name: str) -> None:
    kind = KINDS[name]
    header, *rows = rows_of(next(iter(kind.make().values())))
    outcome = law(kind, bytes_of([header, *reversed(rows)]))
    if outcome.error is None and not outcome.blocking:
        assert outcome.numbers == good(name).numbers
