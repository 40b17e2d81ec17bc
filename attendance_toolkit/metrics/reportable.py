"""What can be reported and what cannot: rules as data, each with its reason, over the facts of a term and phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from attendance_toolkit.vocabulary.calendar import WHOLE_YEAR
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.series_breaks import series_breaks

#: First academic year with the register codes of 19 August 2024.
CODES_FROM = 202425


@dataclass(frozen=True)
class Subject:
    """Something that may be reported: measures, or the main measures by a characteristic."""

    name: str
    label: str
    characteristic: str = ""


SUBJECTS = (
    Subject("absence", "Overall, authorised and unauthorised absence"),
    Subject("absentees", "Persistent and severe absence"),
    Subject("reasons", "Absence by reason"),
    Subject("nc_year", "By year group", "nc_year"),
    Subject("fsm", "By free school meals", "fsm_eligible"),
    Subject("sen", "By special educational needs", "sen_provision"),
    Subject("ethnicity", "By ethnic group", "ethnicity_major"),
    Subject("language", "By first language", "first_language"),
    Subject("looked_after", "By looked-after status", "looked_after"),
)
YES, CARE, NO = "Yes", "With care", "No"
VERDICTS = (YES, CARE, NO)
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class ReportingRule:
    """A reason why something cannot be reported, or only with care.

    Attributes
    ----------
    verdict
        "No" or "With care".
    subjects
        Names of the subjects it concerns; empty means all.
    holds
        Whether the facts of a phase and term (or whole year) have the problem. No sentence made from it gives a number
        of pupils, so verdicts may be shown to anybody.
    """

    id: str
    verdict: str
    subjects: tuple[str, ...]
    holds: Callable[[Facts], bool]
    says: str


def _is_year(facts: Facts) -> bool:
    return bool(facts["term"] == WHOLE_YEAR)


def _share(facts: Facts, part: str, whole: str) -> float:
    """Return a share of two facts; 1 where the whole is not known or nothing."""
    return float(facts[part]) / float(facts[whole]) if facts[whole] and facts[whole] == facts[whole] else 1.0


def _unknown(characteristic: str, above: float) -> Callable[[Facts], bool]:
    # A handful of pupils whose records are incomplete is not talked about.
    return lambda facts: facts[f"unknown_{characteristic}"] > max(above * facts["rows"], facts["threshold"] - 1)


def _marked(*rules: str) -> Callable[[Facts], bool]:
    return lambda facts: bool(set(rules) & set(facts["marks"]))


#: Shares of schools and pupils received, of absence with a reason, and of enrolments whose characteristic is unknown.
SCHOOLS_NO, SCHOOLS_CARE = 0.8, 1.0
PUPILS_CARE = 0.9
REASONS_NO, REASONS_CARE = 0.9, 0.99
UNKNOWN_NO, UNKNOWN_CARE = 0.2, 0.05
AGE_CARE = 0.02

REPORTING_RULES: tuple[ReportingRule, ...] = (
    ReportingRule(
        "nothing_received", NO, (), lambda f: f["sessions_possible"] == 0 and not _is_year(f),
        "No sessions of this term were received.",
    ),
    ReportingRule(
        "year_incomplete", NO, (), lambda f: _is_year(f) and len(f["halves"]) < 6,
        "A part of the year has not been received, and a part of a year is not comparable with a year.",
    ),
    ReportingRule(
        "term_incomplete", CARE, (), lambda f: not _is_year(f) and f["sessions_possible"] > 0 and len(f["halves"]) < 2,
        "Only one of the two half terms was received.",
    ),
    ReportingRule(
        "too_few", NO, (), lambda f: bool(f["threshold"]) and 0 < f["enrolments"] < f["threshold"],
        "There are too few enrolments to show anything about them.",
    ),
    ReportingRule(
        "schools_few", NO, (), lambda f: _share(f, "schools_received", "schools_expected") < SCHOOLS_NO,
        "Fewer than 80% of the schools expected were received.",
    ),
    ReportingRule(
        "schools_missing", CARE, (),
        lambda f: SCHOOLS_NO <= _share(f, "schools_received", "schools_expected") < SCHOOLS_CARE,
        "Not every school expected was received.",
    ),
    ReportingRule(
        "pupils_few", CARE, (), lambda f: _share(f, "pupils_received", "pupils_expected") < PUPILS_CARE,
        "Fewer than 90% of the pupils on the list of schools were received.",
    ),
    ReportingRule(
        "area_copied", NO, (), _marked("area_term_copied"),
        "The absence rates of most schools repeat those of another half term.",
    ),
    ReportingRule(
        "school_copied", CARE, (), _marked("term_copied"),
        "In some schools the absence of most pupils repeats that of another half term.",
    ),
    ReportingRule(
        "sessions_odd", CARE, (), _marked("possible_unlike_area", "possible_unlike_year"),
        "In some schools the possible sessions do not fit the calendar.",
    ),
    ReportingRule(
        "steps", CARE, (), _marked("school_absence_step", "school_roll_step"),
        "In some schools absence or the number of pupils jumped since the term before.",
    ),
    ReportingRule(
        "pupils_lost", CARE, (), _marked("pupils_unmatched"),
        "Pupils of this term are missing from the next one without a reason.",
    ),
    ReportingRule(
        "ages_unknown", CARE, (), lambda f: f["rows_without_age"] > AGE_CARE * (f["rows"] + f["rows_without_age"]),
        "The age of some pupils is not known; they are left out, as DfE counts pupils aged 5 to 15.",
    ),
    ReportingRule(
        "phase_unknown", CARE, (), lambda f: f["phase"] == "Unknown",
        "The phase of these schools is not known, so there is nothing to compare them with.",
    ),
    ReportingRule(
        "alternative_provision", CARE, (), lambda f: f["phase"] not in (*MAIN_PHASES, ALL_SCHOOLS, "Unknown"),
        "DfE publishes alternative provision apart from other schools, and it is not in 'All schools'.",
    ),
    ReportingRule(
        "absentees_of_a_term", CARE, ("absentees",), lambda f: not _is_year(f) and f["sessions_possible"] > 0,
        "Persistent and severe absence of one term are not comparable with those of a year.",
    ),
    ReportingRule(
        "reasons_few", NO, ("reasons",), lambda f: _share(f, "sessions_with_reason", "sessions_absent") < REASONS_NO,
        "More than 10% of absence has no reason.",
    ),
    ReportingRule(
        "reasons_gaps", CARE, ("reasons",),
        lambda f: REASONS_NO <= _share(f, "sessions_with_reason", "sessions_absent") < REASONS_CARE,
        "Some absence has no reason.",
    ),
    ReportingRule(
        "codes_changed", CARE, ("reasons",), lambda f: f["academic_year"] >= CODES_FROM,
        "The register codes changed on 19 August 2024: some reasons are not comparable with earlier years.",
    ),
    *(
        ReportingRule(
            f"{s.name}_unknown", NO, (s.name,), _unknown(s.characteristic, UNKNOWN_NO),
            "The characteristic of more than 20% of enrolments is not known.",
        )
        for s in SUBJECTS if s.characteristic
    ),
    *(
        ReportingRule(
            f"{s.name}_gaps", CARE, (s.name,),
            lambda f, c=s.characteristic: not _unknown(c, UNKNOWN_NO)(f) and _unknown(c, UNKNOWN_CARE)(f),  # type: ignore[misc]
            "The characteristic of more than 5% of enrolments is not known.",
        )
        for s in SUBJECTS if s.characteristic
    ),
    *(
        ReportingRule(
            known.id, NO if known.action == "refuse" else CARE, (),
            lambda f, first=int(known.first), last=int(known.second), year_only=known.action == "refuse":  # type: ignore[misc]
                first <= f["academic_year"] <= last and (_is_year(f) or not year_only),
            known.says,
        )
        for known in series_breaks() if known.kind == "within"
    ),
)  # fmt: skip


def reportable(facts: pd.DataFrame, rules: Sequence[ReportingRule] = REPORTING_RULES) -> pd.DataFrame:
    """Return the verdict on each subject for each academic year, term (or "year") and phase, with its reasons.

    Parameters
    ----------
    facts
        Rows of ``term_facts``.

    Returns
    -------
    ``academic_year``, ``term``, ``phase``, ``subject``, ``verdict`` ("Yes", "With care" or "No"), ``reasons`` (the
    sentences of the rules that decide the verdict, one after the other) and ``rules`` (their ids).
    """
    rows = []
    for row in facts.to_dict("records"):
        one = {str(name): value for name, value in row.items()}
        applying = [rule for rule in rules if rule.holds(one)]
        for subject in SUBJECTS:
            found = [rule for rule in applying if not rule.subjects or subject.name in rule.subjects]
            verdict = max((rule.verdict for rule in found), key=VERDICTS.index, default=YES)
            # What is done with care matters no more where it cannot be done at all.
            deciding = [rule for rule in found if rule.verdict == verdict]
            rows.append({
                **{name: one[name] for name in ("academic_year", "term", "phase")}, "subject": subject.name,
                "verdict": verdict, "reasons": " ".join(dict.fromkeys(rule.says for rule in deciding)),
                "rules": tuple(rule.id for rule in deciding),
            })  # fmt: skip
    columns = ["academic_year", "term", "phase", "subject", "verdict", "reasons", "rules"]
    return pd.DataFrame(rows, columns=columns)
