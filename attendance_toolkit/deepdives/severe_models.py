"""MAIHDA: how much of severe absence lies between crossed groups, and whether combinations matter beyond their parts."""

from __future__ import annotations

from collections.abc import Iterable

from attendance_toolkit.deepdives._contrasts import P_NOTE, Record, estimate_of, p_text
from attendance_toolkit.deepdives._shared import Lookup, or_nothing, or_notice
from attendance_toolkit.deepdives.severe_crossings import characteristic_words
from attendance_toolkit.deepdives.severe_data import CROSSED
from attendance_toolkit.deepdives.severe_strata import MAIN, NULL, SevereStrata, large_enough
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import (
    count_cell,
    figure_words,
    interval_cell,
    interval_words,
    rate_cell,
    records,
    source_of,
)
from attendance_toolkit.presentation.narrative import has_interval, is_shown, sentence_list
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.ledger import phrase

#: A combination is named where its p value, adjusted for all of them (Benjamini-Hochberg), is below this.
CLEAR = 0.05
_HIGHEST, _LOWEST = 15, 5
#: Of how much of the variance the main effects explain, what is said.
_NEARLY_ALL, _MOST = 0.9, 0.5

#: Who is in the groups of the models.
_KNOWN = "Pupils of whom one of the characteristics crossed is not known are in no group of the model."
_SUMMARY: tuple[tuple[str, str], ...] = (
    ("maihda_sd", "Standard deviation between groups (logit scale)"),
    ("vpc_latent", "Variance between groups, latent scale (%)"),
    ("vpc_response", "Variance between groups, scale of the chances themselves (%)"),
    ("median_odds_ratio", "Median odds ratio"),
    ("pcv", "Variance between groups explained by the characteristics added up, PCV (%)"),
    ("auc_strata", "AUC of the groups, same pupils"),
    ("auc_next_year", "AUC of the groups of the year before, on this year's pupils"),
    ("variance_p_value", "p value of no variance between groups"),
)


class SevereModels(SevereStrata):
    """What the models say, in tables, a figure and words; everything is made from cleared figures."""

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def maihda_summary(self) -> Table | Notice:
        """Return both models side by side: variance, its shares, discrimination and tests."""
        rows = []
        for measure, words in _SUMMARY:
            found = [self.fitted(measure, model) for model in (NULL, MAIN)]
            if not any(found):
                continue
            cells: list[Cell] = []
            for record in found:
                cells += [Cell(symbol="z")] * 2 if record is None else [rate_cell(record), interval_cell(record)]
            rows.append(Row(words, tuple(cells)))
        if not rows:
            raise NoDataError(f"There is no model of the crossed groups of {self.area.name}.")
        columns = [Column("Figure of the model", align="left")]
        for group in ("Groups alone", "With the characteristics added up"):
            columns += [Column("Figure", group), Column("95% interval", group)]
        return Table(
            "maihda-summary",
            f"How much of severe absence lies between crossed groups, {show_academic_year(self.crossed_year)}",
            f"{self.area.name}, all schools; groups of {self._crossed_words()}; multilevel model of individual heterogeneity"
            " and discriminatory accuracy (MAIHDA)",
            tuple(columns),
            tuple(rows),
            source_of(self.model),
            (
                "The first model knows the groups alone, the second adds each characteristic by itself: what is left"
                " between groups is what their combinations do beyond their parts. Intervals: of the standard deviation by"
                " profile likelihood, of what follows from it by its ends, of PCV by parametric bootstrap. In the second model"
                " the standard deviation comes out a little small and its interval a little narrow, since the characteristics"
                " are estimated from the same groups.",
                f"{_KNOWN} {P_NOTE} AUC: the chance that of two pupils, one severely absent and one"
                " not, the first is of a group with the higher rate; 0.5 would be no better than chance.",
            ),
        )

    def _crossed_words(self) -> str:
        return sentence_list([characteristic_words(name) for name in CROSSED])

    @or_nothing
    def maihda_sentences(self) -> Findings | Result:
        """Return what each figure of the models means."""
        made = [
            *self._between_sentences(),
            *self._explained_sentences(),
            *self._discrimination_sentences(),
        ]
        if not made:
            return Findings(("The figures of the models are hidden to protect small numbers.",))
        made.append(
            "The estimates of groups are drawn towards what their characteristics say, the more so the fewer pupils they have:"
            " they are cautious. Their intervals allow for the uncertainty of the model's own figures."
        )
        return Findings(tuple(made))

    def _between_sentences(self) -> Iterable[str]:
        latent, response = self.fitted("vpc_latent", NULL), self.fitted("vpc_response", NULL)
        odds, p_value = self.fitted("median_odds_ratio", NULL), self.fitted("variance_p_value", NULL)
        if is_shown(p_value) and p_value["rate"] >= CLEAR:
            yield (
                f"There is no evidence that the crossed groups differ in severe absence at all (p = {p_text(p_value)})."
            )
        if is_shown(latent) and is_shown(response):
            yield (
                f"Of all variation between pupils in being severely absent, {figure_words(latent)}{_interval(latent)} lies"
                f" between the groups on the latent scale of the model, and {figure_words(response)} on the scale of the"
                " chances themselves. The second is the smaller where severe absence is rare: knowing the group of a pupil"
                " still says little about that one pupil."
            )
        if is_shown(odds):
            yield (
                "Take two pupils of two groups drawn at random: in the middle case the odds of severe absence of the one in the"
                f" higher group are {figure_words(odds)} times the other's{_interval(odds, 'median odds ratio; ')}."
            )

    def _explained_sentences(self) -> Iterable[str]:
        pcv, p_value = self.fitted("pcv", MAIN), self.fitted("variance_p_value", MAIN)
        if is_shown(pcv):
            yield f"{_explained_words(pcv)}{_explained_caution(pcv)}"
        if not is_shown(p_value):
            return
        text = p_text(p_value)
        if p_value["rate"] >= CLEAR:
            yield f"There is no evidence that combinations of characteristics do anything beyond their parts (p = {text})."
        else:
            left = "The little that is left" if is_shown(pcv) and pcv["rate"] >= _NEARLY_ALL else "What is left"
            yield (
                f"{left} between the groups is more than chance (p = {text}): some combinations have more or less severe"
                " absence than their characteristics added up say."
            )

    def _discrimination_sentences(self) -> Iterable[str]:
        here, later = self.fitted("auc_strata", NULL), self.fitted("auc_next_year", NULL)
        here = here or self.fitted("auc_strata", MAIN)
        later = later or self.fitted("auc_next_year", MAIN)
        if is_shown(here):
            yield (
                f"The group of a pupil tells severe absentees from others with an AUC of {figure_words(here)}, where"
                " 0.5 would be no better than chance; on the pupils the groups' rates were taken from this is a little too good."
            )
        if is_shown(later):
            year = show_academic_year(academic_year_before(self.crossed_year))
            yield (
                f"The groups' rates of {year} tell the severe absentees of {show_academic_year(self.crossed_year)} from others"
                f" with an AUC of {figure_words(later)}: that is how well groups alone point forward."
            )

    @or_notice
    def stratum_figure(self) -> Figure | Notice:
        """Return the groups with the highest and the lowest estimates as dots with intervals."""
        shown = [label for label, _ in self._strata_shown()]
        if not shown:
            raise NoDataError(
                "No crossed group has an estimate that can be shown: its count, or a figure of the model, is hidden to protect"
                " small numbers."
            )
        chosen = shown if len(shown) <= _HIGHEST + _LOWEST else [*shown[:_HIGHEST], *shown[-_LOWEST:]]
        table = self.strata_estimates.select(measure="stratum_rate", stratum=chosen)
        everybody = self.crossing()
        some = "" if len(chosen) == len(shown) else "; the highest and the lowest estimates of those that can be shown"
        return dot_interval(
            table,
            category="stratum",
            id="stratum-estimates",
            title=f"Severe absence by crossed group, {show_academic_year(self.crossed_year)}: estimates of the model",
            subtitle=f"Shrunken estimates with 95% intervals, {self.area.name}, all schools; {large_enough()}{some}",
            reference=("All pupils", everybody["rate"]) if is_shown(everybody) else None,
            source=source_of(self.crossed),
            notes=(
                "Estimates are drawn towards what the characteristics added up say, the more so the smaller the group; each"
                " is worked out from the figures of this page. Intervals of different groups may overlap: the order is not a"
                f" ranking. {_KNOWN}",
            ),
        )

    @or_notice
    def interaction_table(self) -> Table | Notice:
        """Return the groups whose rate is clearly not what their characteristics added up say."""
        shown = self._strata_shown()
        get = self._estimates_lookup
        if not shown:
            raise NoDataError(
                "Whether any combination stands out cannot be told: the figures of the groups, or of the model, are hidden to"
                " protect small numbers."
            )
        tested = sum(is_shown(record) for record in records(self.strata_estimates.select(measure="p_value")))
        clear = [
            (label, record)
            for label, record in shown
            if (get(stratum=label, measure="p_value_adjusted") or {"rate": 1.0})["rate"] < CLEAR
        ]
        if not clear:
            many = phrase(f"none of the {tested} groups tested", "groups") if tested > 1 else "the only group tested"
            return Notice(
                f"{many[:1].upper()}{many[1:]} has a rate of severe absence that is clearly not what its characteristics"
                " added up say, once the number of tests is allowed for (Benjamini-Hochberg,"
                f" {phrase(f'p below {CLEAR}', 'rule')}): there is no evidence of a special effect of any one"
                " combination. That is not proof that there is none.",
                "No combination stands out",
            )
        clear.sort(key=lambda item: -_rate(get(stratum=item[0], measure="interaction_effect")))
        rows = []
        for label, record in clear:
            effect = get(stratum=label, measure="interaction_effect")
            assert effect is not None
            cells = [count_cell(record, "denominator"), rate_cell(record)]
            cells += [rate_cell(_row(get, label, name)) for name in ("stratum_rate", "main_effects_rate")]
            cells += [rate_cell(effect), interval_cell(effect)]
            cells += [rate_cell(_row(get, label, "interaction_logit")), rate_cell(_row(get, label, "p_value_adjusted"))]
            section = "More than the characteristics added up" if effect["rate"] > 0 else "Less than they added up"
            rows.append(Row(label, tuple(cells), section))
        return Table(
            "beyond-main-effects",
            f"Combinations with more or less severe absence than their parts say, {show_academic_year(self.crossed_year)}",
            f"{self.area.name}, all schools; {large_enough()} whose interaction part is clear of 0 after"
            " Benjamini-Hochberg",
            (
                Column("Group", align="left"),
                Column("Enrolments"),
                Column("Rate", "", "%"),
                Column("Shrunken estimate", "", "%"),
                Column("By the characteristics added up", "", "%"),
                Column("Beyond them", "", "percentage points"),
                Column("95% interval"),
                Column("Interaction part, logit scale"),
                Column("Adjusted p value"),
            ),
            tuple(rows),
            source_of(self.crossed),
            (
                phrase(f"The family of tests is the {tested} groups that can be shown.", "groups") + f" {P_NOTE}",
                "The interaction part is shrunken towards 0, so the test is cautious; its interval allows for the uncertainty of"
                " the model's own figures.",
            ),
        )


def _row(get: Lookup, label: str, measure: str) -> Record:
    record = get(stratum=label, measure=measure)
    assert record is not None
    return record


def _rate(record: Record | None) -> float:
    return estimate_of(record).value if is_shown(record) else float("-inf")


def _interval(record: Record, before: str = "") -> str:
    """Return the interval of a figure in brackets, with a space before; nothing where it has none."""
    if not has_interval(record):
        return ""
    return f" ({before}{interval_words(record)})"


def _explained_words(pcv: Record) -> str:
    """Say what the share of the variance that main effects explain means."""
    rate = float(pcv["rate"])
    share = f"{figure_words(pcv)}{_interval(pcv)}"
    if rate <= 0:
        return (
            "The characteristics added up explain none of the variance between groups: what differs between groups is in their"
            " combinations, or is chance."
        )
    start = f"The characteristics simply added up (on the logit scale) explain {share} of the variance between groups"
    if rate >= _NEARLY_ALL:
        return (
            f"{start}: groups differ as their characteristics added up say, and there is hardly any special effect of"
            " combinations."
        )
    if rate >= _MOST:
        return f"{start}: most of what differs between groups is their characteristics added up, but not all."
    return f"{start}: more than half of what differs between groups is in their combinations, or is chance."


def _explained_caution(pcv: Record) -> str:
    is_wide = has_interval(pcv) and float(pcv["lower"]) < _MOST <= float(pcv["rate"])
    return " The interval is wide, so this is no more than a first indication." if is_wide else ""
