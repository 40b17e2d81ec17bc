"""What DfE calls the levels of pupil characteristics in its published files, and what the toolkit calls them."""

from __future__ import annotations

from functools import cache

from attendance_toolkit.vocabulary._reference import read_reference
from attendance_toolkit.vocabulary.columns import ALL


@cache
def characteristic_levels() -> dict[tuple[str, str], tuple[str, str]]:
    """Return (topic, item) as published, in plain spelling -> (characteristic, level) of the toolkit.

    The topic is empty for files that write both in one cell ("Gender_female"); for files with a column for each
    characteristic it is that column ("fsm_eligible", "sex_column"). Source of each row: characteristic_levels.csv.
    """
    rows = read_reference("characteristic_levels.csv")
    return {(plain(row["topic"]), plain(row["item"])): (row["characteristic"], row["level"]) for row in rows}


def plain(text: str) -> str:
    """Return text without differences of capitals, hyphens, underscores and spaces.

    >>> plain("SEN_provision_SEN_Support") == plain("sen provision  SEN support")
    True
    """
    return " ".join(text.replace("-", " ").replace("_", " ").split()).casefold()


def characteristic_of(topic: str, item: str) -> tuple[str, str]:
    """Return the characteristic and level of a published topic and item.

    Raises
    ------
    KeyError
        The pair is not in the table.

    >>> characteristic_of("", "Gender_female"), characteristic_of("SEN provision", "Education, health and care plan")
    (('sex', 'Female'), ('sen_provision', 'EHC plan'))
    """
    if plain(item) == "total":
        return ALL, ALL
    return characteristic_levels()[plain(topic), plain(item)]


def levels_of_column(topic: str) -> dict[str, str]:
    """Return item as published -> level, for a column that holds one characteristic.

    >>> levels_of_column("sex_column")["F"]
    'Female'
    """
    rows = read_reference("characteristic_levels.csv")
    return {row["item"]: row["level"] for row in rows if row["topic"] == topic}
