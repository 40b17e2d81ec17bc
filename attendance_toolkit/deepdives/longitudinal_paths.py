"""Trajectories of pupils over three years, by written rules, beside what chance alone would give."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from, pooled, statistic_row, symbol_of
from attendance_toolkit.deepdives._outcomes import outcome_rows, topic_of
from attendance_toolkit.deepdives._shared import (
    Lookup,
    Record,
    count_of,
    level_words,
    or_nothing,
    or_notice,
    ordered_levels,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_data import LongitudinalData
from attendance_toolkit.deepdives.longitudinal_persistence import side_words
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.following import classify_trajectories, trajectory_cells, trajectory_codes
from attendance_toolkit.metrics.overview import count_unknown_with
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.no_change import expected_shares
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, records, source_of
from attendance_toolkit.presentation.narrative import is_clear, is_shown, said
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, LABELS, MAIN_PHASES
from attendance_toolkit.vocabulary.directions import direction_of
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.trajectories import trajectory_rules

#: Characteristics by which trajectories are shown.
PATH_GROUPS = ("fsm_eligible", "sen_provision", "sex")
IMPROVING, DETERIORATING = "improving", "deteriorating"
_KEYS = ["phase", "characteristic", "level"]
EXPECTED = "trajectory_share_expected"
#: Of simulated rates: sessions out of so many, so that 10% is 10% exactly.
_FINE = 1_000_000
#: Pupils of a group from which what chance would give is told to a tenth of a percent.
_ENOUGH_FOR_A_DECIMAL = 1_000


class LongitudinalPaths(LongitudinalData):
    """Pupils with a band in each of three years one after another."""

    # -- tables --------------------------------------------------------------------------------------

    @exact_table
    def trajectories(self) -> ExactTable:
        """Pupils by trajectory, by school type of the last year and by characteristic, and what chance alone would give."""
        if not self.is_local:
            raise NoDataError("Trajectories of pupils need pupil-level data.")
        rules = trajectory_rules()
        nothing = "Trajectories of pupils need three academic years one after another; the store has fewer."
        try:
            followed = self.inputs.followed("year")
            cells = trajectory_cells(followed, ["phase", *PATH_GROUPS], rules)
        except NoDataError as error:
            raise NoDataError(nothing) from error
        cells = cells[cells["phase"].isin(MAIN_PHASES) & (cells["trajectory"] != rules.not_followed)]
        cells = count_unknown_with(cells, self.inputs.policy.merge_unknown).rename(columns={"trajectory": "outcome"})
        if cells.empty:
            raise NoDataError("No pupil of these schools has enough sessions in each of three years to be followed.")
        parts = [
            cells.assign(phase=ALL_SCHOOLS, characteristic=ALL, level=ALL),
            cells.assign(characteristic=ALL, level=ALL),
        ]
        parts += [cells.assign(phase=ALL_SCHOOLS, characteristic=name, level=cells[name]) for name in PATH_GROUPS]
        counted = (
            pd.concat(parts, ignore_index=True).groupby([*_KEYS, "outcome"], sort=False)["pupils"].sum().reset_index()
        )
        sizes = counted.groupby(_KEYS, sort=False)["pupils"].sum().reset_index()
        outcomes = pd.DataFrame(
            {"outcome": rules.names, "is_turn": [rule.direction != "neither" for rule in rules.rules]}
        )
        wanted = sizes[_KEYS].merge(outcomes, how="cross")
        # Of groups only what is told of them: every further figure would force more to be hidden.
        is_all = (wanted["phase"] == ALL_SCHOOLS) & (wanted["characteristic"] == ALL)
        wanted = wanted[is_all | wanted["is_turn"]].drop(columns="is_turn")
        rows = outcome_rows(sizes, counted, wanted, "trajectory_rate").assign(model="")
        chance = self._expected_rows(sizes)
        chance = chance.merge(wanted.rename(columns={"outcome": "model"}), on=[*_KEYS, "model"])
        rows = pd.concat([rows, chance], ignore_index=True)
        rows = rows.assign(area_code=self.area.code, academic_year=followed.periods[-1].academic_year)
        return self.inputs.local_table(rows, topic=topic_of("pupils followed three years", self.area))

    @cached_property
    def _followed_rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Which pupils are on a trajectory (places in ``Followed``), and their rates in each of its years."""
        followed, rules = self.inputs.followed("year"), trajectory_rules()
        last = slice(len(followed.periods) - rules.years, None)
        phases, names = followed.column("phase")
        main = np.isin(phases[:, -1], [names.index(name) for name in MAIN_PHASES])
        kept = np.flatnonzero((trajectory_codes(followed, rules) >= 0) & main)
        return kept, followed.missed[kept, last] / followed.possible[kept, last]

    def _expected_rows(self, groups: pd.DataFrame) -> pd.DataFrame:
        """Return the shares chance alone would give each group, by trajectory."""
        followed = self.inputs.followed("year")
        kept, rates = self._followed_rates
        known = {}
        for name in ("phase", *PATH_GROUPS):
            codes, levels = followed.column(name)
            known[name] = np.array(levels, dtype=object)[codes[kept, -1]]
        pupils = count_unknown_with(pd.DataFrame(known), self.inputs.policy.merge_unknown)
        parts = []
        for group in groups.to_dict("records"):
            name, level = (
                (group["characteristic"], group["level"]) if group["level"] != ALL else ("phase", group["phase"])
            )
            chosen = np.ones(len(kept), bool) if level == ALL_SCHOOLS else (pupils[name] == level).to_numpy()
            if chosen.sum() >= 2:
                parts.append(chance_rows(rates[chosen]).assign(**{key: group[key] for key in _KEYS}))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def _paths(self) -> Lookup:
        return Lookup(self.trajectories, [*_KEYS, "outcome", "model", "measure"])

    def path(self, name: str, phase: str = ALL_SCHOOLS, characteristic: str = ALL, level: str = ALL) -> Record | None:
        """Return how many pupils are on a trajectory; "All" is how many are followed."""
        measure = "pupils" if name == ALL else "trajectory_rate"
        return self._paths(
            phase=phase, characteristic=characteristic, level=level, outcome=name, model="", measure=measure
        )

    def expected_path(
        self, name: str, phase: str = ALL_SCHOOLS, characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return the share that chance alone would give."""
        return self._paths(
            phase=phase, characteristic=characteristic, level=level, outcome=ALL, model=name, measure=EXPECTED
        )

    @derived_table
    def excesses(self) -> ProtectedTable:
        """Share of each trajectory less what chance alone would give, all schools: column ``trajectory``.

        The interval is clear of 0 only if that of the share lies outside the range of chance.
        """
        rows = []
        for name in trajectory_rules().names:
            seen, chance = self.path(name), self.expected_path(name)
            symbol = symbol_of(seen, chance)
            estimate = None if symbol else _excess(seen, chance)
            rows.append(statistic_row("excess_share", estimate, symbol, trajectory=name))
        return derived_from(rows, self.trajectories)

    @derived_table
    def directions(self) -> ProtectedTable:
        """Pupils on improving, and on deteriorating, trajectories, and what chance alone would give: column ``direction``."""
        groups = self.trajectories.rows[_KEYS].drop_duplicates().to_dict("records")
        rows = []
        for group in groups:
            keys = {str(key): value for key, value in group.items()}
            for direction in (IMPROVING, DETERIORATING):
                names = trajectory_rules().towards(direction)
                seen = pooled_outcomes([record for name in names if (record := self.path(name, **keys)) is not None])
                if seen is not None:
                    rows.append({**seen, "direction": direction, "outcome": direction})
                chance = [self.expected_path(name, **keys) for name in names]
                symbol = symbol_of(*chance)
                total = None if symbol else Estimate(sum(float(one["rate"]) for one in chance if one is not None))
                digits = {"decimals": next((one["decimals"] for one in chance if one is not None), None)}
                rows.append(
                    statistic_row(EXPECTED, total, symbol, **keys, **digits, direction=direction, outcome=direction)
                )
        return derived_from(rows, self.trajectories)

    @cached_property
    def _directions_lookup(self) -> Lookup:
        return Lookup(self.directions, [*_KEYS, "direction", "measure"])

    def direction(
        self,
        name: str,
        phase: str = ALL_SCHOOLS,
        characteristic: str = ALL,
        level: str = ALL,
        measure: str = "trajectory_rate",
    ) -> Record | None:
        """Return how many pupils are on trajectories of one direction, "improving" or "deteriorating"."""
        return self._directions_lookup(
            phase=phase, characteristic=characteristic, level=level, direction=name, measure=measure
        )

    # -- blocks --------------------------------------------------------------------------------------

    @property
    def _path_years(self) -> tuple[str, str]:
        last = int(self.trajectories.rows["academic_year"].iloc[0])
        return show_academic_year(academic_year_before(last, trajectory_rules().years - 1)), show_academic_year(last)

    @or_notice
    def path_table(self) -> Table | Notice | Result:
        """Return each trajectory with its rule, its share, and what chance alone would give."""
        if not self.is_local:
            return Result(())
        excess = Lookup(self.excesses, ["trajectory"])
        rows = []
        for rule in trajectory_rules().rules:
            seen, chance = self.path(rule.name), self.expected_path(rule.name)
            cells = (
                count_of(seen), rate_of(seen), interval_cell(seen), rate_of(chance), interval_cell(chance),
                rate_of(excess(trajectory=rule.name)),
            )  # fmt: skip
            rows.append(Row(rule.name, cells))
        first, last = self._path_years
        return Table(
            "trajectories",
            f"Trajectories of pupils, {first} to {last}",
            "Pupils with a band in each of three years, by the share of their sessions missed; all schools",
            (
                Column("Trajectory", align="left"),
                Column("Pupils"),
                Column("Share", "", "%"),
                Column("95% interval"),
                Column("Expected", "Chance alone", "%"),
                Column("95% range", "Chance alone"),
                Column("Share less expected", "", "percentage points"),
            ),
            tuple(rows),
            source_of(self.trajectories),
            (
                f"Share of sessions missed, by the first rule that holds. {_rules_text()}",
                "Chance alone: if each pupil kept a level of their own and years differed from it"
                " by chance, as much as they did. Then pupils just above a threshold in one year are often below it in another,"
                " and look as if they had changed. The range holds chance, not what so simple a picture leaves out.",
                direction_of("pupil").text,
            ),
        )

    @or_nothing
    def path_figure(self) -> Figure | Result:
        """Return what each trajectory has beyond chance, in percentage points with intervals."""
        table = self.excesses
        first, last = self._path_years
        clear = [row for row in records(table) if is_clear(row)]
        title = f"Trajectories beyond what chance alone would give, {first} to {last}"
        if clear:
            most = max(clear, key=lambda row: abs(float(row["rate"])))
            word = "more" if most["rate"] > 0 else "less"
            title = f"“{most['trajectory']}” is clearly {word} common than chance alone would give, {first} to {last}"
        elif (table.rows["symbol"] == "").all():
            title = f"No trajectory is clearly more or less common than chance alone would give, {first} to {last}"
        return dot_interval(
            table,
            id="trajectories-beyond-chance",
            title=title,
            subtitle="Share of pupils on each trajectory less the share expected by chance, percentage points; all schools",
            category="trajectory",
            reference=("As chance alone", 0.0),
            sort=False,
        )

    @or_nothing
    def path_by_group_table(self) -> Table | Result:
        """Return how many pupils improve and deteriorate by school type and pupil group."""
        there = self.trajectories.rows
        groups: list[tuple[str, str, dict[str, str]]] = [("All pupils", "", {})]
        phases = [phase for phase in MAIN_PHASES if phase in set(there["phase"])]
        groups += [(phase, LABELS["phase"], {"phase": phase}) for phase in phases]
        for name in PATH_GROUPS:
            levels = there.loc[there["characteristic"] == name, "level"].astype(str).unique()
            groups += [
                (level_words(name, level), LABELS[name], {"characteristic": name, "level": level})
                for level in ordered_levels(name, levels)
            ]
        rows = []
        for header, section, group in groups:
            cells = [count_of(self.path(ALL, **group))]
            for name in (IMPROVING, DETERIORATING):
                record = self.direction(name, **group)
                chance = self.direction(name, **group, measure=EXPECTED)
                cells += [rate_of(record), interval_cell(record), rate_of(chance)]
            rows.append(Row(header, tuple(cells), section, not section))
        first, last = self._path_years
        heads = [
            column
            for name in ("Improving", "Deteriorating")
            for column in (
                Column("Share", name, "%"),
                Column("95% interval", name),
                Column("By chance alone", name, "%"),
            )
        ]
        return Table(
            "trajectories-by-group",
            f"Improving and deteriorating pupils by school type and group, {first} to {last}",
            "Of pupils with a band in each of the three years; school type and characteristics of the last year",
            (Column("Pupils", align="left"), Column("Followed"), *heads),
            tuple(rows),
            source_of(self.trajectories),
            (
                "By chance alone: if each pupil of the group kept a level of their own. Groups with more absence have more pupils"
                " near a threshold, and so more of both by chance.",
                direction_of("pupil").text,
            ),
        )

    @or_nothing
    def path_sentences(self) -> Findings | Result:
        """Return how many pupils improved and deteriorated, beside what chance alone would give."""
        if not self.is_local:
            return Result(())
        first, last = self._path_years
        everybody = self.path(ALL)
        sentences = []
        if is_shown(everybody):
            text = (
                f"{show_number(float(everybody['numerator']))} pupils of {the_area(self.area)} can be followed from {first} to"
                f" {last}"
            )
            improving, deteriorating = (self.direction(name) for name in (IMPROVING, DETERIORATING))
            if is_shown(improving) and is_shown(deteriorating):
                text += (
                    f": {said(improving)} were on improving trajectories ({interval_words(improving)}) and {said(deteriorating)}"
                    f" on deteriorating ones ({interval_words(deteriorating)})"
                )
                chances = [self.direction(name, measure=EXPECTED) for name in (IMPROVING, DETERIORATING)]
                if is_shown(chances[0]) and is_shown(chances[1]):
                    text += (
                        f"; chance alone, without any pupil's level changing, would give {figure_words(chances[0])} and"
                        f" {figure_words(chances[1])}"
                    )
            sentences.append(f"{text}.")
        rules = [rule for rule in trajectory_rules().rules if rule.direction != "neither"]
        for rule in rules:
            sentences += self._chance_sentence(rule.name, rule.text)
        return Findings(tuple(sentences)) if sentences else Result(())

    def _chance_sentence(self, name: str, rule: str) -> list[str]:
        seen, chance = self.path(name), self.expected_path(name)
        excess = Lookup(self.excesses, ["trajectory"])(trajectory=name)
        if not (is_shown(seen) and is_shown(chance) and is_shown(excess)):
            return [f"{name}: how many cannot be told, because figures are hidden to protect small numbers."]
        side = side_words(excess, "more", "less")
        return [
            f"{name} ({phrase(rule, 'rule')}): {said(seen)} of pupils, {side} the {figure_words(chance)} that chance alone would"
            f" give (95% range {interval_words(chance).removeprefix('95% interval ')})."
        ]


def chance_rows(rates: np.ndarray) -> pd.DataFrame:
    """Return the share of each trajectory that chance alone would give pupils with these rates, (N, years).

    No digit is finer than one pupil of the group.
    """
    names = trajectory_rules().names
    found = expected_shares(rates, _classify, n_classes=len(names))
    values = {"model": names, "rate": found.share, "lower": found.lower, "upper": found.upper}
    return pd.DataFrame(values).assign(
        decimals=int(len(rates) >= _ENOUGH_FOR_A_DECIMAL), enrolments=float(len(rates)), outcome=ALL, measure=EXPECTED,
        numerator=np.nan, denominator=np.nan, symbol="",
    )  # fmt: skip


def _classify(rates: np.ndarray) -> np.ndarray:
    """Return the trajectories of simulated rates (N, T)."""
    missed = np.rint(rates * _FINE).astype(np.int64)
    return classify_trajectories(missed, np.full(missed.shape, _FINE))


def _rules_text() -> str:
    """Return the rules in words."""
    return " ".join(f"{rule.name}: {phrase(rule.text, 'rule')}." for rule in trajectory_rules().rules)


def _excess(seen: Record | None, chance: Record | None) -> Estimate:
    assert seen is not None
    assert chance is not None
    return Estimate(
        float(seen["rate"] - chance["rate"]),
        float(seen["lower"] - chance["upper"]),
        float(seen["upper"] - chance["lower"]),
    )


def pooled_outcomes(records: Sequence[Record]) -> dict[str, Any] | None:
    """Return several outcomes of one group as one: their counts added up, over the same pupils. None of no outcome."""
    if not records:
        return None
    found = pooled(
        [{**record, "denominator": 0.0 if at else record["denominator"]} for at, record in enumerate(records)]
    )
    return found
