"""Read common transfer files (CTF), sent from school to school (S2S): the attendance of the pupils who move on.

A file holds pupils with their attendance of each year: totals, and often a string of marks, two a day from a start date.
Year 6 leavers' files are how secondary schools, and an authority, get the Year 6 attendance of pupils from anywhere.

Marks
    With marks a year is added up by half term, as a register is. A mark is one character, so that the codes of two
    characters (C1, C2, J1, Y1 to Y7) cannot be in it; C, J and Y then stand for them or are out of date.
Weeks of fourteen or ten marks
    Whether Saturdays and Sundays are in the string could not be confirmed in a public source. Both are read: where the
    weekends of a calendar week hold no real mark there are fourteen marks a week, else ten.
Totals only
    One row for the whole year (half term 1-6, term "year"): it cannot be split.
Academic year
    ``Year`` is the calendar year in which the academic year starts: exporters write 2023 until 31 July 2024.
"""

from attendance_toolkit.loaders.transfer_file.parsing import recognise
from attendance_toolkit.loaders.transfer_file.reader import TransferReader

__all__ = ["TransferReader", "recognise"]
