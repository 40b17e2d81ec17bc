"""Findings: what screening says about a file, one sentence each, never with a pupil in it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attendance_toolkit.errors import ReportError
from attendance_toolkit.schema.coverage import Coverage
from attendance_toolkit.schema.tables import PUPIL_TABLES
from attendance_toolkit.vocabulary.calendar import show_academic_year

if TYPE_CHECKING:
    import pandas as pd

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
        # What a finding about whole files counts (schools, pupils) stands in its sentence.
        if self.count > 1 and self.row is not None:
            parts.append(f"({self.count:,} rows.)")
        return " ".join(parts)


@dataclass(frozen=True)
class FileInfo:
    """What one input file is: its layout, table, census and number of rows.

    ``kind``, ``says``, ``feeds`` and ``years`` are what recognition says of it: a kind that can be acted upon, what
    it is and what can be made from it in words, and the academic years seen in it.
    """

    name: str
    layout: str
    table: str
    census: str = ""
    rows: int = 0
    sha256: str = ""
    kind: str = ""
    says: str = ""
    feeds: str = ""
    years: tuple[int, ...] = ()

    @property
    def what(self) -> str:
        """Return what the file is in words: what recognition says, else its layout and table.

        >>> FileInfo("a_pupilonroll.csv", "school census", "pupilonroll", "autumn 2024").what
        'school census pupilonroll, autumn 2024 census'
        """
        if self.says:
            return self.says
        census = f", {self.census} census" if self.census else ""
        is_named_twice = self.table.replace("_", " ") == self.layout
        return (self.layout if is_named_twice else f"{self.layout} {self.table}".strip()) + census

    @property
    def shown_years(self) -> str:
        """Return the academic years in words, a run of them by its ends.

        >>> FileInfo("a", "b", "c", years=(202122, 202223, 202324)).shown_years
        '2021/22 to 2023/24'
        """
        years = sorted(set(self.years))
        first = years[0] // 100 if years else 0
        if len(years) > 2 and [year // 100 for year in years] == list(range(first, first + len(years))):
            return f"{show_academic_year(years[0])} to {show_academic_year(years[-1])}"
        return ", ".join(map(show_academic_year, years))


#: Columns of ``ScreeningReport.to_frame`` and of the CSV file, in their order.
FRAME_COLUMNS = ("rule", "stage", "severity", "file", "row", "column", "value", "count", "says", "allowed", "fix")


@dataclass
class ScreeningReport:
    """Everything screening found in one call: findings, what the files are, and what is covered by them."""

    findings: list[Finding] = field(default_factory=list)
    files: list[FileInfo] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage.empty)

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

    def to_dict(self) -> dict[str, Any]:
        """Return the report in types JSON has: ``files``, ``findings`` (by stage, each a row) and ``coverage``."""
        return {
            "files": [{**asdict(f), "years": list(f.years)} for f in self.files],
            "findings": [asdict(f) for f in self.sorted_findings()],
            "coverage": self.coverage.to_dict(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ScreeningReport:
        """Return the report ``to_dict`` gave, or an older toolkit's: what it did not have is empty.

        >>> report = ScreeningReport([Finding("year_gap", "plausibility", "warning", "2 files", None, None, None, "x")])
        >>> ScreeningReport.from_dict(report.to_dict()).findings == report.findings
        True
        """
        files = [
            _made(FileInfo, {**row, "years": tuple(row.get("years") or ())}) for row in document.get("files") or ()
        ]
        findings = [_made(Finding, row) for row in document.get("findings") or ()]
        return cls(findings, files, Coverage.from_dict(document.get("coverage") or {}))

    def to_json(self) -> str:
        """Return the report as a JSON document: ``to_dict`` with the exit code, and each finding as a sentence."""
        document = self.to_dict()
        document["findings"] = [{**asdict(f), "message": str(f)} for f in self.sorted_findings()]
        return json.dumps({"exit_code": self.exit_code, **document}, indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table, by stage, with the columns of ``FRAME_COLUMNS``.

        >>> ScreeningReport().to_frame().columns.tolist() == list(FRAME_COLUMNS)
        True
        """
        import pandas as pd

        rows = [[getattr(f, name) for name in FRAME_COLUMNS] for f in self.sorted_findings()]
        frame = pd.DataFrame(rows, columns=list(FRAME_COLUMNS))
        return frame.astype({"row": "Int64", "count": "int64"})

    def to_csv(self, path: str | Path) -> None:
        """Write the findings to a CSV file: UTF-8 with a mark that spreadsheets know it by.

        Raises
        ------
        ReportError
            The file cannot be written.
        """
        target = Path(path)
        try:
            with target.open("w", encoding="utf-8-sig", newline="") as handle:
                writer = csv.writer(handle, lineterminator="\n")
                writer.writerow(FRAME_COLUMNS)
                for found in self.sorted_findings():
                    writer.writerow([_no_formula(getattr(found, name)) for name in FRAME_COLUMNS])
        except OSError as error:
            raise ReportError(f"'{target.name}' cannot be written ({error.strerror}). Choose another place.") from None

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
                rows = f", {_many(f.rows, 'row')}" if f.rows or not f.says else ""
                lines.append(f"  {f.name}: {f.what}{rows}")
                more = [f"years {f.shown_years}" if f.years else "", f"can feed {f.feeds}" if f.feeds else ""]
                if any(more):
                    lines.append(f"    {'; '.join(part for part in more if part)}")
            return lines
        kinds: dict[str, list[FileInfo]] = {}
        for f in self.files:
            unused = f.table.endswith("(not used)")
            kinds.setdefault("tables that are not used" if unused else f.census or f.says or f.layout, []).append(f)
        for kind, files in kinds.items():
            pupils = sum(f.rows for f in files if f.table in PUPIL_TABLES)
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


_Row = TypeVar("_Row", Finding, FileInfo)


def _made(kind: type[_Row], row: Mapping[str, Any]) -> _Row:
    """Return a row of a document as what it is; what a newer toolkit wrote besides is left out."""
    return kind(**{f.name: row[f.name] for f in fields(kind) if f.name in row})


def _no_formula(cell: object) -> object:
    """Return a cell that a spreadsheet does not run: text that begins like a formula gets a leading quote mark.

    >>> _no_formula("=1+1"), _no_formula(3), _no_formula(None)
    ("'=1+1", 3, '')
    """
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


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
