"""What an audit of a sample says of all pupils with no attendance: categories that add up, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import ScreeningError
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.finite_population import Stratum, stratified_share, whole_parts
from attendance_toolkit.reporting.casework_zero import KIND
from attendance_toolkit.reporting.casework_zero_cases import Cases, find_cases
from attendance_toolkit.reporting.casework_zero_form import Case, Form, Problem, read_form
from attendance_toolkit.reporting.list_files import PupilList, Value
from attendance_toolkit.reporting.list_writing import (
    ListFile,
    about_rows,
    check_asked,
    drop_older,
    held_members,
    write_files,
)
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.audiences import SENSITIVE
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.rounding import number_text, round_half_up
from attendance_toolkit.vocabulary.zero_attendance import Outcome, audit_rules

_COLUMNS = ("In the sample", "Of the sample (%)", "Estimate of all", "Estimate of all (%)", "From (95%)", "To (95%)")
_METHOD = (
    "Estimates weigh each cohort and school type by its size. Intervals know that the list ends: exact (hypergeometric) for one"
    " stratum, else Wilson's at the effective size of the sample."
)


@dataclass(frozen=True)
class Category:
    """How often an outcome, or a group of them, was found.

    Attributes
    ----------
    drawn
        Pupils of the sample with it.
    printed
        Their share of the sample in whole percent, halves rounded up.
    pupils, percent
        Estimate of all pupils with no attendance: a number, and a percentage. Both add up over the categories.
    share
        The estimate before rounding, 0 to 1, with its 95% interval.
    """

    name: str
    drawn: int
    printed: int
    pupils: int
    percent: int
    share: Estimate


@dataclass(frozen=True, eq=False)
class ZeroResults:
    """The result of an audit.

    Attributes
    ----------
    total, drawn
        Pupils with no attendance, and those of the sample.
    groups, outcomes
        Categories in the order of the rules: groups of outcomes, and single ones.
    notes
        What is to be known of the form and the data.
    files
        What was written, if anything.
    """

    title: str
    total: int
    drawn: int
    groups: tuple[Category, ...]
    outcomes: tuple[Category, ...]
    notes: tuple[str, ...]
    files: tuple[Path, ...] = ()

    @property
    def printed_share(self) -> int:
        """The sample as a share of all, in whole percent."""
        return _whole_percent(self.drawn, self.total)

    def to_text(self) -> str:
        """Return the result as a person reads it."""
        width = max(len(category.name) for category in self.groups)
        lines = [
            SENSITIVE,
            self.title,
            f"Sample: {self.drawn:,} of {self.total:,} pupils ({self.printed_share}%).",
            f"{'':{width}}  sample         estimate of all {self.total:,} (95% interval)",
        ]
        for one in (*self.groups, None):
            name, drawn, printed = (one.name, one.drawn, f"{one.printed}%") if one else ("All", self.drawn, "")
            interval = ""
            if one:
                interval = f" {one.percent}% ({number_text(100 * one.share.lower, 0)}% to {number_text(100 * one.share.upper, 0)}%)"
            pupils = one.pupils if one else self.total
            lines.append(f"{name:{width}}  {drawn:>6,} {printed:>5}  {pupils:>6,}{interval}")
        return "\n".join((*lines, *self.notes))


def zero_results(
    form: str | Path,
    store: Store,
    restricted: Restricted | None = None,
    *,
    key_file: str | Path | None = None,
    today: date | None = None,
) -> ZeroResults:
    """Return what a filled-in outcome form says of all pupils with no attendance.

    The sample is drawn again from the store and held against the form. A row that was deleted is counted as not yet known;
    a pupil who was not drawn is an error.

    Parameters
    ----------
    form
        The form (``casework_zero.write_zero_sample``), filled in: workbook or CSV.
    restricted
        Where to write the result, with the purpose and the date of the form; None writes nothing.
    key_file
        The store's key, where the form has UPNs.

    Raises
    ------
    UnreadableFileError, ScreeningError
        The file is no such form, or rows of it are not as they should be: each is said.
    ParameterError, StoreError, NoDataError
        As for ``read_form``; the store lacks the area or year; or the form's date has passed.
    DisclosureError
        The folder is not a restricted one.
    """
    if restricted is not None:
        require_restricted(restricted.lists)
    read = read_form(Path(form), store, key_file)
    said = read.drawn_with
    area, year = find_area(said.area), parse_academic_year(said.year)
    cases = find_cases(store, held_members(store, area), year, said.question)
    outcomes, strata, notes = _held_against(read, cases)
    made = results_of(
        outcomes,
        strata,
        f"Outcomes of the audit of pupils with no attendance, {area.name}, {said.year}, {said.question.in_words}",
    )
    made = replace(made, notes=(*notes, *made.notes))
    return made if restricted is None else _written(made, read, store, restricted, today or date.today())


def results_of(
    outcomes: Mapping[Case, tuple[str, Outcome]], strata: Mapping[str, tuple[int, int]], title: str = ""
) -> ZeroResults:
    """Return the categories of a sample.

    Parameters
    ----------
    outcomes
        Pupil and school -> stratum and outcome, of everybody drawn.
    strata
        Stratum -> (pupils, drawn).
    """
    rules = audit_rules()
    total, drawn = (sum(pair[place] for pair in strata.values()) for place in (0, 1))

    def categories(names: Sequence[str], name_of: Callable[[Outcome], str]) -> tuple[Category, ...]:
        found = [
            (
                [stratum for stratum, outcome in outcomes.values() if name_of(outcome) == name],
                name,
            )
            for name in names
        ]
        shares = [
            stratified_share([Stratum(size, taken, events.count(stratum)) for stratum, (size, taken) in strata.items()])
            for events, _ in found
        ]
        pupils, percents = (whole_parts([share.value for share in shares], of) for of in (total, 100))
        return tuple(
            Category(name, len(events), _whole_percent(len(events), drawn), number, percent, share)
            for (events, name), share, number, percent in zip(found, shares, pupils, percents, strict=True)
        )

    groups = categories(rules.groups, lambda outcome: outcome.group)
    single = categories([outcome.label for outcome in rules.outcomes], lambda outcome: outcome.label)
    together = sum(category.printed for category in groups)
    notes = [] if together == 100 else [
        f"Shares of the sample are rounded each by itself and add up to {together}%; the pupils add up to {drawn:,}."
    ]  # fmt: skip
    return ZeroResults(title, total, drawn, groups, single, (*notes, _METHOD))


def _whole_percent(count: int, total: int) -> int:
    return int(round_half_up(100 * count / total)) if total else 0


def _held_against(
    form: Form, cases: Cases
) -> tuple[dict[Case, tuple[str, Outcome]], Mapping[str, tuple[int, int]], list[str]]:
    """Return the outcomes of everybody drawn, their strata, and notes."""
    drawn = {
        (int(upn), int(laestab)): str(stratum)
        for upn, laestab, stratum in cases.drawn[["upn", "laestab", "stratum"]].itertuples(index=False)
    }
    same = cases.sample == form.drawn_with.sample
    if not same and form.is_whole:
        # The form is as it was written, the data are not: it speaks for the list it was drawn from.
        now = (
            f"{len(cases.audited):,} pupils now, {sum(total for total, _ in form.strata.values()):,} when it was drawn"
        )
        note = (
            "The sample is not the one that the store gives today: its data, or the row of the form that says how it was drawn,"
            f" have changed since ({now}). The result is about the list the sample was drawn from."
        )
        kept = {case: (form.stratum_of[case], outcome) for case, outcome in form.outcomes.items()}
        _check_strata(form, kept)
        return kept, form.strata, [note]
    if not same:
        raise ScreeningError(
            f"{form.name} cannot be used: its rows are not those it was written with, and the store does not give that sample"
            " today, so that nobody can say what was changed. Fill in the form as it was written, or make a new one."
        )
    _refuse_added(form, drawn)
    unfilled = audit_rules().unfilled
    missing = len(set(drawn) - set(form.outcomes))
    notes = []
    if missing:
        rows = "1 pupil of the sample has no row" if missing == 1 else f"{missing:,} pupils of the sample have no row"
        notes.append(f"{rows} in the form, counted as '{unfilled.label}'.")
    kept = {case: (stratum, form.outcomes.get(case, unfilled)) for case, stratum in drawn.items()}
    return kept, cases.draw.sizes, notes


def _refuse_added(form: Form, drawn: Collection[Case]) -> None:
    added = sorted(form.rows[case] for case in form.outcomes if case not in drawn)
    if added:
        fix = "Delete the row: only pupils who were drawn speak for the others."
        lines = [str(Problem(row, "Pupil", "this pupil was not drawn for the sample.", fix)) for row in added]
        raise ScreeningError(f"{form.name} cannot be used:\n" + "\n".join(lines))


def _check_strata(form: Form, kept: Mapping[Case, tuple[str, Outcome]]) -> None:
    counts = dict.fromkeys(form.strata, 0)
    for stratum, _ in kept.values():
        counts[stratum] = counts.get(stratum, 0) + 1
    if counts != {name: drawn for name, (_, drawn) in form.strata.items()}:
        raise ScreeningError(
            f"{form.name} cannot be used: the column of strata is not the one it was written with. Take it from the form as it"
            " was written."
        )


def _written(made: ZeroResults, form: Form, store: Store, restricted: Restricted, today: date) -> ZeroResults:
    """Write the result beside the lists, for the purpose and until the day that the form says."""
    until = form.keep_until
    if until is None:
        raise ScreeningError(
            f"{form.name} cannot be used: the row 'Keep until' is missing. Put it back as it was written."
        )
    said = form.drawn_with
    asked = check_asked(
        f"{KIND}-results-{said.question.name}",
        said.area,
        said.year,
        form.head.get("Purpose", ""),
        until,
        ("csv",),
        today,
    )
    more = (
        ("Sample", f"{made.drawn} of {made.total} pupils"),
        *(("Note", note) for note in made.notes),
    )
    about = about_rows(asked, store, "All schools", "", {}, more=more)

    def file(stem: str, header: str, categories: Sequence[Category]) -> ListFile:
        rows = (*(_row(one) for one in categories), ("All", made.drawn, "", made.total, 100, "", ""))
        return ListFile(stem, "All schools", PupilList(made.title, about, (header, *_COLUMNS), rows, asked.made_on), 0)

    files = [file("results", "Group of outcomes", made.groups), file("results-by-outcome", "Outcome", made.outcomes)]
    entries = write_files(restricted.lists, asked, files, is_identified=False)
    drop_older(restricted.lists, entries, asked)
    return replace(made, files=tuple(restricted.lists / entry.file for entry in entries))


def _row(one: Category) -> tuple[Value, ...]:
    ends = (round_half_up(100 * end, 1) for end in (one.share.lower, one.share.upper))
    return (one.name, one.drawn, one.printed, one.pupils, one.percent, *ends)
