"""Hand-made cleared tables of the models and findings on severe absence, and a page that shows them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd

from attendance_toolkit.deepdives.severe_findings import SevereFindings
from attendance_toolkit.deepdives.severe_models import SevereModels
from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.numbers import NumberCheck
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in

YEAR, BEFORE = 202223, 202122
DIMENSIONS = (
    "fsm_eligible", "sen_provision", "sex", "nc_year_band", "ethnicity_major", "first_language", "social_worker",
)  # fmt: skip
NUMBERS = ("numerator", "denominator", "rate", "lower", "upper")
TRAFFORD, ENGLAND = "E08000009", "E92000001"


class Page(SevereModels, SevereFindings):
    """The models and the findings together."""


class Tables:
    """Cleared tables by name; those that are not there are missing."""

    def __init__(self, tables):
        self.tables = {name: ProtectedTable(rows, "A rule.", "A source.") for name, rows in tables.items()}

    def table(self, name):
        if name not in self.tables:
            raise NoDataError(f"There is no table {name}.")
        return self.tables[name]


def page(area="Trafford", *, year=YEAR, **tables):
    inputs = SimpleNamespace(
        area=find_area(area),
        academic_year=year,
        store=None,
        districts=tuple(local_authorities_in(find_area("Greater Manchester"))),
        area_name=lambda code: find_area(code).name,
    )
    return Page(inputs, Tables(tables))


def row(events, trials, symbol="", measure="severe_absence_rate", **groups):
    """Return one row of severe absence; a symbol hides its numbers."""
    keys = {"area_code": TRAFFORD, "academic_year": YEAR, "phase": "All schools", "series": "census", **groups}
    if symbol:
        return {**keys, "measure": measure, **dict.fromkeys(NUMBERS, math.nan), "symbol": symbol}
    low, high = wilson_interval(events, trials)
    numbers = (float(events), float(trials), events / trials if trials else math.nan, float(low), float(high))
    return {**keys, "measure": measure, **dict(zip(NUMBERS, numbers, strict=True)), "symbol": "" if trials else "z"}


def crossed_row(events, trials, symbol="", **levels):
    return row(events, trials, symbol, **(dict.fromkeys(DIMENSIONS, "All") | levels))


def model_row(measure, rate, lower=math.nan, upper=math.nan, model="main effects", name="All", level="All", symbol=""):
    found = row(0, 0, "x", measure, model=model, characteristic=name, level=level)
    return {**found, "rate": rate, "lower": lower, "upper": upper, "symbol": symbol}


def frame(rows):
    return pd.DataFrame(list(rows))


def unexplained(made, methods):
    """Return what the gate says against the numbers of blocks, whose methods are called while numbers are noted."""
    ledger.drain()
    shown = [method() for method in methods]
    said = tuple(ledger.drain())
    records = [record for table in made._tables.tables.values() for record in table.rows.to_dict("records")]
    cells = {str(number): record for number, record in enumerate(records)}
    evidence = Evidence(cells=cells, said=said, derived=tuple(made.derived()))
    check = NumberCheck(evidence, None)
    faults = []
    for block in shown:
        texts = [*getattr(block, "sentences", ()), *getattr(block, "notes", ())]
        texts += [getattr(block, name, "") for name in ("text", "title", "subtitle", "alt")]
        for line in getattr(block, "rows", ()):
            texts += [line.header, line.section]
            faults += [
                cell.value for cell in line.cells if cell.value is not None and not check.explains_value(cell.value)
            ]
            faults += [fault for cell in line.cells for fault in check.faults(cell.text, is_alone=True)]
        texts += [column.full_heading for column in getattr(block, "columns", ())]
        faults += [(text, fault) for text in texts for fault in check.faults(text)]
    return faults
