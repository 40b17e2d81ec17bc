"""Synthetic data: invented pupils of ten fictitious authorities, written as school-census files.

No number in these files describes a real pupil, school or council. The process behind them and its
calibration are in ``parameters.json``; what was planted in a cohort is in its ``truth``.
"""

from attendance_toolkit.loaders.synthetic._census_files import write_census_files
from attendance_toolkit.loaders.synthetic._cohort import SEED, SyntheticCohort, generate, make_synthetic
from attendance_toolkit.loaders.synthetic._flat_files import write_flat_files
from attendance_toolkit.loaders.synthetic._meetings import write_meetings
from attendance_toolkit.loaders.synthetic._parameters import CODES, parameters
from attendance_toolkit.loaders.synthetic._pupil_lists import write_admissions, write_support_groups
from attendance_toolkit.loaders.synthetic._register_files import write_register_files
from attendance_toolkit.loaders.synthetic._transfer_files import write_transfer_files
from attendance_toolkit.loaders.synthetic._xml_files import write_xml_returns

__all__ = [
    "CODES",
    "SEED",
    "SyntheticCohort",
    "generate",
    "make_synthetic",
    "parameters",
    "write_admissions",
    "write_census_files",
    "write_flat_files",
    "write_meetings",
    "write_register_files",
    "write_support_groups",
    "write_transfer_files",
    "write_xml_returns",
]
