"""Predicting absence after a step from what is known before it, proving it, and telling support from chance."""

from attendance_toolkit.models.transition.allowance import Allowance, school_allowance
from attendance_toolkit.models.transition.design import ATTENDANCE, FEATURE_SETS, FULL, common_terms, july_view
from attendance_toolkit.models.transition.forecasts import SchoolForecast, forecast_schools, recentred
from attendance_toolkit.models.transition.step_model import StepForecast, StepModel, fit_step

__all__ = [
    "ATTENDANCE",
    "FEATURE_SETS",
    "FULL",
    "Allowance",
    "SchoolForecast",
    "StepForecast",
    "StepModel",
    "common_terms",
    "fit_step",
    "forecast_schools",
    "july_view",
    "recentred",
    "school_allowance",
]
