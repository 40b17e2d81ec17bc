"""The audit of a release: a page and a CSV file a data-protection officer reads, in the restricted folder.

Neither has a hidden value in it: they name the figure, the rule that hides it and how closely an attacker could come. The
exact figures are in ``cells.parquet`` beside them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.clearing import NEVER, SECONDARY, SMALL
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.lines import TOPIC
from attendance_toolkit.disclosure.naive import Leak, compare
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.presentation.blocks import PageHead
from attendance_toolkit.reporting import audit_sections
from attendance_toolkit.reporting.audit_words import area_name, count_in_words, group_in_words, rule_in_words
from attendance_toolkit.reporting.block_page import block_page
from attendance_toolkit.reporting.restricted import require_restricted
from attendance_toolkit.schema.findings import _no_formula
from attendance_toolkit.versions import toolkit_versions
from attendance_toolkit.vocabulary.audiences import SENSITIVE
from attendance_toolkit.vocabulary.calendar import show_academic_year

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.cleared import ClearedRelease

PAGE, TABLE = "audit.html", "audit.csv"
#: Columns of the audit that are not dimensions of a group.
_NOT_DIMENSIONS = (
    "id", TOPIC, "group", "count", "value", "status", "why", "low", "high", "width", "width_ok", "from_known", "tables",
)  # fmt: skip
CSV_COLUMNS = (
    "id", "topic", "group", "count", "status", "rule", "width_reached", "is_wide_enough",
    "given_away_by_published", "tables",
)  # fmt: skip


@dataclass(frozen=True)
class GateResult:
    """What the gate said of one page.

    Attributes
    ----------
    page
        Its place in the folder of its audience, for example ``trafford/2023-24/overview``.
    findings
        Why it was refused; none if it passed.
    self_test
        In words what the gate was proved on before, for example "14 of 14 poisoned copies refused".
    files
        Name and sha256 of what was made.
    """

    page: str
    audience: str
    findings: tuple[Finding, ...] = ()
    self_test: str = ""
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class AuditFacts:
    """Everything the audit says, before it is put into words.

    Attributes
    ----------
    cells
        A row for each figure, without its value: ``id``, ``topic``, ``group`` and ``count`` in words, ``status``, ``rule``
        (in words), ``is_sessions``, ``reached`` (width of the interval the attacker reached; missing where it was not
        asked), ``width`` (asked for), ``width_ok``, ``from_known``, ``area`` (name), ``tables``.
    summary
        As ``disclosure.audit.Audit``.
    earlier
        Figures an earlier release showed with the same value, hid, and showed with another value nearby.
    refused
        Report, area and reason of each page whose figures could not be protected or made.
    """

    release_id: str
    vintage: str
    policy: Policy
    cells: pd.DataFrame
    summary: pd.DataFrame
    tables: tuple[tuple[str, str, str], ...]
    years: tuple[int, ...]
    published: int
    earlier: tuple[int, int, int]
    proofs: int
    leaks: tuple[Leak, ...] = ()
    checks: tuple[GateResult, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str, str], ...] = ()
    made_on: date = date(2000, 1, 1)
    is_synthetic: bool = False

    @property
    def figures(self) -> pd.DataFrame:
        """The cells that some table asks for."""
        return self.cells[self.cells["status"] != NEVER]

    @property
    def hidden(self) -> pd.DataFrame:
        """The figures that are hidden."""
        return self.cells[self.cells["status"].isin([SMALL, SECONDARY])]


def write_audit(
    release: ClearedRelease,
    checks: Sequence[GateResult],
    folder: Path,
    *,
    inputs: Sequence[Mapping[str, Any]] = (),
    refused: Mapping[tuple[str, str], str] | None = None,
    today: date | None = None,
    is_compared: bool = True,
) -> Path:
    """Write ``audit.html`` and ``audit.csv`` of a release into its folder, and return the page.

    Parameters
    ----------
    release
        The cleared release.
    checks
        What the gate said of each page.
    folder
        The folder of releases of a restricted folder; the audit goes into the release's own folder inside.
    inputs
        ``name`` and ``sha256`` of each file the figures were made from.
    refused
        (Report, area) -> why its page could not be part of the release.
    is_compared
        Let the attacker try simpler methods on the same release: seconds for a release of ten authorities.

    Raises
    ------
    DisclosureError
        The folder is not part of a restricted one.
    ReportError
        The page does not pass its own checks.
    """
    require_restricted(folder)
    facts = facts_of(release, checks, inputs=inputs, refused=refused, today=today, is_compared=is_compared)
    place = folder / release.release_id
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    page = audit_page(facts)
    for name, text in ((PAGE, page), (TABLE, audit_csv(facts))):
        part = place / f".{name}.part"
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(place / name)
    return place / PAGE


def facts_of(
    release: ClearedRelease,
    checks: Sequence[GateResult] = (),
    *,
    inputs: Sequence[Mapping[str, Any]] = (),
    refused: Mapping[tuple[str, str], str] | None = None,
    today: date | None = None,
    is_compared: bool = True,
) -> AuditFacts:
    """Return what the audit says of a release."""
    cells = release.audit.cells
    dimensions = tuple(str(name) for name in cells.columns if name not in _NOT_DIMENSIONS)
    years = sorted({int(year) for year in cells.get("academic_year", []) if str(year).isdigit()})
    past = release.past
    return AuditFacts(
        release_id=release.release_id,
        vintage=release.vintage,
        policy=release.policy,
        cells=_without_values(cells, dimensions),
        summary=release.audit.summary,
        tables=tuple(release.tables),
        years=tuple(years),
        published=int(past.published.sum()),
        earlier=(int(past.shown.sum()), int(past.hidden.sum()), int(past.changed.sum())),
        proofs=sum(solved.suppression.witnesses.shape[0] for solved in release.found.solved),
        leaks=tuple(compare(release)) if is_compared else (),
        checks=tuple(sorted(checks, key=lambda check: (check.audience, check.page))),
        inputs=tuple((str(item["name"]), str(item["sha256"])) for item in inputs),
        refused=tuple((report, area, says) for (report, area), says in sorted((refused or {}).items())),
        made_on=today or date.today(),
        is_synthetic=any(asked.table.is_synthetic for asked in release.tables.values()),
    )


def _without_values(cells: pd.DataFrame, dimensions: tuple[str, ...]) -> pd.DataFrame:
    """Return the cells in words and without their values; the interval's width is kept, its place is not."""
    groups = cells[list(dimensions)].astype(str)
    distinct = groups.drop_duplicates()
    words = {
        tuple(row): group_in_words(dict(zip(dimensions, row, strict=True)), dimensions)
        for row in distinct.itertuples(index=False, name=None)
    }
    areas = groups["area_code"] if "area_code" in groups else pd.Series("", index=cells.index)
    known = {code: area_name(code) for code in areas.unique()}
    hidden = cells["status"].isin([SMALL, SECONDARY])
    return pd.DataFrame(
        {
            "id": cells["id"],
            "topic": cells[TOPIC],
            "group": [words[row] for row in groups.itertuples(index=False, name=None)],
            "count": cells["count"].map({name: count_in_words(name) for name in cells["count"].unique()}),
            "status": cells["status"],
            "rule": cells["why"].map({why: rule_in_words(why) for why in cells["why"].unique()}).where(hidden, ""),
            "is_sessions": counts.is_sessions(cells["count"]),
            "reached": (cells["high"] - cells["low"]).where(hidden),
            "width": cells["width"],
            "width_ok": cells["width_ok"].astype(bool) | ~hidden,
            "from_known": cells["from_known"].astype(bool) & hidden,
            "area": areas.map(known),
            "tables": cells["tables"],
        }
    )


def audit_page(facts: AuditFacts) -> str:
    """Return the page.

    Raises
    ------
    ReportError
        It does not pass its own checks.
    """
    policy = facts.policy
    approver = f"{policy.approver}, {policy.approved_on}" if policy.approver else "none needed for this profile"
    areas = list(dict.fromkeys(area_name(area) for _, area, _ in facts.tables))
    head = PageHead(
        title=f"Audit of release {facts.release_id}",
        subtitle="What was hidden from partners and why, and how close an attacker came",
        facts=(
            ("Areas", audit_sections.listed(areas, 4, "areas")),
            ("Academic years", audit_sections.listed([show_academic_year(year) for year in facts.years], 4, "years")),
            ("Policy", f"profile {policy.name}"),
            ("Approved by", approver),
            ("Made on", facts.made_on.isoformat()),
        ),
        synthetic=facts.is_synthetic,
        footer=(
            ("Marking", f"{SENSITIVE}: it names groups of few pupils, and stays in the restricted folder."),
            ("Whole list", f"{TABLE} beside this page has a row for each figure, also without values."),
            ("Toolkit", toolkit_versions()),
            *((("Contact", policy.contact),) if policy.contact else ()),
        ),
        report_name="audit",
        area_code="",
        area_name="all areas",
        academic_year=facts.years[-1] if facts.years else 0,
        marking=SENSITIVE,
    )
    return block_page(head, audit_sections.sections(facts))


def audit_csv(facts: AuditFacts) -> str:
    """Return the list of all figures: the marking in the first line, then a header and a row for each, no value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([SENSITIVE])
    writer.writerow(CSV_COLUMNS)
    names = ("id", "topic", "group", "count", "status", "rule", "reached", "width", "width_ok", "from_known", "tables")
    for *words, reached, width, is_wide, is_public, tables in facts.cells[list(names)].itertuples(
        index=False, name=None
    ):
        is_hidden = words[names.index("status")] in (SMALL, SECONDARY)
        # The width itself would be the value wherever the range begins at 0.
        wide = "" if np.isnan(reached) else audit_sections.width_in_words(reached / width)
        of_hidden = [_yes(is_wide) if wide else "", _yes(is_public)] if is_hidden else ["", ""]
        writer.writerow([_no_formula(cell) for cell in (*words, wide, *of_hidden, tables)])
    return out.getvalue()


def _yes(value: bool) -> str:
    return "yes" if value else "no"
