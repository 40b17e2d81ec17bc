"""The finished reports under a folder, as their own files describe them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attendance_toolkit.errors import ReportError, VocabularyError
from attendance_toolkit.vocabulary.calendar import parse_academic_year


@dataclass(frozen=True)
class Report:
    """One finished report: where it lies and its headline numbers."""

    href: str
    name: str
    academic_year: int
    rows: tuple[Mapping[str, Any], ...]
    is_synthetic: bool
    audience: str = ""

    @property
    def area(self) -> tuple[str, str]:
        """Code and name of the area the report is about."""
        for row in self.rows:
            if row.get("area_code"):
                return str(row["area_code"]), str(row.get("area") or row["area_code"])
        folder = self.href.split("/")[0]
        return folder, folder.replace("-", " ").capitalize()


def read_reports(folder: Path) -> list[Report]:
    """Return the reports of ``<area>/<year>/<name>/`` under a folder that have a page, by place.

    Raises
    ------
    ReportError
        A ``result.json`` or ``manifest.json`` cannot be read.
    """
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
            Report(
                quote(f"{relative}/index.html"), name, _year_of(year_text, rows), tuple(rows),
                _is_synthetic(manifest, rows), str(manifest.get("parameters", {}).get("audience", "")),
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
