"""Statistics worked out from counts: those of a fitted model, and those made of figures already cleared.

Neither is a count. A *modelled* statistic is fitted to exact counts where these are, and is one more row of a release: it
is shown where the counts it is about are shown. A *derived* one is worked out on the page from cleared figures alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from attendance_toolkit.vocabulary.measures import MEASURES, Measure


@dataclass(frozen=True)
class Statistic(Measure):
    """A statistic and how it is written.

    Attributes
    ----------
    behind
        The count the statistic is about ("severe_absentees"), for a modelled one; empty for a derived one.
    """

    behind: str = ""


def _modelled(name: str, label: str, unit: str, decimals: int = 1, *, behind: str = "severe_absentees") -> Statistic:
    return Statistic(name, label, "", "", unit, decimals, behind)


def _derived(name: str, label: str, unit: str, decimals: int = 1) -> Statistic:
    return Statistic(name, label, "", "", unit, decimals)


_MODELLED = (
    # Indirect standardisation: one row an area, beside its crude rate.
    _modelled("severe_absence_rate_expected", "Severe absence expected from the mix of pupils", "percent", 2),
    _modelled("severe_absence_rate_standardised", "Severe absence, standardised", "percent", 2),
    _modelled("severe_absence_ratio", "Observed over expected severe absentees", "ratio", 2),
    _modelled(
        "persistent_absence_rate_expected", "Persistent absence expected from the mix of pupils", "percent",
        behind="persistent_absentees",
    ),
    _modelled(
        "persistent_absence_rate_standardised", "Persistent absence, standardised", "percent",
        behind="persistent_absentees",
    ),
    _modelled(
        "persistent_absence_ratio", "Observed over expected persistent absentees", "ratio", 2,
        behind="persistent_absentees",
    ),
    # MAIHDA: rows of the column ``model``, "null" or "main effects".
    _modelled("maihda_intercept", "Intercept, logit scale", "logit", 2),
    _modelled("maihda_coefficient", "Coefficient, logit scale", "logit", 2),
    _modelled("maihda_sd", "Standard deviation between strata, logit scale", "ratio", 3),
    _modelled("vpc_latent", "Variance between strata, latent scale", "percent"),
    _modelled("vpc_response", "Variance between strata, response scale", "percent"),
    _modelled("pcv", "Variance explained by main effects", "percent"),
    _modelled("median_odds_ratio", "Median odds ratio", "ratio", 2),
    _modelled("auc_strata", "AUC of strata, same year", "ratio", 2),
    _modelled("auc_next_year", "AUC of the strata of the year before", "ratio", 2),
    _modelled("variance_p_value", "p value of no variance between strata", "p", 3),
    # Trend models: change a year among pupils of the same term; rows of the column ``model`` are terms or factors.
    _modelled("persistent_trend", "Persistent absence, change a year", "points", 2, behind="persistent_absentees"),
    _modelled("severe_trend", "Severe absence, change a year", "points", 2),
    _modelled("persistent_term_effect", "Persistent absence, term against term", "points", 2, behind="persistent_absentees"),
    _modelled("severe_term_effect", "Severe absence, term against term", "points", 2),
    _modelled("persistent_design_effect", "Persistent absence, widening for same pupils", "ratio", 1, behind="persistent_absentees"),
    _modelled("severe_design_effect", "Severe absence, widening for the same pupils", "ratio", 1),
    _modelled("absence_slope", "Overall absence, change a year within pupils", "points", 2, behind="persistent_absentees"),
    _modelled("absence_icc", "Variance of absence between pupils", "percent", 0, behind="persistent_absentees"),
    # Parts of a change between two years (``since`` is the first): the mix of pupils, and the rates within groups.
    _modelled("persistent_change_part", "Persistent absence, part of the change", "points", 2, behind="persistent_absentees"),
    _modelled("severe_change_part", "Severe absence, part of the change", "points", 2),
    # Parts of a district's gap to the mean of all districts.
    _modelled("persistent_gap_part", "Persistent absence, part of the gap", "points", 2, behind="persistent_absentees"),
    _modelled("severe_gap_part", "Severe absence, part of the gap", "points", 2),
    # What chance alone would give, if no pupil's level changed.
    # A step from one year group to the next: paired changes of the same pupils, and school days gained or lost by them.
    _modelled("absence_step", "Overall absence, change of the same pupils", "points", 2, behind="enrolments"),
    _modelled("persistent_step", "Persistent absence, change of the same pupils", "points", 2, behind="persistent_absentees"),
    _modelled("severe_step", "Severe absence, change of the same pupils", "points", 2),
    _modelled("days_net", "School days gained if absence had stayed, net", "days", -1, behind="enrolments"),
    _modelled("days_gross", "School days gained by pupils who missed more, gross", "days", -1, behind="enrolments"),
    # Forecasts for pupils about to move up (rows by school are about its expected intake), and how past ones did. The column
    # ``model`` names the model; ``about`` the rate forecast.
    _modelled("expected_absence", "Overall absence expected", "percent", 1, behind="enrolments"),
    _modelled("expected_persistent", "Persistent absence expected", "percent", 0, behind="enrolments"),
    _modelled("expected_severe", "Severe absence expected", "percent", 1, behind="enrolments"),
    _modelled("absence_before", "Overall absence in the year before", "percent", 1, behind="enrolments"),
    _modelled("expected_dip", "Change expected against the year before", "points", 1, behind="enrolments"),
    _modelled("probability_highest_absence", "Chance of being among the highest absence", "percent", 0, behind="enrolments"),
    _modelled("probability_largest_dip", "Chance of being among the largest dips", "percent", 0, behind="enrolments"),
    _modelled("prediction_mae", "Mean absolute error", "error", 2, behind="enrolments"),
    _modelled("prediction_rmse", "Root mean squared error", "error", 2, behind="enrolments"),
    _modelled("prediction_auc", "Discrimination (AUC)", "ratio", 2, behind="persistent_absentees"),
    _modelled("average_precision", "Average precision", "ratio", 2, behind="persistent_absentees"),
    _modelled("brier_score", "Brier score", "ratio", 3, behind="persistent_absentees"),
    _modelled("calibration_slope", "Calibration slope", "ratio", 2, behind="persistent_absentees"),
    _modelled("calibration_intercept", "Calibration intercept", "logit", 2, behind="persistent_absentees"),
    _modelled("precision_at_capacity", "Of those listed, found persistently absent later", "percent", 0, behind="persistent_absentees"),
    _modelled("recall_at_capacity", "Of those persistently absent later, listed", "percent", 0, behind="persistent_absentees"),
    _modelled("school_rank_correlation", "Schools' order by absence, forecast against found", "ratio", 2, behind="enrolments"),
    _modelled("dip_rank_correlation", "Schools' order by dip, forecast against found", "ratio", 2, behind="enrolments"),
    _modelled("interval_coverage", "Found inside the 90% interval", "percent", 0, behind="enrolments"),
    _modelled("observed_over_expected", "Found over forecast persistent absentees", "ratio", 2, behind="persistent_absentees"),
    _modelled("observed_over_expected_severe", "Found over forecast severe absentees", "ratio", 2),
    # What a model makes of one thing, all else as it was (``model``: what is set; ``outcome``: its level), and the difference from
    # another level (``since``).
    _modelled("predicted_absence", "Overall absence predicted", "percent", 1, behind="enrolments"),
    _modelled("predicted_persistent", "Persistent absence predicted", "percent", 1, behind="persistent_absentees"),
    _modelled("predicted_severe", "Severe absence predicted", "percent", 1),
    _modelled("predicted_absence_gap", "Overall absence predicted, difference", "points", 1, behind="enrolments"),
    _modelled("predicted_persistent_gap", "Persistent absence predicted, difference", "points", 1, behind="persistent_absentees"),
    _modelled("predicted_severe_gap", "Severe absence predicted, difference", "points", 1),
    # Pupils given support: how they were, what pupils chosen alike came to without support, and the difference.
    _modelled("absence_after", "Overall absence after the step", "percent", 1, behind="enrolments"),
    _modelled("support_change", "Change of the supported pupils", "points", 1, behind="enrolments"),
    _modelled("support_expected_change", "Change expected without support", "points", 1, behind="enrolments"),
    _modelled("support_effect", "Change beyond what was expected", "points", 1, behind="enrolments"),
    # Schools that were met: how they were, what schools as low came to without a meeting, and the difference.
    _modelled("attendance_before", "Attendance in the term before", "percent", 1, behind="enrolments"),
    _modelled("attendance_after", "Attendance in the terms after", "percent", 1, behind="enrolments"),
    _modelled("meeting_change", "Change of attendance", "points", 1, behind="enrolments"),
    _modelled("meeting_expected_change", "Change expected without a meeting", "points", 1, behind="enrolments"),
    _modelled("meeting_effect", "Change of attendance beyond what was expected", "points", 1, behind="enrolments"),
    _modelled("trajectory_share_expected", "Pupils by trajectory, expected by chance", "percent", 1, behind="enrolments"),
)  # fmt: skip

_DERIVED = (
    _derived("risk_ratio", "Risk ratio", "ratio", 2),
    _derived("risk_difference", "Risk difference", "points"),
    _derived("odds_ratio", "Odds ratio", "ratio", 2),
    _derived("share_of_absentees", "Share of all severe absentees", "percent"),
    _derived("share_of_enrolments", "Share of enrolments", "percent"),
    _derived("share_of_sessions", "Share of sessions missed", "percent"),
    _derived("stratum_rate", "Severe absence, shrunken estimate", "percent"),
    _derived("main_effects_rate", "Severe absence by main effects alone", "percent"),
    _derived("interaction_effect", "Beyond main effects", "points"),
    _derived("interaction_logit", "Interaction part, logit scale", "logit", 2),
    _derived("p_value", "p value", "p", 3),
    _derived("p_value_adjusted", "p value, Benjamini-Hochberg", "p", 3),
    _derived("reri", "Relative excess risk due to interaction (RERI)", "ratio", 2),
    _derived("attributable_proportion", "Attributable proportion (AP)", "percent"),
    _derived("synergy_index", "Synergy index (S)", "ratio", 2),
    _derived("interaction_contrast", "Interaction contrast", "points"),
    _derived("interaction_odds_ratio", "Ratio of odds ratios (logit scale)", "ratio", 2),
    _derived("rank_median", "Median rank", "rank", 0),
    _derived("probability_highest", "Chance of being among the highest third", "percent", 0),
    _derived("heterogeneity_q", "Cochran's Q", "ratio", 1),
    _derived("heterogeneity_p_value", "p value of no difference", "p", 3),
    _derived("heterogeneity_i2", "Share of differences beyond chance (I-squared)", "percent", 0),
    _derived("ratio_of_risk_ratios", "Ratio of risk ratios", "ratio", 2),
    _derived("rate_gap", "Gap", "points"),
    _derived("change_in_rate", "Change", "points", 2),
    _derived("entry_rate", "Entry: newly at the threshold", "percent"),
    _derived("exit_rate", "Exit: no longer at the threshold", "percent"),
    _derived("persistence_rate", "Persistence: still at the threshold", "percent"),
    _derived("origin_share", "Share of those now at the threshold", "percent"),
    _derived("recovered_share", "Recovered by then", "percent"),
    _derived("excess_share", "Observed less expected by chance", "points"),
    _derived("turnover_part", "Part of the change", "points", 2),
    _derived("contribution", "Contribution to the change", "points", 2),
    _derived("contribution_within", "Contribution: its own rate", "points", 2),
    _derived("contribution_size", "Contribution: its size", "points", 2),
    _derived("control_value", "Absence, season taken out", "percent", 2),
    _derived("control_limit", "Limit of ordinary variation", "percent", 2),
    _derived("false_alarm_chance", "Chance of a false alarm", "percent", 0),
    _derived("funnel_limit", "Funnel limit", "percent"),
    _derived("overdispersion", "Overdispersion", "ratio", 1),
    _derived("shrunken_change", "Change, shrunken", "points"),
    _derived("change_shrunken", "Change, shrunken", "points"),
    _derived("probability_fell", "Probability that the underlying rate fell", "percent", 0),
    _derived("probability_rose", "Probability that the underlying rate rose", "percent", 0),
    _derived("cohort_step", "Change to the next year group", "points", 2),
)

MODELLED = {statistic.name: statistic for statistic in _MODELLED}
DERIVED = {statistic.name: statistic for statistic in _DERIVED}
#: What the name of a row with the change of a measure ends with.
CHANGE = "_change"
#: The smallest p value that is written: smaller ones are shown as "0.001 or less".
LEAST_P_VALUE = 0.001


def find_measure(name: str) -> Measure | None:
    """Return a measure or statistic by its name, or None.

    >>> find_measure("pcv").unit, find_measure("enrolments").unit
    ('percent', 'count')
    """
    return MEASURES.get(name) or MODELLED.get(name) or DERIVED.get(name)


def find_measured(name: str) -> tuple[Measure | None, bool]:
    """Return the measure of a row by its name, and whether the row is the change of that measure ("..._change").

    >>> find_measured("severe_absence_rate_change")[1], find_measured("shrunken_change")[1]
    (True, False)
    """
    known = find_measure(name)
    if known is not None or not name.endswith(CHANGE):
        return known, False
    return find_measure(name.removesuffix(CHANGE)), True
