"""What a forecast of a school's intake allows for until the data can say (``reference/transition_allowance.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary._reference import parse_yaml, read_yaml_text

FILE = "transition_allowance.yaml"
KIND = "transition_allowance"
#: The three forecasts of a pupil: the share of sessions missed, and the chances of persistent and of severe absence.
RATE, PERSISTENT, SEVERE = "rate", "persistent", "severe"
OUTCOMES = (RATE, PERSISTENT, SEVERE)
_SDS = ("school_year_sd", "drift_sd")
_WEIGHTS = ("as_schools", "as_years")


@dataclass(frozen=True)
class DefaultAllowance:
    """Standard deviations of one outcome: 0.01 is one percentage point of the rate; logits of the other two.

    Attributes
    ----------
    school_year_sd
        Of a school's year about the school's own level.
    drift_sd
        Of a year of all schools about what earlier years gave.
    as_schools, as_years
        How many schools, and years, of data the two count as.
    """

    school_year_sd: float
    drift_sd: float
    as_schools: float
    as_years: float


@cache
def default_allowance(outcome: str = RATE) -> DefaultAllowance:
    """Return the toolkit's figures for "rate", "persistent" or "severe".

    >>> default_allowance().school_year_sd, default_allowance("persistent").drift_sd
    (0.0052, 0.15)
    """
    return parse_allowance(read_yaml_text(FILE), FILE)[outcome]


def parse_allowance(text: str, name: str = "the allowance") -> dict[str, DefaultAllowance]:
    """Return the figures of each outcome from YAML text.

    Raises
    ------
    VocabularyError
        The text is not YAML, or a key is missing, unknown or not a number above 0. The message names the key.
    """
    given = parse_yaml(text, name)
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(f"{name} does not hold an allowance. It must begin with 'kind: {KIND}'.")
    _all_of(name, given, ("kind", "source", *OUTCOMES, *_WEIGHTS))
    weights = [_positive(f"{name}, {key}", given[key]) for key in _WEIGHTS]
    found = {}
    for outcome in OUTCOMES:
        where = f"{name}, {outcome}"
        if not isinstance(given[outcome], dict):
            raise VocabularyError(f"{where}: write the keys {' and '.join(_SDS)} below it.")
        _all_of(where, given[outcome], _SDS)
        unit = 100 if outcome == RATE else 1
        sds = [_positive(f"{where}, {key}", given[outcome][key]) / unit for key in _SDS]
        found[outcome] = DefaultAllowance(*sds, *weights)
    return found


def _all_of(where: str, given: dict[Any, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if key not in given:
            raise VocabularyError(f"{where}: '{key}' is missing. Give it.")
    for key in given:
        if key not in keys:
            raise VocabularyError(f"{where}: '{key}' is not a key. Use: {', '.join(keys)}.")


def _positive(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1000:
        raise VocabularyError(f"{where}: '{value}' is not allowed. Write a number above 0.")
    return float(value)
