"""Does a printed table agree with itself, with its own counts and with published figures?

Each check is a small function from printed cells (``loaders.printed.PRINTED_COLUMNS``) to findings. A finding is
made only where no rounding of the printed digits can explain the cell: a printed 15.2 stands for 15.15 to
15.25, both ends included. All arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from attendance_toolkit.metrics.cards import attendance_from_absence, lost_learning
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MEASURE_CORE
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number
from attendance_toolkit.vocabulary.series import SERIES

#: Families of groups that split everybody: parts of each add up to "All" if nobody is unclassified.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "free school meals": ("FSM", "Non-FSM"),
    "special educational needs": ("EHC", "SEN Support", "No SEN"),
    "sex": ("Boys", "Girls"),
}
#: Measures that add up to a percentage.
IDENTITIES: tuple[tuple[tuple[str, ...], int], ...] = (
    (("attendance_rate", "authorised_absence_rate", "unauthorised_absence_rate"), 100),
    (("attendance_rate", "overall_absence_rate"), 100),
)
#: A gap is "in line" with another if it differs by no more than this many percentage points.
IN_LINE_PP = Fraction(1, 2)

Cell = tuple[int, str]
_ONE_OF = "; one of these is wrong."
_COHORT = ["table", "area_code", "academic_year", "period"]


@dataclass(frozen=True)
class PrintedFinding:
    """One thing that does not add up in a printed table."""

    check: str
    table: str
    cells: tuple[Cell, ...]
    """(row, column) of the cells concerned."""
    printed: str
    expected: str
    says: str
    flags: bool = True
    """Whether the cells are to be marked in a rendering; False for a claim in the text or for whole columns."""
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.table}: {self.says}" if self.table else self.says


# --- exact intervals -----------------------------------------------------------------------------------


def _exact(value: float) -> Fraction:
    return Fraction(Decimal(repr(float(value))))


def rounding_interval(value: float, decimals: int) -> tuple[Fraction, Fraction]:
    """Return the lowest and highest number a printed value can stand for, ends included.

    >>> [float(end) for end in rounding_interval(15.2, 1)]
    [15.15, 15.25]
    """
    half = Fraction(1, 2 * 10**decimals)
    return _exact(value) - half, _exact(value) + half


def _overlap(first: tuple[Fraction, Fraction], second: tuple[Fraction, Fraction]) -> bool:
    return first[0] <= second[1] and second[0] <= first[1]


def _agrees(printed: float, decimals: int, value: float, value_decimals: Any) -> bool:
    """Return whether a printed value and a published one can be the same; <NA> decimals: it is exact."""
    exact = (_exact(value), _exact(value))
    known = exact if pd.isna(value_decimals) else rounding_interval(value, int(value_decimals))
    return _overlap(rounding_interval(printed, decimals), known)


def _percent(value: Fraction | float, decimals: int) -> str:
    return f"{show_number(float(value), decimals)}%"


def _name(measure: str) -> str:
    return MEASURES[measure].label.split(" (")[0].lower() if measure in MEASURES else measure


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*(frame[name] for name in names), strict=True)]


def _grouped(frame: pd.DataFrame, *names: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Return the rows by the values of some columns, in order. Plain dicts: tables are small, groups many."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in _records(frame):
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def _where(cell: Mapping[str, Any]) -> str:
    parts = [] if cell["phase"] == ALL else [cell["phase"]]
    parts += [cell["group"]] if cell["group"] not in (ALL, "") else []
    parts += [f"year {cell['nc_year']}"] if cell["nc_year"] != ALL else []
    return ", ".join(parts)


def _place(cell: Mapping[str, Any]) -> str:
    """Return the area and time of a column."""
    period = "" if cell["period"] == "year" else f"{cell['period']} "
    return f"{find_area(cell['area_code']).name} {period}{show_academic_year(cell['academic_year'])}"


def _numbers(printed: pd.DataFrame) -> pd.DataFrame:
    return printed[printed["value"].notna()]


# --- checks of a table against itself ------------------------------------------------------------------


def check_rates_against_counts(printed: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find rates that are not count over size at the printed precision."""
    cells = _numbers(printed)
    key = [*_COHORT, "row"]
    rates = cells[cells["role"] == "rate"]
    counts = cells[cells["role"] == "count"][[*key, "measure", "value", "column"]]
    sizes = cells[cells["role"] == "size"][[*key, "value"]]
    both = rates.merge(counts, on=[*key, "measure"], suffixes=("", "_count")).merge(
        sizes, on=key, suffixes=("", "_size")
    )
    found = []
    for cell in _records(both):
        count, size, decimals = int(cell["value_count"]), int(cell["value_size"]), int(cell["decimals"])
        low, high = rounding_interval(cell["value"], decimals)
        if size and low <= Fraction(100 * count, size) <= high:
            continue
        true = _percent(Fraction(100 * count, size), decimals) if size else "no rate"
        found.append(
            PrintedFinding(
                "rate_from_counts",
                cell["table"],
                ((int(cell["row"]), cell["column"]),),
                cell["printed"],
                true,
                f"{_where(cell)}: {_name(cell['measure'])} is printed as {_percent(cell['value'], decimals)},"
                f" but {count:,} of {size:,} is {true}.",
            )
        )
    return tuple(found)


def check_parts_add_up(
    printed: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES
) -> tuple[PrintedFinding, ...]:
    """Find counts and sizes whose parts do not add up to "All", in families of which every part is printed."""
    cells = _numbers(printed)
    cells = cells[cells["role"].isin(["count", "size"])]
    found = []
    for (table, phase, column), rows in _grouped(cells, "table", "phase", "column").items():
        groups = {cell["group"]: cell for cell in rows}
        if ALL not in groups:
            continue
        total = int(groups[ALL]["value"])
        for family, parts in families.items():
            if not set(parts) <= set(groups):
                continue
            added = sum(int(groups[part]["value"]) for part in parts)
            if added == total:
                continue
            names = f"{', '.join(parts[:-1])} and {parts[-1]}"
            rest = f"{added - total:,} too many"
            if added < total:
                rest = f"{total - added:,} {'is' if total - added == 1 else 'are'} in none of these groups"
            found.append(
                PrintedFinding(
                    "parts_add_up",
                    str(table),
                    tuple((int(groups[part]["row"]), str(column)) for part in parts),
                    f"{added:,}",
                    f"{total:,}",
                    f"{phase}, by {family}: {names} add up to {added:,} of {total:,} {_counted(groups[ALL])}; {rest}.",
                )
            )
    return tuple(found)


def _counted(cell: Mapping[str, Any]) -> str:
    if cell["role"] == "size":
        return "enrolments"
    return "severe absentees" if cell["measure"] == "severe_absence_rate" else "persistent absentees"


def check_components(
    printed: pd.DataFrame, identities: Sequence[tuple[tuple[str, ...], int]] = IDENTITIES
) -> tuple[PrintedFinding, ...]:
    """Find rates that should add up to 100 and cannot, whatever was rounded. Any of the cells may be wrong."""
    cells = _numbers(printed)
    cells = cells[cells["role"] == "rate"]
    found = []
    for (table, *_), rows in _grouped(cells, "table", "column", "phase", "group", "nc_year").items():
        for measures, total in identities:
            cells_of = {cell["measure"]: cell for cell in rows}
            if not set(measures) <= set(cells_of):
                continue
            parts = [cells_of[measure] for measure in measures]
            ends = [rounding_interval(part["value"], int(part["decimals"])) for part in parts]
            if sum(end[0] for end in ends) <= total <= sum(end[1] for end in ends):
                continue
            decimals = max(int(part["decimals"]) for part in parts)
            added = show_number(float(sum(_exact(part["value"]) for part in parts)), decimals)
            sums = " + ".join(f"{_name(part['measure'])} {show_number(part['value'], decimals)}" for part in parts)
            found.append(
                PrintedFinding(
                    "adds_to_100",
                    str(table),
                    tuple((int(part["row"]), part["column"]) for part in parts),
                    added,
                    str(total),
                    f"{_where(parts[0])}, {_place(parts[0])}: {sums} = {added}, not {total}{_ONE_OF}",
                )
            )
    return tuple(found)


def check_severe_within_persistent(printed: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find rows in which more are severely absent than persistently absent: severe absentees are among them."""
    cells = _numbers(printed)
    named = [*_COHORT, "phase", "group", "nc_year", "role"]
    severe = cells[cells["measure"] == "severe_absence_rate"]
    persistent = cells[cells["measure"] == "persistent_absence_rate"]
    both = severe.merge(persistent, on=named, suffixes=("", "_p"))
    found = []
    for cell in _records(both):
        half = [rounding_interval(cell[v], int(cell[d])) for v, d in (("value", "decimals"), ("value_p", "decimals_p"))]
        if cell["role"] != "rate":
            half = [(_exact(cell["value"]),) * 2, (_exact(cell["value_p"]),) * 2]
        if half[0][0] <= half[1][1]:
            continue
        found.append(
            PrintedFinding(
                "severe_within_persistent",
                cell["table"],
                ((int(cell["row"]), cell["column"]), (int(cell["row_p"]), cell["column_p"])),
                f"{cell['printed']} and {cell['printed_p']}",
                "severe absence at or below persistent absence",
                f"{_where(cell)}: severe absence {cell['printed']} is above persistent absence {cell['printed_p']}.",
            )
        )
    return tuple(found)


def check_between_groups(
    printed: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES
) -> tuple[PrintedFinding, ...]:
    """Find rates of "All" outside the range of the groups that make it up.

    A family whose sizes do not add up has an unclassified group of unknown rate and is not tested.
    """
    cells = _numbers(printed)
    sizes = cells[cells["role"] == "size"]
    found = []
    rates = cells[cells["role"] == "rate"]
    where = ("table", "phase", "area_code", "academic_year", "period")
    sizes_of = _grouped(sizes, *where)
    for (table, phase, measure, column), rows in _grouped(rates, "table", "phase", "measure", "column").items():
        groups = {cell["group"]: cell for cell in rows}
        if ALL not in groups:
            continue
        total = groups[ALL]
        size = {cell["group"]: cell["value"] for cell in sizes_of.get(tuple(total[name] for name in where), [])}
        for family, parts in families.items():
            if not set(parts) <= set(groups):
                continue
            if {ALL, *parts} <= set(size) and sum(size[part] for part in parts) != size[ALL]:
                continue
            ends = [rounding_interval(groups[part]["value"], int(groups[part]["decimals"])) for part in parts]
            span = min(end[0] for end in ends), max(end[1] for end in ends)
            if _overlap(span, rounding_interval(total["value"], int(total["decimals"]))):
                continue
            found.append(
                PrintedFinding(
                    "between_groups",
                    str(table),
                    tuple((int(groups[group]["row"]), str(column)) for group in (ALL, *parts)),
                    total["printed"],
                    f"{float(span[0]):g} to {float(span[1]):g}",
                    f"{phase}, {_place(total)}: {_name(str(measure))} of all ({total['printed']}) lies outside"
                    f" that of every group by {family}.",
                )
            )
    return tuple(found)


# --- checks against published figures ------------------------------------------------------------------


def _published(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the published percentages of the printed areas and years; census attendance is 100 - absence."""
    rows = rates[(rates["period"] == "year") & rates["rate"].notna()]
    for name in ("area_code", "academic_year"):
        rows = rows[rows[name].isin(set(printed[name]))]
    if "reason" in rows:
        rows = rows[rows["reason"] == ALL]
    if "decimals" not in rows:
        rows = rows.assign(decimals=pd.Series(pd.NA, index=rows.index, dtype="Int64"))
    key = ["series", "academic_year", "area_code", "phase", "measure"]
    made = attendance_from_absence(rows[rows["series"] == "census"])
    rows = pd.concat([rows, made[made["rate"].notna()]], ignore_index=True).drop_duplicates(key)
    exact = rows["printed"] if "printed" in rows else pd.Series("", index=rows.index)
    rows = rows.assign(
        percent=[float(t) if t else float(Decimal(repr(r)) * 100) for t, r in zip(exact, rows["rate"], strict=True)]
    )
    return rows[[*key, "percent", "decimals"]]


def compare_with_published(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return one row per printed cell and series that gives a figure for it.

    Only columns that claim to be published, for all pupils of a phase, are compared.

    Parameters
    ----------
    rates
        Published MEASURE rows of one or more series (``Published.rates`` or ``comparators()``).

    Returns
    -------
    table, row, column, phase, measure, area_code, academic_year, printed, value, decimals, series, percent
    (published), percent_decimals and ``agrees``.
    """
    cells = _numbers(printed)
    cells = cells[(cells["role"] == "rate") & cells["published"] & (cells["group"] == ALL) & (cells["nc_year"] == ALL)]
    known = _published(printed, rates).rename(columns={"decimals": "percent_decimals"})
    both = cells.merge(known, on=["academic_year", "area_code", "phase", "measure"])
    both["agrees"] = [
        _agrees(value, int(decimals), percent, known_decimals)
        for value, decimals, percent, known_decimals in zip(
            both["value"], both["decimals"], both["percent"], both["percent_decimals"], strict=True
        )
    ]
    return both


def column_series(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the series each published column was taken from, by how many of its cells agree.

    A column belongs to the series with which the most cells agree. If two series tie, the columns of the
    same table, area and year decide together; if they tie too, or fewer than half of the cells agree with
    any, ``series`` is "".

    Returns
    -------
    table, column, area_code, academic_year, label, series, agree, compared.
    """
    return _column_series(compare_with_published(printed, rates))


def _best(cells: pd.DataFrame) -> tuple[list[str], int, int]:
    """Return the series that agree best, in how many cells, of how many."""
    tally = cells.groupby("series")["agrees"].agg(["sum", "size"])
    best = tally[tally["sum"] == tally["sum"].max()]
    return [str(name) for name in best.index], int(best["sum"].iloc[0]), int(best["size"].iloc[0])


def _column_series(both: pd.DataFrame) -> pd.DataFrame:
    key = ["table", "column", "area_code", "academic_year", "label"]
    rows = []
    for values, cells in both.groupby(key, sort=False):
        winners, agree, compared = _best(cells)
        if len(winners) > 1:
            block = both
            for name in ("table", "area_code", "academic_year"):
                block = block[block[name] == cells[name].iloc[0]]
            winners = [name for name in _best(block)[0] if name in winners]
        certain = len(winners) == 1 and 2 * agree >= compared
        series = winners[0] if certain else ""
        rows.append(dict(zip(key, values, strict=True)) | {"series": series, "agree": agree, "compared": compared})
    return pd.DataFrame(rows, columns=[*key, "series", "agree", "compared"])


def check_against_published(printed: pd.DataFrame, rates: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find cells that differ from the published figure of the series their column was taken from.

    If the printed number is another published figure of the same area, year and series (same phase or all
    schools), the finding says so: cells copied one row too far down are found in this way.
    """
    both = compare_with_published(printed, rates)
    series = _column_series(both).set_index(["table", "column"])["series"]
    known = _published(printed, rates)
    found = []
    for cell in _records(both):
        if cell["agrees"] or cell["series"] != series[cell["table"], cell["column"]]:
            continue
        decimals = int(cell["decimals"])
        near = known[known["phase"].isin([cell["phase"], ALL_SCHOOLS])]
        for name in ("series", "area_code", "academic_year"):
            near = near[near[name] == cell[name]]
        # The same phase before all schools.
        others = sorted(_records(near), key=lambda row: row["phase"] != cell["phase"])
        same = [
            f"{_name(row['measure'])}, {row['phase']}"
            for row in others
            if (row["measure"], row["phase"]) != (cell["measure"], cell["phase"])
            and _agrees(cell["value"], decimals, row["percent"], row["decimals"])
        ]
        shifted = f" {_percent(cell['value'], decimals)} is the published figure for {same[0]}." if same else ""
        expected = _percent(round_half_up(cell["percent"], decimals), decimals)
        found.append(
            PrintedFinding(
                "published_value",
                cell["table"],
                ((int(cell["row"]), cell["column"]),),
                cell["printed"],
                expected,
                f"{_where(cell)}, {_place(cell)}: {_name(cell['measure'])} is printed as"
                f" {_percent(cell['value'], decimals)}; {SERIES[cell['series']].label} gives {expected}.{shifted}",
            )
        )
    return tuple(found)


def check_series_mixed(printed: pd.DataFrame, rates: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find tables that set years of one area side by side which come from different series."""
    found = []
    known = column_series(printed, rates)
    known = known[known["series"] != ""]
    for (table, _), columns in known.groupby(["table", "area_code"], sort=False):
        if columns["series"].nunique() < 2:
            continue
        parts = [f"{_place(row | {'period': 'year'})} is {SERIES[row['series']].label}" for row in _records(columns)]
        found.append(
            PrintedFinding(
                "series_mixed",
                str(table),
                (),
                ", ".join(columns["label"]),
                "one series",
                "; ".join(parts) + ". A change from one to the other is partly a change of method.",
                flags=False,
                columns=tuple(columns["column"]),
            )
        )
    return tuple(found)


# --- claims in the text --------------------------------------------------------------------------------


@dataclass(frozen=True)
class GapClaim:
    """A sentence that sets local gaps between two groups against national ones.

    ``relation`` is "narrower", "wider" or "in line".
    """

    text: str
    local_column: str
    national_column: str
    pairs: tuple[tuple[str, str], ...]
    """(group, group it is compared with)."""
    relation: str


#: Section 5.3 of Trafford's report, as claims about its Table 2.
TRAFFORD_CLAIMS = (
    GapClaim(
        "The attendance gap between pupils who receive free school meals and the others is in line with the"
        " national gap.",
        "trafford_attendance_2023_24",
        "national_attendance_2023_24",
        (("FSM", "Non-FSM"),),
        "in line",
    ),
    GapClaim(
        "The attendance gap between pupils with and without SEND is narrower than the national gap.",
        "trafford_attendance_2023_24",
        "national_attendance_2023_24",
        (("EHC", "No SEN"), ("SEN Support", "No SEN")),
        "narrower",
    ),
)


def gap_comparison(printed: pd.DataFrame, claim: GapClaim) -> pd.DataFrame:
    """Return local and national gaps of a claim: table, phase, group, against, local_pp, national_pp, verdict.

    ``verdict`` is "holds", "fails" or "cannot be told": four rounded rates leave a gap of gaps uncertain
    by two units of the last printed digit.
    """
    cells = _numbers(printed)
    rows = []
    for (table, phase), part in cells.groupby(["table", "phase"], sort=False):
        value = part.set_index(["column", "group"])["value"]
        decimals = int(part["decimals"].max())
        for group, against in claim.pairs:
            needed = [(c, g) for c in (claim.local_column, claim.national_column) for g in (against, group)]
            if not all(key in value.index for key in needed):
                continue
            numbers = [_exact(value[key]) for key in needed]
            local, national = numbers[0] - numbers[1], numbers[2] - numbers[3]
            slack = Fraction(2, 10**decimals)
            more = abs(local) - abs(national)
            distance = {"narrower": more, "wider": -more, "in line": abs(more) - IN_LINE_PP}[claim.relation]
            verdict = "cannot be told" if abs(distance) < slack and claim.relation != "in line" else ""
            verdict = verdict or ("holds" if distance <= 0 else "fails")
            rows.append((table, phase, group, against, float(local), float(national), verdict))
    return pd.DataFrame(rows, columns=["table", "phase", "group", "against", "local_pp", "national_pp", "verdict"])


def check_gap_claims(printed: pd.DataFrame, claims: Iterable[GapClaim] = TRAFFORD_CLAIMS) -> tuple[PrintedFinding, ...]:
    """Find phases and groups for which a sentence about gaps is not true of the printed table."""
    found = []
    for claim in claims:
        gaps = gap_comparison(printed, claim)
        for row in _records(gaps[gaps["verdict"] == "fails"]):
            cells = printed[
                (printed["table"] == row["table"])
                & (printed["phase"] == row["phase"])
                & printed["group"].isin([row["group"], row["against"]])
                & printed["column"].isin([claim.local_column, claim.national_column])
            ]
            local, national = show_number(row["local_pp"], 1), show_number(row["national_pp"], 1)
            found.append(
                PrintedFinding(
                    "gap_claim",
                    row["table"],
                    tuple((int(r), str(c)) for r, c in zip(cells["row"], cells["column"], strict=True)),
                    claim.text,
                    claim.relation,
                    f"{row['phase']}, {row['group']} against {row['against']}: the local gap is {local} percentage"
                    f" points, the national {national}; the text says '{claim.relation}'.",
                    flags=False,
                    columns=(claim.local_column, claim.national_column),
                )
            )
    return tuple(found)


def denominators_for(count: int, percent: float, decimals: int = 0) -> tuple[int, ...]:
    """Return every denominator of which the count is the printed percentage.

    >>> denominators_for(31, 63), denominators_for(31, 90.5)
    ((49,), ())
    """
    low, high = rounding_interval(percent, decimals)
    if count <= 0 or high <= 0:
        return ()
    smallest = max(count, int(-(-Fraction(100 * count) // high)))
    largest = int(Fraction(100 * count) // low) if low > 0 else smallest + count
    return tuple(n for n in range(smallest, largest + 1) if low <= Fraction(100 * count, n) <= high)


def sizes_for(percents: Sequence[float], sizes: Iterable[int], decimals: int = 0) -> tuple[int, ...]:
    """Return the group sizes that can be split into parts with exactly these printed percentages.

    Halves are rounded up, as spreadsheets and DfE do: 4 of 32 (12.5%) is printed as 13%.

    >>> sizes_for([47, 41, 12], range(10, 46))
    (17, 34)
    """
    fitting = []
    for size in sizes:
        if size <= 0:
            continue
        # The whole numbers each part may be; the parts must also add up to the size.
        sums = {0}
        for percent in percents:
            low, high = rounding_interval(percent, decimals)
            counts = [k for k in range(size + 1) if low <= Fraction(100 * k, size) < high]
            sums = {total + k for total in sums for k in counts}
        if size in sums:
            fitting.append(size)
    return tuple(fitting)


def check_sample(
    total: int, share: float, parts: Sequence[float], *, decimals: int = 0, text: str = ""
) -> tuple[PrintedFinding, ...]:
    """Find whether a sample said to be a share of a total can have parts with the printed percentages.

    >>> print(check_sample(347, 12, [47, 41, 12])[0].says)
    12% of 347 is 40 to 43; parts of 47%, 41% and 12% are possible for none of these sizes, but for 17 or 34.
    """
    low, high = rounding_interval(share, decimals)
    sizes = [n for n in range(total + 1) if total and low <= Fraction(100 * n, total) <= high]
    if sizes_for(parts, sizes, decimals):
        return ()
    possible = sizes_for(parts, range(1, (max(sizes) if sizes else total) + 1), decimals)
    shown = [_percent(part, decimals) for part in parts]
    others = " or ".join(str(n) for n in possible[-3:]) or "no smaller size"
    span = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0]) if sizes else "no whole number"
    return (
        PrintedFinding(
            "sample_parts",
            "",
            (),
            text or ", ".join(shown),
            span,
            f"{_percent(share, decimals)} of {total:,} is {span}; parts of {', '.join(shown[:-1])} and {shown[-1]} are"
            f" possible for none of these sizes, but for {others}.",
            flags=False,
        ),
    )


def check_share(
    count: int, percent: float, denominator: int | None = None, *, decimals: int = 0
) -> tuple[PrintedFinding, ...]:
    """Find whether a count can be the printed percentage of the denominator, or of any whole number.

    >>> check_share(31, 63), len(check_share(31, 63, 60))
    ((), 1)
    """
    fitting = denominators_for(count, percent, decimals)
    if fitting and (denominator is None or denominator in fitting):
        return ()
    expected = " or ".join(str(n) for n in fitting) or "no whole number"
    return (
        PrintedFinding(
            "share_of",
            "",
            (),
            f"{count:,} is {_percent(percent, decimals)}",
            expected,
            f"{count:,} is {_percent(percent, decimals)} of {expected}"
            + (f", not of {denominator:,}." if denominator is not None else "."),
            flags=False,
        ),
    )


def check_lost_learning(
    rows: Iterable[tuple[float, int, int]], *, school_days: int = 190
) -> tuple[PrintedFinding, ...]:
    """Find rows of a lost-learning table (attendance percent, weeks, days) that do not follow from the rate.

    >>> check_lost_learning([(95, 1, 4), (90, 3, 4), (85, 5, 3), (80, 7, 3)])
    ()
    """
    found = []
    for percent, weeks, days in rows:
        lost = lost_learning(_exact(percent) / 100, school_days=school_days)
        if (lost.weeks, lost.rest_days) != (weeks, days):
            found.append(
                PrintedFinding(
                    "lost_learning",
                    "",
                    (),
                    f"{weeks} weeks and {days} days",
                    f"{lost.weeks} weeks and {lost.rest_days} days",
                    f"{percent:g}% attendance over {school_days} days is {lost.days} whole days lost:"
                    f" {lost.weeks} weeks and {lost.rest_days} days, printed as {weeks} weeks and {days} days.",
                    flags=False,
                )
            )
    return tuple(found)


# --- all together --------------------------------------------------------------------------------------


def reconcile(printed: pd.DataFrame, rates: pd.DataFrame | None = None) -> tuple[PrintedFinding, ...]:
    """Return every finding on printed tables, the exact checks first.

    A cell that an exact check has shown to be wrong is left out of the weaker checks (severe within
    persistent, total between groups), so that one misprint is reported once. Where published figures say
    which of three cells that do not add to 100 is wrong, the finding names only that one.

    Parameters
    ----------
    printed
        Cells of one or more printed tables.
    rates
        Published MEASURE rows, if there are any to compare with.
    """
    found = [*check_rates_against_counts(printed)]
    named = [] if rates is None else [*check_against_published(printed, rates)]
    wrong = {(f.table, cell) for f in (*found, *named) for cell in f.cells}
    for finding in check_components(printed):
        certain = tuple(cell for cell in finding.cells if (finding.table, cell) in wrong)
        if certain:
            finding = replace(finding, cells=certain, says=finding.says.replace(_ONE_OF, "."))
        found.append(finding)
    found += named
    found += check_parts_add_up(printed)
    doubted = {(f.table, cell) for f in found if f.check != "parts_add_up" for cell in f.cells}
    places = zip(printed["table"], printed["row"], printed["column"], strict=True)
    rest = printed[[(table, (row, column)) not in doubted for table, row, column in places]]
    found += check_severe_within_persistent(rest)
    found += check_between_groups(rest)
    if rates is not None:
        found += check_series_mixed(printed, rates)
    return tuple(found)


def printed_measure_rows(
    printed: pd.DataFrame, findings: Iterable[PrintedFinding] = (), rates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a MEASURE row for every printed cell, with what is wrong with it.

    Returns
    -------
    ``table, row, column, label, role, series, academic_year, period, area_code, area_level, phase, group,
    nc_year``, MEASURE_CORE, ``printed``, ``decimals``, ``flag`` and ``expected``. A rate cell has its count and
    size, where printed, as numerator and denominator; a count or size cell has itself as numerator and no
    rate (the measure of a size is "enrolments"). ``series`` is that of ``column_series`` if ``rates`` is given,
    "printed" where it is not known. ``flag`` is "" for a cell with nothing against it.
    """
    rows = printed.copy()
    key = [*_COHORT, "row"]
    values = rows[[*key, "measure", "value"]]
    counts = values[rows["role"] == "count"].rename(columns={"value": "numerator"})
    sizes = values[rows["role"] == "size"].rename(columns={"value": "denominator"}).drop(columns="measure")
    rows = rows.merge(counts, on=[*key, "measure"], how="left").merge(sizes, on=key, how="left")
    is_rate = rows["role"] == "rate"
    rows.loc[rows["role"] == "size", "measure"] = "enrolments"
    rows["numerator"] = rows["numerator"].where(is_rate, rows["value"])
    rows["denominator"] = rows["denominator"].where(is_rate & rows["numerator"].notna())
    rows["rate"] = [
        float(_exact(value) / 100) if rate and not pd.isna(value) else float("nan")
        for value, rate in zip(rows["value"], is_rate, strict=True)
    ]
    rows["lower"] = rows["upper"] = float("nan")
    flags: dict[tuple[str, int, str], list[str]] = {}
    expected: dict[tuple[str, int, str], str] = {}
    for finding in findings:
        for row, column in finding.cells if finding.flags else ():
            place = (finding.table, row, column)
            flags.setdefault(place, []).append(finding.says)
            if len(finding.cells) == 1 and finding.check != "adds_to_100":
                expected[place] = finding.expected
    places = list(zip(rows["table"], rows["row"], rows["column"], strict=True))
    rows["flag"] = [" ".join(flags.get(place, [])) for place in places]
    rows["expected"] = [expected.get(place, "") for place in places]
    rows["series"] = "printed"
    if rates is not None:
        known = column_series(printed, rates).set_index(["table", "column"])["series"]
        rows["series"] = [known.get((table, column), "") or "printed" for table, _, column in places]
    order = [
        "table",
        "row",
        "column",
        "label",
        "role",
        "series",
        "academic_year",
        "period",
        "area_code",
        "area_level",
    ]
    return rows[[*order, "phase", "group", "nc_year", *MEASURE_CORE, "printed", "decimals", "flag", "expected"]]
