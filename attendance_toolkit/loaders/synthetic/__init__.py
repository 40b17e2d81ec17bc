"""Synthetic data: invented pupils of ten fictitious authorities, written as school-census files.

No number in these files describes a real pupil, school or council. The process behind them and its
calibration are in ``parameters.json``; what was planted in a cohort is in its ``truth``.
"""

from attendance_toolkit.loaders.synthetic._census_files import write_census_files
from attendance_toolkit.loaders.synthetic._cohort import SEED, SyntheticCohort, generate, make_synthetic
from attendance_toolkit.loaders.synthetic._parameters import CODES, parameters

__all__ = ["CODES", "SEED", "SyntheticCohort", "generate", "make_synthetic", "parameters", "write_census_files"]
