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
        """Return the report as a person reads it: files first, then findings by severity."""
        lines = [f"{len(self.files)} file{'s' if len(self.files) != 1 else ''} read."]
        for f in self.files:
            what = f"{f.layout} {f.table}".strip()
            census = f", {f.census} census" if f.census else ""
            lines.append(f"  {f.name}: {what}{census}, {f.rows:,} rows")
        headings = {
            "blocking": "Blocking: nothing is loaded until this is put right",
            "quarantine": "Set aside: the rows or values below are not loaded, the rest is",
            "warning": "Worth knowing",
        }
        for severity in SEVERITIES:
            found = [f for f in self.sorted_findings() if f.severity == severity]
            if found:
                lines += ["", f"{headings[severity]} ({len(found)}):", *(f"  {f}" for f in found)]
        if not self.findings:
            lines.append("Nothing to report: the files are clean.")
        return "\n".join(lines)
