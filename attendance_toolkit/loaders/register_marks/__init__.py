"""Read registers of attendance marks: a pupil, a day, morning or afternoon, and a code.

A register comes as CSV (also compressed), an Excel workbook or Parquet, with a row for each mark or with a column for
each session. What a mark counts as follows from the code set in force on its day. Marks are added up for each pupil,
school and half term, as the census gives them, and stored as a collection of their own.

Modules: ``columns`` (headers), ``reading`` (files), ``meanings`` (distinct values), ``marks`` (adding up; shared with
transfer files), ``school_weeks`` (half terms and gaps), ``faults`` (rows set aside), ``parts`` and ``single`` (sums and
single marks, to the store), ``reader``.

Half terms
    The terms have the limits of the school census. The break inside the autumn and spring term is the school's own: the
    first week without marks in the usual window; see ``vocabulary.calendar.half_term_starts``.
Missing marks
    A blank or ``-`` is not a possible session; how many there are is a finding.
Two marks for one session
    Counted once when they agree; when they differ none is used.
"""

from attendance_toolkit.loaders.register_marks.columns import recognise
from attendance_toolkit.loaders.register_marks.reader import RegisterReader

__all__ = ["RegisterReader", "recognise"]
