"""School attendance and absence deep dives for English local authorities.

Notebooks use the names of ``attendance_toolkit.notebook`` from here; they are loaded when first asked for,
so that the command line starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: The public names, held equal to ``notebook.__all__`` by a test.
_PUBLIC = frozenset(
    {
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
    }
)


def __getattr__(name: str) -> Any:
    # Only names of the public list: importing submodules must not come back here.
    if name in _PUBLIC:
        return getattr(import_module("attendance_toolkit.notebook"), name)
    raise AttributeError(f"module 'attendance_toolkit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return ["__version__", *sorted(_PUBLIC)]
