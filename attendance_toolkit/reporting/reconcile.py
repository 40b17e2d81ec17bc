"""``attendance reconcile``: tell files apart by their content, check each in its way, and say what was found."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from attendance_toolkit.errors import ParameterError, UnreadableFileError, VocabularyError
from attendance_toolkit.metrics.reconciliation import PrintedFinding

if TYPE_CHECKING:
    from attendance_toolkit.loaders.portal import PortalHeaders

#: Sentences shown of one check and column; ``--csv`` and ``--json`` give all.
MOST_SHOWN = 3
#: Columns of the list of findings, in the order they are written.
COLUMNS = ("file", "check", "is_certain", "row", "column", "printed", "expected", "says")
_ENDINGS = (".csv", ".csv.gz", ".yaml", ".yml", ".xlsx", ".xls", ".ods")


@dataclass
class Given:
    """Files by what is done with them."""

    printed: list[Path] = field(default_factory=list)
    """Printed tables, cards, their layouts and claims, and summaries of DfE's portal."""
    published: list[Path] = field(default_factory=list)
    schemes: list[Path] = field(default_factory=list)


def sort_files(paths: Iterable[Path], *, layouts: Sequence[Path] = (), headers: Path | None = None) -> Given:
    """Return files sorted by their content; of a folder, the files that can be checked.

    A file nothing knows is kept among the printed ones: their reader says what was expected.

    Parameters
    ----------
    headers
        File with the user's own map of the headers of portal downloads, which are not recognised without it.

    Raises
    ------
    ParameterError, UnreadableFileError
        The map cannot be read.
    """
    words = _words(headers)
    given = Given(printed=list(layouts))
    for path in paths:
        inside = path.is_dir()
        files = sorted(p for p in path.rglob("*") if p.name.lower().endswith(_ENDINGS)) if inside else [path]
        for file in files:
            kind = _kind(file, words, inside=inside)
            if kind == "rules":
                given.schemes.append(file)
            elif kind == "published":
                given.published.append(file)
            elif kind == "printed" or not inside:
                given.printed.append(file)
    return given


def _words(headers: Path | None) -> PortalHeaders | None:
    from attendance_toolkit.loaders.portal import read_headers

    return read_headers(headers) if headers is not None else None


def _kind(path: Path, words: PortalHeaders | None, *, inside: bool) -> str:
    from attendance_toolkit.loaders import portal, printed, published
    from attendance_toolkit.loaders._head import look
    from attendance_toolkit.loaders._text import NotReadableError

    try:
        head = look(path)
    except NotReadableError as error:
        if inside:
            return ""
        raise UnreadableFileError(f"{path.name}: {error.says} {error.fix}") from None
    found = printed.recognise(head) or published.recognise(head) or portal.recognise(head, words)
    if found is None:
        return ""
    return {"portal_summary": "printed"}.get(found.kind, found.kind)


# --- published files and rule schemes ------------------------------------------------------------------


def check_published(paths: Sequence[Path]) -> pd.DataFrame:
    """Return what does not agree in published files, each by itself and one with another.

    Files with a column for each number are read as they are; the others (the local authority time series, the absence
    bands) through ``read_published``.

    Returns
    -------
    ``metrics.reconciliation.columns.FINDING_COLUMNS``.
    """
    from attendance_toolkit.loaders._head import look
    from attendance_toolkit.loaders.column_table import has_identities, read_column_table
    from attendance_toolkit.loaders.published import read_published
    from attendance_toolkit.metrics.reconciliation.published import cells_table, rates_table, reconcile_tables

    tables = []
    for path in paths:
        head = look(path)
        if head.format == "csv" and has_identities(head):
            tables.append(read_column_table(path))
            continue
        read = read_published([path])
        tables += [cells_table(read.cells, path.name)] if len(read.cells) else []
        tables += [rates_table(read.rates, path.name)] if len(read.rates) else []
    return reconcile_tables(tables)


def check_schemes(paths: Sequence[Path]) -> tuple[PrintedFinding, ...]:
    """Return what is wrong with rule schemes, those of one file after those of another.

    Raises
    ------
    UnreadableFileError
        A file is not a rule scheme; the message says what is wrong with it.
    """
    from attendance_toolkit.metrics.rule_schemes import lint_scheme
    from attendance_toolkit.vocabulary.rule_schemes import parse_scheme

    found: list[PrintedFinding] = []
    for path in paths:
        try:
            scheme = parse_scheme(path.read_text(encoding="utf-8-sig"), path.name)
        except (VocabularyError, UnicodeDecodeError) as error:
            says = (
                str(error)
                if isinstance(error, VocabularyError)
                else f"{path.name} is not UTF-8 text. Save it again as UTF-8."
            )
            raise UnreadableFileError(says) from None
        found += lint_scheme(scheme)
    return tuple(found)


# --- saying it -----------------------------------------------------------------------------------------


def rows_of(findings: Iterable[PrintedFinding]) -> list[dict[str, object]]:
    """Return findings on printed figures, claims and schemes as rows of COLUMNS, one per cell concerned."""
    rows: list[dict[str, object]] = []
    for finding in findings:
        for row, column in finding.cells or ((None, ", ".join(finding.columns)),):
            values = (finding.table, finding.check, True, row, column, finding.printed, finding.expected, finding.says)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def published_rows(found: pd.DataFrame) -> list[dict[str, object]]:
    """Return findings on published files as rows of COLUMNS."""
    rows = found[list(COLUMNS)].astype(object)
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def published_text(found: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the lines people read about published files: a verdict, then each kind of finding with examples."""
    certain = found[found["is_certain"].astype(bool)] if len(found) else found
    files = names[0] if len(names) == 1 else f"{len(names)} published files"
    if found.empty:
        return [f"Nothing was found against {files}."]
    rest = len(found) - len(certain)
    looks = f"; {rest:,} more worth a look" if rest else ""
    lines = [f"{_counted(len(certain), 'finding')} on {files}{looks}."]
    for is_certain, heading in ((True, ""), (False, "Worth a look, not errors:")):
        part = found[found["is_certain"].astype(bool) == is_certain]
        lines += [heading] if heading and len(part) else []
        for _, same in part.groupby(["file", "check", "column"], sort=False):
            lines += [f"- {row['file']}, {row['says']}" for row in same.head(MOST_SHOWN).to_dict("records")]
            if len(same) > MOST_SHOWN:
                lines.append(f"  … and {len(same) - MOST_SHOWN:,} more of the same kind; --csv FILE lists all.")
    return lines


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write rows of findings as a CSV file.

    Raises
    ------
    ParameterError
        The file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, COLUMNS)
            writer.writeheader()
            writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    except OSError as error:
        raise ParameterError(f"'{path}' cannot be written ({error.strerror}). Give another file.") from None


def _safe(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "@", "\t") else value


def to_json(rows: Sequence[dict[str, object]], exit_code: int) -> str:
    """Return the findings as a JSON document."""

    def plain(value: object) -> object:
        return value.item() if hasattr(value, "item") else str(value)

    return json.dumps({"exit_code": exit_code, "findings": list(rows)}, indent=2, ensure_ascii=False, default=plain)


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
