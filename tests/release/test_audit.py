"""The audit of the release: complete, true to the cells, and without a single hidden figure."""

from __future__ import annotations

import csv
import html
import json
import re

import numpy as np
import pandas as pd
import pytest


def lines_of(made):
    """Return the lines of audit.csv, below the marking."""
    with (made.release / "audit.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert handle.readline().strip() == "OFFICIAL-SENSITIVE"
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def cells(made):
    return pd.read_parquet(made.release / "cells.parquet")


def test_the_audit_says_what_was_decided(made):
    text = html.unescape((made.release / "audit.html").read_text(encoding="utf-8"))
    document = json.loads((made.release / "release.json").read_text(encoding="utf-8"))
    for said in ("OFFICIAL-SENSITIVE", "shared", document["policy_digest"][:12], document["release_id"]):
        assert said in text, said
    assert "What was hidden, and how well:" in made.answer.output
    assert re.search(r"poisoned copies", text)


def test_the_audit_has_no_hidden_figure(made, cells):
    """audit.csv has a line for each cell and no column of values; nothing in the page is an exact hidden count's value."""
    rows = lines_of(made)
    assert len(rows) > 1000
    columns = {name.casefold() for name in rows[0]}
    assert not columns & {"value", "low", "high", "exact", "numerator"}, columns
    hidden = cells[cells["status"].isin(["small", "closes a line"]) & (cells["value"] > 9_999)]
    # A hidden sum of five digits or more cannot be in the files by chance in this form.
    # How wide the attacker's range was is no figure, though some width equals some sum by chance.
    listed = " ".join(value for row in rows for name, value in row.items())
    text = (made.release / "audit.html").read_text(encoding="utf-8") + listed
    numbers = set(re.findall(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w.])|(?<![\w.])\d{4,}(?![\w.])", text))
    plain = {int(number.replace(",", "")) for number in numbers}
    assert len(hidden) > 20
    assert hidden.loc[hidden["value"].isin(plain), "id"].tolist() == []


def test_the_shares_of_the_audit_are_those_of_the_cells(made, cells):
    """Cells and hidden ones, counted here from the cells: the audit's own words say the same numbers."""
    asked = cells[cells["is_asked"]]
    hidden = asked["status"].isin(["small", "closes a line"]).sum()
    text = re.sub(r"<[^>]+>", " ", html.unescape((made.release / "audit.html").read_text(encoding="utf-8")))
    assert f"{len(asked):,}" in text
    assert f"{hidden:,}" in text
    rows = lines_of(made)
    listed = {row["id"]: row["status"] for row in rows}
    own = asked.set_index("id")["status"].to_dict()
    assert {name: listed.get(name) for name in own} == own


def test_the_attacker_reached_no_figure_within_the_width(made, cells):
    tried = cells[cells["is_asked"] & cells["status"].isin(["small", "closes a line"]) & cells["high"].notna()]
    assert len(tried) > 300
    reached = tried["high"] - tried["low"]
    assert (tried["low"] <= tried["value"] + 1e-6).all()
    assert (tried["high"] >= tried["value"] - 1e-6).all()
    assert np.min(reached) >= 5 - 1e-6
    assert cells["width_ok"].all()
    assert not cells["from_known"].any(), "nothing of made-up pupils is published"


def test_every_hidden_count_of_pupils_was_attacked(cells):
    pupils = ~cells["count"].str.startswith("sessions")
    hidden = cells["is_asked"] & pupils & cells["status"].isin(["small", "closes a line"])
    assert cells.loc[hidden, "high"].notna().all()
