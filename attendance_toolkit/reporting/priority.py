"""Priority pupils for a step: who is about to move up and is likely to be absent, one file for each school they go to.

A list is made of what is known by July, and goes through the machinery of all lists of pupils: purpose, date, register,
pseudonyms, the restricted folder. A model chooses only where it did better than the year before itself when it was tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from attendance_toolkit.deepdives._step_models import expected_here_of, fitted_steps
from attendance_toolkit.errors import NoDataError, ParameterError, did_you_mean
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.models.transition.proof import MODEL, TARGETING
from attendance_toolkit.reporting.list_writing import (
    Asked,
    ListsMade,
    check_asked,
    drop_older,
    held_members,
    names_of,
    unnamed_among,
    write_files,
)
from attendance_toolkit.reporting.priority_choice import (
    BEFORE,
    PREDICTED,
    RULES,
    STEPS,
    by_rule,
    capacity_of,
    check_step,
)
from attendance_toolkit.reporting.priority_pack import PackWriter, Plan
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.transition_allowance import PERSISTENT


@dataclass(frozen=True)
class PriorityMade:
    """What was written, by which rule, and what is to be known of it."""

    lists: ListsMade
    rule: str
    expected: int
    notes: tuple[str, ...]

    def to_text(self) -> str:
        """Return the result as a person reads it."""
        return "\n".join((f"{self.lists.to_text()} {self.expected:,} pupils are expected.", *self.notes))


def build_priority(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    from_year: str = "6",
    rule: str = PREDICTED,
    capacity: str | int | None = None,
    per_school: str | int | None = None,
    with_characteristics: bool = False,
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> PriorityMade:
    """Write the priority pupils of a year group about to move up, one file for each school they are expected at.

    Pupils whose school is not known, and who are in the area now, are in a file of the school they are in. A list made
    again takes the place of the older one of its area, year and step.

    Parameters
    ----------
    store
        The authority's store.
    area
        Local authority, or an area of several: that of the schools the pupils go to.
    academic_year
        Year before the step, such as 2023/24.
    restricted
        The restricted folder (``restricted.open_restricted``).
    purpose, retain_until
        As for every list of pupils.
    from_year
        Year group before the step: "6", or "7" for the step to Year 8.
    rule
        "predicted": the highest chance of persistent absence, if the model did better than the year before when it was
        tested, else as "before": the highest absence, of those who missed 10% or more.
    capacity, per_school
        Places, as a number or a share: of all pupils expected (a tenth, if neither is given), or of each school's.
    with_characteristics
        Choose by the model that also uses sex, ethnicity and SEN.
    identify, key_file
        Files of the extract that was loaded, and the store's key: for UPNs and names in place of pseudonyms.
    formats
        "xlsx", "csv" or both.

    Returns
    -------
    What was written, and by which rule.

    Raises
    ------
    ParameterError
        A rule, step, capacity or format there is not, no purpose, a date that has passed, or files that name nobody.
    NoDataError
        The store lacks the area or year, nobody is expected or is to be listed, or there is no model to choose by.
    DisclosureError
        The folder is not a restricted one.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    if rule not in RULES:
        raise ParameterError(f"'{rule}' is not a rule.{did_you_mean(rule, RULES)} Use one of: {', '.join(RULES)}.")
    check_step(from_year)
    kind = f"priority-year-{STEPS[from_year]}"
    asked = check_asked(kind, area, academic_year, purpose, retain_until, formats, today or date.today())
    plan = plan_of(store, asked, from_year, rule, with_characteristics=with_characteristics)
    size = capacity_of(capacity, per_school, len(plan.cohort.pupils))
    listed = by_rule(plan.cohort, plan.chance, size, plan.cohort.destination)
    if not len(listed):
        raise NoDataError(
            f"No pupil expected in {asked.area.name} is to be listed: nobody missed 10% or more of Year {from_year}."
        )
    upns = plan.cohort.pupils[listed].tolist()
    names = names_of(store, upns, identify, key_file)
    writer = PackWriter(store, asked, plan, size, listed, names)
    entries = write_files(restricted.lists, asked, writer.packs(), is_identified=names is not None)
    csv_only = replace(asked, formats=("csv",))
    entries += write_files(restricted.lists, csv_only, [writer.summary()], is_identified=False)
    drop_older(restricted.lists, entries, asked)
    made = ListsMade(
        restricted.lists / asked.folder,
        tuple(restricted.lists / entry.file for entry in entries),
        len(writer.groups),
        len(upns),
        unnamed_among(upns, names),
    )
    return PriorityMade(made, plan.rule, len(plan.cohort.pupils), (*plan.notes, writer.rightness))


# --- who, and by what -----------------------------------------------------------------------------------------


def plan_of(store: Store, asked: Asked, from_year: str, rule: str, *, with_characteristics: bool = False) -> Plan:
    """Return the pupils expected in the area, and what they are chosen by.

    Raises
    ------
    NoDataError
        The store lacks the area or year, nobody is expected, or there is no model for the rule "predicted".
    """
    members = tuple(held_members(store, asked.area))
    inputs = open_inputs(
        area=asked.area.code,
        academic_year=show_academic_year(asked.academic_year),
        audience="internal",
        store=str(store.path),
    )
    coming = inputs.steps(from_year)[-1]
    here = expected_here_of(coming, members)
    if not here.any():
        raise NoDataError(
            f"No pupil of Year {from_year} in {show_academic_year(asked.academic_year)} is expected in a school of"
            f" {asked.area.name}. Load the school offers, or the autumn census after it."
        )
    cohort = coming.chosen(here)
    try:
        fitted = fitted_steps(inputs, from_year)
    except NoDataError as error:
        if rule == PREDICTED:
            raise NoDataError(
                f"{error} Load what is missing, or ask for the rule '{BEFORE}', which needs no model."
            ) from None
        return Plan(cohort, members, BEFORE, None, None, with_characteristics)
    model = fitted.model if with_characteristics else fitted.targeting
    is_used = fitted.uses(MODEL if with_characteristics else TARGETING) and PERSISTENT in model.outcomes
    notes: tuple[str, ...] = ()
    if rule == PREDICTED and not is_used:
        notes = (
            "The model is not used: when it was tested, it was not shown to do better than the year before itself. Pupils"
            f" are chosen by the rule '{BEFORE}'.",
        )
    chosen = rule if is_used else BEFORE
    return Plan(cohort, members, chosen, model if is_used else None, fitted, with_characteristics, notes)
