"""What all parts of the deep dive into vulnerable groups rest on: years, places, topics, words."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives._shared import once_notice
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.vocabulary.columns import ALL

#: Columns that say which pupils a row is about.
KEYS = ["area_code", "academic_year"]
#: Columns of a row on all pupils.
EVERYBODY = {"characteristic": ALL, "level": ALL}
#: Why something is not told, in running text.
HIDDEN = "figures are hidden to protect small numbers"
NEEDS_PUPILS = "Figures of vulnerable groups need pupil-level data."
#: How blocks of this page say what is missing.
or_notice = once_notice


class VulnerableData(DeepDive):
    """The vulnerable pupils of one area and year, and what figures of them are called."""

    # -- places and years ----------------------------------------------------------------------------

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Codes of the area's districts that the store holds."""
        return tuple(self.inputs.local_members[self.area.code]) if self.is_local else ()

    @cached_property
    def years(self) -> tuple[int, ...]:
        """Academic years shown, oldest first: that of the page and up to two before it, as far as the store has them."""
        return self.inputs.local_years

    def need_pupils(self) -> None:
        """Raise where there is no pupil-level data.

        Raises
        ------
        NoDataError
            Only published files were given.
        """
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)

    # -- topics: which pupils figures are of ---------------------------------------------------------

    def own_topic(self, what: str) -> str:
        """Return the topic of figures of followed pupils that do not add up over areas: of each area one of its own."""
        return topic_of(what, self.area)
