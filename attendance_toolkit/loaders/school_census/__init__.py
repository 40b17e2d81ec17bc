"""Read school-census returns as tables: one CSV file per table, ``<anything>_<table>.csv``, or made by ``layouts``.

A return is a set of files that share the part of the name before the table. Returns of the same census are
read together. The rows are read, checked and added up inside DuckDB; Python only ever sees the distinct
codes, dates and numbers of a column.

Modules, in the order of the stages: ``reading``, ``characteristics``, ``census_day``, ``values``, ``keys``, ``sessions``, ``checks``,
``free_meals``, ``parts`` (what goes into the store), ``aside`` (what does not) and ``settling`` (findings); ``work``
is what they share.

What happens to a row
    *Set aside whole*: no usable UPN, an unknown school, a key or pupil that occurs twice, impossible
    sessions (negative, not whole, more than the term has weekdays, more missed than possible). Its session
    rows and free-meal periods go with it.
    *Loaded with the value set aside*: an unknown code or date of a characteristic (the level is then
    "Unknown"); a session row without a pupil, or with a code that is not a register code.
    *Loaded without sessions*: a pupil without possible sessions, such as a September starter in the autumn
    return, which carries the summer term before. The row still describes the pupil.

Former UPNs are not followed
    A pupil whose UPN changes, from a temporary one for example, is two pupils here. The store keeps sessions only in
    PUPIL_TERM, under the pseudonym they came with, and replaces them school by school and census by census. Joined to
    the older pseudonym, they could not be taken apart again when a corrected return no longer says so, and what
    a store holds would depend on the order of its loads. A mistyped former UPN would also turn two pupils into one
    without a trace. Following them safely needs the sessions as each return gave them beside PUPIL_TERM.
"""

from __future__ import annotations

from pathlib import Path

from attendance_toolkit.loaders.school_census.aside import count_aside, find_aside, write_aside
from attendance_toolkit.loaders.school_census.census_day import check_census, guess_census
from attendance_toolkit.loaders.school_census.characteristics import join_characteristics
from attendance_toolkit.loaders.school_census.checks import check_arithmetic, check_plausible
from attendance_toolkit.loaders.school_census.free_meals import map_fsm
from attendance_toolkit.loaders.school_census.keys import check_keys, make_pupils
from attendance_toolkit.loaders.school_census.parts import note_pupils, write_parts
from attendance_toolkit.loaders.school_census.reading import read_pupils
from attendance_toolkit.loaders.school_census.sessions import read_sessions
from attendance_toolkit.loaders.school_census.settling import settle
from attendance_toolkit.loaders.school_census.values import map_values
from attendance_toolkit.loaders.school_census.work import Work, make_working_tables
from attendance_toolkit.store.quarantine import AsideFile

__all__ = ["CensusReader", "guess_census", "make_working_tables"]

_STAGES = (
    read_pupils,
    join_characteristics,
    check_census,
    map_values,
    make_pupils,
    check_keys,
    read_sessions,
    check_arithmetic,
    check_plausible,
    map_fsm,
)


class CensusReader(Work):
    """Reads and screens the returns of one census into working tables.

    With a key, ``session_parts`` and ``record_parts`` of the connection are added to.
    """

    def run(self) -> None:
        """Read, screen and reduce the returns. Stops after a stage with a blocking finding."""
        for stage in _STAGES:
            stage(self)
            if self.is_blocked:
                break
        else:
            find_aside(self)
            count_aside(self)
            if self.key is not None:
                write_parts(self)
                note_pupils(self)
        settle(self)

    def write_aside(self, folder: Path) -> list[AsideFile]:
        """Write the rows that were set aside, as they were read, into a private folder."""
        return write_aside(self, folder)
