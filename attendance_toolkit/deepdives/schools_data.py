"""What all parts of the deep dive into schools rest on: which schools, under which names, and words for them."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.deepdives._school_names import SchoolNames
from attendance_toolkit.deepdives._shared import once_notice
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.vocabulary.areas import local_authorities_in
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL

#: Columns that say which school a row is about.
KEYS = ["area_code", "academic_year", "phase", "laestab"]
#: Columns of a row on all pupils.
EVERYBODY = {"characteristic": ALL, "level": ALL}
#: Why something is not told, in running text.
HIDDEN = "figures are hidden to protect small numbers"
NEEDS_PUPILS = "Figures of groups of pupils by school need pupil-level data."
#: How blocks of this page say what is missing.
or_notice = once_notice


class SchoolsData(DeepDive):
    """The schools of one area and year, by name."""

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Codes of the area's districts that the store holds."""
        return tuple(self.inputs.local_members[self.area.code]) if self.is_local else ()

    @cached_property
    def year_before(self) -> int:
        """The academic year before that of the page."""
        return academic_year_before(self.year)

    @property
    def shown_year_before(self) -> str:
        """The academic year before that of the page, as text."""
        return show_academic_year(self.year_before)

    def need_pupils(self) -> None:
        """Raise where there is no pupil-level data.

        Raises
        ------
        NoDataError
            Only published files were given.
        """
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)

    # -- names ---------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> SchoolNames:
        """What schools are called: by the lists of the store, or as the published file names them."""
        if self.inputs.store is not None:
            schools = self.inputs.store.schools()
            # Schools of other districts in the store may have the same names.
            here = [la.code for la in local_authorities_in(self.area)]
            return SchoolNames.of(schools[schools["la_code"].isin(here) | schools["la_code"].isna()])
        published = self.inputs.published
        if published is None:
            return SchoolNames({})
        # The latest name of a school comes first.
        listed = published.select([self.area.code]).schools.sort_values("academic_year", ascending=False, kind="stable")
        return SchoolNames.of(listed)

    def school_name(self, laestab: str) -> str:
        """Return a school's name, noted for the gate as one that counts no pupils."""
        return self.names.told(laestab)


def kind_words(phase: str) -> str:
    """Return schools of a phase in running text.

    >>> kind_words("Primary")
    'primary schools'
    """
    return f"{phase.lower()} schools"


def number_words(count: int, is_start: bool = False) -> str:
    """Return a number of schools in running text; the whole sentence is for ``phrase`` to note.

    >>> number_words(0), number_words(3), number_words(0, True)
    ('none', '3', 'None')
    """
    return f"{count:,}" if count else "None" if is_start else "none"


def schools_words(count: int, phase: str = "") -> str:
    """Return a number of schools with what they are.

    >>> schools_words(1, "Primary"), schools_words(1090), schools_words(0)
    ('1 primary school', '1,090 schools', 'no schools')
    """
    kind = f"{phase.lower()} school" if phase else "school"
    return f"{count:,} {kind}{'' if count == 1 else 's'}" if count else f"no {kind}s"
