"""What must hold between the columns of a published file, from ``reference/published_identities.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from attendance_toolkit.vocabulary._reference import read_yaml


@dataclass(frozen=True)
class Rate:
    """A percentage and the counts it is of."""

    percent: str
    count: str
    size: str


@dataclass(frozen=True)
class Sum:
    """A total and its parts; ``is_equal`` is False where the parts may fall short of the total."""

    total: str
    is_equal: bool
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Weighted:
    """Rows of a series whose rate is the mean of the phases' rates, weighted by a column."""

    series: str
    phases: tuple[str, ...]
    weight: str


@dataclass(frozen=True)
class Identities:
    """Everything the YAML file says, in its order."""

    keys: Mapping[str, tuple[str, ...]]
    series: tuple[tuple[str, frozenset[str]], ...]
    rates: tuple[Rate, ...]
    bare_rates: tuple[str, ...]
    weighted: tuple[Weighted, ...]
    sums: tuple[Sum, ...]
    order: tuple[tuple[str, ...], ...]
    added_rates: tuple[tuple[int | str, tuple[str, ...]], ...]
    additive: frozenset[str]
    total_phases: frozenset[str]
    part_phases: frozenset[str]
    steps: tuple[str, ...]

    @property
    def percents(self) -> frozenset[str]:
        """All columns that hold a percentage."""
        named = {rate.percent for rate in self.rates} | set(self.bare_rates)
        for total, parts in self.added_rates:
            named |= {*parts, *([total] if isinstance(total, str) else [])}
        return frozenset(named)

    @property
    def counts(self) -> frozenset[str]:
        """All columns that hold a count."""
        named = {name for rate in self.rates for name in (rate.count, rate.size)}
        named |= {name for total in self.sums for name in (total.total, *total.parts)}
        named |= {name for chain in self.order for name in chain} | self.additive
        return frozenset(named - self.percents - {"severe_absence_rate", "persistent_absence_rate"})


@cache
def identities() -> Identities:
    """Return the identities of published files.

    >>> identities().rates[0]
    Rate(percent='sess_overall_percent', count='sess_overall', size='sess_possible')
    """
    given: dict[str, Any] = read_yaml("published_identities.yaml")
    return Identities(
        {name: tuple(columns) for name, columns in given["keys"].items()},
        tuple((row["name"], frozenset(row["has"])) for row in given["series"]),
        tuple(Rate(*row) for row in given["rates"]),
        tuple(given["bare_rates"]),
        tuple(Weighted(row["series"], tuple(row["phases"]), row["weight"]) for row in given["weighted"]),
        tuple(Sum(total, relation == "equal", tuple(parts)) for total, relation, parts in given["sums"]),
        tuple(tuple(row) for row in given["order"]),
        tuple((total, tuple(parts)) for total, parts in given["added_rates"]),
        frozenset(given["additive"]),
        frozenset(given["phases"]["total"]),
        frozenset(given["phases"]["parts"]),
        tuple(given["steps"]),
    )
