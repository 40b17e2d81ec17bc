"""The page over all areas, and the checksums of everything beside it.

It shows nothing of its own: every number is one a finished page was cleared to show (``result.json``), or the difference
the page itself worked out, and carries the id of its row in the release. The restricted folder has an index of its own.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.errors import DisclosureError, NoDataError, ReportError
from attendance_toolkit.presentation.formats import measure_format
from attendance_toolkit.presentation.markup import sparkline, text_html
from attendance_toolkit.reporting.exporter import frame_values, render_frame, style_hashes
from attendance_toolkit.reporting.finished import Report, read_reports
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.reporting.restricted import CHECKSUMS, is_restricted
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.audiences import INTERNAL, SENSITIVE
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS
from attendance_toolkit.vocabulary.series import SERIES
from attendance_toolkit.vocabulary.statistics import CHANGE
from attendance_toolkit.vocabulary.symbols import SYMBOLS

#: Measure and its header, in the order of the columns.
_SHOWN = (
    ("overall_absence_rate", "Overall absence"),
    ("persistent_absence_rate", "Persistent absence"),
    ("severe_absence_rate", "Severe absence"),
)
_WORDS = (
    "Up or Down is written only where the 95% interval of the change leaves out 0; otherwise Similar."
    " The change in percentage points stands in brackets; it is worked out before the rates are cut to one decimal."
    " A change without a word has no interval."
)
#: Id of a row of the release.
_REF = re.compile(r"c[0-9a-f]{10}")
#: Group values that mean everybody.
_WHOLE = (ALL, ALL_SCHOOLS, "", None)


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


@dataclass(frozen=True)
class IndexPage:
    """An index and what the gate needs to hold it against.

    Attributes
    ----------
    html
        The page.
    rows
        The rows of every ``result.json`` it is made from. Their ``cell`` is the id in the release.
    said, drawings, styles
        As in ``exporter.PageOutputs``: the numbers written, the sha256 of every drawing and of the style sheet.
    links
        Where the pages lie, from the index.
    """

    html: str
    rows: tuple[Mapping[str, Any], ...]
    said: tuple[ledger.Entry, ...] = ()
    drawings: frozenset[str] = frozenset()
    styles: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()


Check = Callable[[IndexPage], Sequence[Finding]]


def write_index(out_dir: str | os.PathLike[str], *, check: Check | None = None) -> Path:
    """Write ``index.html`` over every report under a folder, and the checksums of all files.

    Reads ``<area>/<year>/<name>/result.json`` and ``manifest.json``. The same reports give the same bytes. In a
    restricted folder the page is marked; anywhere else no page with nothing hidden may lie.

    Parameters
    ----------
    check
        The gate: what it finds refuses the page.

    Raises
    ------
    NoDataError
        There is no report under the folder.
    DisclosureError
        An internal page lies in a folder that is not restricted, or the gate refuses the page.
    ReportError
        A ``result.json`` cannot be read, or the page does not pass its own checks.
    """
    folder = Path(out_dir)
    page = index_page(folder)
    findings = lint_page(page.html)
    if findings:
        raise ReportError("The index page did not pass its checks: " + " ".join(findings))
    refused = list(check(page)) if check is not None else []
    if refused:
        raise DisclosureError("The index page was refused by the gate: " + " ".join(map(str, refused)))
    path = folder / "index.html"
    _write(path, page.html)
    _write(folder / CHECKSUMS, checksums(folder))
    return path


def index_page(folder: Path) -> IndexPage:
    """Return the index of the reports under a folder, without writing it.

    Raises
    ------
    NoDataError, DisclosureError, ReportError
        As ``write_index``.
    """
    reports = read_reports(folder)
    if not reports:
        raise NoDataError("There is no finished report in the output folder, so there is nothing to list.")
    is_internal = is_restricted(folder)
    inside = [report.href for report in reports if report.audience == INTERNAL]
    if inside and not is_internal:
        raise DisclosureError(
            f"{len(inside)} of the pages in the folder for partners are internal, with nothing hidden, the first of them"
            f" {inside[0]}. Move them into the restricted folder, or delete them, and write the index again."
        )
    drawings: set[str] = set()
    with _noting() as said:
        values = _index_values(reports, drawings, marking=SENSITIVE if is_internal else "")
    rows = tuple(row for report in reports for row in report.rows)
    # From a frame in which nothing of the page stands: the page does not vouch for its own style sheet.
    bare = render_frame({**values, "body": "", "title": "", "subtitle": "", "facts": (), "footer": ()})
    links = tuple(report.href for report in reports)
    return IndexPage(render_frame(values), rows, tuple(said), frozenset(drawings), style_hashes(bare), links)


def index_evidence(page: IndexPage, *, threshold: int | None = 10) -> Evidence:
    """Return where every number of an index may come from, for the gate (``disclosure.gate.check_page``).

    Parameters
    ----------
    threshold
        Smallest count of pupils the policy shows.
    """
    cells = {str(row["cell"]): row for row in page.rows if row.get("cell")}
    others = [row for row in page.rows if not row.get("cell")]
    names = {str(row["area"]) for row in page.rows if row.get("area")}
    return Evidence(
        cells=cells,
        said=page.said,
        drawings=page.drawings,
        styles=page.styles,
        words=(*sorted(names), CHECKSUMS, *page.links),
        derived=tuple(others),
        threshold=threshold,
    )


@contextmanager
def _noting() -> Iterator[list[ledger.Entry]]:
    """Note the numbers written meanwhile, as while a notebook's page is made."""
    before = os.environ.get(ledger.OUTPUT_VARIABLE)
    os.environ[ledger.OUTPUT_VARIABLE] = "page"
    ledger.drain()
    noted: list[ledger.Entry] = []
    try:
        yield noted
    finally:
        noted += ledger.drain()
        if before is None:
            del os.environ[ledger.OUTPUT_VARIABLE]
        else:
            os.environ[ledger.OUTPUT_VARIABLE] = before


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
    pages: tuple[Report, ...]
    is_synthetic: bool


def _whole_rows(reports: Iterable[Report], code: str) -> list[Mapping[str, Any]]:
    """Return the rows about everybody in the area, those of later reports first."""
    ordered = sorted(reports, key=lambda report: (-report.academic_year, report.name))
    return [
        row
        for report in ordered
        for row in report.rows
        if str(row.get("area_code", "")) == code
        and all(value in _WHOLE for value in (row.get("groups") or {}).values())
    ]


def _area_line(code: str, name: str, reports: list[Report]) -> _AreaLine:
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


def _ref(row: Mapping[str, Any] | None) -> str:
    """Return the attribute with the id of a row of the release; nothing for a row made from others."""
    ref = str((row or {}).get("cell") or "")
    return f' data-cell="{ref}"' if _REF.fullmatch(ref) else ""


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


def _index_values(reports: Iterable[Report], drawings: set[str], *, marking: str = "") -> dict[str, Any]:
    """Return what the frame needs for the index; the sha256 of each drawing is added to ``drawings``."""
    by_area: dict[str, list[Report]] = {}
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
    # A line of the index stands for the pages of its area.
    facts = [("Areas", ledger.phrase(str(len(lines)), "pages")), ("Period", span), *([("Data", data)] if data else [])]
    table = _table(lines, span, drawings, synthetic=synthetic)
    body = f'<section aria-labelledby="areas">\n<h2 id="areas">Areas</h2>\n{table}\n</section>'
    return frame_values(
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
        marking=marking,
    )


def _table(lines: list[_AreaLine], span: str, drawings: set[str], *, synthetic: bool) -> str:
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
                row = line.values.get(measure) if number else line.changes.get(measure + CHANGE)
                cells.append(f"<td{kind}{_ref(row)}>{text_html(text)}</td>")

        if has_course:
            cells.append(f"<td>{_course(line, low, high, drawings)}</td>")
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


def _course(line: _AreaLine, low: float, high: float, drawings: set[str]) -> str:
    shown = [(year, value) for year, value in line.course if value is not None]
    if len(shown) < 2:
        return "x"
    how = measure_format("overall_absence_rate")
    (first_year, first), (last_year, last) = shown[0], shown[-1]
    label = (
        f"Overall absence, {line.name}: {how.short(first)} in {show_academic_year(first_year)},"
        f" {how.short(last)} in {show_academic_year(last_year)}"
    )
    svg = sparkline(_every_year(line.course), label=label, low=low, high=high)
    drawings.add(hashlib.sha256(svg.encode("utf-8")).hexdigest())
    return svg


def _every_year(course: tuple[tuple[int, float | None], ...]) -> list[float | None]:
    """Return one value per year from the first to the last; a year without figures is a gap."""
    found = {year // 100: value for year, value in course}
    return [found.get(start) for start in range(min(found), max(found) + 1)]


def _links(line: _AreaLine) -> str:
    items = []
    for report in line.pages:
        # A year group may be in the name of a report.
        name = ledger.phrase(report.name.replace("_", " ").replace("-", " ").capitalize(), "pages")
        text = f"{name}, {show_academic_year(report.academic_year)}"
        label = f"{text}: {line.name}"
        items.append(f'<a href="{report.href}" aria-label="{text_html(label)}">{text_html(text)}</a>')
    return "<br>".join(items)
