"""What screening found in the files of a store, and what was read and set aside, as blocks."""

from __future__ import annotations

from typing import Any

from attendance_toolkit.deepdives._shared import capital
from attendance_toolkit.deepdives.data_quality_data import (
    ALL_CENSUSES,
    COLLECTED,
    MOST_OF_A_RULE,
    DataQualityData,
    counted,
    with_store,
)
from attendance_toolkit.metrics.coverage import RULES
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import count_cell, source_of
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import number_text

_STAGES = {
    "file": "Files",
    "columns": "Columns",
    "population": "Who and when",
    "keys": "Keys",
    "codes": "Codes",
    "arithmetic": "Arithmetic",
    "plausibility": "Plausibility",
}
_SEVERITIES = {"blocking": "Stops the load", "quarantine": "Set aside", "warning": "Worth knowing"}


class ScreeningBlocks(DataQualityData):
    """The part of the page on data quality that is about the files."""

    def screening_sentence(self) -> str:
        """Return in one sentence what screening found."""
        found = self.report.findings
        if not self.report.files and not found:
            return "The store does not keep what screening said when its files were loaded. Load them again to see it here."
        if not found:
            return "Screening found nothing to report in any of the files."
        rules = {f.rule for f in found}
        aside = {f.rule for f in found if f.severity == "quarantine"}
        words = f"Screening made {counted(len(found), 'finding')} under {counted(len(rules), 'rule')} in the files of the store"
        return (
            f"{words}; {counted(len(aside), 'rule')} set rows or values aside."
            if aside
            else f"{words}; nothing was set aside."
        )

    # -- screening -----------------------------------------------------------------------------------

    @with_store
    def findings_table(self) -> Table | Notice:
        """Return what screening found, by stage and rule, with what to do."""
        found = self.report.findings
        if not found:
            return Notice(self.screening_sentence(), "Screening")
        by_rule: dict[str, list[Any]] = {}
        for finding in self.report.sorted_findings():
            by_rule.setdefault(finding.rule, []).append(finding)
        numbers = self.by_line(self.finding_rows)
        rows = []
        for rule, same in by_rule.items():
            asks = RULES[rule].asks if rule in RULES else rule
            cells = (
                Cell(_SEVERITIES[same[0].severity]),
                Cell(phrase(number_text(len(same)), "findings"), len(same)),
                Cell(symbol="z") if not any(f.row is not None for f in same) else count_cell(numbers[(rule, ALL)]),
                Cell(next((f.fix for f in same if f.fix), "No action is needed.")),
            )
            rows.append(Row(capital(asks), cells, _STAGES[same[0].stage], same[0].severity != "warning"))
        return Table(
            "screening-by-rule",
            "What screening found, by rule",
            "In all files of the store, whatever their area; bold where rows or values were set aside",
            (
                Column("Rule that is not kept", align="left"),
                Column("What happens", align="left"),
                Column("Findings"),
                Column("Rows"),
                Column("What to do", align="left"),
            ),
            tuple(rows),
            self.inputs.source,
            ("A finding is one rule broken in one file, or by the files together; rows are its rows.",),
        )

    @with_store
    def findings_in_full(self) -> Findings | Result:
        """Return the findings as sentences with file and row, for those who hold the data; nothing for partners."""
        if not self.is_internal or not self.report.findings:
            return Result(())
        by_rule: dict[str, list[Any]] = {}
        for finding in sorted(self.report.sorted_findings(), key=lambda f: list(_SEVERITIES).index(f.severity)):
            by_rule.setdefault(finding.rule, []).append(finding)
        sentences = []
        for same in by_rule.values():
            sentences += [str(finding) for finding in same[:MOST_OF_A_RULE]]
            if len(same) > MOST_OF_A_RULE:
                sentences.append(f"And {counted(len(same) - MOST_OF_A_RULE, 'finding')} more of this rule.")
        return Findings(tuple(sentences), "Findings with file and row")

    @with_store
    def set_aside_table(self) -> Table:
        """Return the rows read, loaded and set aside for each census, and of registers and the like."""
        lines = sorted({line for line, _ in self.rows_read} - {ALL_CENSUSES}, key=_census_order)
        rows = [
            Row(
                _census_words(line),
                tuple(count_cell(self.rows_read[(line, level)]) for level in (ALL, "loaded", "aside")),
                emphasis=line == ALL_CENSUSES,
            )
            for line in [*lines, ALL_CENSUSES]
        ]
        return Table(
            "rows-read",
            "Rows read, loaded and set aside, by source",
            "In all files of the store, whatever their area; what is set aside stays in the store's restricted folder",
            (Column("Source", align="left"), Column("Read"), Column("Loaded"), Column("Set aside")),
            tuple(rows),
            source_of(self.rows_read_table),
            (
                "Rows of a census are pupils. A census carries the attendance of an earlier term: the autumn census that of the"
                " summer before.",
                *("Rows of " + _COLLECTED_ROWS[line] for line in lines if line in COLLECTED),
            ),
        )

    @with_store
    def files_table(self) -> Table | Notice:
        """Return what the files of the store are, and what they can feed."""
        groups: dict[tuple[str, str], list[Any]] = {}
        for file in self.report.files:
            what = f"{_census_words(file.census)}" if file.census else file.what
            groups.setdefault((what, file.feeds), []).append(file)
        if not groups:
            return Notice("The store does not keep a list of its files. Load them again to see it here.", "Files")
        rows = [
            Row(
                capital(what),
                (
                    Cell(phrase(number_text(len(files)), "files"), len(files)),
                    Cell(capital(feeds) or "Pupil-level figures"),
                ),
            )
            for (what, feeds), files in groups.items()
        ]
        return Table(
            "files",
            "The files, by what they are",
            "Recognised by content, in all files of the store",
            (Column("What they are", align="left"), Column("Files"), Column("What they can feed", align="left")),
            tuple(rows),
            self.inputs.source,
        )


#: What a row of each is, for the note below the table.
_COLLECTED_ROWS = {
    "register": "registers are marks.",
    "portal": "portal lists are pupils.",
    "transfer": "transfer files are pupils' years at a school.",
}


def _census_order(name: str) -> tuple[int, int]:
    if name in COLLECTED:
        return 9999, list(COLLECTED).index(name)
    year, _, collection = name.partition("-")
    return int(year), ("spring", "summer", "autumn").index(collection)


def _census_words(name: str) -> str:
    """Return a census in words, from its name in folders or from its label.

    >>> _census_words("2024-autumn"), _census_words("spring 2024"), _census_words(ALL_CENSUSES)
    ('Autumn census 2024', 'Spring census 2024', 'All files')
    """
    if name == ALL_CENSUSES:
        return "All files"
    if name in COLLECTED:
        return COLLECTED[name]
    words = name.split("-") if name[:4].isdigit() else name.split()[::-1]
    return f"{capital(words[1])} census {words[0]}" if words[0].isdigit() else name
