"""What each group of pupils, school type and district adds to the change of the rate, and where all of them went the other way."""

from __future__ import annotations

from attendance_toolkit.deepdives._change_models import MIX, RATE, Pair
from attendance_toolkit.deepdives._contrasts import counts_symbol
from attendance_toolkit.deepdives._shared import (
    MAINSTREAM,
    SHORT,
    Record,
    level_words,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_change_data import (
    DISTRICT,
    NC_YEAR,
    PHASE,
    ROUNDING,
    LongitudinalChangeData,
    Units,
)
from attendance_toolkit.deepdives.longitudinal_data import THRESHOLDS
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.decomposition import is_paradox
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import (
    change_verb,
    is_clear,
    is_shown,
    points,
    sentence_list,
)
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, LABELS
from attendance_toolkit.vocabulary.directions import direction_of
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.statistics import find_measure

#: What a table of contributions is called, by what contributes.
_KINDS = {PHASE: "school type", NC_YEAR: "year group", DISTRICT: "district"}
#: As many contributions are named in a sentence.
_NAMED = 2
#: A smaller share of a contribution than this is not told apart.
_SMALL = 0.1
_IN_MAINSTREAM = " in primary and secondary schools"
#: Kinds whose largest contributions are put into words, and of which schools; the others are in their tables.
_SAID = (((PHASE, DISTRICT), ""), ((NC_YEAR, "fsm_eligible"), _IN_MAINSTREAM))


def kind_words(kind: str) -> str:
    """Return what contributes, in running text.

    >>> kind_words("nc_year"), kind_words("fsm_eligible")
    ('year group', 'free school meals')
    """
    return _KINDS.get(kind) or (LABELS[kind].lower() if kind != "sen_provision" else "special educational needs")


def size_words(part: Record) -> str:
    """Return the size of a part of a change in percentage points, with its own decimals and without its sign.

    >>> size_words({"measure": "contribution", "rate": -0.0123, "decimals": 1})
    '1.2 percentage points'
    """
    own = part.get("decimals")
    known = find_measure(str(part["measure"]))
    assert known is not None
    return points(part["rate"], known.decimals if own is None or own != own else int(own))


class LongitudinalContributions(LongitudinalChangeData):
    """Blocks of contributions and of changes that every group contradicts."""

    # -- contributions -------------------------------------------------------------------------------

    @or_notice
    def contribution_table(self, kind: str = "") -> Table | Notice | Result:
        """Return what each group adds to the change of persistent and severe absence since the year before.

        Parameters
        ----------
        kind
            "phase", "nc_year" or "district"; empty for the pupil characteristics, one under another.
        """
        has_none = self.area.level in ("Local authority", "National")
        if (kind == DISTRICT and has_none) or (kind != PHASE and not self._has_contributions):
            return Result(())  # one district, or too many of them; and that there is nothing, the first table says
        if kind == DISTRICT and DISTRICT not in self.contribution_kinds:
            raise NoDataError(
                f"What each district of {self.area.name} adds to the change needs figures of its districts."
            )
        pair = self.change_pairs[0]
        rows = [
            row
            for about in THRESHOLDS
            for one in ([kind] if kind else self.characteristics)
            for row in self._contribution_rows(one, about, pair, is_one_of_several=not kind)
        ]
        since, year = (show_academic_year(at) for at in pair)
        what = kind_words(kind) if kind else "pupil characteristic"
        whole = "All schools" if kind in (PHASE, DISTRICT) else MAINSTREAM + " schools"
        return Table(
            f"contribution-{(kind or 'characteristics').replace('_', '-')}",
            f"What each {what} adds to the change, {since} to {year}",
            f"{whole}; percentage points. Contributions add up to the change of all pupils",
            (
                Column("Group", align="left"),
                Column("Change", "Its own rate"),
                Column("95% interval", "Its own rate"),
                Column("Contribution", "Part of the change of all"),
                Column("95% interval", "Part of the change of all"),
                Column("By its own rate", "Part of the change of all"),
                Column("By its size", "Part of the change of all"),
            ),
            tuple(rows),
            source_of(self.contribution_parts),
            (*self._contribution_notes(pair), direction_of("group").text),
        )

    @property
    def _has_contributions(self) -> bool:
        try:
            return bool(len(self.contribution_parts.rows))
        except NoDataError:
            return False

    def _contribution_rows(self, kind: str, about: str, pair: Pair, *, is_one_of_several: bool) -> list[Row]:
        units = self.contributing(kind, about, pair)
        section = SHORT[about] + (f", {kind_words(kind)}" if is_one_of_several else "")
        parts = [self._contribution(kind, about, pair, level, "contribution") for level in units if level != ALL]
        if parts and all(part is not None and part["symbol"] == "c" for part in parts):
            return [Row("Each of them", (Cell(symbol="c"),) * 6, section)]
        rows = []
        for level in (*(name for name in units if name != ALL), ROUNDING, ALL):
            change, contribution, within, size = (
                self._contribution(kind, about, pair, level, measure)
                for measure in ("change_in_rate", "contribution", "contribution_within", "contribution_size")
            )
            if level == ALL:
                cells = (rate_of(change), interval_cell(change), rate_of(change), interval_cell(change), *_NOTHING * 2)
                rows.append(Row("All of them", cells, section, emphasis=True))
            elif level == ROUNDING:
                if is_shown(contribution) and rate_of(contribution).text.strip("0.−+"):
                    rows.append(Row("Left by rounding", (*_NOTHING * 2, rate_of(contribution), *_NOTHING * 3), section))
            else:
                cells = (
                    rate_of(change), interval_cell(change), rate_of(contribution), interval_cell(contribution),
                    rate_of(within), rate_of(size),
                )  # fmt: skip
                rows.append(Row(self._unit_name(kind, level), cells, section))
        return rows

    def _contribution(self, kind: str, about: str, pair: Pair, level: str, measure: str) -> Record | None:
        return self.contributions_lookup(
            since=pair[0], academic_year=pair[1], about=about, kind=kind, level=level, measure=measure
        )

    def _contribution_notes(self, pair: Pair) -> list[str]:
        notes = [
            "By its own rate: the change of the group's rate times its mean share of pupils, so large groups count for more."
            " By its size: above 0 if the group grew and is absent more than all together, or shrank and is absent less."
            " Intervals take shares as known and the years as independent.",
        ]
        if self.is_local and self.inputs.policy.rounding > 1:
            notes.append(
                "Worked out from rounded counts, which leave something over: a small contribution may be nothing but that."
            )
        if self.is_local:
            notes.append(
                "What groups with hidden figures contribute is not shown, and nothing stands for them together."
            )
        return [*notes, *self.break_notes(pair)]

    def _unit_name(self, kind: str, level: str) -> str:
        if kind == DISTRICT:
            return self.inputs.area_name(level)
        return level if kind == PHASE else level_words(kind, level)

    @or_nothing
    def contribution_sentences(self) -> Findings | Result:
        """Return the largest contributions to the change since the year before, and what their own rates and sizes add."""
        pair = self.change_pairs[0]
        since, year = (show_academic_year(at) for at in pair)
        sentences = []
        for about in THRESHOLDS:
            for kinds, where in _SAID:
                change = self._contribution(kinds[0], about, pair, ALL, "change_in_rate")
                subject = f"{SHORT[about]}{where} in {the_area(self.area)}"
                if is_clear(change):
                    parts = [
                        self._largest_by(kind, about, pair, change) for kind in kinds if kind in self.contribution_kinds
                    ]
                    sentences.append(
                        f"{subject} {change_verb(change)} by {size_words(change)} from {since} to {year}. {' '.join(parts)}"
                    )
                elif is_shown(change) and not where:
                    sentences.append(
                        f"{subject} did not clearly change from {since} to {year} ({figure_words(change)} percentage points,"
                        f" {interval_words(change)}), so what groups contributed to it is left to the tables."
                    )
        return Findings(tuple(sentences)) if sentences else Result(())

    def _largest_by(self, kind: str, about: str, pair: Pair, change: Record) -> str:
        """Say which groups of a kind contributed most to a change, and which clearly against it."""
        found: list[tuple[str, Record]] = []
        against: list[tuple[str, Record]] = []
        for level in self.contributing(kind, about, pair):
            part = self._contribution(kind, about, pair, level, "contribution")
            # What is next to nothing beside the change is not worth a name.
            if level != ALL and is_clear(part) and abs(part["rate"]) >= _SMALL / 2 * abs(change["rate"]):
                (found if part["rate"] * change["rate"] > 0 else against).append((level, part))
        by = f"By {kind_words(kind)}"
        if not found:
            return f"{by} no single contribution to that is clear of chance."
        named = [self._named(kind, about, pair, level, part) for level, part in _largest(found)]
        text = f"{by} the largest clear contribution{'s' if len(named) > 1 else ''} to that: {'; '.join(named)}."
        if against:
            names = [f"{self._unit_name(kind, level)} ({figure_words(part)})" for level, part in _largest(against)]
            text += f" Clearly against it: {sentence_list(names)}."
        return text

    def _named(self, kind: str, about: str, pair: Pair, level: str, part: Record) -> str:
        within, size = (
            self._contribution(kind, about, pair, level, name) for name in ("contribution_within", "contribution_size")
        )
        text = f"{self._unit_name(kind, level)} {figure_words(part)} ({interval_words(part)})"
        if not (is_shown(within) and is_shown(size)):
            return text
        if abs(size["rate"]) < _SMALL * abs(part["rate"]):
            return f"{text}, nearly all of it by its own rate"
        return f"{text}, {figure_words(within)} by its own rate and {figure_words(size)} by its size"

    # -- when every group goes the other way ---------------------------------------------------------

    @or_nothing
    def paradox_sentences(self) -> Findings | Result:
        """Return where the rate of all moved one way and that of every group the other, and where all went together."""
        sentences: list[str] = []
        unknown: dict[str, dict[str, None]] = {about: {} for about in THRESHOLDS}
        is_found = False
        for pair in self.change_pairs:
            for about in THRESHOLDS:
                crossed = self._crossed_paradox(about, pair)
                paradox, together, hidden = self._directions(about, pair)
                is_found |= bool(crossed or paradox)
                sentences += [*crossed, *paradox, *together]
                unknown[about] |= dict.fromkeys(hidden)
        told = any(len(hidden) < len(self.contribution_kinds) for hidden in unknown.values())
        if told and not is_found:
            sentences.append(
                "Nowhere that can be told did the figures of all groups move against the figure of all pupils."
            )
        sentences += [
            f"Whether every group went one way in {SHORT[about].lower()} cannot be told by {sentence_list(list(hidden))}: figures"
            " are hidden to protect small numbers."
            for about, hidden in unknown.items()
            if hidden
        ]
        return Findings(tuple(sentences)) if sentences else Result(())

    def _directions(self, about: str, pair: Pair) -> tuple[list[str], list[str], list[str]]:
        """Return sentences on groups that all went against the whole and all with it, and by what it cannot be told."""
        paradoxes: list[str] = []
        alike: list[str] = []
        hidden: list[str] = []
        clear = total = 0
        for kind in self.contribution_kinds:
            units = self.contributing(kind, about, pair)
            if any(record is not None and record["symbol"] == "c" for both in units.values() for record in both):
                hidden.append(kind_words(kind))
                continue
            # A group that is there in one of the years only has no change.
            groups = {level: both for level, both in units.items() if not counts_symbol(*both)}
            if ALL not in groups or len(groups) < 3:
                continue
            whole = self._moved_way(groups.pop(ALL))
            moves = [self._moved_way(both) for both in groups.values()]
            if whole and all(move == -whole for move in moves) and _is_paradox(list(groups.values())):
                paradoxes.append(self._paradox_sentence(kind, about, pair, list(groups)))
            elif whole and all(move == whole for move in moves):
                alike.append(kind_words(kind))
                changes = [self._contribution(kind, about, pair, level, "change_in_rate") for level in groups]
                clear, total = clear + sum(is_clear(change) for change in changes), total + len(changes)
        since, year = (show_academic_year(at) for at in pair)
        told = []
        change = self._contribution(PHASE, about, pair, ALL, "change_in_rate")
        if alike and is_clear(change):
            surely = phrase(f"clearly in {clear} of {total} groups", "groups")
            surely = (
                "clearly in each of them" if clear == total else surely if clear else "though in none of them clearly"
            )
            told.append(
                f"From {since} to {year} {SHORT[about].lower()} {change_verb(change)} in {the_area(self.area)}, and the figures of"
                f" every group by {sentence_list(alike)} went the same way, {surely}."
            )
        return paradoxes, told, hidden

    def _moved_way(self, both: Units) -> int:
        """Return whether a rate went up (1) or down (-1); 0 where it is the same, or no more than rounded counts can make."""
        before, after = both
        assert before is not None
        assert after is not None
        base = self.inputs.policy.rounding if self.is_local else 1
        least = base / 2 * (1 / before["denominator"] + 1 / after["denominator"]) if base > 1 else 0.0
        change = after["rate"] - before["rate"]
        return 0 if abs(change) <= least else 1 if change > 0 else -1

    def _paradox_sentence(self, kind: str, about: str, pair: Pair, levels: list[str]) -> str:
        change = self._contribution(kind, about, pair, ALL, "change_in_rate")
        own = {level: self._contribution(kind, about, pair, level, "change_in_rate") for level in levels}
        assert change is not None
        since, year = (show_academic_year(at) for at in pair)
        where = _IN_MAINSTREAM if kind not in (PHASE, DISTRICT) else ""
        named = [
            f"{self._unit_name(kind, level)} {figure_words(part)}" for level, part in own.items() if is_shown(part)
        ]
        subject = f"{SHORT[about]}{where} in {the_area(self.area)}"
        words = "lower" if change["rate"] < 0 else "higher"
        verb, other = ("fell", "rose") if change["rate"] < 0 else ("rose", "fell")
        if is_clear(change) and all(is_clear(part) for part in own.values()):
            text = (
                f"{subject} {verb} by {size_words(change)} from {since} to {year} although it {other} in every group by"
            )
            text += f" {kind_words(kind)} ({', '.join(named)})."
        else:
            opposite = "higher" if words == "lower" else "lower"
            text = f"{subject} was {words} in {year} than in {since} by {size_words(change)} although the figure of every group by"
            text += f" {kind_words(kind)} was {opposite} ({', '.join(named)}); not all of that is clear of chance."
        return f"{text} What moved the figure of all pupils is their mix, not their rates."

    def _crossed_paradox(self, about: str, pair: Pair) -> list[str]:
        """Say where the rate went against the rates within the groups crossed, because the mix weighed more."""
        total = self.change_total(self.area.code, about, pair)
        mix, rate = (self.change_part(self.area.code, about, pair, part) for part in (MIX, RATE))
        if not (is_clear(total) and is_clear(mix) and is_clear(rate)) or total["rate"] * rate["rate"] >= 0:
            return []
        since, year = (show_academic_year(at) for at in pair)
        other = "up" if rate["rate"] > 0 else "down"
        return [
            f"{SHORT[about]} in {the_area(self.area)} {change_verb(total)} by {size_words(total)} from {since} to {year} although"
            f" the rates of pupils of the same year group, sex, free school meals and SEN went {other} on balance"
            f" ({figure_words(rate)} percentage points): the mix of pupils weighed more ({figure_words(mix)})."
        ]


_NOTHING = (Cell(symbol="z"),)


def _largest(found: list[tuple[str, Record]]) -> list[tuple[str, Record]]:
    return sorted(found, key=lambda one: -abs(one[1]["rate"]))[:_NAMED]


def _is_paradox(groups: list[Units]) -> bool:
    years = [[both[at] for both in groups] for at in (0, 1)]
    counts = [
        [float(r[name]) for r in year if r is not None] for year in years for name in ("numerator", "denominator")
    ]
    return is_paradox(*counts)
