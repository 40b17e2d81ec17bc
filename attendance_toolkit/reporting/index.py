"""The page over all areas, and the checksums of everything beside it."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attendance_toolkit.errors import NoDataError, ReportError, VocabularyError
from attendance_toolkit.presentation.formats import CHANGE, measure_format
from attendance_toolkit.presentation.markup import sparkline, text_html
from attendance_toolkit.reporting.exporter import frame_values, render_frame
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.vocabulary.calendar import (
    parse_academic_year,
    show_academic_year,
)
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS
from attendance_toolkit.vocabulary.series import SERIES
from attendance_toolkit.vocabulary.symbols import SYMBOLS

CHECKSUMS = "sha256sums.txt"

#: Measure and its header, in the order of the columns.
_SHOWN = (
    ("overall_absence_rate", "Overall absence"),
    ("persistent_absence_rate", "Persistent absence"),
    ("severe_absence_rate", "Severe absence"),
)
_WORDS = (
    "Up or Down is written only where the 95% interval of the change leaves out 0; otherwise Similar."
    " The change in percentage points stands in brackets; it is worked out before rounding."
    " A change without a word has no interval."
)
#: Group values that mean everybody.
_WHOLE = (ALL, ALL_SCHOOLS, "", None)


@dataclass(frozen=True)
class _Report:
    """One finished report: where it lies and its headline numbers."""

    href: str
    name: str
    academic_year: int
    rows: tuple[Mapping[str, Any], ...]
    is_synthetic: bool

    @property
    def area(self) -> tuple[str, str]:
        """Code and name of the area the report is about."""
        for row in self.rows:
            if row.get("area_code"):
                return str(row["area_code"]), str(row.get("area") or row["area_code"])
        folder = self.href.split("/")[0]
        return folder, folder.replace("-", " ").capitalize()


def change_word(lower: float | None, upper: float | None) -> str:
    """Return "Up", "Down" or "Similar" by whether the 95% interval of a change excludes 0.

    >>> change_word(0.001, 0.004), change_word(-0.004, -0.001), change_word(-0.001, 0.002)
    ('Up', 'Down', 'Similar')
    """
    if lower is None or upper is None or math.isnan(lower) or math.isnan(upper):
        return ""
    if lower > 0:
        return "Up"
    return "Down" if upper < 0 else "Similar"


def write_index(out_dir: str | os.PathLike[str]) -> Path:
    """Write ``index.html`` over every report under a folder, and the checksums of all files.

    Reads ``<area>/<year>/<name>/result.json`` and ``manifest.json``. The same reports give the same bytes.

    Raises
    ------
    NoDataError
        There is no report under the folder.
    ReportError
        A ``result.json`` cannot be read, or the page does not pass its own checks.
    """
    folder = Path(out_dir)
    reports = _read_reports(folder)
    if not reports:
        raise NoDataError("There is no finished report in the output folder, so there is nothing to list.")
    html = index_html(reports)
    findings = lint_page(html)
    if findings:
        raise ReportError("The index page did not pass its checks: " + " ".join(findings))
    path = folder / "index.html"
    _write(path, html)
    _write(folder / CHECKSUMS, checksums(folder))
    return path


def checksums(folder: Path) -> str:
    """Return the sha256 of every file under a folder, in the format ``sha256sum --check`` reads."""
    lines = []
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != CHECKSUMS and not any(part.startswith(".") for part in name.split("/")):
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
    return "".join(lines)


def _write(path: Path, text: str) -> None:
    """Write a whole file or none of it."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def _read_reports(folder: Path) -> list[_Report]:
    reports = []
    for path in sorted(folder.glob("*/*/*/result.json"), key=lambda p: p.relative_to(folder).as_posix()):
        here = path.parent
        if not (here / "index.html").is_file():
            continue
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            manifest_path = here / "manifest.json"
            manifest = json.loads(manifest_path.read_text(encoding="utf-8")) if manifest_path.is_file() else {}
        except ValueError as error:
            name = path.relative_to(folder).as_posix()
            raise ReportError(f"{name} is not a JSON file. Make this report again.") from error
        relative = here.relative_to(folder).as_posix()
        _, year_text, name = relative.split("/")
        reports.append(
            _Report(
                quote(f"{relative}/index.html"), name, _year_of(year_text, rows), tuple(rows),
                _is_synthetic(manifest, rows),
            )
        )  # fmt: skip
    return reports


def _year_of(folder: str, rows: Iterable[Mapping[str, Any]]) -> int:
    try:
        return parse_academic_year(folder)
    except VocabularyError:
        return max((int(row["academic_year"]) for row in rows if row.get("academic_year")), default=0)


def _is_synthetic(manifest: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> bool:
    flags = [manifest[key] for key in ("synthetic", "is_synthetic") if key in manifest]
    return bool(flags[0]) if flags else any(row.get("series") == "synthetic" for row in rows)


def _number(row: Mapping[str, Any] | None, key: str = "rate") -> float | None:
    value = row.get(key) if row else None
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else float(value)


@dataclass(frozen=True)
class _AreaLine:
    """An area in its latest year: the numbers of one row of the index."""

    code: str
    name: str
    academic_year: int
    series: str
    values: Mapping[str, Mapping[str, Any]]
    changes: Mapping[str, Mapping[str, Any]]
    course: tuple[tuple[int, float | None], ...]
    pages: tuple[_Report, ...]
    is_synthetic: bool


def _whole_rows(reports: Iterable[_Report], code: str) -> list[Mapping[str, Any]]:
    """Return the rows about everybody in the area, those of later reports first."""
    ordered = sorted(reports, key=lambda report: (-report.academic_year, report.name))
    return [
        row
        for report in ordered
        for row in report.rows
        if str(row.get("area_code", "")) == code
        and all(value in _WHOLE for value in (row.get("groups") or {}).values())
    ]


def _area_line(code: str, name: str, reports: list[_Report]) -> _AreaLine:
    # A page of another kind (a printed report checked, say) has no rates and does not set the year of the line.
    shown = {measure for measure, _ in _SHOWN}
    rated = [report for report in reports if any(row.get("measure") in shown for row in report.rows)]
    latest = max(report.academic_year for report in rated or reports)
    rows = _whole_rows(rated, code)
    values: dict[str, Mapping[str, Any]] = {}
    changes: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if int(row.get("academic_year") or 0) != latest:
            continue
        measure = str(row.get("measure", ""))
        (changes if measure.endswith(CHANGE) else values).setdefault(measure, row)
    # One line is one series: figures made by another method are left out of the comparison.
    main = values.get("overall_absence_rate") or next(iter(values.values()), {})
    series = str(main.get("series") or "")
    values = {m: row for m, row in values.items() if str(row.get("series") or "") == series}
    changes = {m: row for m, row in changes.items() if str(row.get("series") or "") in ("", series)}
    course: dict[int, float | None] = {}
    for row in rows:
        same = str(row.get("series") or "") == series
        if row.get("measure") == "overall_absence_rate" and same and row.get("academic_year"):
            course.setdefault(int(row["academic_year"]), _number(row))
    pages = tuple(sorted(reports, key=lambda report: (-report.academic_year, report.name)))
    return _AreaLine(
        code, name, latest, series, values, changes, tuple(sorted(course.items())), pages,
        all(report.is_synthetic for report in reports),
    )  # fmt: skip


def _value_cell(line: _AreaLine, measure: str) -> tuple[str, str]:
    """Return a rate as text and the symbol standing for it, if one does."""
    row = line.values.get(measure)
    symbol = str(row.get("symbol") or "") if row else "x"
    rate = _number(row)
    if symbol and symbol != "u":
        return symbol, symbol
    return ("x", "x") if rate is None else (measure_format(measure).number(rate), "")


def _change_cell(line: _AreaLine, measure: str) -> tuple[str, str]:
    row = line.changes.get(measure + CHANGE)
    symbol = str(row.get("symbol") or "") if row else "x"
    rate = _number(row)
    if rate is None or (symbol and symbol != "u"):
        return symbol or "x", symbol or "x"
    number = measure_format(measure + CHANGE).number(rate)
    word = change_word(_number(row, "lower"), _number(row, "upper"))
    return (f"{word} ({number})" if word else number), ""


def index_html(reports: Iterable[_Report]) -> str:
    """Return the index page."""
    by_area: dict[str, list[_Report]] = {}
    names: dict[str, str] = {}
    for report in reports:
        code, name = report.area
        by_area.setdefault(code, []).append(report)
        names[code] = name
    lines = [_area_line(code, names[code], found) for code, found in by_area.items()]
    lines.sort(key=lambda line: (line.name.casefold(), line.code))
    synthetic = all(line.is_synthetic for line in lines)
    years = sorted({line.academic_year for line in lines})
    span = show_academic_year(years[-1])
    if len(years) > 1:
        span = f"latest year of each area, {show_academic_year(years[0])} to {show_academic_year(years[-1])}"
    series = sorted({line.series for line in lines if line.series})
    data = "; ".join(SERIES[name].label if name in SERIES else name for name in series)
    facts = [("Areas", str(len(lines))), ("Period", span), *([("Data", data)] if data else [])]
    table = _table(lines, span, synthetic=synthetic)
    body = f'<section aria-labelledby="areas">\n<h2 id="areas">Areas</h2>\n{table}\n</section>'
    return render_frame(
        frame_values(
            title="School attendance: all areas",
            subtitle="Overall, persistent and severe absence, with the change on the year before",
            facts=tuple(facts),
            footer=(
                ("Up, Down, Similar", _WORDS),
                ("Trend lines", "Overall absence, all on one scale, so their heights can be compared."),
                ("Checksums", f"{CHECKSUMS} holds the sha256 of every file in this folder."),
            ),
            body=body,
            synthetic=synthetic,
            document_title="School attendance: all areas",
        )
    )


def _table(lines: list[_AreaLine], span: str, *, synthetic: bool) -> str:
    known = [value for line in lines for _, value in line.course if value is not None]
    has_course = any(sum(v is not None for _, v in line.course) > 1 for line in lines)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    mixed = len({line.series for line in lines}) > 1
    has_years = len({line.academic_year for line in lines}) > 1
    has_pages = any(len(line.pages) > 1 for line in lines)
    upper = ['<th scope="col" rowspan="2">Area</th>']
    if has_years:
        upper.append('<th scope="col" rowspan="2">Academic year</th>')
    if mixed:
        upper.append('<th scope="col" rowspan="2">Data</th>')
    upper += [f'<th scope="colgroup" class="group" colspan="2">{label}</th>' for _, label in _SHOWN]
    if has_course:
        upper.append('<th scope="col" rowspan="2">Trend, overall absence</th>')
    if has_pages:
        upper.append('<th scope="col" rowspan="2">Pages</th>')
    unit = '<th scope="col" class="n">Rate&nbsp;<span class="unit">(%)</span></th>'
    lower = (unit + '<th scope="col">Change <span class="unit">(percentage points)</span></th>') * len(_SHOWN)
    used: set[str] = set()
    body = []
    for line in lines:
        cells = [f"<td>{show_academic_year(line.academic_year)}</td>"] if has_years else []
        if mixed:
            cells.append(f"<td>{text_html(SERIES[line.series].label if line.series in SERIES else 'Not stated')}</td>")
        for measure, _ in _SHOWN:
            for number, (text, symbol) in (
                (True, _value_cell(line, measure)),
                (False, _change_cell(line, measure)),
            ):
                used.add(symbol)
                kind = ' class="n"' if number else ""
                cells.append(f"<td{kind}>{text_html(text)}</td>")

        if has_course:
            cells.append(f"<td>{_course(line, low, high)}</td>")
        if has_pages:
            cells.append(f"<td>{_links(line)}</td>")
        name = f'<a href="{line.pages[0].href}">{text_html(line.name)}</a>'
        if line.is_synthetic and not synthetic:
            name += " (synthetic)"
        body.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    groups = "<colgroup>" * (1 + has_years + mixed) + '<colgroup span="2">' * len(_SHOWN)
    groups += "<colgroup>" * (has_course + has_pages)
    legend = "; ".join(f"{symbol} = {SYMBOLS[symbol]}" for symbol in SYMBOLS if symbol in used)
    note = f'\n<p class="note">Symbols: {legend}.</p>' if legend else ""
    return (
        '<div class="scroller" role="region" tabindex="0" aria-labelledby="areas-caption">\n<table>\n'
        '<caption id="areas-caption"><span class="cap"><strong class="title">Absence by area</strong>'
        f'<span class="subtitle">Academic year: {text_html(span)}</span></span></caption>\n'
        f"{groups}<thead>\n<tr>{''.join(upper)}</tr>\n<tr>{lower}</tr>\n</thead>\n<tbody>\n"
        + "\n".join(body)
        + f"\n</tbody>\n</table>\n</div>{note}"
    )


def _course(line: _AreaLine, low: float, high: float) -> str:
    shown = [(year, value) for year, value in line.course if value is not None]
    if len(shown) < 2:
        return "x"
    how = measure_format("overall_absence_rate")
    (first_year, first), (last_year, last) = shown[0], shown[-1]
    label = (
        f"Overall absence, {line.name}: {how.short(first)} in {show_academic_year(first_year)},"
        f" {how.short(last)} in {show_academic_year(last_year)}"
    )
    return sparkline(_every_year(line.course), label=label, low=low, high=high)


def _every_year(course: tuple[tuple[int, float | None], ...]) -> list[float | None]:
    """Return one value per year from the first to the last; a year without figures is a gap."""
    found = {year // 100: value for year, value in course}
    return [found.get(start) for start in range(min(found), max(found) + 1)]


def _links(line: _AreaLine) -> str:
    items = []
    for report in line.pages:
        name = report.name.replace("_", " ").replace("-", " ").capitalize()
        text = f"{name}, {show_academic_year(report.academic_year)}"
        label = f"{text}: {line.name}"
        items.append(f'<a href="{report.href}" aria-label="{text_html(label)}">{text_html(text)}</a>')
    return "<br>".join(items)
