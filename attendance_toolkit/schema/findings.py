"""Findings: what screening says about a file, one sentence each, never with a pupil in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

STAGES = ("file", "columns", "population", "keys", "codes", "arithmetic", "plausibility")
SEVERITIES = ("blocking", "quarantine", "warning")

#: Columns whose values point at one child. Their values are masked before anything is reported.
IDENTIFYING_COLUMNS = frozenset(
    {"upn", "formerupn", "uniquelearnernumber", "surname", "forename", "middlenames", "preferredsurname",
     "formersurname", "dob", "pupilonrolltableid", "pupilnolongeronrolltableid"}
)  # fmt: skip


def mask(value: str | None) -> str:
    """Return the value with all but its first two characters hidden, always of the same length.

    >>> mask("A358012345678"), mask("7"), mask(None)
    ('A3******', '*******', '')
    """
    if value is None:
        return ""
    text = str(value)
    return f"{text[:2]}******" if len(text) > 4 else "*******"


@dataclass(frozen=True)
class Finding:
    """One thing screening found, for all rows of a file where it is the same.

    ``severity`` is *blocking* (nothing of the return is loaded), *quarantine* (the row, or the one value,
    is set aside with its reason and the rest is loaded) or *warning* (loaded, but worth knowing).
    ``row`` is the line of the first such row in the file, counting the header as line 1; ``count`` is how
    many rows have it. ``value`` never identifies a pupil.
    """

    rule: str
    stage: str
    severity: str
    file: str
    row: int | None
    column: str | None
    value: str | None
    says: str
    allowed: str = ""
    fix: str = ""
    count: int = 1

    def __str__(self) -> str:
        """Return the sentence a person reads.

        >>> str(Finding("sen_provision_code", "codes", "quarantine", "a_pupilonroll.csv", 412, "senprovision",
        ...             "Q", "'Q' is not a code for SEN.", "E, K, N"))
        "a_pupilonroll.csv, row 412, senprovision: 'Q' is not a code for SEN. Use one of: E, K, N."
        """
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column:
            place += f", {self.column}"
        parts = [f"{place}: {self.says}"]
        if self.allowed:
            parts.append(f"Use one of: {self.allowed}.")
        if self.fix:
            parts.append(self.fix)
        if self.count > 1:
            parts.append(f"({self.count:,} rows.)")
        return " ".join(parts)


@dataclass(frozen=True)
class FileInfo:
    """What one input file is: its layout, table, census and number of rows."""

    name: str
    layout: str
    table: str
    census: str = ""
    rows: int = 0
    sha256: str = ""


@dataclass
class ScreeningReport:
    """Everything screening found in one call."""

    findings: list[Finding] = field(default_factory=list)
    files: list[FileInfo] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings."""
        self.findings.extend(findings)

    @property
    def is_unreadable(self) -> bool:
        """Whether a file could not be read at all."""
        return any(f.stage == "file" and f.severity == "blocking" for f in self.findings)

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding stops the load."""
        return any(f.severity == "blocking" for f in self.findings)

    @property
    def exit_code(self) -> int:
        """Return 0 when clean (warnings allowed), 1 when anything blocks or is set aside, 2 when unreadable."""
        if self.is_unreadable:
            return 2
        return int(any(f.severity in ("blocking", "quarantine") for f in self.findings))

    def to_json(self) -> str:
        """Return the report as a JSON document."""
        return json.dumps(
            {
                "exit_code": self.exit_code,
                "files": [asdict(f) for f in self.files],
                "findings": [{**asdict(f), "message": str(f)} for f in self.sorted_findings()],
            },
            indent=2,
            ensure_ascii=False,
        )

    def sorted_findings(self) -> list[Finding]:
        """Return the findings by stage, then file, rule and row."""
        return sorted(
            self.findings,
            key=lambda f: (STAGES.index(f.stage), f.file, f.rule, f.row or 0, f.column or "", f.value or ""),
        )

    def to_text(self) -> str:
        """Return the report as a person reads it: files, a summary by rule when there is much, then findings."""
        lines = self._files_text()
        findings = self.sorted_findings()
        if not findings:
            return "\n".join([*lines, "Nothing to report: the files are clean."])
        is_long = len(findings) > MOST_SHOWN
        if is_long:
            lines += ["", f"Summary ({len(findings):,} findings):", *self._summary_text()]
        for severity, heading in _HEADINGS.items():
            found = [f for f in findings if f.severity == severity]
            if not found:
                continue
            lines += ["", f"{heading} ({len(found):,}):"]
            for same in _by_rule(found).values():
                shown = same[:MOST_OF_A_RULE] if is_long else same
                lines += [f"  {f}" for f in shown]
                if len(shown) < len(same):
                    lines.append(
                        f"  … and {len(same) - len(shown):,} more of '{same[0].rule}' ({_amount(same[MOST_OF_A_RULE:])})."
                    )
        if is_long:
            lines += ["", "All findings: attendance screen … --json"]
        return "\n".join(lines)

    def _files_text(self) -> list[str]:
        if not self.files:
            return ["No file was read to its end, because of what follows."]
        lines = [f"{_many(len(self.files), 'file')} read."]
        if len(self.files) <= MOST_FILES:
            for f in self.files:
                census = f", {f.census} census" if f.census else ""
                lines.append(f"  {f.name}: {f.layout} {f.table}".rstrip() + f"{census}, {_many(f.rows, 'row')}")
            return lines
        kinds: dict[str, list[FileInfo]] = {}
        for f in self.files:
            unused = f.table.endswith("(not used)")
            kinds.setdefault("tables that are not used" if unused else f"{f.census or f.layout}", []).append(f)
        for kind, files in kinds.items():
            pupils = sum(f.rows for f in files if f.table in ("pupilonroll", "pupilnolongeronroll", "pupil_flags"))
            rows = f", {_many(pupils, 'pupil row')}" if pupils else ""
            lines.append(f"  {kind}: {_many(len(files), 'file')}{rows}")
        return lines

    def _summary_text(self) -> list[str]:
        lines = []
        for severity in SEVERITIES:
            for rule, same in _by_rule([f for f in self.sorted_findings() if f.severity == severity]).items():
                files = len({f.file for f in same})
                lines.append(f"  {severity:10} {rule:22} {_amount(same):>14} in {_many(files, 'file')}")
        return lines


#: With more findings than this, text begins with a summary and shows only some of each rule.
MOST_SHOWN = 12
MOST_OF_A_RULE = 3
#: More files than this are named by census only.
MOST_FILES = 20
_HEADINGS = {
    "blocking": "Blocking: nothing is loaded until this is put right",
    "quarantine": "Set aside: the rows or values below are not loaded, the rest is",
    "warning": "Worth knowing",
}


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _amount(findings: list[Finding]) -> str:
    """Return how many rows findings are about, or how many they are when they are about whole files."""
    rows = sum(f.count for f in findings if f.row is not None)
    return _many(rows, "row") if rows else _many(len(findings), "finding")


def _by_rule(findings: list[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.rule, []).append(finding)
    return found
