"""Severe absence by characteristics crossed: two and three at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._shared import (
    DEFINED,
    capital,
    level_words,
    or_nothing,
    or_notice,
    ordered_levels,
)
from attendance_toolkit.deepdives.severe_data import CROSSED, FURTHER
from attendance_toolkit.deepdives.severe_interaction import SevereInteraction
from attendance_toolkit.deepdives.severe_profile import SEVERE, UNKNOWN
from attendance_toolkit.deepdives.severe_strata import LEAST_SHOWN
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Figure, Notice, Result, Table
from attendance_toolkit.presentation.figures import Membership, upset_rows
from attendance_toolkit.presentation.formats import records, source_of
from attendance_toolkit.presentation.narrative import is_shown, percent, sentence_list
from attendance_toolkit.presentation.tables import heat_table
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, LABELS

Record = Mapping[str, Any]

_SETS = (
    Membership("Free school meals", "fsm_eligible", ("FSM eligible",)),
    Membership("SEN", "sen_provision", ("Any SEN",)),
    Membership("Girls", "sex", ("Female",)),
)
#: Crossings of the page, a heat table each: down and across, or in sections, down and across.
HEAT_PAIRS = (
    ("fsm_eligible", "sen_provision"),
    ("sex", "nc_year_band"),
    ("fsm_eligible", "nc_year_band"),
    ("sen_provision", "nc_year_band"),
    ("ethnicity_major", "fsm_eligible"),
    ("first_language", "fsm_eligible"),
    ("social_worker", "fsm_eligible"),
)
HEAT_TRIPLES = (
    ("sex", "fsm_eligible", "sen_provision"),
    ("sex", "fsm_eligible", "nc_year_band"),
    ("sex", "sen_provision", "nc_year_band"),
    ("fsm_eligible", "sen_provision", "nc_year_band"),
    ("sex", "ethnicity_major", "fsm_eligible"),
)
#: What a hidden cell of a crossing means.
HIDDEN_NOTE = (
    "A hidden figure (c) may be small, or may stand beside a small one that could be worked out from it: it says nothing"
    " of how high the rate is."
)
#: Levels in a word or two, where they head columns: a phone shows few words.
_HEADS = {
    "fsm_eligible": {
        "FSM eligible": "FSM",
        "Not known to be FSM eligible": "No FSM",
        "Unknown": "FSM not known",
    }
}
_SHORT = {"fsm_eligible": "free school meals", "sen_provision": "SEN", "nc_year_band": "year groups"}


def characteristic_words(name: str) -> str:
    """Return a characteristic as a title has it.

    >>> characteristic_words("sen_provision"), characteristic_words("sex")
    ('SEN', 'sex')
    """
    return _SHORT.get(name, LABELS[name].lower())


class SevereCrossings(SevereInteraction):
    """The crossings as blocks, from the cleared tables alone."""

    # -- cleared figures -----------------------------------------------------------------------------

    def _crossed_by(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows in which these characteristics are crossed and no other."""
        rows = self.severe_crossings.rows
        for name in (*CROSSED, *FURTHER):
            rows = rows[(rows[name] != ALL) if name in names else (rows[name] == ALL)]
        return rows

    def _crossing_rows(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows of a crossing.

        Raises
        ------
        NoDataError
            The data do not cross these characteristics, or nothing of it can be shown.
        """
        rows = self._crossed_by(names)
        if rows.empty:
            raise NoDataError(f"Severe absence by {_words(names)} is not worked out for {self.area.name}.")
        if len(names) > 1 and not (rows["symbol"] == "").any():
            raise NoDataError(f"Every figure of severe absence by {_words(names)} is hidden to protect small numbers.")
        return rows

    @or_nothing
    def crossings_notice(self) -> Notice | Result:
        """Return which of the page's crossings are left out, and why: those have no block of their own."""
        missing: list[str] = []
        hidden: list[str] = []
        rows = {names: self._crossed_by(names) for names in (*HEAT_PAIRS, *HEAT_TRIPLES)}
        for names in rows:
            if not self.is_local and set(names) & set(FURTHER):
                continue  # said at the top of the page
            if rows[names].empty:
                missing.append(_words(names))
            elif not (rows[names]["symbol"] == "").any():
                hidden.append(_words(names))
        text = []
        if missing:
            text.append(
                f"Not worked out for {self.area.name}, which has too few severe absentees for so many groups:"
                f" {'; '.join(missing)}."
            )
        if hidden:
            text.append(
                f"Not shown, because every figure is hidden to protect small numbers: {'; '.join(hidden)}. The fewer severe"
                " absentees an area has, the fewer of their groups can be shown; a combined authority can show more."
            )
        return Notice(" ".join(text), "Crossings left out") if text else Result(())

    def _filled(self, rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows with a row for each combination nobody is in: it does not apply (z)."""
        levels = [[level for level in rows[name].unique() if level != ALL] for name in names]
        there = set(zip(*(rows[name] for name in names), strict=True))
        empty = [dict(zip(names, found, strict=True)) for found in product(*levels) if found not in there]
        if not empty:
            return rows
        return pd.concat([rows, pd.DataFrame(empty).assign(measure=SEVERE, symbol="z")], ignore_index=True)

    def _heat(self, rows: pd.DataFrame, names: Sequence[str], *, id: str, title: str) -> Table:
        """Return a heat table of crossed rows: the last name across, the one before it down, the first in sections."""
        rows = self._filled(rows, names)
        for name in names:
            order = [*ordered_levels(name, rows[name].unique()), *([ALL] if ALL in set(rows[name]) else [])]
            rows[name] = pd.Categorical(rows[name], order)
        return heat_table(
            self.severe_crossings.with_rows(rows.sort_values(list(names), kind="stable")),
            id=id,
            title=title,
            subtitle=f"Percent of enrolments, {self.area.name}, all schools; {DEFINED[SEVERE]}",
            section=names[0] if len(names) > 2 else "",
            rows=names[-2],
            columns=names[-1],
            least=LEAST_SHOWN,
            labels={
                name: {level: _words_at(name, level, name == names[-1]) for level in rows[name].cat.categories}
                for name in names
            },
            source=source_of(self.severe_crossings),
            notes=(
                *(["FSM: eligible for free school meals; no FSM: not known to be."] if names[-1] in _HEADS else []),
                *([HIDDEN_NOTE] if (rows["symbol"] == "c").any() else []),
            ),
        )

    # -- two and three at once -----------------------------------------------------------------------

    @or_nothing
    def pair_heat(self, first: str, second: str) -> Table | Result:
        """Return severe absence by two characteristics, with all pupils at the ends of rows and columns.

        Nothing is shown where nothing can be: ``crossings_notice`` says so.
        """
        inner = self._crossing_rows((first, second))
        ends = [
            rows[rows[name].isin(inner[name].unique())]
            for name, rows in ((name, self._crossing_rows((name,))) for name in (first, second))
        ]
        every = self._crossing_rows(())
        return self._heat(
            pd.concat([inner, *ends, every], ignore_index=True),
            (first, second),
            id=f"pair-{first}-{second}".replace("_", "-"),
            title=f"Severe absence by {_words((first, second))}, {show_academic_year(self.crossed_year)}",
        )

    @or_nothing
    def triple_table(self, section: str, rows: str, columns: str) -> Table | Result:
        """Return severe absence by three characteristics: one in sections, one down, one across."""
        names = (section, rows, columns)
        return self._heat(
            self._crossing_rows(names),
            names,
            id="triple-" + "-".join(names).replace("_", "-"),
            title=f"Severe absence by {_words(names)}, {show_academic_year(self.crossed_year)}",
        )

    @or_notice
    def upset_figure(self) -> Figure | Notice:
        """Return the eight combinations of free school meals, SEN and sex, a row each, with intervals."""
        rows = self._crossing_rows([one.column for one in _SETS])
        known = rows["sen_provision"].isin(["Any SEN", "No SEN"])
        for name in ("fsm_eligible", "sex"):
            known &= rows[name] != UNKNOWN
        chosen = self.severe_crossings.with_rows(rows[known])
        if chosen.rows.empty:
            raise NoDataError("Free school meals, SEN and sex are not known of the same pupils.")
        everybody = self.crossing()
        return upset_rows(
            chosen,
            id="fsm-sen-girls",
            title=self._upset_title(chosen),
            subtitle=f"{capital(DEFINED[SEVERE])}, {self.area.name}, all schools, {show_academic_year(self.crossed_year)}",
            sets=_SETS,
            least=LEAST_SHOWN,
            reference=("All pupils", everybody["rate"]) if is_shown(everybody) else None,
            source=source_of(self.severe_crossings),
            notes=(
                "Pupils whose free school meals, SEN or sex is not known are left out of this figure; the tables have them.",
            ),
        )

    def _upset_title(self, table: ProtectedTable) -> str:
        """Say how far the combinations lie apart, where their intervals do."""
        shown = [r for r in records(table) if is_shown(r) and r["denominator"] >= LEAST_SHOWN]
        if len(shown) > 1:
            low, high = min(shown, key=lambda r: r["rate"]), max(shown, key=lambda r: r["rate"])
            if high["lower"] > low["upper"]:
                return (
                    f"Severe absence ranged from {percent(low['rate'])} ({_combination(low)}) to {percent(high['rate'])}"
                    f" ({_combination(high)})"
                )
        return "Severe absence by free school meals, SEN and sex"


def _words_at(name: str, level: str, is_head: bool) -> str:
    return _HEADS.get(name, {}).get(level, level_words(name, level)) if is_head else level_words(name, level)


def _words(names: Sequence[str]) -> str:
    return sentence_list([characteristic_words(name) for name in names])


def _combination(record: Record) -> str:
    """Return a combination of free school meals, SEN and sex in words."""
    sex = level_words("sex", str(record["sex"])).lower()
    meals = "free school meals" if record["fsm_eligible"] == "FSM eligible" else "no free school meals"
    sen = "SEN" if record["sen_provision"] == "Any SEN" else "no SEN"
    return f"{sex}, {meals}, {sen}"
