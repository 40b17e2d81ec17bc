"""Turn drafts into findings."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
from __future__ import annotations

from dataclasses import replace

from attendance_toolkit.loaders._text import TextFile, line_numbers
from attendance_toolkit.loaders.school_census.work import Draft, Work
from attendance_toolkit.schema.rules import finding

#: Findings of one rule, file and column that differ only by value: more than this many are added up.
MOST_VALUES = 25


def settle(work: Work) -> None:
    """Turn drafts into findings: record numbers into lines, and long lists of values into one."""
    groups: dict[tuple, list[Draft]] = {}
    for draft in work.drafts:
        groups.setdefault((draft.rule, draft.file.path, draft.column), []).append(draft)
    kept: list[Draft] = []
    for drafts in groups.values():
        drafts.sort(key=lambda d: (d.record is None, d.record or 0))
        kept += drafts[:MOST_VALUES]
        rest = drafts[MOST_VALUES:]
        if rest:
            kept.append(
                Draft(rest[0].rule, rest[0].file, f"{len(rest)} more values like these.", rest[0].record,
                       rest[0].column, None, rest[0].allowed, rest[0].fix, sum(d.count for d in rest))
            )  # fmt: skip
    made: list[TextFile] = [d.file for d in kept if d.file.origin is not None]
    wanted: dict[int, set[int]] = {}
    for draft in kept:
        if draft.record is not None and draft.record >= 0 and draft.rule != "file_ragged":
            wanted.setdefault(id(draft.file), set()).add(draft.record)
    lines: dict[int, dict[int, int]] = {id(f): line_numbers(f, wanted[id(f)], 0) for f in made if id(f) in wanted}
    for number, group in enumerate(work.returns):
        for table, file in group.tables.items():
            if id(file) in wanted and id(file) not in lines:
                lines[id(file)] = line_numbers(file, wanted[id(file)], work.rows_of(number, table, file))
    for d in kept:
        row = None if d.record is None else 1 if d.record < 0 else d.record + 2
        if d.record is not None and d.record >= 0 and d.rule != "file_ragged":
            row = lines[id(d.file)][d.record]
        found = finding(d.rule, d.file.name, d.says, row=row, column=d.column, value=d.value, allowed=d.allowed,
                        fix=d.fix, count=d.count)  # fmt: skip
        if d.file.origin is not None and d.column:
            # Only now, since a value is masked by the name the column has here.
            found = replace(found, column=d.file.origin.column(d.column, d.record))
        work.findings.append(found)
