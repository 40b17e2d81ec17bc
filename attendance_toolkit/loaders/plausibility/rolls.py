"""Are the schools and pupils there that should be there?"""

from __future__ import annotations

import pandas as pd

from attendance_toolkit.loaders.plausibility.across import Across
from attendance_toolkit.loaders.plausibility.sessions import FEWEST_PUPILS, _schools
from attendance_toolkit.schema.census import census_of
from attendance_toolkit.schema.coverage import grouped, schools_due
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS
from attendance_toolkit.vocabulary.rounding import show_number

#: A roll differs when it is off by this share and by this many pupils. The list's roll is that of one January, nursery
#: and sixth-form pupils included; a year group may come or go between two terms.
ROLL_SHARE = 0.25
ROLL_PUPILS = 20
#: Share of the expected pupils below which it is said that pupils are missing.
FEWEST_RECEIVED = 0.9
#: Share of a term's pupils that may be lost without a reason, and how many in any case.
MOST_UNKNOWN = 0.02
FEWEST_UNKNOWN = 10


def check_roll_list(across: Across) -> None:
    """Report schools whose pupils on roll are far from the roll in the list of schools."""
    if "number_of_pupils" not in across.schools or across.schools.empty:
        return
    listed = across.schools[["laestab", "number_of_pupils"]].drop_duplicates("laestab")
    both = across.rolls.merge(listed, on="laestab")
    roll = pd.to_numeric(both["number_of_pupils"], errors="coerce")
    off = (both["pupils"] - roll).abs()
    odd = both[(off > ROLL_SHARE * roll) & (off > ROLL_PUPILS) & (roll > 0)].assign(roll=roll)
    for (la, name), here in grouped(odd, "la_code", "census"):
        census, one = census_of(name), here.iloc[0]
        across.note(
            "school_roll_list", la, census.academic_year, census.collection,
            f"{_schools(len(here))} {_has(len(here))} far more or fewer pupils on roll in the {census.label} census than in"
            f" the list of schools, such as {show_number(one['pupils'])} instead of {show_number(one['roll'])}",
            schools=here["laestab"], fix="Check that all pupils of the school are in the extract, and the date of the list.",
        )  # fmt: skip


def check_roll_steps(across: Across) -> None:
    """Report schools with far more or fewer pupils than in the term before."""
    rows = across.terms.groupby(
        ["la_code", "laestab", "place", "academic_year", "term"], observed=True, as_index=False
    ).agg(pupils=("pupils", "max"))
    before = rows[["laestab", "place", "pupils"]].assign(place=rows["place"] + 1).rename(columns={"pupils": "before"})
    both = rows.merge(before, on=["laestab", "place"])
    off = (both["pupils"] - both["before"]).abs()
    odd = both[(off > ROLL_SHARE * both[["pupils", "before"]].max(axis=1)) & (off > ROLL_PUPILS)]
    for (la, year, term), here in grouped(odd, "la_code", "academic_year", "term"):
        one = here.iloc[0]
        across.note(
            "school_roll_step", la, int(year), term,
            f"{_schools(len(here))} {_has(len(here))} far more or fewer pupils with sessions than the term before, such as"
            f" {show_number(one['pupils'])} after {show_number(one['before'])}",
            schools=here["laestab"], fix="Check that both extracts hold all pupils of the school.",
        )  # fmt: skip


def check_missing_terms(across: Across) -> None:
    """Report schools that have sent one term of a year and not another that their authority has."""
    rows = across.terms
    for (la, year), here in grouped(rows, "la_code", "academic_year"):
        large = set(here.loc[here["pupils"] >= FEWEST_PUPILS, "laestab"])
        for term in [t for t in TERMS if t in set(here["term"])]:
            missing = large - set(here.loc[here["term"] == term, "laestab"])
            if missing:
                across.note(
                    "school_missing_term", str(la), int(year), term,
                    f"{_schools(len(missing))} that {_has(len(missing))} sent another term of the year"
                    f" {_has(len(missing))} sent nothing for the {TERM_LABELS[term].lower()} term",
                    schools=missing, fix="Ask for the return, or leave the school out of comparisons of terms.",
                )  # fmt: skip


def check_not_received(across: Across) -> None:
    """Report schools of the list of which nothing was received in a year, and pupils that are missing altogether."""
    for (la, year), here in grouped(across.terms, "la_code", "academic_year"):
        listed = across.expected[across.expected["la_code"] == la]
        due = schools_due(listed, int(year))
        missing = set(due["laestab"]) - set(here["laestab"])
        if missing:
            across.note(
                "school_not_received", str(la), int(year), "",
                f"nothing was received of {len(missing)} of the {_schools(len(due))} of the list",
                schools=missing, fix="Ask for the returns; academies often send theirs apart.",
            )  # fmt: skip
        rolls = due.set_index("laestab")["number_of_pupils"]
        if not rolls.notna().any():
            continue
        received = here.groupby("laestab")["pupils"].max()
        # Schools whose roll the list does not have count as they came.
        expected = rolls.fillna(received.reindex(rolls.index)).sum()
        came = received.reindex(rolls.index).fillna(0).sum()
        if came < FEWEST_RECEIVED * expected:
            across.note(
                "pupils_not_received", str(la), int(year), "",
                f"{show_number(came)} pupils were received of {show_number(expected)} that the list has.",
                count=int(expected - came), fix="See the schools that are missing or short.",
            )  # fmt: skip


def check_unmatched(across: Across) -> None:
    """Report terms of which pupils are lost without a reason: neither in the next term nor recorded as leaving."""
    for row in across.unmatched.to_dict("records"):
        lost, pupils = int(row["unknown"]), int(row["pupils"])
        if lost < FEWEST_UNKNOWN or lost <= MOST_UNKNOWN * pupils:
            continue
        across.note(
            "pupils_unmatched", row["la_code"], int(row["academic_year"]), row["term"],
            f"{show_number(lost)} of {show_number(pupils)} pupils are not found in the next term although their school"
            " sent it, and are not recorded as leaving.",
            count=lost,
            fix="Check that pupils no longer on roll are in the extract and that UPNs were not changed.",
        )  # fmt: skip


def _has(count: int) -> str:
    return "has" if count == 1 else "have"
