"""What became of pupils who are followed: the bands they come from and go to, and how these add up.

A pupil followed from one period to the next is in one band before and one after. Who is in no band before has joined (or
has just reached age 5, comes from another district, or has too few sessions to tell); who is in no band after has left.
"""

from __future__ import annotations

from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS

#: The bands of overall absence, lowest first.
BANDS = tuple(label for label, _ in ABSENCE_BANDS)
TOO_FEW = "Too few sessions"
REACHED_5, FROM_DISTRICT, JOINED = "Reached age 5", "From another district", "Joined"
FINISHED, TO_DISTRICT, LEFT = "Finished Year 11", "To another district", "Left"
#: Everything a pupil can be before and after, each once.
BEFORE = (*BANDS, TOO_FEW, REACHED_5, FROM_DISTRICT, JOINED)
AFTER = (*BANDS, TOO_FEW, FINISHED, TO_DISTRICT, LEFT)
#: Several of them together. ``hierarchies.csv`` says the same of the column ``band_before``.
TEN_OR_MORE, IN_A_BAND = "10% or more", "In a band"
NOT_BEFORE, NOT_AFTER = "Not in a band before", "Not in a band after"
#: A status of pupils who moved or stayed.
TEN_BEFORE = "10% or more before"

#: Trajectories of one direction together (``trajectories.yaml`` says which these are).
ANY_IMPROVING, ANY_DETERIORATING = "On an improving trajectory", "On a deteriorating trajectory"

#: Steps from one period to the next.
YEAR_TO_YEAR = "Year to year"
TERM_STEPS = ("Autumn to spring", "Spring to summer", "Summer to autumn")

#: Whether a pupil changed school between two years.
SAME_SCHOOL, OTHER_SCHOOL, OTHER_DISTRICT = "Same school", "Changed school", "Changed school and district"
MOVES = (SAME_SCHOOL, OTHER_SCHOOL, OTHER_DISTRICT)

#: What became of pupils who newly reached a threshold of absence, by terms since. Who is lost from sight first (left, too few
#: sessions, or the data end) is counted by how many terms were seen.
RECOVERED = ("Recovered after 1 term", "Recovered after 2 terms", "Recovered after 3 terms or more")
NOT_SEEN = (
    "No later term seen",
    "Not recovered, 1 term seen",
    "Not recovered, 2 terms seen",
    "Not recovered, 3 or more seen",
)
RECOVERY = (*RECOVERED, *NOT_SEEN)

#: Total -> parts, of the outcomes of one group of pupils; "" is the whole group.
OUTCOME_SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", (IN_A_BAND, NOT_AFTER)),
    (IN_A_BAND, (*BANDS[:2], TEN_OR_MORE)),
    (TEN_OR_MORE, BANDS[2:]),
    (NOT_AFTER, AFTER[len(BANDS) :]),
    ("", RECOVERY),
)
#: Totals of which a part may be one nobody of a group can be in: nobody finishes Year 11 in a primary school.
MAY_LACK_PARTS = (AFTER[len(BANDS) :], RECOVERY)
