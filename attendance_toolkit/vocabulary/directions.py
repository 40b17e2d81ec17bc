"""Improving and deteriorating: one written definition for each kind of unit (``reference/directions.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.vocabulary._reference import read_yaml
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.trajectories import trajectory_rules

FILE = "directions.yaml"
UNITS = ("area", "group", "school", "pupil")


@dataclass(frozen=True)
class Direction:
    """When a unit improves, when it deteriorates, and what is said of it else.

    Attributes
    ----------
    unit
        "area", "group", "school" or "pupil".
    compared
        What is compared with what.
    improving, deteriorating, otherwise
        In words, the figures filled in. A fall of absence is an improvement.
    parameters
        The figures by name, as the code that decides uses them: ``confidence`` and ``probability`` in percent.
    """

    unit: str
    compared: str
    improving: str
    deteriorating: str
    otherwise: str
    parameters: Mapping[str, int | float]

    @property
    def text(self) -> str:
        """The definition as one sentence or two, to be shown beside the figures.

        >>> direction_of("school").text
        "Compared: the school's rate in the first and the last year, its change shrunken towards that of all schools. \
Improving: the probability that its underlying rate fell is at least 95%. Deteriorating: the probability that its \
underlying rate rose is at least 95%. Otherwise: it cannot be told; no school has a verdict where the schools' changes \
differ by no more than chance."
        """
        words = (
            f"Compared: {self.compared}. Improving: {self.improving}. Deteriorating: {self.deteriorating}."
            f" Otherwise: {self.otherwise}."
        )
        return phrase(words, "rule")


@cache
def direction_of(unit: str) -> Direction:
    """Return the definition of improving and deteriorating for a kind of unit.

    Raises
    ------
    VocabularyError
        There is no definition for such a unit.

    >>> direction_of("area").improving
    'the 95% interval of the change lies wholly below 0'
    """
    if unit not in UNITS:
        raise VocabularyError(
            f"There is no definition of improving for '{unit}'.{did_you_mean(unit, UNITS)} Use one of: {', '.join(UNITS)}."
        )
    given = read_yaml(FILE)["units"][unit]
    parameters = given["parameters"]
    rules = trajectory_rules()
    # The trajectories' own directions are in their rules, and nowhere else.
    named = parameters | {
        f"{name}_trajectories": ", ".join(rules.towards(name)) for name in ("improving", "deteriorating")
    }
    words = {name: given[name].format(**named) for name in ("compared", "improving", "deteriorating", "otherwise")}
    return Direction(unit, **words, parameters=MappingProxyType(parameters))
