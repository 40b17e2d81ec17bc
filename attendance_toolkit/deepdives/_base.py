"""What all deep dives share: exact figures are made in one place, and shown only as a release has cleared them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attendance_toolkit.disclosure.release import ExactTable, Release
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.vocabulary.calendar import show_academic_year

if TYPE_CHECKING:
    from attendance_toolkit.inputs import Inputs


class Tables(Protocol):
    """Where cleared tables come from: a release made for many pages, or one of this page alone."""

    def table(self, name: str) -> ProtectedTable:
        """Return a cleared table by its name."""


class exact_table:  # noqa: N801 - a decorator, used like property
    """A table of exact figures, by the method that makes it. Read as an attribute it is the table as cleared.

    The method runs where the exact figures are: in the process that makes a release, or in the analyst's own JupyterLab.
    Whoever reads the attribute gets a ``ProtectedTable``, so that nothing can be shown that no release has cleared.
    """

    def __init__(self, make: Callable[[Any], ExactTable]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance.cleared(self.name)


class derived_table:  # noqa: N801 - a decorator, used like property
    """A table worked out on the page from cleared tables alone: risk ratios, ranks, shrunken estimates.

    Read as an attribute it is a ``ProtectedTable``. The runner makes it again from the cleared tables, so that the gate
    knows its figures; a method that raises NoDataError has none.
    """

    def __init__(self, make: Callable[[Any], ProtectedTable]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        kept = instance.__dict__.setdefault("_made", {})
        if self.name not in kept:
            kept[self.name] = self.make(instance)
        return kept[self.name]


class DeepDive:
    """One area and year; its tables are declared with ``exact_table``.

    Parameters
    ----------
    tables
        Where cleared tables come from, for a deep dive inside another one; by default the release of the inputs, or, if
        there is none, a release of this page alone.
    """

    def __init__(self, inputs: Inputs, tables: Tables | None = None) -> None:
        self.inputs = inputs
        self.area = inputs.area
        self.year = inputs.academic_year
        self.shown_year = show_academic_year(self.year)
        self._given = tables

    @property
    def is_local(self) -> bool:
        """Whether there are pupil-level figures."""
        return self.inputs.store is not None

    @property
    def merged(self) -> tuple[str, ...]:
        """Characteristics whose few unknown pupils are counted with another level."""
        return self.inputs.policy.merge_unknown if self.is_local else ()

    @classmethod
    def declared(cls) -> Mapping[str, exact_table]:
        """Return the tables of the class by name, in the order of their definition."""
        return _declared(cls, exact_table)

    def exact(self, name: str) -> ExactTable:
        """Return a table with exact figures, to be cleared.

        Raises
        ------
        NoDataError
            The inputs have nothing for it; the sentence says what they lack.
        """
        return self.declared()[name].make(self)

    def exact_tables(self) -> dict[str, ExactTable | NoDataError]:
        """Return all tables by name, with what the inputs lack in place of those they cannot make."""
        found: dict[str, ExactTable | NoDataError] = {}
        for name in self.declared():
            try:
                found[name] = self.exact(name)
            except NoDataError as error:
                found[name] = error
        return found

    def add_to(
        self, release: Release, report: str, tables: Mapping[str, ExactTable | NoDataError] | None = None
    ) -> None:
        """Give all tables to a release; those the inputs cannot make are entered with the reason."""
        area = self.inputs.area.code
        for name, table in (tables or self.exact_tables()).items():
            if isinstance(table, NoDataError):
                release.add_missing(report, area, name, str(table))
            else:
                release.add(report, area, name, table)
        self.inputs.describe_to(release)

    def cleared(self, name: str) -> ProtectedTable:
        """Return a table as it may be shown to this audience.

        Raises
        ------
        NoDataError
            The inputs have nothing for it; the sentence says what they lack.
        """
        return self._tables.table(name)

    def cleared_of(self, *names: str) -> list[ProtectedTable]:
        """Return those of the tables that the inputs have something for."""
        found = []
        for name in names:
            try:
                found.append(self.cleared(name))
            except NoDataError:
                continue
        return found

    def derived(self) -> list[dict[str, Any]]:
        """Return rows (measure, rate) the page says that are made from cleared figures in a way of its own.

        The gate knows differences, means and the like itself; what it cannot know is listed here: the rows of every
        ``derived_table``. Made by the runner from the cleared tables alone.
        """
        found: list[dict[str, Any]] = []
        for name in _declared(type(self), derived_table):
            try:
                found += getattr(self, name).rows.to_dict("records")
            except NoDataError:
                continue
        return found

    @cached_property
    def _tables(self) -> Tables:
        return self._given or self.inputs.release or _Alone(self)


_Kind = TypeVar("_Kind")


def _declared(cls: type, kind: type[_Kind]) -> dict[str, _Kind]:
    """Return what a class and those it is made of declare with a decorator, by name, in the order of definition."""
    found: dict[str, _Kind] = {}
    for base in reversed(cls.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, kind)}
    return found


class _Alone:
    """A release of one page, for analysts at work on it. A release of many pages may hide more."""

    def __init__(self, dive: DeepDive) -> None:
        self._area, self._audience = dive.inputs.area.code, dive.inputs.audience
        release = Release(dive.inputs.policy)
        dive.add_to(release, "page")
        self._cleared = release.clear(audit=False)
        self._kept: dict[str, ProtectedTable] = {}

    def table(self, name: str) -> ProtectedTable:
        """Return a cleared table by its name."""
        if name not in self._kept:
            self._kept[name] = self._cleared.table("page", self._area, name, audience=self._audience)
        return self._kept[name]
