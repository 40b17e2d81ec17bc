"""Summary tables of DfE's portal as MEASURE rows."""

from __future__ import annotations

import pandas as pd

from attendance_toolkit.loaders.portal._summary import MEASURES, SHARE_OF_PUPILS
from attendance_toolkit.loaders.printed import PrintedFile
from attendance_toolkit.vocabulary.columns import ALL, MEASURE_CORE

#: Levels of our own for a group of the portal.
_LEVELS = {
    "FSM": ("fsm_eligible", "FSM eligible"),
    "Non-FSM": ("fsm_eligible", "Not known to be FSM eligible"),
    "EHC": ("sen_provision", "EHC plan"),
    "SEN Support": ("sen_provision", "SEN support"),
    "No SEN": ("sen_provision", "No SEN"),
    "Boys": ("sex", "Male"),
    "Girls": ("sex", "Female"),
}


def portal_measure_rows(table: PrintedFile) -> pd.DataFrame:
    """Return the rates of a summary table as MEASURE rows.

    Returns
    -------
    ``series`` "portal", ``dataset`` (the table), ``academic_year``, ``period``, ``area_code``, ``area_level``,
    ``phase``, ``nc_year``, ``sex``, ``fsm_eligible``, ``sen_provision``, ``school`` ("" but in a table of schools),
    MEASURE_CORE, ``printed`` and ``decimals``. ``rate`` is 0 to 1 as printed; where the table has counts, they are
    numerator and denominator. A portal rate has no interval: ``lower`` and ``upper`` are missing.
    """
    cells = table.cells
    key = ["row"]
    counts = cells[cells["role"] == "count"][["row", "measure", "value"]].rename(columns={"value": "numerator"})
    sizes = cells[cells["role"] == "size"][["row", "value"]].rename(columns={"value": "denominator"})
    rows = cells[cells["role"] == "rate"].merge(counts, on=["row", "measure"], how="left")
    rows = rows.merge(sizes, on=key, how="left")
    of_pupils = rows["measure"].isin([MEASURES[name] for name in SHARE_OF_PUPILS])
    # Sessions are behind an attendance rate, and the portal does not give them.
    rows["denominator"] = rows["denominator"].where(of_pupils & rows["numerator"].notna())
    rows["rate"] = rows["value"] / 100
    rows["lower"] = rows["upper"] = float("nan")
    rows["series"], rows["dataset"] = "portal", rows["table"]
    for name in ("sex", "fsm_eligible", "sen_provision"):
        rows[name] = [_LEVELS[g][1] if g in _LEVELS and _LEVELS[g][0] == name else ALL for g in rows["group"]]
    rows["school"] = ["" if g in _LEVELS or g == ALL else g for g in rows["group"]]
    order = ["series", "dataset", "academic_year", "period", "area_code", "area_level", "phase", "nc_year", "sex",
             "fsm_eligible", "sen_provision", "school", *MEASURE_CORE, "printed", "decimals"]  # fmt: skip
    return rows[order].reset_index(drop=True)
