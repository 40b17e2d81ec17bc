"""Where pupils in each band of absence are found a year and a term later."""

from __future__ import annotations

from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    count_of,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_flows_data import (
    GONE,
    NEW,
    STAYED,
)
from attendance_toolkit.deepdives.longitudinal_persistence import WORDS, LongitudinalPersistence, count_text
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.following import ENOUGH_SESSIONS
from attendance_toolkit.presentation.blocks import Column, Figure, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import flow_bars
from attendance_toolkit.presentation.formats import figure_words, records, source_of
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.outcomes import (
    BANDS,
    IN_A_BAND,
    JOINED,
    NOT_AFTER,
    NOT_BEFORE,
    TEN_OR_MORE,
    YEAR_TO_YEAR,
)

#: Names in charts. Those of the bars are short, so that no line breaks within one; the key has the bands in full.
_LABELS = {
    "outcome": {NOT_AFTER: "In no band any more"},
    "band_before": dict(zip(BANDS, ("Below 5%", "5% to 10%", "10% to 20%", "20% to 50%", "50% or more"), strict=True)),
}
_OUTSIDE = (NOT_AFTER,)


class LongitudinalFlows(LongitudinalPersistence):
    """Blocks on flows between bands, and on who comes to one and goes from one."""

    # -- what following means ------------------------------------------------------------------------

    @or_notice
    def flow_notice(self) -> Notice:
        """Return who is followed and who is not, and that pupils before and after add up."""
        year = self.last_step_year
        fewest = phrase(
            f"{ENOUGH_SESSIONS['year']} possible sessions in a year, or {ENOUGH_SESSIONS['term']} in a term", "rule"
        )
        text = (
            f"Pupils are followed by pseudonym through the schools of {the_area(self.area)}, those aged 5 to 15 whom DfE's"
            " figures count. A pupil at two schools counts once, so these figures are of pupils and differ a little from"
            f" those of enrolments. A pupil has a band from {fewest}. Pupils of alternative provision are left out."
        )
        before, new, gone = (self.flow(*pair) for pair in ((IN_A_BAND, ALL), (NOT_BEFORE, ALL), (IN_A_BAND, NOT_AFTER)))
        after = records(self.rolls)[0]
        if is_shown(before) and is_shown(new) and is_shown(gone) and is_shown(after):
            earlier, later = self.years_of(year)
            text += (
                f" Before and after add up: {count_text(before)} pupils had a band in {earlier}; {count_text(gone)} of them had none"
                f" any more in {later} and {count_text(new)} others came to one, so that {count_text(after)} had a band in {later}."
            )
            if self.inputs.policy.rounding > 1:
                text += " Counts are rounded, so sums may differ a little."
        else:
            text += " The numbers before and after cannot be told here: figures are hidden to protect small numbers."
        return Notice(text, "Following pupils")

    # -- from band to band ---------------------------------------------------------------------------

    @or_nothing
    def flow_figure(self) -> Figure | Result:
        """Return bars of 100% from year to year: each band, divided by the bands a year later."""
        chosen = {
            "phase": ALL_SCHOOLS,
            "characteristic": ALL,
            "academic_year": self.last_step_year,
            "step": YEAR_TO_YEAR,
        }
        table = self.flows.select(**chosen, band_before=BANDS, outcome=(*BANDS, NOT_AFTER), measure="flow_rate")
        earlier, later = self.years_of(self.last_step_year)
        stayed = self.share(TEN_OR_MORE, STAYED)
        title = f"Bands of absence in {earlier} and a year later"
        if is_shown(stayed):
            title = f"Of pupils who {WORDS[TEN_OR_MORE]} in {earlier}, {figure_words(stayed)} did so again in {later}"
        return flow_bars(
            _in_order(table),
            id="flows-year",
            title=title,
            subtitle=f"Pupils by share of sessions missed in {earlier}, divided by theirs in {later}; all schools",
            after="outcome",
            outside=_OUTSIDE,
            labels=_LABELS,
            notes=[
                "In no band any more: finished Year 11, left, or too few sessions to tell. The title is of the pupils who have"
                " a band in both years."
            ],
        )

    @or_nothing
    def term_flow_figure(self) -> Figure | Result:
        """Return the same from term to term, the last step of each kind."""
        steps = self.last_term_steps
        if not steps:
            raise NoDataError("There are no terms to follow pupils by.")
        parts = []
        for step, year in steps:
            table = self.flows.select(
                step=step, academic_year=year, band_before=BANDS, outcome=BANDS, measure="flow_rate"
            )
            parts += table.rows.assign(between=self.between(step, year)).to_dict("records")
        table = derived_from(parts, self.flows)
        table.rows["between"] = pd.Categorical(table.rows["between"], [self.between(*one) for one in steps])
        return flow_bars(
            _in_order(table),
            id="flows-term",
            title="Bands of absence in one term and in the next",
            subtitle="Pupils by share of the term's sessions missed, divided by theirs in the term after; all schools",
            after="outcome",
            step="between",
            labels=_LABELS,
            notes=["Of pupils with a band in both terms: very few come and go within a year."],
        )

    @or_nothing
    def flow_table(self) -> Table | Result:
        """Return the cohort matrix: pupils by their band before and after, with totals."""
        rows = []
        earlier, later = self.years_of(self.last_step_year)
        for before in BANDS:
            cells = [
                count_of(self.flow(before, ALL)),
                *(rate_of(self.flow(before, end)) for end in (*BANDS, NOT_AFTER)),
            ]
            rows.append(Row(before, tuple(cells), f"In a band in {earlier}"))
        cells = [
            count_of(self.flow(IN_A_BAND, ALL)),
            *(rate_of(self.flow(IN_A_BAND, end)) for end in (*BANDS, NOT_AFTER)),
        ]
        rows.append(Row("All of them", tuple(cells), f"In a band in {earlier}", emphasis=True))
        return Table(
            "cohort-matrix",
            f"Pupils by band of absence in {earlier} and in {later}",
            f"Each row: of the pupils in the band in {earlier}, the share in each band in {later}; all schools",
            (
                Column(f"Sessions missed in {earlier}", align="left"),
                Column("Pupils"),
                *(Column(band, f"Sessions missed in {later}", "%") for band in BANDS),
                Column("None any more", f"Sessions missed in {later}", "%"),
            ),
            tuple(rows),
            source_of(self.flows),
            ("Shares are of all pupils of the row, those in no band any more included.",),
        )

    @or_nothing
    def roll_table(self) -> Table | Result:
        """Return how many pupils came to a band and went from one: the part of the roll the matrix leaves open."""
        earlier, later = self.years_of(self.last_step_year)
        found = [(f"In a band in {earlier}", "Before", self.flow(IN_A_BAND, ALL))]
        new = {JOINED: "Joined, or had too few sessions"}
        found += [(new.get(name, name), f"In no band in {earlier}", self.flow(name, ALL)) for name in NEW]
        found.append(("All pupils followed", "Together", self.flow(ALL, ALL)))
        gone = {NOT_AFTER: "All of them"}
        found += [
            (gone.get(name, name), f"In no band any more in {later}", self.flow(IN_A_BAND, name))
            for name in (*GONE, NOT_AFTER)
        ]
        totals = ("All pupils followed", "All of them")
        return Table(
            "roll-before-and-after",
            f"Pupils who came to a band, and pupils who went, {earlier} to {later}",
            "Pupils followed; all schools",
            (Column("Pupils followed", align="left"), Column("Pupils")),
            tuple(
                Row(words, (count_of(record),), section, words in totals)
                for words, section, record in found
                if record is not None
            ),
            source_of(self.flows),
            (
                "Pupils who moved within the area are followed; those who moved to another district are told apart from those"
                " who left where the data hold that district.",
            ),
        )


def _in_order(table: Any) -> Any:
    """Return the rows with their bands in order."""
    rows = table.rows.copy()
    for name, order in (("band_before", BANDS), ("outcome", (*BANDS, NOT_AFTER))):
        rows[name] = pd.Categorical(rows[name], [level for level in order if level in set(rows[name])])
    return table.with_rows(rows)
