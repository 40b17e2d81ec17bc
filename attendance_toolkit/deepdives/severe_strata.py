"""Estimates of crossed groups on the page: a model's cleared parameters on cleared counts, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import Record, derived_from, p_row, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import Lookup
from attendance_toolkit.deepdives.severe_data import CROSSED, FURTHER
from attendance_toolkit.deepdives.severe_interaction import SevereInteraction
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase

NULL, MAIN = "null", "main effects"
#: Strata with fewer enrolments are in the model and in no figure: a rate on so few says nothing.
LEAST_SHOWN = 10


def large_enough() -> str:
    """Return which groups have figures, as subtitles have it."""
    return phrase(f"groups of {LEAST_SHOWN} enrolments or more", "groups")


_STRATUM_MEASURES = (
    "stratum_rate",
    "main_effects_rate",
    "interaction_effect",
    "interaction_logit",
    "p_value",
    "p_value_adjusted",
)
_SHORT = {
    ("fsm_eligible", "FSM eligible"): "FSM",
    ("fsm_eligible", "Not known to be FSM eligible"): "no FSM",
    ("fsm_eligible", "Unknown"): "FSM not known",
    ("sen_provision", "Any SEN"): "any SEN",
    ("sen_provision", "No SEN"): "no SEN",
    ("sen_provision", "Unknown"): "SEN not known",
    ("sex", "Female"): "Girls",
    ("sex", "Male"): "Boys",
    ("sex", "Unknown"): "Sex not known",
}
#: In the order of a label: "Girls, Years 7 to 9, FSM, any SEN".
_LABEL_ORDER = ("sex", "nc_year_band", "fsm_eligible", "sen_provision")


def stratum_words(levels: Mapping[str, Any]) -> str:
    """Return the label of a stratum, by its levels.

    >>> stratum_words({"fsm_eligible": "FSM eligible", "sen_provision": "EHC plan", "sex": "Female",
    ...                "nc_year_band": "Years 7 to 9"})
    'Girls, Years 7 to 9, FSM, EHC plan'
    """
    return ", ".join(_SHORT.get((name, levels[name]), str(levels[name])) for name in _LABEL_ORDER)


class SevereStrata(SevereInteraction):
    """The fitted models' figures, and the estimates made with them."""

    @cached_property
    def _model(self) -> Lookup:
        return Lookup(self.model.select(area_code=self.area.code), ["model", "measure", "characteristic", "level"])

    def fitted(self, measure: str, model: str, characteristic: str = ALL, level: str = ALL) -> Record | None:
        """Return one figure of a fitted model."""
        return self._model(model=model, measure=measure, characteristic=characteristic, level=level)

    @cached_property
    def strata(self) -> ProtectedTable:
        """Severe absence of the deepest crossing, the strata of the model: one row each."""
        table = self.severe_crossings
        rows = table.rows
        deepest = (rows[list(CROSSED)] != ALL).all(axis=1)
        for name in FURTHER:
            deepest &= rows[name] == ALL
        return table.with_rows(rows[deepest])

    @derived_table
    def strata_estimates(self) -> ProtectedTable:
        """Shrunken rate of each stratum, the rate by main effects alone, and what is between the two.

        Worked out from the cleared counts and the cleared parameters of the main effects model: a stratum whose count or
        one of whose parameters is hidden is hidden.
        """
        rows = self.strata.rows
        linear, symbols = self._linear(rows)
        sd = self.fitted("maihda_sd", MAIN)
        symbols = [symbol or symbol_of(sd) for symbol in symbols]
        known = np.array([symbol == "" for symbol in symbols], dtype=bool)
        found: dict[str, list[Estimate]] = {name: [] for name in _STRATUM_MEASURES}
        if known.any():
            assert sd is not None
            found = _estimates(linear[known], sd, rows[known])
        made: list[dict[str, Any]] = []
        at = np.cumsum(known) - 1
        for place, (record, symbol) in enumerate(zip(records(self.strata), symbols, strict=True)):
            groups = {name: record[name] for name in ("area_code", "academic_year", "phase", *CROSSED)}
            groups["stratum"] = stratum_words(record)
            for name in _STRATUM_MEASURES:
                if symbol:
                    made.append(statistic_row(name, None, symbol, **groups))
                elif name.startswith("p_value"):
                    made.append(p_row(name, found[name][at[place]].value, **groups))
                else:
                    made.append(statistic_row(name, found[name][at[place]], **groups))
        return derived_from(made, self.crossed, self.model, nothing="There are no crossed groups to estimate.")

    def _linear(self, rows: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
        """Return each stratum's linear predictor by main effects, and the symbol of one that cannot be told."""
        symbols = [str(symbol) for symbol in rows["symbol"]]
        parts = [[self.fitted("maihda_intercept", MAIN)] * len(rows)]
        for name in CROSSED:
            terms = {level: self.fitted("maihda_coefficient", MAIN, name, level) for level in rows[name].unique()}
            parts.append([terms[level] for level in rows[name]])
        linear = np.zeros(len(rows))
        for part in parts:
            symbols = [symbol or symbol_of(record) for symbol, record in zip(symbols, part, strict=True)]
            linear += np.array([float(record["rate"]) if is_shown(record) else np.nan for record in part])
        return linear, symbols

    @cached_property
    def _estimates_lookup(self) -> Lookup:
        return Lookup(self.strata_estimates, ["stratum", "measure"])

    def _strata_shown(self) -> list[tuple[str, Record]]:
        """Return label and counts of the strata that can be shown and have enough enrolments, highest estimate first."""
        found = []
        for record in records(self.strata):
            label = stratum_words(record)
            estimate = self._estimates_lookup(stratum=label, measure="stratum_rate")
            if is_shown(record) and is_shown(estimate) and record["denominator"] >= LEAST_SHOWN:
                found.append((-estimate["rate"], label, record))
        return [(label, record) for _, label, record in sorted(found, key=lambda item: item[:2])]


def _estimates(linear: np.ndarray, sd: Record, rows: pd.DataFrame) -> dict[str, list[Estimate]]:
    """Return the estimates of strata, by measure. Intervals allow for the uncertainty of the parameters themselves."""
    # Here: scipy.stats, which the models need, is slow to import.
    from attendance_toolkit.models.maihda import main_effects_design, predict_strata
    from attendance_toolkit.models.multiplicity import benjamini_hochberg

    events, trials = (rows[name].to_numpy(dtype=float) for name in ("numerator", "denominator"))
    found = predict_strata(
        linear,
        float(sd["rate"]),
        events,
        trials,
        design=main_effects_design(rows, CROSSED, trials=trials),
        sd_interval=(float(sd["lower"]), float(sd["upper"])),
    )
    p_values = found.p_value
    base = found.main_effects_rate
    columns = {
        "stratum_rate": (found.rate, found.lower, found.upper),
        "main_effects_rate": (base,),
        "interaction_effect": (found.rate - base, found.lower - base, found.upper - base),
        "interaction_logit": (found.effect, found.effect_lower, found.effect_upper),
        "p_value": (p_values,),
        "p_value_adjusted": (benjamini_hochberg(p_values),),
    }
    return {
        name: [Estimate(*(float(value) for value in values)) for values in zip(*arrays, strict=True)]
        for name, arrays in columns.items()
    }
