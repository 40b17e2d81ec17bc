"""What the gate knows of a page before it reads it: cleared rows, noted numbers, drawings, style sheet, words.

The runner puts it together from the cleared release and from what the exporter gathered, never from the page itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from attendance_toolkit.disclosure.gate.explain import NUMBERS, Explainer
from attendance_toolkit.disclosure.gate.words import Words, template_words
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.columns import LABELS

#: Raised when the shape of a saved document changes.
VERSION = 1


class Outputs(Protocol):
    """What the exporter gathers from a notebook (``reporting.exporter.PageOutputs``)."""

    @property
    def tables(self) -> Mapping[str, str]:
        """File name -> text of each CSV file."""

    @property
    def said(self) -> Sequence[ledger.Entry]:
        """Numbers noted: text, value, what it is about."""

    @property
    def drawings(self) -> frozenset[str]:
        """sha256 of every drawing."""

    @property
    def styles(self) -> frozenset[str]:
        """sha256 of the template's style sheet."""


@dataclass(frozen=True)
class Evidence:
    """Where every number of one page may come from.

    Attributes
    ----------
    cells
        Id of a cleared row -> the row. Rows without an id have a name beginning with "-".
    said
        Numbers the page's functions wrote: text, value before rounding, what it is about.
    drawings, styles
        sha256 of the drawings our chart functions made and of the filled-in style sheet.
    words
        Phrases that may be repeated whole: parameters (area, date, contact, versions), names of levels.
    texts
        Texts of the template: the Markdown of the signed notebook. The toolkit's own source need not be given.
    derived
        Rows made from cleared ones by the runner; their numbers count as cleared.
    tables
        CSV file name -> text, as the downloads of the page have to hold it.
    threshold
        Smallest count of pupils that may be shown: a smaller whole number in a sentence is refused even if noted.
    page
        What the page is: report, area_code, academic_year, release_id.
    files
        Name of a file of the page -> its sha256, to know it again.
    """

    cells: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: tuple[ledger.Entry, ...] = ()
    drawings: frozenset[str] = frozenset()
    styles: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    derived: tuple[Mapping[str, Any], ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    threshold: int | None = 10
    page: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def explainer(self) -> Explainer:
        """Everything the cleared rows may give, worked out once."""
        return Explainer(self.cells.values(), self.derived)

    @cached_property
    def template(self) -> Words:
        """The words with digits a page may have without a figure behind them."""
        things = [text for text, _, kind in self.said if kind not in (ledger.FIGURE, ledger.AXIS)]
        return template_words(self.texts, [*self.words, *things, *self._levels()])

    @cached_property
    def noted(self) -> Mapping[str, tuple[float, ...]]:
        """Text of a number -> the values it was written for."""
        found: dict[str, list[float]] = {}
        for text, value, kind in self.said:
            if kind == ledger.FIGURE and text and value is not None:
                found.setdefault(text, []).append(value)
        return {text: tuple(values) for text, values in found.items()}

    @cached_property
    def things(self) -> frozenset[float]:
        """Numbers that count something other than pupils, where they stand alone."""
        alone = (text.replace(",", "") for text, _, kind in self.said if kind not in (ledger.FIGURE, ledger.AXIS))
        return frozenset(float(text) for text in alone if text.replace(".", "", 1).isdigit() and text.isascii())

    @cached_property
    def ticks(self) -> frozenset[str]:
        """Texts of axis ticks."""
        return frozenset(text for text, _, kind in self.said if kind == ledger.AXIS)

    @cached_property
    def drawn(self) -> tuple[float, ...]:
        """Values of small lines, which have no text."""
        return tuple(
            value for text, value, kind in self.said if kind == ledger.FIGURE and not text and value is not None
        )

    def _levels(self) -> list[str]:
        """Return the names of levels among the cleared rows, and of columns, as phrases."""
        levels = {
            str(value)
            for row in self.cells.values()
            for name, value in row.items()
            if isinstance(value, str) and name not in ("cell", "measure", "symbol")
        }
        return [*sorted(levels), *LABELS.values()]

    def save(self, path: Path) -> None:
        """Write the evidence as JSON. It holds cleared figures only, but is kept in the restricted folder."""
        columns = list(dict.fromkeys(name for row in self.cells.values() for name in row))
        document = {
            "version": VERSION,
            "cells": {
                "ids": list(self.cells),
                "columns": {name: [row.get(name) for row in self.cells.values()] for name in columns},
            },
            "said": [list(entry) for entry in self.said],
            "drawings": sorted(self.drawings),
            "styles": sorted(self.styles),
            "words": list(self.words),
            "texts": list(self.texts),
            "derived": [dict(row) for row in self.derived],
            "tables": dict(self.tables),
            "threshold": self.threshold,
            "page": dict(self.page),
            "files": dict(self.files),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
        path.write_text(text + "\n", encoding="utf-8", newline="\n")

    @staticmethod
    def open(path: Path) -> Evidence:
        """Return evidence that was saved.

        Raises
        ------
        DisclosureError
            The file is missing, damaged or of another version.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["version"] != VERSION:
                raise DisclosureError(
                    f"'{path.name}' was made by another version of the toolkit. Make the release again."
                )
            ids, columns = document["cells"]["ids"], document["cells"]["columns"]
            rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            return Evidence(
                cells=dict(zip(ids, rows, strict=True)),
                said=tuple((str(text), value, str(kind)) for text, value, kind in document["said"]),
                drawings=frozenset(document["drawings"]),
                styles=frozenset(document["styles"]),
                words=tuple(document["words"]),
                texts=tuple(document["texts"]),
                derived=tuple(document["derived"]),
                tables=document["tables"],
                threshold=document["threshold"],
                page=document["page"],
                files=document["files"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DisclosureError(
                f"'{path.name}' cannot be read as a page's evidence ({type(error).__name__})."
            ) from None


def evidence_for(
    tables: Iterable[ProtectedTable],
    outputs: Outputs,
    *,
    words: Iterable[str] = (),
    texts: Iterable[str] = (),
    derived: Iterable[Mapping[str, Any]] = (),
    threshold: int | None = 10,
    page: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Evidence:
    """Return the evidence for one page.

    Parameters
    ----------
    tables
        The page's cleared tables, from the release.
    outputs
        What the exporter gathered.
    words
        Parameters and the like, to be repeated whole.
    texts
        Markdown of the signed notebook (``words.notebook_texts``).

    Raises
    ------
    DisclosureError
        One id stands for two rows with different numbers.
    """
    cells: dict[str, Mapping[str, Any]] = {}
    said: list[str] = []
    for table in tables:
        # The rule and the source of a table are the release's own words.
        said += [table.rule, table.source]
        for row in _records(table):
            name = str(row.pop("cell", None) or f"-{len(cells) + 1}")
            known = cells.get(name)
            if known is not None and any(known.get(key) != row.get(key) for key in (*NUMBERS, "symbol")):
                raise DisclosureError("One id of the release stands for two different rows. Make the release again.")
            # The same row may stand in two tables with other columns beside its numbers.
            cells[name] = {**(known or {}), **row}
    return Evidence(
        cells=cells,
        said=tuple(outputs.said),
        drawings=outputs.drawings,
        styles=outputs.styles,
        words=tuple(dict.fromkeys(word for word in words if word)),
        texts=tuple(dict.fromkeys([*texts, *said])),
        derived=tuple(_plain(row) for row in derived),
        tables=dict(outputs.tables),
        threshold=threshold,
        page=dict(page or {}),
        files=dict(files or {}),
    )


def _records(table: ProtectedTable) -> list[dict[str, Any]]:
    names = [str(name) for name in table.rows.columns]
    columns = [table.rows[name].astype("object").tolist() for name in table.rows.columns]
    return [_plain(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row in types JSON has: missing numbers become None."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, float):
            found[name] = None if math.isnan(value) else value
        elif value is None or isinstance(value, (str, int, bool)):
            found[name] = value
        elif type(value).__name__ == "NAType":
            found[name] = None
        else:
            found[name] = _plain({"value": value.item()})["value"] if hasattr(value, "item") else str(value)
    return found


__all__ = ["Evidence", "Outputs", "evidence_for"]
