"""Read lists of schools: GIAS downloads, performance-table school lists, and the school tables of census returns."""

from attendance_toolkit.loaders.schools._headers import recognise
from attendance_toolkit.loaders.schools._read import SchoolList, read_schools, schools_from_census

__all__ = ["SchoolList", "read_schools", "recognise", "schools_from_census"]
