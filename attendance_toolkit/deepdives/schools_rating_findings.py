"""What the colours of schools rest on: which group sets them, how firm they are, other readings, and what follows."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from attendance_toolkit.deepdives._shared import capital, the_area
from attendance_toolkit.deepdives.schools_data import number_words, or_notice, schools_words
from attendance_toolkit.deepdives.schools_rating import SchoolsRating, colours_said, school_count
from attendance_toolkit.deepdives.schools_rating_data import ALL_GROUP, BEYOND_95, BEYOND_998, INSIDE
from attendance_toolkit.metrics.rating import ALL_ONLY
from attendance_toolkit.metrics.rule_schemes import show_value
from attendance_toolkit.metrics.school_rating import SchoolRating, as_printed, colour_changes
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Row, Table
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rule_schemes import rule_scheme

#: How far all differences are moved to see how firm the colours are, percentage points.
MOVED = Fraction(1, 2)


class SchoolsRatingFindings(SchoolsRating):
    """Sentences on the rating, and its actions."""

    @property
    def _rated(self) -> list[SchoolRating]:
        return [school for school in self.rated() if school.rating is not None]

    @property
    def _colours(self) -> list[str]:
        return [level.name for level in self.levels]

    # -- sentences -----------------------------------------------------------------------------------

    @or_notice
    def rating_sentences(self) -> Findings | Notice:
        """Return what the colours are, which group sets them, and how firm they are."""
        self._need_schools()
        sentences = [
            self._counts_sentence(),
            self._set_by_sentence(),
            self._all_only_sentence(),
            self._moved_sentence(),
            self._chance_sentence(),
            self._printed_sentence(),
        ]
        # Numbers of these sentences count schools.
        return Findings(tuple(phrase(sentence, "schools") for sentence in sentences if sentence))

    def _counts_sentence(self) -> str:
        parts = []
        for phase in MAIN_PHASES:
            of_phase = self.of_phase(phase)
            if of_phase:
                counts = Counter(school.level for school in of_phase)
                none = f" ({number_words(counts[''])} not rated)" if counts[""] else ""
                said = colours_said(counts, self._colours)
                parts.append(f"of {schools_words(len(of_phase), phase)} {said}{none}")
        return f"Colours in {self.shown_year}, {the_area(self.area)}: {'; '.join(parts)}."

    def _set_by_sentence(self) -> str:
        """Say which groups set the colours that are not the best one: there every group is as good."""
        below = [school for school in self._rated if school.level != self._colours[-1]]
        if not below or len(self._groups_tested) < 2:
            return ""
        counts = Counter(group for school in below if school.rating for group in school.rating.set_by)
        alone = Counter(school.rating.set_by[0] for school in below if school.rating and len(school.rating.set_by) == 1)
        order = sorted(counts, key=lambda group: (-counts[group], self.scheme.groups.index(group)))
        listed = [f"{self.group_said(group)} in {number_words(counts[group])}" for group in order]
        others = sum(counts[ALL_GROUP] == 0 or not _has(school, ALL_GROUP) for school in below)
        start = f"Of {schools_words(len(below))} that {'is' if len(below) == 1 else 'are'} not {self._colours[-1]}"
        only = [f"{self.group_said(group)} in {number_words(alone[group])}" for group in order if alone[group]]
        end = f" One group alone sets it: {sentence_list(only)}." if only else ""
        return (
            f"{start}, the colour is set, alone or with other groups, by {sentence_list(listed)};"
            f" in {number_words(others)} all pupils together would have a better one.{end}"
        )

    @property
    def _groups_tested(self) -> set[str]:
        return {group for school in self._rated for group in school.differences}

    def _all_only_sentence(self) -> str:
        if len(self._groups_tested) < 2 or self.scheme.combine == ALL_ONLY:
            return ""
        alone = {(one.phase, one.laestab): one.level for one in self.rated(mode=ALL_ONLY)}
        changed = [school for school in self._rated if alone[school.phase, school.laestab] != school.level]
        counts = Counter(level for level in alone.values() if level)
        return (
            f"By all pupils alone {schools_words(len(changed))} of {number_words(len(self._rated))} would have another colour:"
            f" {colours_said(counts, self._colours)} in all."
        )

    def _moved_sentence(self) -> str:
        changes = colour_changes(self._rated, self.scheme, by=MOVED)
        half = phrase(show_value(MOVED, self.scheme.unit), "rule")
        worse, better = ((changes[name] != changes["level"]).sum() for name in ("lower", "higher"))
        either = int(changes["changes"].sum())
        return (
            f"Thresholds are sharp: with every difference {half} lower {schools_words(int(worse))} would have a worse colour,"
            f" {half} higher {schools_words(int(better))} a better one; {schools_words(either)} of {number_words(len(changes))}"
            " would change one way or the other."
        )

    def _chance_sentence(self) -> str:
        """Say how many schools of the worst colour have persistent absence as ordinary as that of the others."""
        worst = [school for school in self._rated if school.level == self._colours[0]]
        places = Counter(self.place(school) for school in worst)
        told = places[INSIDE] + places[BEYOND_95] + places[BEYOND_998]
        if not told:
            return ""
        above = sum(self.place(school) in (BEYOND_95, BEYOND_998) and self.is_above(school) for school in worst)
        return (
            f"{capital(f'of {schools_words(told)}')} that {'is' if told == 1 else 'are'} {self._colours[0]} and can be held beside"
            f" others of the school type, persistent absence lies within the limits of chance in"
            f" {number_words(places[INSIDE])}, and above them in {number_words(above)}: a colour alone does not say that a"
            " school stands out."
        )

    def _printed_sentence(self) -> str:
        """Say what the printed criteria would make of the schools, where the rules are the toolkit's own reading of them."""
        if "school_rag" in self.inputs.rules:
            return ""
        found = as_printed(self.shown_cells(), self._shown_comparators.get(self.year, {}))
        found = [one for one in found if one.levels]
        if not found:
            return ""
        printed = rule_scheme("school_rag_as_printed")
        worst = max(printed.levels, key=lambda level: level.rank or 0).name
        everybody = sum(one.of_groups.get(ALL_GROUP) == worst for one in found)
        several = sum(len(one.levels) > 1 for one in found)
        both = f" and {schools_words(several)} would have more than one colour at once" if several else ""
        return (
            "The printed criteria say absence where attendance must be meant. Read as printed, all pupils would make"
            f" {schools_words(everybody)} of {number_words(len(found))} {worst} for missing less than nationally{both}; so they"
            " are not used."
        )

    # -- what follows --------------------------------------------------------------------------------

    @or_notice
    def action_table(self) -> Table:
        """Return what follows from each colour, for how many schools, and what every school is offered."""
        self._need_schools()
        counts = self.colour_counts()
        rows = [
            Row(
                self.colour_cell(level.name),
                (
                    school_count(counts[level.name]),
                    Cell(phrase("; ".join(self.scheme.actions_at(level.name)), "rule") or "nothing named"),
                ),
            )
            for level in self.levels
        ]
        if self.scheme.always:
            every = sum(counts.values())
            always = phrase("; ".join(self.scheme.always), "rule")
            rows.append(Row("Every school", (school_count(every), Cell(always))))
        return Table(
            "actions-by-colour",
            "What follows from a colour",
            f"By the rules of the rating, {self.shown_year}; {the_area(self.area)}",
            (Column("Colour", align="left"), Column("Schools"), Column("What is offered", align="left")),
            tuple(rows),
            source_of(self.school_groups),
            (f"Rules: {phrase(self.scheme.source, 'rule')}",) if self.scheme.source else (),
        )


def _has(school: SchoolRating, group: str) -> bool:
    return school.rating is not None and group in school.rating.set_by
