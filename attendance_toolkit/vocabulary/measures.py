"""The measures: what each counts, over what, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass

#: Thresholds as whole-number ratios: absent * denominator >= possible * numerator. Floats miss exact 10%.
PERSISTENT = (1, 10)
SEVERE = (1, 2)


@dataclass(frozen=True)
class Measure:
    """A rate or mean: what its numerator and denominator count and how it is shown."""

    name: str
    label: str
    numerator: str
    denominator: str
    unit: str
    """percent, sessions (per enrolment) or count; of statistics also points and error (percentage points, a difference and a
    size), ratio, logit, p, rank, days."""
    decimals: int = 1

    @property
    def scale(self) -> float:
        """What the stored figure is multiplied by to be written."""
        return 100.0 if self.unit in ("percent", "points", "error") else 1.0

    @property
    def is_signed(self) -> bool:
        """Whether it is written with its sign: a difference, or a coefficient."""
        return self.unit in ("points", "logit")


_ALL = (
    Measure("enrolments", "Enrolments", "enrolments", "", "count", 0),
    Measure("attendance_rate", "Attendance rate", "sessions attended", "sessions possible", "percent"),
    Measure("overall_absence_rate", "Overall absence", "sessions missed", "sessions possible", "percent"),
    Measure(
        "authorised_absence_rate", "Authorised absence", "authorised sessions missed", "sessions possible", "percent"
    ),
    Measure(
        "unauthorised_absence_rate",
        "Unauthorised absence",
        "unauthorised sessions missed",
        "sessions possible",
        "percent",
    ),
    Measure(
        "persistent_absence_rate",
        "Persistent absence (10% or more missed)",
        "persistent absentees",
        "enrolments",
        "percent",
    ),
    Measure(
        "persistent_absence_rate_15",
        "Persistent absence (15% or more missed, until 2014/15)",
        "persistent absentees at 15%",
        "enrolments",
        "percent",
    ),
    Measure("severe_absence_rate", "Severe absence (50% or more missed)", "severe absentees", "enrolments", "percent"),
    Measure("no_absence_rate", "No absence", "enrolments with no absence", "enrolments", "percent"),
    Measure("band_rate", "Enrolments in the absence band", "enrolments in the band", "enrolments", "percent"),
    Measure("reason_rate", "Absence by reason", "sessions missed for the reason", "sessions possible", "percent"),
    *(
        Measure(name, label, f"{what} of severe absentees", "sessions possible of severe absentees", "percent")
        for name, label, what in (
            ("overall_absence_rate_severe", "Overall absence of severe absentees", "sessions missed"),
            ("authorised_absence_rate_severe", "Authorised absence of severe absentees", "authorised sessions missed"),
            (
                "unauthorised_absence_rate_severe",
                "Unauthorised absence of severe absentees",
                "unauthorised sessions missed",
            ),
            ("reason_rate_severe", "Absence of severe absentees by reason", "sessions missed for the reason"),
        )
    ),
    Measure(
        "overall_absence_rate_without_persistent",
        "Overall absence without persistent absentees",
        "sessions missed by everybody else",
        "their possible sessions",
        "percent",
    ),
    Measure(
        "overall_absence_rate_without_severe",
        "Overall absence without severe absentees",
        "sessions missed by everybody else",
        "their possible sessions",
        "percent",
    ),
    Measure(
        "mean_sessions_missed_persistent",
        "Sessions missed per persistent absentee",
        "sessions missed by persistent absentees",
        "persistent absentees",
        "sessions",
    ),
    Measure(
        "mean_sessions_missed_severe",
        "Sessions missed per severe absentee",
        "sessions missed by severe absentees",
        "severe absentees",
        "sessions",
    ),
    Measure(
        "extra_sessions_missed_persistent",
        "Extra sessions missed per persistent absentee, against everybody else",
        "",
        "",
        "sessions",
        0,
    ),
    Measure(
        "extra_sessions_missed_severe",
        "Extra sessions missed per severe absentee, against everybody else",
        "",
        "",
        "sessions",
        0,
    ),
    Measure(
        "unknown_share", "Enrolments whose characteristic is not known", "enrolments not known", "enrolments", "percent"
    ),
    Measure(
        "missed_any_rate",
        "Enrolments that missed at least one session",
        "enrolments with at least one session missed",
        "enrolments",
        "percent",
    ),
    Measure(
        "percent_band_rate",
        "Enrolments in a one-point band of overall absence",
        "enrolments in the band",
        "enrolments",
        "percent",
    ),
    Measure(
        "percent_band_rate_authorised",
        "Enrolments in a one-point band of authorised absence",
        "enrolments in the band",
        "enrolments",
        "percent",
    ),
    Measure(
        "percent_band_rate_unauthorised",
        "Enrolments in a one-point band of unauthorised absence",
        "enrolments in the band",
        "enrolments",
        "percent",
    ),
    Measure("full_absence_rate", "All sessions missed", "enrolments that missed everything", "enrolments", "percent"),
    *(
        Measure(
            f"full_absence_{name}_rate",
            f"All sessions missed, {label}",
            f"enrolments that missed everything, {label}",
            "enrolments",
            "percent",
        )
        for name, label in (
            ("authorised", "at least half of them authorised"),
            ("unauthorised", "most of them unauthorised"),
            ("part_time", "some by a part-time timetable"),
        )
    ),
    Measure("mean_sessions_missed", "Sessions missed per enrolment", "sessions missed", "enrolments", "sessions"),
    # Pupils who are followed from one period to the next: a pupil counts once, whatever schools they are enrolled at.
    Measure("pupils", "Pupils followed", "pupils", "", "count", 0),
    Measure("flow_rate", "Pupils by what they are next", "pupils with the outcome", "pupils", "percent"),
    Measure("trajectory_rate", "Pupils by trajectory", "pupils on the trajectory", "pupils", "percent"),
    Measure(
        "recovery_rate", "Pupils newly absent, by what became of them", "pupils with the outcome", "pupils", "percent"
    ),
    # The roll of a year group, by what became of it a year later (``vocabulary.steps``).
    Measure("level_rate", "Pupils at the level", "pupils at the level", "pupils", "percent"),
    Measure("level_change_rate", "Pupils by change of level", "pupils with the change", "pupils", "percent"),
    Measure("link_rate", "Pupils by what became of them", "pupils with the outcome", "pupils", "percent"),
)
MEASURES = {measure.name: measure for measure in _ALL}
