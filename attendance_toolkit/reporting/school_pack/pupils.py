"""The pupils a pack names, read once for all schools: persistent and severe absentees, and the support they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import narwhals as nw
import pyarrow as pa

from attendance_toolkit.metrics.cells import DFE_RULES, enrolment_years
from attendance_toolkit.reporting.list_writing import TERM_WORDS, terms_in_words
from attendance_toolkit.reporting.school_pack.data import PackData
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE


@dataclass(frozen=True)
class Absentee:
    """A persistent absentee of a school. ``support`` are the groups of supported pupils he or she is in, this year."""

    upn: int
    nc_year: str
    possible: int
    missed: int
    authorised: int
    unauthorised: int
    terms: str
    support: tuple[str, ...] = ()

    @property
    def share(self) -> Fraction:
        """Share of possible sessions missed, in percent."""
        return Fraction(100 * self.missed, self.possible)

    @property
    def is_severe(self) -> bool:
        """Whether half or more was missed."""
        return self.missed * SEVERE[1] >= self.possible * SEVERE[0]

    @property
    def attended_nothing(self) -> bool:
        """Whether every possible session was missed."""
        return self.missed == self.possible


def supported_pupils(data: PackData) -> dict[int, tuple[str, ...]]:
    """Return pseudonym -> groups of supported pupils of the year asked for."""
    assert data.inputs.store is not None
    found: dict[int, tuple[str, ...]] = {}
    rows = data.inputs.store.support_groups().filter(f"academic_year = {int(data.year)}")
    for upn, name in sorted(set(rows.project("upn, support_group").fetchall())):
        found[int(upn)] = (*found.get(int(upn), ()), str(name))
    return found


def absentees(data: PackData, support: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[Absentee, ...]]:
    """Return LAESTAB -> its persistent absentees, the most absent first; counted as in DfE's statistics."""
    relation = data.sessions()
    absent = nw.col("authorised") + nw.col("unauthorised")
    numerator, denominator = PERSISTENT
    chosen = enrolment_years(relation, ["nc_year"], rules=DFE_RULES).with_columns(absent=absent)
    chosen = chosen.filter(nw.col("absent") * denominator >= nw.col("possible") * numerator)
    keys = ["upn", "laestab"]
    by_term = enrolment_years(relation, ["term"], rules=replace(DFE_RULES, min_school_enrolments=0))
    by_term = by_term.with_columns(absent=absent).join(chosen.select(keys), on=keys, how="inner")
    terms = _terms_of(by_term.select([*keys, "term", "possible", "absent"]))
    found: dict[int, list[Absentee]] = {}
    for row in _rows(chosen.select([*keys, "nc_year", "possible", "authorised", "unauthorised", "absent"])):
        key = (int(row["upn"]), int(row["laestab"]))
        possible, missed, authorised, unauthorised = (
            int(row[name]) for name in ("possible", "absent", "authorised", "unauthorised")
        )
        one = Absentee(
            key[0],
            str(row["nc_year"]),
            possible,
            missed,
            authorised,
            unauthorised,
            terms.get(key, ""),
            support.get(key[0], ()),
        )
        found.setdefault(key[1], []).append(one)
    return {laestab: tuple(sorted(of, key=lambda one: (-one.share, one.upn))) for laestab, of in found.items()}


def _rows(frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
    table: pa.Table = frame.collect("pyarrow").to_native()
    return table.to_pylist()


def _terms_of(frame: nw.LazyFrame[Any]) -> dict[tuple[int, int], str]:
    order = list(TERM_WORDS)
    found: dict[tuple[int, int], list[tuple[int, str, int, int]]] = {}
    for row in _rows(frame):
        if row["term"] in TERM_WORDS:
            part = (order.index(row["term"]), TERM_WORDS[row["term"]], int(row["absent"]), int(row["possible"]))
            found.setdefault((int(row["upn"]), int(row["laestab"])), []).append(part)
    return {key: terms_in_words(part[1:] for part in sorted(of)) for key, of in found.items()}
