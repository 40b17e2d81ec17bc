"""Are possible sessions and absence of a school what the calendar, its neighbours and its other terms make likely?"""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from attendance_toolkit.loaders.plausibility.across import ROWS, Across
from attendance_toolkit.schema.coverage import grouped
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, show_academic_year
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.rounding import show_number

#: Fewer pupils say nothing about their school, fewer schools nothing about their authority.
FEWEST_PUPILS = 10
FEWEST_SCHOOLS = 4
#: A school's most frequent number of possible sessions, as a share of the middle one of its authority. Below it weeks of
#: marks are missing: a half term has five to eight weeks.
USUAL_RANGE = (0.75, 1.25)
#: Sessions of a year: schools meet on at least 190 days, which is 380 sessions. In-service days, bank holidays and
#: closures move the number by a few days, not by four weeks.
YEAR_RANGE = (340, 400)
#: Academic years in which schools were closed to most pupils for weeks.
CLOSED_YEARS = (201920, 202021)
#: A step is a change of a school's absence rate that differs from the change of the middle school of its kind in the
#: authority by this much, and by this many times the usual spread of such changes.
STEP_POINTS = 0.05
STEP_SPREADS = 6
STEP_PUPILS = 30
#: Share of pupils, or of schools, with the same figures in two half terms above which one is taken for a copy. By chance
#: it is below a fifth of pupils, and a few hundredths of schools.
COPIED_SHARE = 0.5
#: Two rates are the same when they differ by no more than this (0.02 percentage points).
SAME_RATE = 0.0002
COPIED_SCHOOLS = 10


def check_calendar_area(across: Across) -> None:
    """Report schools whose pupils have far fewer, or far more, possible sessions than elsewhere in the authority."""
    rows = across.terms
    rows = rows[rows["phase"].isin([*MAIN_PHASES, "Unknown"]) & (rows["pupils"] >= FEWEST_PUPILS)]
    for (la, year, term, half_term), here in grouped(rows, "la_code", "academic_year", "term", "half_term"):
        if len(here) < FEWEST_SCHOOLS:
            continue
        middle = float(here["usual"].median())
        for is_low, odd in (
            (True, here[here["usual"] < USUAL_RANGE[0] * middle]),
            (False, here[here["usual"] > USUAL_RANGE[1] * middle]),
        ):
            if odd.empty:
                continue
            across.note(
                "possible_unlike_area", la, int(year), term,
                f"most pupils of {_schools(len(odd))} have far {'fewer' if is_low else 'more'} possible sessions in"
                f" {_words(half_term)} than the {show_number(middle)} usual in the authority, such as"
                f" {int(odd['usual'].iloc[0])}",
                schools=odd["laestab"], fix="Check whether weeks of marks are missing." if is_low else "Check the calendar.",
            )  # fmt: skip


def check_calendar_year(across: Across) -> None:
    """Report schools whose most frequent possible sessions of all half terms do not come to about 380."""
    rows = across.terms[~across.terms["academic_year"].isin(CLOSED_YEARS)]
    rows = rows[rows["phase"].isin([*MAIN_PHASES, "Unknown"]) & (rows["pupils"] >= FEWEST_PUPILS)]
    if rows.empty:
        return
    rows = rows.assign(halves=rows["half_term"].map(_halves))
    year = rows.groupby(["la_code", "academic_year", "laestab"], observed=True).agg(
        usual=("usual", "sum"), halves=("halves", "sum")
    )
    year = year[year["halves"] == 6].reset_index()
    odd = year[(year["usual"] < YEAR_RANGE[0]) | (year["usual"] > YEAR_RANGE[1])]
    for (la, number), here in grouped(odd, "la_code", "academic_year"):
        across.note(
            "possible_unlike_year", la, int(number), "",
            f"the possible sessions of most pupils of {_schools(len(here))} come to {int(here['usual'].iloc[0])} in the"
            f" year; {YEAR_RANGE[0]} to {YEAR_RANGE[1]} are likely, 380 usual",
            schools=here["laestab"], fix="Check the calendar in the school's system.",
        )  # fmt: skip


def _halves(half_term: str) -> int:
    """Return how many half terms a half term or span is.

    >>> _halves("5"), _halves("3-4")
    (1, 2)
    """
    first, _, last = half_term.partition("-")
    return int(last or first) - int(first) + 1


def check_steps(across: Across) -> None:
    """Report schools whose absence changed from one term to the next quite unlike the others of their authority."""
    rows = across.terms[across.terms["phase"].isin([*MAIN_PHASES, "Unknown"])]
    term = rows.groupby(
        ["la_code", "phase", "laestab", "place", "academic_year", "term"], observed=True, as_index=False
    ).agg(possible=("possible", "sum"), absent=("absent", "sum"), pupils=("pupils", "max"))
    term = term[(term["pupils"] >= STEP_PUPILS) & (term["possible"] > 0)]
    term = term.assign(rate=term["absent"] / term["possible"])
    before = term[["laestab", "place", "rate"]].assign(place=term["place"] + 1).rename(columns={"rate": "before"})
    both = term.merge(before, on=["laestab", "place"])
    both["change"] = both["rate"] - both["before"]
    for (la, year, name), here in grouped(both, "la_code", "academic_year", "term"):
        found = []
        for _, alike in here.groupby("phase", observed=True):
            others = alike if len(alike) >= FEWEST_SCHOOLS else here
            if len(others) < FEWEST_SCHOOLS:
                continue
            middle = others["change"].median()
            spread = 1.4826 * (others["change"] - middle).abs().median()
            off = (alike["change"] - middle).abs()
            found.append(alike[(off > STEP_POINTS) & (off > STEP_SPREADS * spread)])
        odd = pd.concat(found) if found else here.head(0)
        if len(odd):
            one = odd.iloc[0]
            across.note(
                "school_absence_step", la, int(year), name,
                f"absence of {_schools(len(odd))} changed since the term before quite unlike that of the other schools of"
                f" the authority, such as from {_percent(one['before'])} to {_percent(one['rate'])}",
                schools=odd["laestab"], fix="Ask the school, or compare its marks with its own system.",
            )  # fmt: skip


def check_copies(across: Across) -> None:
    """Report schools where most absent pupils have exactly the same absence in two half terms."""
    copies = across.con.execute(
        f"""
        WITH marks AS (
            SELECT upn, laestab, academic_year * 10 + left(half_term, 1)::INTEGER AS period,
                   sum(sessions_authorised)::INTEGER AS a, sum(sessions_unauthorised)::INTEGER AS u
            FROM {ROWS} WHERE term IN ('autumn', 'spring', 'summer') AND sessions_authorised + sessions_unauthorised > 0
            GROUP BY ALL
        ),
        sizes AS (SELECT laestab, period, count(*) AS pupils FROM marks GROUP BY ALL HAVING count(*) >= {FEWEST_PUPILS}),
        same AS (
            SELECT x.laestab, x.period AS earlier, y.period AS later, count(*) AS alike
            FROM marks x JOIN marks y
            ON x.upn = y.upn AND x.laestab = y.laestab AND x.a = y.a AND x.u = y.u AND x.period < y.period
            GROUP BY ALL HAVING count(*) >= {FEWEST_PUPILS}
        ),
        -- Most pairs of half terms are ruled out before the pupils of both are counted.
        likely AS (
            SELECT s.* FROM same s JOIN sizes x ON x.laestab = s.laestab AND x.period = s.earlier
            JOIN sizes y ON y.laestab = s.laestab AND y.period = s.later
            WHERE s.alike > 0.2 * least(x.pupils, y.pupils)
        )
        SELECT l.laestab, l.earlier, l.later, any_value(l.alike) AS alike, count(*) AS pupils
        FROM likely l JOIN marks x ON x.laestab = l.laestab AND x.period = l.earlier
        JOIN marks y ON y.laestab = l.laestab AND y.period = l.later AND y.upn = x.upn
        GROUP BY l.laestab, l.earlier, l.later HAVING any_value(l.alike) > {COPIED_SHARE} * count(*)
        ORDER BY 3, 2, 1
        """
    ).df()
    if copies.empty:
        return
    copies = copies.merge(across.terms[["laestab", "la_code"]].drop_duplicates("laestab"), on="laestab")
    for (la, later, earlier), here in grouped(copies, "la_code", "later", "earlier"):
        one, (term, half_term) = here.iloc[0], _span(across, int(later))
        across.note(
            "term_copied", la, int(later) // 10, term,
            f"most absent pupils of {_schools(len(here))} missed in {_words(half_term)} exactly what they missed in"
            f" {_when(across, int(earlier))}, such as {int(one['alike'])} of {int(one['pupils'])}",
            schools=here["laestab"], fix="One of the two is probably a copy; export it again.",
        )  # fmt: skip


def check_area_copies(across: Across) -> None:
    """Report half terms in which the absence rates of most schools of an authority are those of another half term."""
    rows = across.terms[(across.terms["pupils"] >= FEWEST_PUPILS) & (across.terms["absent"] > 0)]
    rows = rows.assign(
        rate=rows["absent"] / rows["possible"],
        period=rows["academic_year"] * 10 + rows["half_term"].str[:1].astype("int64"),
    )
    for (la,), here in grouped(rows, "la_code"):
        rates = here.pivot_table(index="laestab", columns="period", values="rate", aggfunc="first")
        values = rates.to_numpy()
        for x, y in combinations(range(len(rates.columns)), 2):
            off = np.abs(values[:, x] - values[:, y])
            compared, same = int((~np.isnan(off)).sum()), int((off <= SAME_RATE).sum())
            if compared >= COPIED_SCHOOLS and same > COPIED_SHARE * compared:
                earlier, later = int(rates.columns[x]), int(rates.columns[y])
                term, half_term = _span(across, later)
                across.note(
                    "area_term_copied", la, later // 10, term,
                    f"the absence rates of {same} of {compared} schools in {_words(half_term)} are within 0.02"
                    f" percentage points of those of {_when(across, earlier)}.",
                    count=same, fix="One of the two is probably a copy; export it again.",
                )  # fmt: skip


def _span(across: Across, period: int) -> tuple[str, str]:
    """Return the term and the half term, or span, of a period: academic year and first half term in one number."""
    rows = across.terms
    here = rows[(rows["academic_year"] == period // 10) & (rows["half_term"].str[:1] == str(period % 10))].iloc[0]
    return str(here["term"]), str(here["half_term"])


def _words(half_term: str) -> str:
    """Return a half term or span in words.

    >>> _words("5"), _words("3-4")
    ('half term 5', 'half terms 3-4')
    """
    return f"half term{'s' if '-' in half_term else ''} {half_term}"


def _when(across: Across, period: int) -> str:
    term, half_term = _span(across, period)
    return f"{_words(half_term)} ({TERM_LABELS[term].lower()}) of {show_academic_year(period // 10)}"


def _schools(count: int) -> str:
    return f"{count} school{'' if count == 1 else 's'}"


def _percent(rate: float) -> str:
    return f"{show_number(rate * 100, 1)}%"
