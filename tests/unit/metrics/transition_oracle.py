"""Cohorts of a step by loops and dictionaries: shares no code with the toolkit's, for comparison with it."""

from __future__ import annotations

from collections import Counter, defaultdict

import pandas as pd

from tests.unit.metrics.following_oracle import counted_rows

MAINSTREAM = ("Primary", "Secondary")
HALF_TERMS = ("1", "2", "1-2", "3", "4", "3-4", "5", "6", "5-6", "1-6")
TERM_OF = dict(zip(HALF_TERMS, [*["autumn"] * 3, *["spring"] * 3, *["summer"] * 3, "year"], strict=True))
CHARACTERISTICS = ("fsm_eligible", "sen_provision", "sex", "ethnicity_major")


def absent(row: dict) -> int:
    return row["sessions_authorised"] + row["sessions_unauthorised"]


def of_most(rows: list[dict]) -> dict:
    """Return the first row of the school with most possible sessions, the lower number if two have the same."""
    total = Counter()
    for row in rows:
        total[row["laestab"]] += row["sessions_possible"]
    school = max(total, key=lambda laestab: (total[laestab], -laestab))
    return min((row for row in rows if row["laestab"] == school), key=lambda row: row["half_term"])


def sums(rows: list[dict], name) -> dict[str, tuple[int, int]]:
    found = defaultdict(lambda: (0, 0))
    for row in rows:
        possible, missed = found[name(row)]
        found[name(row)] = (possible + row["sessions_possible"], missed + absent(row))
    return dict(found)


def cohort(frame: pd.DataFrame, year: int, from_year: str, to_year: str, least: int) -> tuple[dict, dict]:
    """Return what is known of each pupil of the year group; and the later year group's pupils who were not in it."""
    every = frame.to_dict("records")
    held, raw = defaultdict(list), defaultdict(list)
    for row in counted_rows(every, ("academic_year",), least):
        held[row["upn"], row["academic_year"]].append(row)
    for row in every:
        raw[row["upn"], row["academic_year"]].append(row)
    next_year, last_year = year + 101, year - 101

    def in_group(upn, academic_year, group):
        rows = held[upn, academic_year]
        return [row for row in rows if row["nc_year"] == group and row["phase"] in MAINSTREAM]

    def described(upn, academic_year, group):
        first = of_most(in_group(upn, academic_year, group))
        return {
            "school": (first["laestab"], first["la_code"]),
            "characteristics": tuple(first[name] for name in CHARACTERISTICS),
            "terms": sums(held[upn, academic_year], lambda row: TERM_OF[row["half_term"]]),
            "earlier": sums(held[upn, academic_year - 101], lambda _: "year"),
        }

    pupils, joined = {}, {}
    for upn in sorted({row["upn"] for row in every}):
        if in_group(upn, year, from_year):
            later = held[upn, next_year]
            on_roll = of_most(later) if later else min(
                raw[upn, next_year], key=lambda row: (row["half_term"], row["laestab"]), default=None
            )  # fmt: skip
            pupils[upn] = described(upn, year, from_year) | {
                "later": sums(later, lambda row: row["half_term"]),
                "later_school": on_roll
                and (on_roll["laestab"], on_roll["la_code"], on_roll["phase"], on_roll["nc_year"]),
            }
        elif in_group(upn, next_year, to_year):
            joined[upn] = described(upn, next_year, to_year)
    assert last_year < year
    return pupils, joined
