"""The public names a notebook may use: ``import attendance_toolkit as at``."""

from __future__ import annotations

from attendance_toolkit.deepdives.data_quality import DataQuality
from attendance_toolkit.deepdives.districts import Districts
from attendance_toolkit.deepdives.longitudinal import Longitudinal
from attendance_toolkit.deepdives.overview import Overview
from attendance_toolkit.deepdives.printed_tables import PrintedTables
from attendance_toolkit.deepdives.schools import Schools
from attendance_toolkit.deepdives.severe_absence import SevereAbsence
from attendance_toolkit.deepdives.transition import Transition
from attendance_toolkit.deepdives.vulnerable import VulnerableGroups
from attendance_toolkit.inputs import Inputs, PrintedInputs, open_inputs, open_printed
from attendance_toolkit.metrics.absence import (
    absence_rate,
    attendance_bands,
    attendance_rate,
    difference,
    main_measures,
    mean_sessions_missed,
    no_absence_rate,
    persistent_absence_rate,
    reason_rates,
    severe_absence_rate,
)
from attendance_toolkit.metrics.cells import DFE_RULES, EVERYBODY, InclusionRules, absence_cells, add_cells, pupil_count

__all__ = [
    "DFE_RULES",
    "EVERYBODY",
    "DataQuality",
    "Districts",
    "InclusionRules",
    "Inputs",
    "Longitudinal",
    "Overview",
    "PrintedInputs",
    "PrintedTables",
    "Schools",
    "SevereAbsence",
    "Transition",
    "VulnerableGroups",
    "absence_cells",
    "absence_rate",
    "add_cells",
    "attendance_bands",
    "attendance_rate",
    "difference",
    "main_measures",
    "mean_sessions_missed",
    "no_absence_rate",
    "open_inputs",
    "open_printed",
    "persistent_absence_rate",
    "pupil_count",
    "reason_rates",
    "severe_absence_rate",
]
