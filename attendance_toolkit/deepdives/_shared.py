"""What deep dives have in common: title blocks, notices for what is missing, words of levels, rows by their groups."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.inputs import Inputs
from attendance_toolkit.presentation.blocks import Cell, Notice, PageHead, Result, Tile
from attendance_toolkit.presentation.formats import count_cell, rate_cell, records
from attendance_toolkit.versions import toolkit_versions
from attendance_toolkit.vocabulary import columns
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.audiences import marking_for
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.series import SERIES

Record = Mapping[str, Any]
_Method = TypeVar("_Method", bound=Callable[..., Any])

HEADLINE = ("overall_absence_rate", "persistent_absence_rate", "severe_absence_rate")
#: Year groups of compulsory school age.
YEAR_GROUPS = tuple(str(year) for year in range(1, 12))
MAINSTREAM = "Primary and secondary"
#: What the main measures are made of: groups and terms need no bands and no reasons.
MAIN_COUNTS = (
    "enrolments",
    "sessions_possible",
    "sessions_authorised",
    "sessions_unauthorised",
    "sessions_covid",
    "persistent_absentees",
    "severe_absentees",
    *(name for name in columns.CELL_COUNTS if name.startswith(("square_", "cross_"))),
)
#: DfE published no full year for 2019/20: the census of that summer was not taken.
NO_DATA_YEARS = (201920,)
#: Years DfE publishes with caveats for the pandemic; code X was then a possible session.
COVID_YEARS = (202021, 202122)
COVID_NOTE = "The coronavirus pandemic affected attendance and how it was recorded in 2020/21 and 2021/22."
DEFINITIONS = (
    "A session is half a school day. Overall absence is sessions missed over possible sessions, added up before dividing."
    " Persistent absence: an enrolment that missed 10% or more of its own possible sessions; severe absence: 50% or more."
    " Intervals are 95% intervals; those of session rates take the pupil as the unit."
)
#: Measures in a word or two, as headers of tables have them.
SHORT = {
    "overall_absence_rate": "Overall absence",
    "persistent_absence_rate": "Persistent absence",
    "severe_absence_rate": "Severe absence",
    "attendance_rate": "Attendance rate",
    "authorised_absence_rate": "Authorised absence",
    "unauthorised_absence_rate": "Unauthorised absence",
}
DEFINED = {
    "overall_absence_rate": "sessions missed as a share of possible sessions",
    "persistent_absence_rate": "enrolments missing 10% or more of their own possible sessions",
    "severe_absence_rate": "enrolments missing 50% or more of their own possible sessions",
}
#: (characteristic, level) -> the pupils of the level, where its name alone does not say who they are.
GROUP_WORDS = {
    ("fsm_eligible", "FSM eligible"): "Eligible for free school meals",
    ("fsm_eligible", "Not known to be FSM eligible"): "Not known to be eligible for free school meals",
    ("fsm_eligible", "Unknown"): "Free school meals not known",
    ("fsm6", "FSM in the last six years"): "Free school meals in the last six years",
    ("fsm6", "Not FSM in the last six years"): "No free school meals in the last six years",
    ("fsm6", "Unknown"): "Free school meals in the last six years not known",
    ("sen_provision", "Unknown"): "SEN not known",
    ("sex", "Female"): "Girls",
    ("sex", "Male"): "Boys",
    ("sex", "Unknown"): "Sex not known",
    ("ethnicity_major", "Unknown"): "Ethnic group not known",
    ("first_language", "English"): "First language English",
    ("first_language", "Other than English"): "First language other than English",
    ("first_language", "Unknown"): "First language not known",
    ("looked_after", "Yes"): "Looked after",
    ("looked_after", "No"): "Not looked after",
    ("looked_after", "Unknown"): "Looked after: not known",
    ("social_worker", "Yes"): "With a social worker",
    ("social_worker", "No"): "Without a social worker",
    ("social_worker", "Unknown"): "Social worker: not known",
    ("protection_plan", "Yes"): "On a child protection plan",
    ("protection_plan", "No"): "Not on a child protection plan",
    ("protection_plan", "Unknown"): "Child protection plan: not known",
    ("young_carer", "Yes"): "Young carers",
    ("young_carer", "No"): "Not young carers",
    ("young_carer", "Unknown"): "Young carer: not known",
}
_YEAR_WORDS = {"R": "Reception", "Unknown": "Year group not known", "X": "Not following the curriculum years"}
_ORDERS: Mapping[str, tuple[str, ...]] = {
    "nc_year": columns.NC_YEARS,
    "nc_year_band": columns.NC_YEAR_BANDS,
    "sex": columns.SEXES,
    "fsm_eligible": columns.FSM_STATUSES,
    "fsm6": columns.FSM6_STATUSES,
    "sen_provision": ("EHC plan", "SEN support", "Any SEN", "No SEN", "Unknown"),
    "ethnicity_major": columns.ETHNICITY_MAJOR,
    "first_language": columns.LANGUAGES,
    "looked_after": columns.YES_NO,
    "social_worker": columns.YES_NO,
    "protection_plan": columns.YES_NO,
    "young_carer": columns.YES_NO,
    "time_on_roll": tuple(label for label, _ in columns.TIME_ON_ROLL),
}


def or_notice(method: _Method) -> _Method:
    """Show a sentence in place of a block the inputs cannot make: nothing is left out in silence."""

    @functools.wraps(method)
    def wrapped(*args: Any, **options: Any) -> Any:
        try:
            return method(*args, **options)
        except NoDataError as error:
            return Notice(str(error), "Not available")

    return cast(_Method, wrapped)


def once_notice(method: _Method) -> _Method:
    """Show a sentence in place of a block the inputs cannot make: once on a page, by the first block that it is true of.

    Nothing is shown where pupil-level data are missing altogether: a page of published figures says by itself what it lacks.
    """
    shown = or_notice(method)

    @functools.wraps(method)
    def wrapped(self: Any, *args: Any, **options: Any) -> Any:
        made = shown(self, *args, **options)
        if not isinstance(made, Notice):
            return made
        said: dict[str, str] = self.__dict__.setdefault("_said", {})
        block = f"{method.__name__}{args}{options}"
        return made if self.is_local and said.setdefault(made.text, block) == block else Result(())

    return cast(_Method, wrapped)


def or_nothing(method: _Method) -> _Method:
    """Show nothing where the inputs cannot make a block whose section says so already."""

    @functools.wraps(method)
    def wrapped(*args: Any, **options: Any) -> Any:
        try:
            return method(*args, **options)
        except NoDataError:
            return Result(())

    return cast(_Method, wrapped)


class Lookup:
    """Cleared rows by their groups: ``lookup(area_code=..., measure=...)`` gives one record or None."""

    def __init__(self, table: ProtectedTable, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._rows: dict[tuple[Any, ...], Record] = {}
        for record in records(table):
            self._rows.setdefault(tuple(record[key] for key in self._keys), record)

    def __call__(self, **wanted: Any) -> Record | None:
        """Return the record, or None."""
        return self._rows.get(tuple(wanted[key] for key in self._keys))


def rate_of(record: Record | None) -> Cell:
    """Return the rate as a table cell, "not available" where there is no record."""
    return Cell(symbol="x") if record is None else rate_cell(record)


def count_of(record: Record | None, name: str = "numerator") -> Cell:
    """Return a count as a table cell, "not available" where there is no record."""
    return Cell(symbol="x") if record is None else count_cell(record, name)


def empty_tile(measure: str, record: Record | None, year: str) -> Tile:
    """Return the tile of a headline figure that is hidden, or is not there."""
    is_hidden = record is not None and record["symbol"] == "c"
    return Tile(
        SHORT[measure], "Not available", "Hidden to protect small numbers." if is_hidden else f"No figure for {year}."
    )


def ordered_levels(characteristic: str, levels: Iterable[str]) -> list[str]:
    """Return the levels of a characteristic in the order of the vocabulary, others after them by name.

    >>> ordered_levels("sex", ["Unknown", "Male", "All", "Female"])
    ['Female', 'Male', 'Unknown']
    """
    order = _ORDERS.get(characteristic, ())
    present = set(levels) - {ALL}
    return [level for level in order if level in present] + sorted(str(level) for level in present - set(order))


def level_words(characteristic: str, level: str) -> str:
    """Return the pupils of a level as a row of a table names them.

    >>> level_words("sex", "Female"), level_words("nc_year", "7"), level_words("ethnicity_major", "Black")
    ('Girls', 'Year 7', 'Black')
    """
    if level == ALL:
        return "All pupils"
    if characteristic == "nc_year":
        return f"Year {level}" if level.isdigit() else _YEAR_WORDS.get(level, level)
    return GROUP_WORDS.get((characteristic, level), level)


def the_area(area: Area) -> str:
    """Return an area's name in running text: regions named after a direction have an article.

    >>> from attendance_toolkit.vocabulary.areas import find_area
    >>> [the_area(find_area(name)) for name in ("North West", "London", "Trafford")]
    ['the North West', 'London', 'Trafford']
    """
    has_article = area.level == "Regional" and area.name.split()[0] in ("North", "South", "East", "West")
    return f"the {area.name}" if has_article else area.name


def capital(text: str) -> str:
    """Return text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def counted(number: int, word: str) -> str:
    """Return a number and what is counted.

    >>> counted(1, "week"), counted(3, "week")
    ('1 week', '3 weeks')
    """
    return f"{number} {word}{'' if number == 1 else 's'}"


def rounding_note(inputs: Inputs) -> str:
    """Say what changes and gaps are worked out from."""
    if inputs.store is not None and inputs.policy.rounding > 1:
        return "are worked out from the rounded counts, before the rates are cut to one decimal."
    return "are worked out before rounding."


def page_head(
    inputs: Inputs,
    *,
    report: str,
    title: str,
    subtitle: str,
    tables: Sequence[ProtectedTable],
    definitions: str = DEFINITIONS,
    facts: Sequence[tuple[str, str]] = (),
) -> PageHead:
    """Return the title block and the footer of a page.

    Parameters
    ----------
    report
        Name of the notebook without its number.
    tables
        The tables the page is made from, the local ones first: their rules and sources stand in the footer.
    definitions
        What the words of the page mean.
    facts
        Further lines of the title block: (label, text).
    """
    year = show_academic_year(inputs.academic_year)
    area = inputs.area
    is_local = inputs.store is not None
    data = [SERIES[inputs.series if is_local else "census"].label]
    if inputs.store is not None:
        loaded = sorted({str(load["loaded_on"]) for load in inputs.store.manifest.get("loads", [])})
        data += [f"loaded {loaded[-1]}"] if loaded and not inputs.is_synthetic else []
    is_partner = inputs.audience == "partner"
    status = (marking_for(inputs.audience) or "Small numbers hidden") if is_local else "Published statistics"
    shown = [
        ("Area", f"{area.name} ({area.code})"),
        ("Period", f"Academic year {year}"),
        ("Data", ", ".join(data)),
        ("Audience", "Partners of the attendance taskforce" if is_partner else "Local authority staff only"),
        ("Status", status),
        *facts,
    ]
    footer = [
        ("Small numbers", " ".join(dict.fromkeys(table.rule for table in tables))),
        ("Sources", " ".join(dict.fromkeys(table.source for table in tables))),
        ("Definitions", definitions),
        ("Parameters", f"area {area.name}; academic year {year}; audience {inputs.audience}"),
        ("Made with", toolkit_versions()),
    ]
    footer += [("Contact", inputs.contact)] if inputs.contact else []
    footer += [("Made on", inputs.report_date)] if inputs.report_date else []
    return PageHead(
        title,
        subtitle,
        tuple(shown),
        inputs.is_synthetic,
        tuple(footer),
        report,
        area.code,
        area.name,
        inputs.academic_year,
        marking_for(inputs.audience),
    )
