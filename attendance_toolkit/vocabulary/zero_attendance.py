"""The audit of pupils with no attendance, as data: cohorts a sample is drawn across, and outcomes of the pupils drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary._reference import parse_yaml, read_yaml_text
from attendance_toolkit.vocabulary.columns import CHARACTERISTICS

FILE = "zero_attendance_outcomes.yaml"
KIND = "zero attendance audit"
_KEYS = ("kind", "source", "cohorts", "none", "outcomes", "unfilled", "education_elsewhere")
#: A drop-down list of a workbook holds no more characters, and parts its choices at commas.
_MOST_LETTERS = 255


@dataclass(frozen=True)
class Cohort:
    """Pupils whose ``column`` has the ``level``."""

    label: str
    column: str
    level: str


@dataclass(frozen=True)
class Outcome:
    """What an audit found of a pupil, and the group of outcomes it is counted in."""

    code: str
    label: str
    group: str


@dataclass(frozen=True)
class AuditRules:
    """The audit's rules.

    Attributes
    ----------
    cohorts
        In the order they are tried; the first that is true of a pupil is the pupil's.
    none
        Name of the cohort of all others.
    outcomes
        In the order forms and results have them.
    unfilled
        The outcome of a row that nobody has filled in.
    education_elsewhere
        Register codes of sessions that count as attended, at a place that is not the school.
    """

    source: str
    cohorts: tuple[Cohort, ...]
    none: str
    outcomes: tuple[Outcome, ...]
    unfilled: Outcome
    education_elsewhere: tuple[str, ...]

    @property
    def cohort_names(self) -> tuple[str, ...]:
        """All cohorts by name, that of all others last."""
        return (*(cohort.label for cohort in self.cohorts), self.none)

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of outcomes, each once.

        >>> audit_rules().groups[0], len(audit_rules().groups)
        ('Alternative provision', 5)
        """
        return tuple(dict.fromkeys(outcome.group for outcome in self.outcomes))

    def outcome(self, text: str) -> Outcome | None:
        """Return the outcome a cell names by its label or code, whatever its capitals and spaces; None if it names none.

        >>> audit_rules().outcome(" left the COUNTRY ").code, audit_rules().outcome("ap").label, audit_rules().outcome("?")
        ('ABROAD', 'Alternative provision', None)
        """
        wanted = " ".join(text.split()).casefold()
        for outcome in self.outcomes:
            if wanted in (outcome.label.casefold(), outcome.code.casefold()):
                return outcome
        return None


@cache
def audit_rules() -> AuditRules:
    """Return the toolkit's own rules."""
    return parse_audit_rules(read_yaml_text(FILE), FILE)


def parse_audit_rules(text: str, name: str = FILE) -> AuditRules:
    """Return the rules a YAML text holds.

    Raises
    ------
    VocabularyError
        A key is missing, unknown or not as it should be. The message names it.
    """
    given = parse_yaml(text, name)
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(f"{name} must begin with 'kind: {KIND}'.")
    wrong = [key for key in given if key not in _KEYS] or [key for key in _KEYS if key not in given]
    if wrong:
        raise VocabularyError(f"{name}: '{wrong[0]}' is missing or not a key. There are: {', '.join(_KEYS)}.")
    cohorts = tuple(Cohort(*_texts(name, "cohorts", row, ("label", "column", "level"))) for row in given["cohorts"])
    for cohort in cohorts:
        if cohort.column not in CHARACTERISTICS:
            raise VocabularyError(
                f"{name}, cohorts: '{cohort.column}' is not a characteristic. There are: {', '.join(CHARACTERISTICS)}."
            )
    outcomes = tuple(Outcome(*_texts(name, "outcomes", row, ("code", "label", "group"))) for row in given["outcomes"])
    known = {outcome.code: outcome for outcome in outcomes}
    labels = [outcome.label for outcome in outcomes]
    if len(known) != len(outcomes) or len(set(labels)) != len(labels):
        raise VocabularyError(f"{name}, outcomes: a code or label is there twice. Keep one of them.")
    if len(",".join(labels)) > _MOST_LETTERS or any("," in label or '"' in label for label in labels):
        raise VocabularyError(
            f"{name}, outcomes: the labels together are longer than {_MOST_LETTERS} letters, or one has a comma or quotation"
            " mark. A drop-down list cannot hold them: make them shorter."
        )
    if given["unfilled"] not in known:
        raise VocabularyError(f"{name}, unfilled: '{given['unfilled']}' is not the code of an outcome.")
    elsewhere = tuple(str(code) for code in given["education_elsewhere"])
    return AuditRules(str(given["source"]), cohorts, str(given["none"]), outcomes, known[given["unfilled"]], elsewhere)


def _texts(name: str, key: str, row: Any, parts: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(row, dict) or set(row) != set(parts) or not all(isinstance(row[part], str) for part in parts):
        raise VocabularyError(
            f"{name}, {key}: each needs {', '.join(parts)}, as text in quotation marks where it is Yes or No."
        )
    return tuple(row[part] for part in parts)
