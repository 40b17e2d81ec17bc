"""Words of a step that several parts of its page use."""

from __future__ import annotations

from attendance_toolkit.deepdives.transition_data import FIRST, cohort_words, year_words
from attendance_toolkit.vocabulary.ledger import phrase

TERM_WORDS = {"autumn": "the autumn term", "spring": "the spring term", "summer": "the summer term"}


def said_year(nc_year: str) -> str:
    """Return a year group in running text, where its number counts nobody.

    >>> said_year("7")
    'Year 7'
    """
    return phrase(year_words(nc_year), "years")


def said_cohort(from_year: str, year: int) -> str:
    """Return a cohort in running text, by the academic year before its step.

    >>> said_cohort("6", 202223)
    'Year 6 of 2022/23'
    """
    return phrase(cohort_words(from_year, year), "years")


def id_of(name: str, from_year: str) -> str:
    """Return the id of a block on a step: those of the second step have an ending.

    >>> id_of("model-card", "6"), id_of("model-card", "7")
    ('model-card', 'model-card-second')
    """
    return name if from_year == FIRST else f"{name}-second"
